"""When a dose is to be taken, in the words of prescribers: "every 12 weeks", "q3m", "alternate days", "3/52"."""

from __future__ import annotations

import re
from decimal import Decimal

from cards.fact import fact
from cards.memory import remembered
from cards.record import Period, PeriodUnit, Repeat

_ONE = Decimal(1)


@fact(frozen=True, slots=True)
class Said:
    """What words say of timing. `names_time`: they speak of time, whether or not it could be read."""

    repeat: Repeat | None = None
    lasts: Period | None = None
    count: int | None = None
    once: bool = False
    as_needed: bool = False
    names_time: bool = False


@remembered
def words(text: str) -> Said:
    """What the words of one instruction say of its timing."""
    if not text:
        return Said()
    text = _NOT_ABOUT_DOSES.sub(" ", text)
    lasts, rest = _lasting(text)
    repeat, count = _every(rest), _count(rest)
    if repeat is None and count and (over := _OVER.search(rest)):
        # "6 injections over 2 weeks"
        repeat = Repeat(Decimal(count), _period(over[1] or "one", over[1] or "one", _unit(over[2])))
    return Said(
        repeat=repeat if repeat and repeat.times > 0 and repeat.every.low > 0 else None,
        lasts=lasts,
        count=count,
        once=repeat is None and bool(_ONCE.search(rest)),
        as_needed=bool(_AS_NEEDED.search(rest)),
        names_time=lasts is not None or bool(_NAMES_TIME.search(rest)),
    )


@remembered
def phases(text: str) -> tuple[str, ...]:
    """The phases of a regimen written as one text: "alternate days for 2 weeks, then every 3 months" has two."""
    parts = [each for each in _THEN.split(text) if each.strip(" ,.;:-")]
    timed = [said.repeat is not None or said.once for said in map(words, parts)]
    return tuple(parts) if len(parts) > 1 and all(timed) else (text,)


PERIOD_UNITS = {
    **dict.fromkeys(("h", "hr", "hour"), PeriodUnit.HOUR),
    **dict.fromkeys(("d", "day"), PeriodUnit.DAY),
    **dict.fromkeys(("w", "wk", "week"), PeriodUnit.WEEK),
    **dict.fromkeys(("m", "mo", "mth", "month"), PeriodUnit.MONTH),
    **dict.fromkeys(("y", "yr", "a", "year"), PeriodUnit.YEAR),
}
# NHS shorthand: 3/7 is three days, 3/52 three weeks, 3/12 three months.
_SHORTHAND = {"7": PeriodUnit.DAY, "52": PeriodUnit.WEEK, "12": PeriodUnit.MONTH}
_LY = {"hourly": PeriodUnit.HOUR, "daily": PeriodUnit.DAY, "weekly": PeriodUnit.WEEK}
_LY |= {"monthly": PeriodUnit.MONTH, "yearly": PeriodUnit.YEAR}
_CARDINALS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "third": 3, "fourth": 4,
}  # fmt: skip
_ADVERBS = {"once": 1, "twice": 2, "thrice": 3}
_NUMBERS = {**_CARDINALS, **_ADVERBS}

_N = r"(\d{1,3}(?:\.\d+)?|" + "|".join(_CARDINALS) + r")(?:nd|rd|th)?"
_N_TIMES = r"(\d{1,2}|" + "|".join(_NUMBERS) + r")"
_TO = r"\s*(?:-|–|to|or)\s*"
_UNIT = r"(hours?|hrs?|days?|weeks?|wks?|months?|mths?|years?|yrs?)"
_SHORT = r"(hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|mths?|mo|m|years?|yrs?|y)"
_PER = r"(?:a|an|per|/|each|every)"
_ONE_UNIT = r"(day|week|wk|month|mth|year|yr)\b"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# "Review in 3/12" is no interval of doses.
_NOT_ABOUT_DOSES = _pattern(r"\b(?:review|re-?check|re-?test|follow[- ]?up|bloods?|blood tests?|levels?)\b[^.;,]*")
_THEN = _pattern(
    r"(?:[,;.]|(?<!\s))\s*\b(?:and\s+)?(?:then|followed by|thereafter|after that|afterwards|maintenance)\b"
)

_LASTS_SHORTHAND = _pattern(r"\b(?:for|x)\s*(\d{1,2})/(7|52|12)\b(?![\d/])")
_LASTS = _pattern(
    rf"\b(?:for\s+(?:a\s+|the\s+(?:first|next)\s+|up to\s+)?(?:{_N}(?:{_TO}{_N})?\s*)?|x\s*{_N}\s*){_UNIT}\b"
)
_OVER = _pattern(rf"\b(?:over|within|in)\s+(?:a\s+)?(?:{_N}\s*)?{_UNIT}\b")

