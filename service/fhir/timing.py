"""When a dose is to be taken: FHIR Timing of any version, its codes, and the words that prescribers write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cards.calendar import months_after
from cards.fact import fact
from cards.memory import remembered
from cards.record import NotUnderstood, Period, PeriodUnit, Repeat
from cards.terminology import Terminology
from service.fhir.dates import day, first
from service.fhir.numbers import known_number
from service.fhir.timing_phrases import is_plausible
from service.fhir.timing_tokens import UNITS, WEEKDAYS, Length, spread, vocabulary
from service.fhir.timing_words import Said, agree, regimen

_ONE = Decimal(1)
_DAY, _WEEK = UNITS["day"], UNITS["week"]
_UNREAD = NotUnderstood("timing-unread")
_NO_END_FROM_YEAR = 2099
_LONGEST_MONTHS = 240


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


def read_timing(value: Any, text: str, terminology: Terminology, zone: ZoneInfo) -> Timing:
    """A FHIR Timing; `text` is the instruction in words, used for what the structure does not say.

    Where structure, code and words give different intervals, none of them is believed: `unread`, without `repeat`.
    """
    if value is None:
        return _in_words(text)
    timing, spoilt = (value, False) if type(value) is dict else _object(value)
    structure = timing.get("repeat")
    structure, broken = (structure, False) if type(structure) is dict else _object(structure)
    repeat = _repeat(structure) if structure else None
    events, some_unread = _events(timing["event"], zone) if "event" in timing else ((), False)
    spoilt = spoilt or broken or repeat is _UNREAD
    found = repeat if isinstance(repeat, Repeat) else None
    coded = _codes_say(timing["code"], terminology) if "code" in timing else []
    said = [_phase_like(found, text)] if text else []
    if not structure:
        said += [_phase_like(found, each) for each in (value, timing.get("repeat")) if isinstance(each, str)]
    starts = ends = lasts = count = None
    no_end = False
    if not _ENDS.isdisjoint(structure):
        count, no_count = _count(structure)
        starts, ends, no_bounds = _bounds(structure, zone)
        lasts, no_length = _length(first(structure, "boundsDuration", "boundsQuantity", "boundsRange"))
        no_end = no_count or no_bounds or no_length
    if isinstance(repeat, Repeat) and len(said) == 1 and not coded:
        # By far the commonest: a structure and its words, which agree.
        (own,) = said
        if own.repeat is None or own.part_of_day or agree(repeat, own.repeat):
            unread = some_unread or no_end or own.end_unread
            return Timing(repeat, starts, ends, lasts or own.lasts, count or own.count, events, unread=unread)
    if not (coded or said):
        unread = some_unread or no_end or (spoilt and found is None and not events)
        return Timing(found, starts, ends, lasts, count, events, unread=unread)
    # Planned days go before how often in words.
    told = coded if timing.get("event") and found is None else [*coded, *said]
    found, contradicts = _agreed(found, told)
    untold = found is None and not contradicts
    once = any(each.once for each in coded) or (untold and any(each.once for each in told))
    no_end = no_end or any(each.end_unread for each in said)
    not_read = spoilt or any(each.unread for each in (*coded, *said))
    return Timing(
        repeat=found,
        starts=starts,
        ends=ends,
        lasts=lasts or next((each.lasts for each in (*coded, *said) if each.lasts), None),
        count=1 if once else count or next((each.count for each in (*coded, *said) if each.count), None),
        events=events,
        as_needed=any(each.as_needed for each in coded) or (repeat is None and any(each.as_needed for each in said)),
        unread=contradicts or some_unread or no_end or (not_read and untold and not once and not events),
    )


@remembered
def _in_words(text: str) -> Timing:
    """What words say where there is no structure."""
    said = _phase_like(None, text)
    return Timing(
        repeat=said.repeat,
        lasts=said.lasts,
        count=1 if said.once else said.count,
        as_needed=said.as_needed,
        unread=said.unread,
    )


def _agreed(found: Repeat | None, says: Sequence[Said]) -> tuple[Repeat | None, bool]:
    """How often, where structure (`found`), codes and words agree; and whether they contradict each other.

    A part of the day is how often only where nothing else says it.
    """
    if found is None and len(says) == 1:
        return says[0].repeat, False
    firm = [each.repeat for each in says if each.repeat and not each.part_of_day]
    all_of_them = [found, *firm] if found else firm
    if not all_of_them:
        return next((each.repeat for each in says if each.repeat), None), False
    if all(agree(all_of_them[0], each) for each in all_of_them[1:]):
        return all_of_them[0], False
    return None, True


def is_structured(timing: Any) -> bool:
    """Whether a timing says how often, or on which days, in its structure; what its code or words say is none."""
    timing, _ = _object(timing)
    structure, _ = _object(timing.get("repeat"))
    return bool(timing.get("event")) or not _HOW_OFTEN.isdisjoint(structure)


def texts_of_timing(timing: Any) -> Iterator[str]:
    """The words of a timing: its own where it is a text, else those of its code."""
    if isinstance(timing, dict) and isinstance(timing.get("repeat"), dict) and "code" not in timing:
        return
    if isinstance(timing, str):
        yield timing
    timing, _ = _object(timing)
    if isinstance(timing.get("repeat"), str):
        yield timing["repeat"]
    yield from _code_texts(timing.get("code"))


_ENDS = frozenset({"count", "countMax", "bounds", "boundsPeriod", "boundsDuration", "boundsQuantity", "boundsRange"})
_HOW_OFTEN = frozenset({"frequency", "frequencyMax", "period", "periodMax", "periodUnit", "periodUnits"})
_HOW_OFTEN |= {"dayOfWeek", "timeOfDay", "when"}
_HOW_OFTEN_BESIDE = _HOW_OFTEN - {"frequency", "period", "periodUnit"}


def _phase_like(repeat: Repeat | None, text: str) -> Said:
    """What a text says; of a text of several phases, the one whose interval the structure has."""
    phases = regimen(text)
    if len(phases) == 1:
        return phases[0]
    if repeat is None:
        return Said(unread=True)
    return next((each for each in phases if each.repeat and agree(repeat, each.repeat)), Said(repeat=phases[0].repeat))


# --- structure ---------------------------------------------------------------------------------------------------


def _object(value: Any) -> tuple[dict[str, Any], bool]:
    """An object, or the only one of a list; and whether something else stands there that is no text either."""
    if isinstance(value, dict):
        return value, False
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0], False
    return {}, value is not None and value != [] and not isinstance(value, str)


def _repeat(structure: dict[str, Any]) -> Repeat | NotUnderstood | None:
    """`frequency` in `period` `periodUnit`, or the named days of a week; None when it says neither."""
    period, unit = structure.get("period"), structure.get("periodUnit")
    if _HOW_OFTEN_BESIDE.isdisjoint(structure) and isinstance(unit, str) and type(period) in (int, float):
        frequency = structure.get("frequency", 1)
        if type(frequency) in (int, float):
            return _usual(frequency, period, unit)
    return _any_repeat(structure)


# Typed, because 1 and 1.0 are equal and are written differently.
@lru_cache(maxsize=4096, typed=True)
def _usual(frequency: float, period: float, unit: str) -> Repeat | NotUnderstood | None:
    """A repetition as most orders have it; the same few come again and again."""
    return _any_repeat({"frequency": frequency, "period": period, "periodUnit": unit})


def _any_repeat(structure: dict[str, Any]) -> Repeat | NotUnderstood | None:
    if _HOW_OFTEN.isdisjoint(structure):
        return None
    unit = first(structure, "periodUnit", "periodUnits")
    period, most = structure.get("period"), structure.get("periodMax")
    frequency = first(structure, "frequencyMax", "frequency")
    if period is None and unit is None and frequency is not None and structure.get("count") == 1:
        # Once in all.
        return None
    times = _ONE if frequency is None else known_number(frequency)
    if times is None or times <= 0 or (most is not None and period is None):
        return _UNREAD
    moments = _moments(structure)
    days = _days(structure["dayOfWeek"]) if "dayOfWeek" in structure else 0
    if moments is None or days is None:
        return _UNREAD
    if period is None:
        if unit is not None or (frequency is not None and not (days or moments)):
            return _UNREAD
        found = Repeat(Decimal((days or 1) * (moments or 1)), spread(_ONE, _ONE, _WEEK if days else _DAY))
        return found if days or moments else None
    low, high, length = known_number(period), known_number(period if most is None else most), _unit(unit)
    if low is None or high is None or length is None or not 0 < low <= high:
        return _UNREAD
    if days and length in (_DAY, _WEEK):
        # "On Monday, Wednesday and Friday", whether or not it also says once a day or every week.
        daily = times if low == 1 and length == _DAY and frequency is not None else Decimal(moments or 1)
        weeks = low if length == _WEEK else _ONE
        return _plausible(Repeat(days * daily, spread(weeks, weeks, _WEEK)))
    if isinstance(length, Decimal):
        return _plausible(Repeat(times, Period(low / length, high / length, PeriodUnit.HOUR)))
    return _plausible(Repeat(times, spread(low, high, length)))


def _plausible(repeat: Repeat) -> Repeat | NotUnderstood:
    return repeat if is_plausible(repeat) else _UNREAD


# How many there are in an hour.
_PARTS_OF_AN_HOUR = {
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Decimal(60)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), Decimal(3600)),
}
# FHIR's unit of years; "m" would be metres in UCUM, and months or minutes to others.
_STRUCTURED_UNITS: dict[str, Length | Decimal] = {**UNITS, **_PARTS_OF_AN_HOUR, "a": UNITS["year"]}
del _STRUCTURED_UNITS["m"]


def _unit(value: Any) -> Length | Decimal | None:
    """A unit of time as a code or in words, in any case; parts of an hour as how many make one."""
    if isinstance(value, dict):
        value = value.get("code") or value.get("unit") or value.get("text")
    if not isinstance(value, str):
        return None
    return _STRUCTURED_UNITS.get(value) or _STRUCTURED_UNITS.get(value.strip().lower().removesuffix("(s)"))


# Each is one moment of a day; before, after and with "meals" is no number of times.
_MOMENTS = vocabulary(
    "MORN NOON AFT EVE NIGHT PHS HS WAKE ACM ACD ACV PCM PCD PCV CM CD CV MORN.EARLY MORN.LATE AFT.EARLY "
    "AFT.LATE EVE.EARLY EVE.LATE"
)


def _moments(structure: dict[str, Any]) -> int | None:
    """How many moments of a day `when` or `timeOfDay` names; None when one could not be read and decides how often."""
    if "when" not in structure and "timeOfDay" not in structure:
        return 0
    when, times = _list(structure.get("when")), _list(structure.get("timeOfDay"))
    if all(isinstance(each, str) and each.upper() in _MOMENTS for each in when):
        return len(when) or len(times)
    return 0 if structure.get("period") is not None else None


def _days(value: Any) -> int | None:
    """How many days of the week are named; None when one could not be read."""
    names = re.split(r"[,;|/ ]{1,4}", value.strip()) if isinstance(value, str) else _list(value)
    found = {WEEKDAYS.get(each.strip().lower()) if isinstance(each, str) else None for each in names}
    return None if None in found else len(found)


def _count(structure: dict[str, Any]) -> tuple[int | None, bool]:
    """The number of doses after which it ends, and whether one was said that could not be read."""
    value = first(structure, "countMax", "count")
    if value is None:
        return None, False
    found = known_number(value)
    known = int(found) if found is not None and 0 < found < 10_000 else None
    return known, known is None


def _bounds(structure: dict[str, Any], zone: ZoneInfo) -> tuple[date | None, date | None, bool]:
    """The first and the last day, and whether one was said that could not be read. A far end is none."""
    bounds = first(structure, "boundsPeriod", "bounds")
    if bounds is None:
        return None, None, False
    if not isinstance(bounds, dict):
        return None, None, True
    starts, ends = (day(bounds.get(each), zone) for each in ("start", "end"))
    unread = (starts is None and bounds.get("start") is not None) or (ends is None and bounds.get("end") is not None)
    if ends and (ends.year >= _NO_END_FROM_YEAR or (starts and ends > months_after(starts, _LONGEST_MONTHS))):
        ends = None
    if starts and ends and ends < starts:
        return starts, None, True
    return starts, ends, unread


def _length(duration: Any) -> tuple[Period | None, bool]:
    """A Duration, or a Range of durations, as a period; and whether one was said that could not be read."""
    if duration is None:
        return None, False
    if not isinstance(duration, dict):
        return None, True
    low = duration.get("low") if "low" in duration or "high" in duration else duration
    high = duration.get("high", low) if "high" in duration else low
    if not isinstance(low, dict) or not isinstance(high, dict):
        return None, True
    unit = _unit(first(high, "code", "unit"))
    shortest, longest = known_number(low.get("value")), known_number(high.get("value"))
    if shortest is None or longest is None or not isinstance(unit, Length) or not 0 <= shortest <= longest:
        return None, True
    if not longest:
        return None, True
    found = spread(shortest, longest, unit)
    # What lasts longer than twenty years has no end.
    return (found, False) if is_plausible(Repeat(_ONE, found._replace(low=found.high))) else (None, False)


def _events(value: Any, zone: ZoneInfo) -> tuple[tuple[date, ...], bool]:
    """Planned days, and whether one of them could not be read."""
    if not value:
        return (), False
    found = [day(each, zone) for each in _list(value)]
    return tuple(each for each in found if each), None in found


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


# --- codes -------------------------------------------------------------------------------------------------------


def _codes_say(code: Any, terminology: Terminology) -> list[Said]:
    """What a timing's code says, by each known coding, else by its words; unread when none of it could be read."""
    if code is None:
        return []
    found: list[Said] = []
    if isinstance(code, str):
        found += _words_say(code)
    elif isinstance(code, dict):
        text = code.get("text")
        found += _words_say(text) if isinstance(text, str) else ()
        for coding in _list(code.get("coding")):
            if isinstance(coding, dict):
                found += _coding_says(str(coding.get("code")), str(coding.get("system")), terminology)
                display = coding.get("display")
                found += _words_say(display) if isinstance(display, str) else ()
    return found or [_UNREAD_CODE]


