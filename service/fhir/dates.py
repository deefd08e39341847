"""FHIR dates and date-times, partial ones too, as days in the site's time zone."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cards.calendar import months_after, months_before
from cards.memory import remembered
from cards.record import NotUnderstood, When
from service.fhir.setting import Setting

_FRACTION = re.compile(r"[.,]\d+")
# FHIR lets a minute have a sixtieth second, which Python does not.
_LEAP_SECOND = re.compile(r"(:\d\d):60")
# What programs write where they have no date (rules, decision 7 a).
_PLACEHOLDERS = frozenset(
    map(date.fromisoformat, ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01"))
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The oldest person ever lived 122 years: a service setting.
_LONGEST_LIFE_MONTHS = 130 * 12
# How far ahead anything is planned (rules, decision 7 a).
_FURTHEST_PLAN_MONTHS = 20 * 12
_A_DAY = timedelta(days=1)
IMPOSSIBLE = NotUnderstood("impossible-date")
FUTURE = NotUnderstood("future-date")


def when(value: Any, zone: ZoneInfo) -> When | NotUnderstood | None:
    """The day of a FHIR date, or the span of a month or year; None when there is none.

    Not understood (`impossible-date`) is what cannot be a date, and what programs write where they have none.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return IMPOSSIBLE
    try:
        if len(value) == 10 and value[4] == value[7] == "-":
            known = date.fromisoformat(value)
            return IMPOSSIBLE if known in _PLACEHOLDERS else When(known, known)
        if len(value) < 10:
            return _less_usual(value.strip(), zone)
        moment = _local_day(value, zone)
        return When(moment, moment) if moment else IMPOSSIBLE
    except (ValueError, OverflowError, IndexError):
        return IMPOSSIBLE


def _less_usual(value: str, zone: ZoneInfo) -> When | NotUnderstood:
    if len(value) == 7 and value[4] == "-":
        year, month = int(value[:4]), int(value[5:])
        return When(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
    if len(value) == 4:
        return When(date(int(value), 1, 1), date(int(value), 12, 31))
    known = _local_day(value, zone)
    return When(known, known) if known else IMPOSSIBLE


# The results of one sample, and what was recorded at one visit, have one time.
@remembered
def _local_day(value: str, zone: ZoneInfo) -> date | None:
    """The local day of an instant; a time without a zone is taken as local. None for the time of nothing."""
    value = value.strip().upper()
    if "W" in value:
        raise ValueError(value)  # a week's date, which FHIR does not know
    moment = datetime.fromisoformat(_LEAP_SECOND.sub(r"\1:59", _FRACTION.sub("", value, count=1)))
    if moment.date() in _PLACEHOLDERS or (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) == _EPOCH:
        return None
    local = moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()
    return None if local in _PLACEHOLDERS else local


def happened(value: Any, setting: Setting) -> When | NotUnderstood | None:
    """When something was: between birth and tomorrow, which is today in another time zone.

    Not understood for the reasons `impossible-date` and `future-date`.
    """
    found = when(value, setting.zone)
    if not isinstance(found, When):
        return found
    today, born = setting.today, setting.born
    since = born.earliest if born is not None else _first_day(setting)
    if since <= found.latest <= today:
        return found
    if found.earliest > today + _A_DAY:
        return FUTURE
    if found.latest < since:
        return IMPOSSIBLE
    return When(min(found.earliest, today), today)


def _first_day(setting: Setting) -> date:
    return setting.born.earliest if setting.born else months_before(setting.today, _LONGEST_LIFE_MONTHS)


def planned(value: Any, setting: Setting) -> When | NotUnderstood | None:
    """When something is to be: after birth, and 20 years ahead at most."""
    found = when(value, setting.zone)
    if not isinstance(found, When):
        return found
    possible = _first_day(setting) <= found.latest and found.earliest <= months_after(
        setting.today, _FURTHEST_PLAN_MONTHS
    )
    return found if possible else IMPOSSIBLE


def if_known(found: When | NotUnderstood | None) -> When | None:
    """A date, where one that could not be read is as good as none."""
    return found if isinstance(found, When) else None


def day(value: Any, zone: ZoneInfo) -> date | None:
    """The day of a date, where one that could not be read is as good as none; of a month or year the last day."""
    found = when(value, zone)
    return found.latest if isinstance(found, When) else None


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
