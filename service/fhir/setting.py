"""What reading a resource needs besides the resource: the value sets, the site's time zone, the day, the birth."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from cards.fact import fact
from cards.record import When
from cards.terminology import Terminology


@fact(frozen=True, slots=True)
class Setting:
    """Built once per call. `born`: when the patient was born, where that is known: nothing happened before."""

    terminology: Terminology
    zone: ZoneInfo
    today: date
    born: When | None = None
