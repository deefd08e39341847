"""When a dose is to be taken: FHIR Timing of any version, its codes, and the words that prescribers write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cards.record import Period, PeriodUnit, Repeat
from cards.terminology import Terminology
from service.fhir.dates import day, first

_ONE = Decimal(1)
_UNITS = {unit.value: unit for unit in PeriodUnit}
_MINUTES_IN_HOUR = Decimal(60)


@dataclass(frozen=True, slots=True)
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
    if repeat is None:
        repeat, once, as_needed = _coded(timing.get("code"), terminology)
    count = _whole(first(structure, "countMax", "count"))
    events = timing.get("event")
    said = words(_all_words(timing.get("code"), text))
    if repeat is None and not events:
        repeat, once, as_needed = said.repeat, once or said.once, as_needed or said.as_needed
    return Timing(
        repeat=repeat,
        starts=day(bounds.get("start"), zone),
        ends=day(bounds.get("end"), zone),
        lasts=_length(first(structure, "boundsDuration", "boundsQuantity", "boundsRange")) or said.lasts,
        count=1 if once else count or said.count,
        events=tuple(found for each in _list(events) if (found := day(each, zone))),
        as_needed=as_needed,
        unread=repeat is None and not once and not events and said.names_time,
    )


def _repeat(structure: dict[str, Any]) -> Repeat | None:
    """`frequency` in `period` `periodUnit`, or the named days of a week."""
    unit = first(structure, "periodUnit", "periodUnits")
    low = _number(structure.get("period"))
    if low is None or not isinstance(unit, str):
        days = _list(structure.get("dayOfWeek"))
        if days:
            return Repeat(Decimal(len(days)), Period(_ONE, _ONE, PeriodUnit.WEEK))
        return None
    high = _number(structure.get("periodMax")) or low
    times = _number(first(structure, "frequencyMax", "frequency")) or _ONE
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
    number = Decimal(match[1])
    if match[2] == "L":
        return Repeat(_ONE, Period(number * 4, number * 4, PeriodUnit.WEEK))
    return Repeat(
        _ONE, Period(number, number, {"H": PeriodUnit.HOUR, "D": PeriodUnit.DAY, "W": PeriodUnit.WEEK}[match[2]])
    )


def _length(duration: Any) -> Period | None:
    """A Duration, or a Range of durations, as a period."""
    if not isinstance(duration, dict):
        return None
    low = duration.get("low") if "low" in duration or "high" in duration else duration
    high = duration.get("high", low) if "high" in duration else low
    if not isinstance(low, dict) or not isinstance(high, dict):
        return None
    unit = first(high, "code", "unit")
    unit = _WORD_UNITS.get(str(unit).lower().rstrip("s"), _UNITS.get(str(unit)))
    number, largest = _number(low.get("value")), _number(high.get("value"))
    return Period(number, largest, unit) if unit and number is not None and largest is not None else None


# --- words -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What the words of an instruction say of its timing."""

    repeat: Repeat | None = None
    lasts: Period | None = None
    count: int | None = None
    once: bool = False
    as_needed: bool = False
    names_time: bool = False


