"""The words of an instruction one by one, with their places, and the numbers, units and lengths of time among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from cards.record import Period, PeriodUnit

ONE = Decimal(1)

# In the order of trial: doses of a day, a date, a time of day, B12 (its twelve is no number of weeks), "b.d.", numbers,
# words, signs.
_TOKEN = re.compile(
    r"\d[-+]\d[-+]\d(?:[-+]\d)?(?![\d/+-])|\d{1,4}(?:/\d{1,2}/|\.\d{1,2}\.|-\d{1,2}-)\d{2,4}(?!\d)"
    r"|\d{1,2}:\d{2}(?::\d{2})?|b[\s-]{0,2}12(?!\d)|[a-z](?:\.[a-z](?![a-z])){1,6}"
    r"|\d{1,3}(?:,\d{3}){1,6}(?!\d)|\d+(?:\.\d+)?|[a-z]+|[^\s\w]|\w",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}(?:/\d{1,2}/|\.\d{1,2}\.|-\d{1,2}-)\d{2,4}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
# Of the day: "1-0-1" is morning and night.
_SCHEME = re.compile(r"\d[-+]\d[-+]\d(?:[-+]\d)?")
DATE, CLOCK, NAME = "<date>", "<clock>", "<name>"
# Letters that touch a number and are no part of a name: "q12w", "x6", "every12weeks"; of "D51" the number is none.
_MAY_TOUCH = frozenset({"q", "x", "every", "each", "for"})


def vocabulary(words: str) -> frozenset[str]:
    """Words set off by spaces."""
    return frozenset(words.split())


class Tokens(NamedTuple):
    """A text in lower-case words, numbers and signs; `starts`, `ends`: where each stands in the text."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def at(self, place: int) -> str:
        """The word at a place; empty before the first and after the last."""
        return self.words[place] if 0 <= place < len(self.words) else ""

    def glued(self, place: int) -> bool:
        """Whether nothing stands between the word at a place and the one before."""
        return 0 < place < len(self.words) and self.starts[place] == self.ends[place - 1]