_DAYS_A_WEEK = _pattern(rf"\b{_N}\s*days?\s*(?:in\s+)?{_PER}\s*week\b")
_RANGE_LY = _pattern(rf"\b{_N}{_TO}{_N}[\s-]*(hourly|weekly|monthly|yearly)\b")
_EVERY_RANGE = _pattern(rf"\b(?:every|each|q)\s*{_N}\s{{0,3}}{_UNIT}?{_TO}{_N}[\s-]*{_UNIT}\b")
_TO_SHORTHAND = r"(?:(\d{1,2})(?:/(?:7|52|12))?\s*(?:-|–|to)\s*)?(\d{1,2})/(7|52|12)"
_EVERY_SHORTHAND = _pattern(rf"\b(?:every|each|at intervals of)\s*{_TO_SHORTHAND}(?![\d/])")
_TIMES_EVERY = _pattern(rf"\b{_N_TIMES}\s{{0,3}}(?:x|times)?\s{{0,3}}(?:in\s+)?every\s+{_N}\s*{_UNIT}\b")
_EVERY_SHORT = _pattern(rf"\b(?:q|every)\.?\s?(\d{{1,3}})(?:\s*-\s*(\d{{1,3}}))?\s?{_SHORT}\b")
_TIMES_LY = _pattern(
    rf"\b{_N}\s*(?:x|times|doses|injections)\s*(daily|weekly|monthly|yearly)\b|\b(once|twice|thrice)[\s-]+(daily|weekly|monthly|yearly)\b"
)
_TIMES = _pattern(rf"\b{_N_TIMES}\s{{0,3}}(?:x|times?|doses?|injections?)?\s{{0,3}}(?:in\s+)?{_PER}\s*{_ONE_UNIT}")
_X_TIMES = _pattern(rf"\bx\s?(\d{{1,2}})\s*{_PER}\s*{_ONE_UNIT}|\b(\d{{1,2}})\s*x\s*{_ONE_UNIT}")
_N_LY = _pattern(rf"\b{_N}[\s-]*(hourly|weekly|monthly|yearly)\b")
_EVERY = _pattern(rf"\b(?:every|each)\s+(?:{_N}[\s-]*)?{_UNIT}\b")
_OTHER = r"\b(?:alternate|alternating|alt\.?|every other|every second|every 2nd)[\s-]+"
_FIXED = [
    (_pattern(pattern), times, every, unit)
    for pattern, times, every, unit in [
        (rf"{_OTHER}days?\b|\beod\b|\bqod\b", 1, 2, PeriodUnit.DAY),
        (rf"{_OTHER}weeks?\b|\bfortnight(?:ly)?\b", 1, 2, PeriodUnit.WEEK),
        (rf"{_OTHER}months?\b|\bbi-?monthly\b", 1, 2, PeriodUnit.MONTH),
        (r"\bquarterly\b|\b(?:every|each) quarter\b", 1, 3, PeriodUnit.MONTH),
        (r"\bhalf[\s-]yearly\b|\bbi-?annual(?:ly)?\b", 1, 6, PeriodUnit.MONTH),
        (r"\bq\.?d\.?s\b|\bq\.?i\.?d\b", 4, 1, PeriodUnit.DAY),
        (r"\bt\.?d\.?s\b|\bt\.?i\.?d\b", 3, 1, PeriodUnit.DAY),
        (r"\bb\.?d\b|\bb\.?i\.?d\b", 2, 1, PeriodUnit.DAY),
        (r"(?<!-)\bweekly\b|(?<!in )(?<!after )\b(?:a|per) week\b|/\s?(?:week|wk)\b", 1, 1, PeriodUnit.WEEK),
        (r"(?<!-)\bmonthly\b|(?<!in )(?<!after )\b(?:a|per) month\b|/\s?month\b", 1, 1, PeriodUnit.MONTH),
        (r"(?<!-)\byearly\b|\bannually\b|(?<!in )(?<!after )\b(?:a|per) year\b", 1, 1, PeriodUnit.YEAR),
        (r"\bdaily\b|\b(?:a|per|each) day\b|/\s?day\b|\bo\.?d\b|\bqd\b", 1, 1, PeriodUnit.DAY),
        (
            r"\b(?:(?:every|each|at|in the) (?:night|morning|evening)|nocte|mane|q[ah][ms]|bedtime)\b",
            1,
            1,
            PeriodUnit.DAY,
        ),
    ]
]
_BARE_SHORTHAND = _pattern(rf"(?<![\d/.,]){_TO_SHORTHAND}(?:ly)?(?![\w/])(?! ago)")
# "In 3/12" and "start 3/12" are days to come, not intervals.
_A_DAY = _pattern(r"\b(?:in|on|after|before|by|from|since|until|start(?:s|ing)?|due|last|next)\s*$")
_WEEKDAY = _pattern(r"\b(mon|tue|wed|thu|fri|sat|sun)(?:day|sday|nesday|rsday|urday|s|rs|r)?s?\b")
_NOT_ON = _pattern(r"\b(?:except|avoid|not|omit|starting|from|next)\b")