_WORD_UNITS = {
    "h": PeriodUnit.HOUR,
    "hour": PeriodUnit.HOUR,
    "hr": PeriodUnit.HOUR,
    "d": PeriodUnit.DAY,
    "day": PeriodUnit.DAY,
    "w": PeriodUnit.WEEK,
    "wk": PeriodUnit.WEEK,
    "week": PeriodUnit.WEEK,
    "m": PeriodUnit.MONTH,
    "mo": PeriodUnit.MONTH,
    "mth": PeriodUnit.MONTH,
    "month": PeriodUnit.MONTH,
    "y": PeriodUnit.YEAR,
    "yr": PeriodUnit.YEAR,
    "year": PeriodUnit.YEAR,
    "a": PeriodUnit.YEAR,
}
# NHS shorthand: 3/7 is three days, 3/52 three weeks, 3/12 three months.
_SHORTHAND = {"7": PeriodUnit.DAY, "52": PeriodUnit.WEEK, "12": PeriodUnit.MONTH}
_NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "once": 1, "twice": 2, "thrice": 3,
}  # fmt: skip
_NUM = r"(\d+(?:\.\d+)?|" + "|".join(_NUMBER_WORDS) + r")"
_UNIT = r"(hours?|hrs?|days?|weeks?|wks?|months?|mths?|years?|yrs?)"
_EVERY_RANGE = re.compile(rf"\b(?:every|each|q)\s*{_NUM}\s*(?:-|to|–)\s*{_NUM}\s*-?\s*{_UNIT}\b", re.I)
_EVERY = re.compile(rf"\b(?:every|each)\s+(?:{_NUM}\s*-?\s*)?{_UNIT}\b", re.I)
_EVERY_SHORTHAND = re.compile(r"\b(?:every|each|at intervals of)?\s*(?<!\d)(\d{1,2})/(7|52|12)\b", re.I)
_LASTS_SHORTHAND = re.compile(r"\bfor\s+(\d{1,2})/(7|52|12)\b", re.I)
_RANGE_LY = re.compile(rf"\b{_NUM}\s*(?:-|to|–)\s*{_NUM}[\s-]*(daily|weekly|monthly|yearly)\b", re.I)
_N_LY = re.compile(rf"\b{_NUM}[\s-]*(hourly|weekly|monthly|yearly)\b", re.I)
_Q = re.compile(r"\bq\.?\s?(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s?(h|d|w|wk|m|mo|mth)s?\b", re.I)
_TIMES = re.compile(
    rf"\b(?:x\s?(\d{{1,2}})|{_NUM}\s*(?:x|times?)?)\s*(?:a|an|per|/|each|every)\s*(day|week|wk|month|year|yr)\b", re.I
)
_TIMES_LY = re.compile(
    rf"\b{_NUM}\s*(?:x|times)\s*(daily|weekly|monthly|yearly)\b|\b(once|twice)\s+(daily|weekly|monthly|yearly)\b", re.I
)
_FIXED_WORDS = [
    (r"\b(?:alternate|alt\.?|every other|every second)\s+days?\b|\beod\b|\bqod\b", 1, 2, PeriodUnit.DAY),
    (r"\b(?:every other|alternate)\s+weeks?\b|\bfortnight(?:ly)?\b", 1, 2, PeriodUnit.WEEK),
    (r"\b(?:every other|alternate)\s+months?\b|\bbi-?monthly\b", 1, 2, PeriodUnit.MONTH),
    (r"\bquarterly\b", 1, 3, PeriodUnit.MONTH),
    (r"\bqds\b|\bqid\b", 4, 1, PeriodUnit.DAY),
    (r"\btds\b|\btid\b", 3, 1, PeriodUnit.DAY),
    (r"\bbd\b|\bbid\b", 2, 1, PeriodUnit.DAY),
    (r"\bweekly\b", 1, 1, PeriodUnit.WEEK),
    (r"\bmonthly\b", 1, 1, PeriodUnit.MONTH),
    (r"\b(?:yearly|annually)\b", 1, 1, PeriodUnit.YEAR),
    (r"\bdaily\b|\b(?:a|per|each) day\b|\bod\b|\bqd\b", 1, 1, PeriodUnit.DAY),
    (r"\b(?:at night|nocte|in the morning|mane)\b", 1, 1, PeriodUnit.DAY),
]
_FIXED = [(re.compile(pattern, re.I), times, every, unit) for pattern, times, every, unit in _FIXED_WORDS]
_LASTS = re.compile(rf"\bfor\s+(?:a\s+)?{_NUM}?\s*{_UNIT}\b", re.I)
_COUNT = re.compile(rf"\b(?:x|for)\s*{_NUM}\s*doses?\b|\b{_NUM}\s*doses\b", re.I)
_ONCE = re.compile(r"\b(?:stat|one[- ]off|single dose|once only|once,? today)\b", re.I)
_AS_NEEDED = re.compile(r"\b(?:prn|as needed|as required|when required|if needed)\b", re.I)
_LY = {"hourly": PeriodUnit.HOUR, "daily": PeriodUnit.DAY, "weekly": PeriodUnit.WEEK}
_LY |= {"monthly": PeriodUnit.MONTH, "yearly": PeriodUnit.YEAR}
_NAMES_TIME = re.compile(r"\b(?:every|each|daily|weekly|monthly|week|month|day|q\d)\w*|\d/(?:7|12|52)\b", re.I)


