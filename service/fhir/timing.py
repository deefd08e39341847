"""When a dose is to be taken: FHIR Timing of any version, its codes, and the words that prescribers write."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from cards.fact import fact
from cards.record import Period, PeriodUnit, Repeat
from cards.terminology import Terminology
from service.fhir.dates import day, first
from service.fhir.numbers import known_number
from service.fhir.timing_words import PERIOD_UNITS, words

_ONE = Decimal(1)
_UNITS = {unit.value: unit for unit in PeriodUnit}
_MINUTES_IN_HOUR = Decimal(60)


@fact(frozen=True, slots=True)
class Timing:
    """What could be read: see `cards.record.Instruction` for the members."""

    repeat: Repeat | None = None
    starts: date | None = None
    ends: date | None = None
    lasts: Period | None = None
    count: int | None = None
    events: tuple[date, ...] = ()
    as_needed: bool = False
    unread: bool = False


NO_TIMING = Timing()


def read_timing(timing: Any, text: str, terminology: Terminology, zone: ZoneInfo) -> Timing:
    """A FHIR Timing; `text` is the instruction in words, used for what the structure does not say."""
    timing = timing if isinstance(timing, dict) else {}
    structure = timing.get("repeat")
    structure = structure if isinstance(structure, dict) else {}
    bounds = first(structure, "boundsPeriod", "bounds")
    bounds = bounds if isinstance(bounds, dict) else {}
    repeat, once, as_needed = _repeat(structure), False, False
    code = timing.get("code")
    if repeat is None:
        repeat, once, as_needed = _coded(code, terminology)
    count = _whole(first(structure, "countMax", "count"))
    events = timing.get("event")
    said = words(text if code is None else _all_words(code, text))
    if repeat is None and not events:
        repeat, once, as_needed = said.repeat, once or said.once, as_needed or said.as_needed
    return Timing(
        repeat=repeat,
        starts=day(bounds.get("start"), zone) if bounds else None,
        ends=day(bounds.get("end"), zone) if bounds else None,
        lasts=_length(first(structure, "boundsDuration", "boundsQuantity", "boundsRange")) or said.lasts,
        count=1 if once else count or said.count,
        events=tuple(found for each in _list(events) if (found := day(each, zone))) if events else (),
        as_needed=as_needed,
        unread=repeat is None and not once and not events and (said.names_time or _says_when(timing, as_needed)),
    )


def _says_when(timing: dict[str, Any], as_needed: bool) -> bool:
    """Whether a timing that gave no repetition has one in a form unknown here."""
    structure = timing.get("repeat")
    return bool(timing.get("code") and not as_needed) or (isinstance(structure, dict) and "period" in structure)


def _repeat(structure: dict[str, Any]) -> Repeat | None:
    """`frequency` in `period` `periodUnit`, or the named days of a week."""
    unit = first(structure, "periodUnit", "periodUnits")
    low = known_number(structure.get("period"))
    days = len(_list(structure["dayOfWeek"])) if "dayOfWeek" in structure else 0
    moments = 0
    if "when" in structure or "timeOfDay" in structure:
        moments = len(_list(structure.get("when"))) or len(_list(structure.get("timeOfDay")))
    if days and (low is None or (low > 0 and unit in ("d", "wk"))):
        # "On Monday, Wednesday and Friday", whether or not it also says once a day or every week.
        daily = known_number(structure.get("frequency")) if low == 1 and unit == "d" else None
        weeks = low if low and unit == "wk" else _ONE
        times = daily if daily and daily > 0 else Decimal(moments or 1)
        return Repeat(days * times, Period(weeks, weeks, PeriodUnit.WEEK))
    if low is None or not isinstance(unit, str):
        return Repeat(Decimal(moments), Period(_ONE, _ONE, PeriodUnit.DAY)) if moments else None
    high = known_number(structure.get("periodMax")) or low
    times = known_number(first(structure, "frequencyMax", "frequency")) or _ONE
    if unit in ("min", "s"):
        divisor = _MINUTES_IN_HOUR if unit == "min" else _MINUTES_IN_HOUR**2
        low, high, unit = low / divisor, high / divisor, "h"
    if unit not in _UNITS or low <= 0 or times <= 0:
        return None
    return Repeat(times, Period(low, max(low, high), _UNITS[unit]))


def _coded(code: Any, terminology: Terminology) -> tuple[Repeat | None, bool, bool]:
    """A timing code: its repetition, whether it means once, whether it means as needed."""
    if not isinstance(code, dict):
        return None, False, False
    for coding in _list(code.get("coding")):
        if not isinstance(coding, dict):
            continue
        value = str(coding.get("code"))
        meaning = terminology.timing(str(coding.get("system")), value)
        if meaning in ("once", "as needed"):
            return None, meaning == "once", meaning == "as needed"
        if meaning:
            match = re.fullmatch(r"(\d+)/(\d+)(h|d|wk|mo)", meaning)
            if match:
                every = Decimal(match[2])
                return Repeat(Decimal(match[1]), Period(every, every, _UNITS[match[3]])), False, False
        if repeat := _pattern(value):
            return repeat, False, False
    return None, False, False


def _pattern(code: str) -> Repeat | None:
    """HL7 v2 repeat patterns: Q2D, Q12W, Q4H; Q1L is a lunar month, four weeks."""
    match = re.fullmatch(r"Q(\d{1,3})([HDWL])", code.upper())
    if match is None or int(match[1]) == 0:
        return None
    every = Decimal(match[1])
    if match[2] == "L":
        return Repeat(_ONE, Period(every * 4, every * 4, PeriodUnit.WEEK))
    return Repeat(_ONE, Period(every, every, PERIOD_UNITS[match[2].lower()]))


def _length(duration: Any) -> Period | None:
    """A Duration, or a Range of durations, as a period."""
    if not isinstance(duration, dict):
        return None
    low = duration.get("low") if "low" in duration or "high" in duration else duration
    high = duration.get("high", low) if "high" in duration else low
    if not isinstance(low, dict) or not isinstance(high, dict):
        return None
    unit = first(high, "code", "unit")
    unit = PERIOD_UNITS.get(str(unit).lower().rstrip("s"))
    shortest, longest = known_number(low.get("value")), known_number(high.get("value"))
    return Period(shortest, longest, unit) if unit and shortest is not None and longest is not None else None


def _all_words(code: Any, text: str) -> str:
    """The words of the timing's code, then those of the instruction."""
    found = [text]
    if isinstance(code, dict):
        found.insert(0, str(code.get("text") or ""))
        found[1:1] = [str(each.get("display") or "") for each in _list(code.get("coding")) if isinstance(each, dict)]
    return " ".join(each for each in found if each)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    found = known_number(value)
    return int(found) if found is not None and 0 < found < 10_000 else None