def tokens(text: str) -> Tokens:
    """The words of a text."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _TOKEN.finditer(text):
        word = match[0].lower()
        if "." in word and word[0].isalpha():
            word = word.replace(".", "")
        elif word[0].isdecimal():
            if _CLOCK.match(word):
                word = CLOCK
            elif _SCHEME.fullmatch(word):
                word = f"<scheme>{word}"
            elif _DATE.fullmatch(word):
                word = DATE
            elif words and ends[-1] == match.start() and words[-1][-1].isalpha() and words[-1] not in _MAY_TOUCH:
                word = NAME
            else:
                word = word.replace(",", "")
        elif word[0] == "b" and word[-1] == "2":
            word = NAME
        elif word == "×":
            word = "x"
        words.append(word)
        starts.append(match.start())
        ends.append(match.end())
    return Tokens(tuple(words), tuple(starts), tuple(ends))


class Length(NamedTuple):
    """A unit of time in units of the calendar: a fortnight is two weeks."""

    many: int
    unit: PeriodUnit


def _lengths(number: int, unit: PeriodUnit, names: str) -> dict[str, Length]:
    return dict.fromkeys(names.split(), Length(number, unit))


UNITS: Mapping[str, Length] = {
    **_lengths(1, PeriodUnit.HOUR, "h hr hrs hour hours"),
    **_lengths(1, PeriodUnit.DAY, "d day days"),
    **_lengths(1, PeriodUnit.WEEK, "w wk wks week weeks"),
    **_lengths(2, PeriodUnit.WEEK, "fortnight fortnights"),
    **_lengths(1, PeriodUnit.MONTH, "m mo mos mon mth mths mnth mnths month months"),
    **_lengths(3, PeriodUnit.MONTH, "quarter quarters"),
    **_lengths(1, PeriodUnit.YEAR, "y yr yrs year years annum"),
}
# Units only right after a number or a slash: "3 m", "2x/d".
_LETTERS = frozenset("hdwmy")
# "Mon" is a month after a number ("q3mon"), and a Monday elsewhere.
NOT_ALONE = _LETTERS | {"mon"}
UNITS_LY: Mapping[str, Length] = {
    **_lengths(1, PeriodUnit.HOUR, "hourly hrly"),
    **_lengths(1, PeriodUnit.DAY, "daily dly"),
    **_lengths(1, PeriodUnit.WEEK, "weekly wkly"),
    **_lengths(1, PeriodUnit.MONTH, "monthly mthly mnthly"),
    **_lengths(1, PeriodUnit.YEAR, "yearly yrly annually"),
}
_MONDAY_TO_SUNDAY = (
    "mon monday mondays",
    "tue tues tuesday tuesdays",
    "wed weds wednesday wednesdays",
    "thu thur thurs thursday thursdays",
    "fri friday fridays",
    "sat saturday saturdays",
    "sun sunday sundays",
)
WEEKDAYS = {word: day for day, names in enumerate(_MONDAY_TO_SUNDAY) for word in names.split()}
# NHS shorthand: 3/7 is three days, 3/52 three weeks, 3/12 three months.
_SHORTHAND = {"7": PeriodUnit.DAY, "52": PeriodUnit.WEEK, "12": PeriodUnit.MONTH}

_UP_TO_NINETEEN = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_CARDINALS = {word: value for value, word in enumerate(_UP_TO_NINETEEN, 1)}
_CARDINALS |= {word: value * 10 for value, word in enumerate(_TENS, 2)}
_TO_TWELFTH = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
]  # fmt: skip
_ORDINALS = {word: value for value, word in enumerate(_TO_TWELFTH, 1)}
_EVERY_SECOND = frozenset({"other", "alternate", "alternating", "alt"})
_OF_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_TO = frozenset({"-", "–", "—", "to", "or"})
_HYPHENS = frozenset({"-", "–"})


class Contradiction(Exception):
    """One number is written in two ways that disagree: "7 (eight)"."""


def number(text: Tokens, at: int) -> tuple[Decimal, int] | None:
    """A number in digits, words or both ("12", "twelve", "12 (twelve)"), and the place after it.

    Raises `Contradiction` when both are written and differ.
    """
    found = _simple(text, at)
    if found is None:
        return None
    value, end = found
    if text.at(end) == "(" and (again := _simple(text, end + 1)) and text.at(again[1]) == ")":
        if again[0] != value:
            raise Contradiction
        end = again[1] + 1
    return value, end


def _simple(text: Tokens, at: int) -> tuple[Decimal, int] | None:
    word = text.at(at)
    if word == "(" and text.at(at + 1)[:1].isdecimal() and text.at(at + 2) == ")":
        return Decimal(text.at(at + 1)), at + 3
    if word[:1].isdecimal():
        ordinal = text.glued(at + 1) and text.at(at + 1) in _OF_ORDINALS
        return None if ordinal else (Decimal(word), at + 1)
    value = _CARDINALS.get(word)
    if value is None:
        return None
    if value >= 20:
        after = at + 2 if text.at(at + 1) in _HYPHENS else at + 1
        more = _CARDINALS.get(text.at(after), 10)
        if more < 10:
            return Decimal(value + more), after + 1
    return Decimal(value), at + 1


def ordinal(text: Tokens, at: int) -> tuple[Decimal, int] | None:
    """An ordinal ("third", "2nd", "other", "alternate"), and the place after it."""
    word = text.at(at)
    if word[:1].isdecimal() and text.glued(at + 1) and text.at(at + 1) in _OF_ORDINALS:
        return Decimal(word), at + 2
    if word in _EVERY_SECOND:
        return Decimal(2), at + (2 if text.at(at + 1) == "." else 1)
    return (Decimal(_ORDINALS[word]), at + 1) if word in _ORDINALS else None


def numbers(text: Tokens, at: int) -> tuple[Decimal, Decimal, int] | None:
    """One number, or two with "to" between ("2-3", "two or three"); the larger last, and the place after them."""
    found = number(text, at)
    if found is None:
        return None
    low, end = found
    to = text.at(end) in _TO or (text.at(end) == "and" and text.at(at - 1) == "between")
    if to and (more := number(text, end + 1)):
        return min(low, more[0]), max(low, more[0]), more[1]
    return low, low, end


def unit(text: Tokens, at: int, *, after_number: bool = False) -> tuple[Length, int] | None:
    """A unit of time, and the place after it; single letters only `after_number`."""
    word = text.at(at)
    found = UNITS.get(word)
    if found is None or (word in NOT_ALONE and not after_number):
        return None
    return found, after_plural(text, at + 1)


def after_plural(text: Tokens, at: int) -> int:
    """The place after "(s)", where it stands at a place."""
    return at + 3 if text.words[at : at + 3] == ("(", "s", ")") else at


def period(text: Tokens, at: int, *, ly: bool = False) -> tuple[Period, int] | None:
    """A length of time ("12 weeks", "2-3 months", "8 weeks to 12 weeks", "3/12", "8/52-12/52"), and the place after it.

    `ly`: the unit may be an adverb ("12 weekly").
    """
    if short := shorthand(text, at):
        return short
    found = numbers(text, at)
    if found is None:
        return None
    low, high, end = found
    if text.at(end) in _HYPHENS:
        end += 1
    named = unit(text, end, after_number=True)
    if named is None:
        return (spread(low, high, UNITS_LY[text.at(end)]), end + 1) if ly and text.at(end) in UNITS_LY else None
    of, end = named
    if low == high and text.at(end) in _TO and (more := number(text, end + 1)):
        again = unit(text, more[1], after_number=True)
        if again and again[0] == of:
            return spread(low, max(low, more[0]), of), again[1]
    return spread(low, high, of), end


def shorthand(text: Tokens, at: int) -> tuple[Period, int] | None:
    """A length in NHS shorthand ("3/12", "8-12/52"), and the place after it; never a piece of a longer fraction."""
    if text.at(at - 1) in ("/", ".") and text.glued(at):
        return None
    found = numbers(text, at)
    if found is None:
        return None
    low, high, end = found
    if low == high and (first := _denominator(text, end)) and text.at(end + 2) in _TO:
        # Both ends have a denominator of their own.
        again = number(text, end + 3)
        if again and _denominator(text, again[1]) is first:
            return Period(low, max(low, again[0]), first), again[1] + 2
    named = _denominator(text, end)
    if named is None or high >= 100 or text.at(end + 2) == "/" or text.at(end + 2) in UNITS:
        return None
    return Period(low, high, named), end + 2


def _denominator(text: Tokens, at: int) -> PeriodUnit | None:
    return _SHORTHAND.get(text.at(at + 1)) if text.at(at) == "/" else None


def spread(low: Decimal, high: Decimal, of: Length) -> Period:
    """`low` to `high` times a unit."""
    return Period(low * of.many, high * of.many, of.unit)