@lru_cache(maxsize=4096)
def words(text: str) -> Said:
    """What the words of an instruction say of its timing: "every 12 weeks", "q3m", "alternate days", "3/52"."""
    if not text:
        return Said()
    lasts, rest = _lasting(text)
    count = _COUNT.search(rest)
    return Said(
        repeat=_every(rest),
        lasts=lasts,
        count=int(_value(next(filter(None, count.groups())))) if count else None,
        once=bool(_ONCE.search(rest)),
        as_needed=bool(_AS_NEEDED.search(rest)),
        names_time=bool(_NAMES_TIME.search(rest)),
    )


def _lasting(text: str) -> tuple[Period | None, str]:
    """The length of a course ("for 2 weeks", "for 2/52"), and the text without it."""
    if match := _LASTS_SHORTHAND.search(text):
        return _period(match[1], match[1], _SHORTHAND[match[2]]), text[: match.start()] + text[match.end() :]
    if match := _LASTS.search(text):
        number = match[1] or "one"
        return _period(number, number, _unit(match[2])), text[: match.start()] + text[match.end() :]
    return None, text


def _every(text: str) -> Repeat | None:
    if match := _RANGE_LY.search(text):
        return Repeat(_ONE, _period(match[1], match[2], _LY[match[3].lower()]))
    if match := _EVERY_RANGE.search(text):
        return Repeat(_ONE, _period(match[1], match[2], _unit(match[3])))
    if match := _EVERY_SHORTHAND.search(text):
        return Repeat(_ONE, _period(match[1], match[1], _SHORTHAND[match[2]]))
    if match := _Q.search(text):
        return Repeat(_ONE, _period(match[1], match[2] or match[1], _WORD_UNITS[match[3][0].lower()]))
    if match := _TIMES_LY.search(text):
        number, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        return Repeat(_value(number), _period("1", "1", _LY[unit.lower()]))
    if match := _TIMES.search(text):
        number = match[1] or match[2]
        return Repeat(_value(number), _period("1", "1", _unit(match[3])))
    if match := _N_LY.search(text):
        return Repeat(_ONE, _period(match[1], match[1], _LY[match[2].lower()]))
    if match := _EVERY.search(text):
        number = match[1] or "1"
        return Repeat(_ONE, _period(number, number, _unit(match[2])))
    for pattern, times, every, period_unit in _FIXED:
        if pattern.search(text):
            return Repeat(Decimal(times), _period(str(every), str(every), period_unit))
    return None


def _unit(word: str) -> PeriodUnit:
    return _WORD_UNITS[word.lower().rstrip("s")]


def _value(number: str) -> Decimal:
    return Decimal(_NUMBER_WORDS.get(number.lower(), number))


def _period(low: str, high: str, unit: PeriodUnit) -> Period:
    return Period(_value(low), _value(high), unit)


def _all_words(code: Any, text: str) -> str:
    """The words of the timing's code, then those of the instruction."""
    found = [text]
    if isinstance(code, dict):
        found.insert(0, str(code.get("text") or ""))
        found[1:1] = [str(each.get("display") or "") for each in _list(code.get("coding")) if isinstance(each, dict)]
    return " ".join(each for each in found if each)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 < number < 10_000 else None
