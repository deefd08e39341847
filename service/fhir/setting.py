"""What reading a resource needs besides the resource: the value sets, the site's time zone, and the day."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from cards.fact import fact
from cards.terminology import Terminology


@fact(frozen=True, slots=True)
class Setting:
    """Built once per call."""

    terminology: Terminology
    zone: ZoneInfo
    today: date