_COUNT = _pattern(rf"\b{_N}\s*(?:doses|injections)\b(?!\s*(?:{_PER}\b|/|daily|weekly|monthly))")
_X_COUNT = _pattern(
    rf"(?<!\d)(?<!\d )\bx\s?(\d{{1,2}})\b"
    rf"(?!\s*(?:{_PER}\b|/|\.\d|\d|-|[mµ]?c?g\b|ml|tab|cap|amp|days?|w|month|year|daily))"
)
_ONCE = _pattern(r"\b(?:stat|one[- ]off|single (?:dose|injection)|once only|once,? today|one dose|1 dose)\b")
_AS_NEEDED = _pattern(r"\b(?:p\.?r\.?n|(?:as|when|if) (?:needed|required|necessary))\b")
_NAMES_TIME = _pattern(r"(?:day|week|month|year|hour)|\b(?:every|each|q\d|fortnight|annual|quarter)|\d/(?:7|12|52)\b")


def _lasting(text: str) -> tuple[Period | None, str]:
    """The length of a course ("for 2 weeks", "for 2/52"), and the text without it."""
    if match := _LASTS_SHORTHAND.search(text):
        return _period(match[1], match[1], _SHORTHAND[match[2]]), text[: match.start()] + text[match.end() :]
    if (match := _LASTS.search(text)) and not text[match.end() :].lstrip().startswith(("a week", "per week", "/")):
        low = match[1] or match[3] or "one"
        return _period(low, match[2] or low, _unit(match[4])), text[: match.start()] + text[match.end() :]
    return None, text


def _count(text: str) -> int | None:
    match = _COUNT.search(text) or _X_COUNT.search(text)
    return int(_value(match[1])) or None if match else None


def _every(text: str) -> Repeat | None:
    """How often; the most explicit ways of saying it are tried first."""
    if match := _DAYS_A_WEEK.search(text):
        return Repeat(_value(match[1]), _period("1", "1", PeriodUnit.WEEK))
    if match := _RANGE_LY.search(text):
        return Repeat(_ONE, _period(match[1], match[2], _LY[match[3].lower()]))
    if (match := _EVERY_RANGE.search(text)) and match[2] in (None, match[4]):
        return Repeat(_ONE, _period(match[1], match[3], _unit(match[4])))
    if match := _EVERY_SHORTHAND.search(text):
        return Repeat(_ONE, _period(match[1] or match[2], match[2], _SHORTHAND[match[3]]))
    if match := _TIMES_EVERY.search(text):
        return Repeat(_value(match[1]), _period(match[2], match[2], _unit(match[3])))
    if match := _EVERY_SHORT.search(text):
        return Repeat(_ONE, _period(match[1], match[2] or match[1], PERIOD_UNITS[match[3][0].lower()]))
    if match := _TIMES_LY.search(text):
        often, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        return Repeat(_value(often), _period("1", "1", _LY[unit.lower()]))
    if match := _X_TIMES.search(text):
        often, unit = (match[1], match[2]) if match[1] else (match[3], match[4])
        return Repeat(_value(often), _period("1", "1", _unit(unit)))
    if match := _TIMES.search(text):
        return Repeat(_value(match[1]), _period("1", "1", _unit(match[2])))
    if match := _N_LY.search(text):
        return Repeat(_ONE, _period(match[1], match[1], _LY[match[2].lower()]))
    if match := _EVERY.search(text):
        often = match[1] or "1"
        return Repeat(_ONE, _period(often, often, _unit(match[2])))
    for pattern, times, every, period_unit in _FIXED:
        if pattern.search(text):
            return Repeat(Decimal(times), _period(str(every), str(every), period_unit))
    if (match := _BARE_SHORTHAND.search(text)) and not _A_DAY.search(text[: match.start()]):
        return Repeat(_ONE, _period(match[1] or match[2], match[2], _SHORTHAND[match[3]]))
    return _on_weekdays(text)


def _on_weekdays(text: str) -> Repeat | None:
    """Named weekdays: "Mon, Wed, Fri" is three times a week."""
    named = {match[1].lower() for match in _WEEKDAY.finditer(text)}
    alone = len(named) == 1 and not re.search(r"\b(?:every|each|on)\s+\w+days?\b", text, re.IGNORECASE)
    if not named or alone or _NOT_ON.search(text):
        return None
    return Repeat(Decimal(len(named)), _period("1", "1", PeriodUnit.WEEK))


def _unit(word: str) -> PeriodUnit:
    return PERIOD_UNITS[word.lower().rstrip("s")]


def _value(word: str) -> Decimal:
    return Decimal(_NUMBERS.get(word.lower(), word))


def _period(low: str, high: str, unit: PeriodUnit) -> Period:
    return Period(_value(low), max(_value(low), _value(high)), unit)