_UNREAD_CODE = Said(unread=True)


@remembered
def _words_say(text: str) -> tuple[Said, ...]:
    """What the words of a code say; nothing when they are no timing that is understood."""
    said = _phase_like(None, text)
    return (said,) if said.repeat or said.once or said.as_needed else ()


@remembered
def _coding_says(value: str, system: str, terminology: Terminology) -> tuple[Said, ...]:
    """What a code of HL7 means, or a code value that is words: "EVERY 16 WEEKS"."""
    known = _coded(system, value, terminology)
    return (known,) if known else _words_say(value)


def _coded(system: str, value: str, terminology: Terminology) -> Said | None:
    """The meaning of a timing code of HL7."""
    meaning = terminology.timing(system, value)
    if meaning in ("once", "as needed"):
        return Said(once=meaning == "once", as_needed=meaning == "as needed")
    if meaning:
        match = re.fullmatch(r"(\d+)/(\d+)(h|d|wk|mo)", meaning)
        if match:
            every = Decimal(match[2])
            repeat = Repeat(Decimal(match[1]), spread(every, every, UNITS[match[3]]))
            return Said(repeat, part_of_day=value.upper() in _PARTS_OF_DAY)
    if match := _LUNAR.fullmatch(value.upper()):
        weeks = Decimal(match[1]) * 4
        return Said(Repeat(_ONE, spread(weeks, weeks, _WEEK))) if weeks else None
    return None


_PARTS_OF_DAY = frozenset({"AM", "PM", "BED"})
# HL7 v2's repeat patterns are words to us ("Q12W"), but for the lunar month of four weeks.
_LUNAR = re.compile(r"Q(\d{1,3})L")


def _code_texts(code: Any) -> Iterator[str]:
    """The words of a code: its text, displays, and the code values themselves, which may be words."""
    if isinstance(code, str):
        yield code
    if not isinstance(code, dict):
        return
    codings = [each for each in _list(code.get("coding")) if isinstance(each, dict)]
    for text in (code.get("text"), *(each.get(name) for each in codings for name in ("display", "code"))):
        if isinstance(text, str) and text:
            yield text
