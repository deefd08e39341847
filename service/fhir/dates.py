"""FHIR dates and date-times, partial ones too, as days in the site's time zone."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cards.memory import remembered
from cards.record import When

_FRACTION = re.compile(r"\.\d+")


def when(value: Any, zone: ZoneInfo) -> When | None:
    """The day of a FHIR date, or the span of a month or year; None when it is absent or cannot be a date."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 10:
            known = date.fromisoformat(value)
            return When(known, known)
        if len(value) == 7:
            year, month = int(value[:4]), int(value[5:])
            return When(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
        if len(value) == 4:
            return When(date(int(value), 1, 1), date(int(value), 12, 31))
        known = _local_day(value, zone)
        return When(known, known)
    except (ValueError, OverflowError, IndexError):
        return None


# The results of one sample, and what was recorded at one visit, have one time.
@remembered
def _local_day(value: str, zone: ZoneInfo) -> date:
    """The local day of an instant; a time without a zone is taken as local."""
    moment = datetime.fromisoformat(_FRACTION.sub("", value, count=1))
    return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()


def day(value: Any, zone: ZoneInfo) -> date | None:
    """The day of a FHIR date; the last day of a month or year that is all that is known."""
    found = when(value, zone)
    return found.latest if found else None


def first(resource: dict[str, Any], *names: str) -> Any:
    """The first of several members that is present: FHIR versions name the same thing differently."""
    for name in names:
        value = resource.get(name)
        if value is not None:
            return value
    return None


def period_end_or_start(value: Any) -> Any:
    """The end of a FHIR Period, else its start."""
    return (value.get("end") or value.get("start")) if isinstance(value, dict) else None
