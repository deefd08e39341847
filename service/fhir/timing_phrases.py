"""The phrases of timing in the words of prescribers, each with its place: how often, how long, how many, as needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from cards.calendar import average_days
from cards.memory import remembered
from cards.record import Period, PeriodUnit, Repeat
from service.fhir.timing_tokens import (
    CLOCK,
    DATE,
    NAME,
    NOT_ALONE,
    ONE,
    UNITS,
    UNITS_LY,
    WEEKDAYS,
    Contradiction,
    Length,
    Tokens,
    after_plural,
    number,
    numbers,
    ordinal,
    period,
    shorthand,
    spread,
    unit,
    vocabulary,
)

_HOUR = Decimal(1) / 24
_LONGEST_DAYS = Decimal(20 * 366)


def is_plausible(repeat: Repeat) -> bool:
    """Whether doses of a repetition lie from an hour to 20 years apart."""
    times, (low, high, of) = repeat
    if times <= 0 or low <= 0 or high < low:
        return False
    return average_days(low, of) >= _HOUR * times and average_days(high, of) <= _LONGEST_DAYS * times


class Kind(StrEnum):
    """What a phrase is about."""

    REPEAT = "how often"
    DAYS = "how many days of the week"
    PART_OF_DAY = "when in the day"
    LASTS = "for how long"
    OVER = "within how long"
    COUNT = "how many doses"
    ONCE = "a single dose"
    ONE = "one dose, or one each time"
    AS_NEEDED = "as needed"
    THEN = "a new phase"
    AS_TOLD = "as somebody says"
    GARBLED = "how often, in a way that is not read"
    UNREAD = "a time that is not read"
    UNREAD_END = "an end that is not read"
    NOTHING = "nothing of timing"


class Phrase(NamedTuple):
    """A phrase, from its first word to the one after its last, and what it says; `number`: of doses, or of days."""

    kind: Kind
    start: int
    end: int
    repeat: Repeat | None = None
    lasts: Period | None = None
    number: int = 0


_Reader = Callable[[Tokens, int], Phrase | None]


def phrases_of(text: Tokens) -> list[Phrase]:
    """The phrases of a text in their order, none overlapping another; what speaks of nothing here is left out."""
    found: list[Phrase] = []
    at, length = 0, len(text.words)
    while at < length:
        phrase = None
        word = text.words[at]
        if word[0].isdecimal():
            readers = _OF_NUMBERS
        elif word[0] == "<":
            readers = _SCHEMES
        else:
            readers = _READERS.get(word) or _q_glued(word)
        for read in readers:
            try:
                phrase = read(text, at)
            except Contradiction:
                phrase = Phrase(Kind.GARBLED, at, at + 1)
            if phrase:
                break
        if phrase is None:
            numbered = word in _NUMBERED and text.at(at + 1) == NAME and text.glued(at + 1)
            phrase = Phrase(Kind.UNREAD, at, at + 1) if numbered or word in _TIMES_OF_ALL_KINDS else None
        if phrase is None:
            at += 1
            continue
        if phrase.kind in _SAY_HOW_OFTEN:
            if _is_of_something_else(text, phrase):
                phrase = phrase._replace(kind=Kind.NOTHING)
            elif _is_not_meant(text, phrase.start) or (phrase.repeat and not is_plausible(phrase.repeat)):
                phrase = phrase._replace(kind=Kind.UNREAD)
        found.append(phrase)
        at = phrase.end
    return found


# "D1, D3", "wk1".
_NUMBERED = frozenset({"d", "day", "w", "wk", "week"})
_SAY_HOW_OFTEN = frozenset({Kind.REPEAT, Kind.DAYS, Kind.PART_OF_DAY})


def _often(start: int, end: int, times: Decimal | int, every: Period) -> Phrase:
    return Phrase(Kind.REPEAT, start, end, Repeat(Decimal(times), every))


def each_one(of: Length, number_of: int | Decimal = 1) -> Period:
    """A unit of time, or several, as a period."""
    return spread(Decimal(number_of), Decimal(number_of), of)


# --- "every 12 weeks" --------------------------------------------------------------------------------------------


def _every(text: Tokens, at: int) -> Phrase | None:
    """What follows "every", "each" or "q"."""
    every = text.at(at)
    after = at + 1
    if every == "q" and text.at(after) in (".", "-"):
        after += 1
    if every == "at":
        if text.at(after) != "intervals" or text.at(after + 1) != "of":
            return None
        after += 2
    if found := _interval(text, after):
        if text.at(found[1]) == "and" and "half" in (text.at(found[1] + 1), text.at(found[1] + 2)):
            return Phrase(Kind.GARBLED, at, found[1])
        return _often(at, found[1], ONE, found[0])
    if days := _weekdays(text, after, named=True):
        return days._replace(start=at)
    if part := _part_of_day(text, after):
        return part._replace(start=at)
    if every == "q" and number(text, after) is None:
        return None
    if every == "each" and text.at(after) not in _EACH_TIME:
        return None
    garbled = number(text, after) is not None or text.at(after)[:1].isdecimal()
    return Phrase(Kind.GARBLED if garbled else Kind.UNREAD, at, after)


_EACH_TIME = vocabulary("visit clinic appointment time meal")


def _interval(text: Tokens, at: int) -> tuple[Period, int] | None:
    """A length of time after "every": "12 weeks", "3/12", "third month", "other week", "month", "half year"."""
    if found := period(text, at, ly=True):
        return found
    if place := ordinal(text, at):
        if named := unit(text, place[1], after_number=True):
            return each_one(named[0], place[0]), named[1]
        # "Every second Tuesday" is one of two, "of the month" the second of four or five.
        if text.at(place[1]) in WEEKDAYS and text.at(place[1] + 1) != "of":
            return each_one(UNITS["week"], place[0]), place[1] + 1
        return None
    if text.at(at) == "half":
        after = at + 2 if text.at(at + 1) == "-" else at + 1
        return (each_one(UNITS["month"], 6), after + 1) if text.at(after) == "year" else None
    if text.at(at) in UNITS_LY:
        return each_one(UNITS_LY[text.at(at)]), at + 1
    named = unit(text, at, after_number=text.at(at - 1) == "q" and text.at(at) in ("d", "w"))
    return (each_one(named[0]), named[1]) if named else None


# --- "three times a week" ----------------------------------------------------------------------------------------

_ADVERBS = {"once": 1, "twice": 2, "thrice": 3}
_TIMES_WORDS = frozenset({"x", "times", "time"})
_DOSE_WORDS = frozenset({"dose", "doses", "injection", "injections", "inj", "injs", "jab", "jabs", "shot", "shots"})
_PER = frozenset({"a", "an", "per", "/"})
_EACH = frozenset({"every", "each", "q"})
# From here on a number before "weekly" is a dose whose unit is missing.
_IS_A_DOSE = 100


def _times(text: Tokens, at: int) -> Phrase | None:
    """How many times, in which time: "three times a week", "3x/wk", "twice weekly", "one injection every 12 weeks"."""
    adverb = _ADVERBS.get(text.at(at))
    after = at
    if adverb:
        many, after, bare, doses = Decimal(adverb), at + 1, False, False
    else:
        if text.at(at) == "x":
            after += 1
        found = numbers(text, after)
        if found is None:
            return None
        _, many, after = found
        marked, doses = text.at(after) in _TIMES_WORDS, text.at(after) in _DOSE_WORDS
        bare = text.at(at) != "x" and not marked and not doses
        after += marked or doses
        if doses:
            after = after_plural(text, after)
        if many < 1:
            return Phrase(Kind.GARBLED, at, after) if marked else None
    word = text.at(after)
    if word in UNITS_LY:
        if bare:
            return None
        if many > 1 and (text.at(at) == "x" or (doses and word not in ("daily", "dly"))):
            # "6 injections weekly", "x 3 weekly": six a week, or six in all.
            return Phrase(Kind.GARBLED, at, after + 1)
        return _often(at, after + 1, many, each_one(UNITS_LY[word]))
    if word in _EACH:
        every = _every(text, after)
        if every is None or every.repeat is None:
            return None
        if bare:
            # "1 every 3 months", "2 every day": how much, then how often.
            return every
        if doses and many > 1:
            # "6 injections every other day" are six in all, "2 injections every 3 months" two each time.
            return Phrase(Kind.GARBLED, at, every.end)
        return every._replace(start=at, repeat=every.repeat._replace(times=many * every.repeat.times))
    if word in _PER:
        if bare and many >= _IS_A_DOSE:
            return None
        found_period = period(text, after + 1) if word == "per" else None
        if found_period:
            return _often(at, found_period[1], many, found_period[0])
        named = unit(text, after + 1, after_number=word == "/" and not bare)
        if named is None:
            return None
        if bare and named[0] == UNITS["day"] and at <= _VERB:
            # "Take 2 a day" gives the amount.
            many = ONE
        return _often(at, named[1], many, each_one(named[0]))
    if word == "in" and not bare:
        if found_period := period(text, after + 1):
            # "6 injections in 2 weeks" also says how many there are.
            return None if doses else _often(at, found_period[1], many, found_period[0])
        named = unit(text, after + 2) if text.at(after + 1) in ("a", "each", "every") else None
        return _often(at, named[1], many, each_one(named[0])) if named else None
    return None


# A number that stands first, or after a verb, is an amount.
_VERB = 1


def _days_of_the_week(text: Tokens, at: int) -> Phrase | None:
    """As "5 days a week"."""
    found = numbers(text, at)
    if found is None or text.at(found[2]) not in ("day", "days"):
        return None
    after = found[2] + 1
    while text.at(after) in ("in", "out", "of", "the", "a", "each", "every", "per", "/"):
        after += 1
    if after == found[2] + 1 or text.at(after) not in ("week", "wk") or not 1 <= found[1] <= 7:
        return None
    return Phrase(Kind.DAYS, at, after + 1, number=int(found[1]))


def _number_ly(text: Tokens, at: int) -> Phrase | None:
    """As "3 monthly", "2-3 monthly", "12-weekly", "48 hourly"; "2 daily" is a dose."""
    found = numbers(text, at)
    if found is None:
        return None
    low, high, after = found
    hyphen = text.at(after) in ("-", "–")
    after += hyphen
    of = UNITS_LY.get(text.at(after))
    if of is None:
        return None
    if low < 1:
        return Phrase(Kind.GARBLED, at, after + 1)
    if high >= _IS_A_DOSE or (of.unit is PeriodUnit.DAY and not hyphen and high < 7):
        return _often(after, after + 1, ONE, each_one(of))
    several = text.at(after + 1) in _DOSE_WORDS and text.at(after + 1).endswith("s")
    if (of.unit is PeriodUnit.DAY and high > 1) or (
        # Six of them, weekly, or one every six weeks.
        of.unit is PeriodUnit.WEEK and several and low == high and 1 < high <= 8
    ):
        return Phrase(Kind.GARBLED, at, after + 1)
    return _often(at, after + 1, ONE, spread(low, high, of))


def _number_half_year(text: Tokens, at: int) -> Phrase | None:
    """As "half yearly", "half-yearly"."""
    after = at + 2 if text.at(at + 1) == "-" else at + 1
    return _often(at, after + 1, ONE, each_one(UNITS["month"], 6)) if text.at(after) in ("yearly", "annually") else None


def _ly(text: Tokens, at: int) -> Phrase | None:
    """As "weekly" on its own; "bi-weekly" is twice a week to some and every two weeks to others."""
    if text.at(at - 1) in ("-", "bi", "semi") and text.at(at - 1 if text.at(at - 1) != "-" else at - 2) in (
        "bi",
        "semi",
    ):
        return Phrase(Kind.UNREAD, at, at + 1)
    if ordinal(text, at - 1) or ordinal(text, at - 2):
        # "Third monthly".
        return Phrase(Kind.GARBLED, at, at + 1)
    return _often(at, at + 1, ONE, each_one(UNITS_LY[text.at(at)]))


def _per_unit(text: Tokens, at: int) -> Phrase | None:
    """As "a week", "/month" after an amount; "in a week" is a day to come."""
    if text.at(at - 1) in _BEFORE_A_DAY or text.at(at - 1) in ("for", "over", "within", "during", "than"):
        return None
    short = text.at(at) == "/" and text.at(at + 1) in ("d", "w")
    named = unit(text, at + 1, after_number=short)
    if named is None or text.at(named[1]) in ("apart", "ago", "later", "after", "before", "old", "course", "supply"):
        return None
    return _often(at, named[1], ONE, each_one(named[0]))


def _alternate(text: Tokens, at: int) -> Phrase | None:
    """As "alternate days", "alt. weeks"."""
    after = at + 2 if text.at(at + 1) in (".", "-") else at + 1
    named = unit(text, after) or ((UNITS_LY[text.at(after)], after + 1) if text.at(after) in UNITS_LY else None)
    return _often(at, named[1], ONE, each_one(named[0], 2)) if named else None


def _bare_shorthand(text: Tokens, at: int) -> Phrase | None:
    """As "1 mg im 3/12": an interval, where it is no day to come ("in 3/12") and no day of the calendar."""
    found = shorthand(text, at)
    if found is None:
        return None
    after = found[1]
    if text.at(after) == "ly":
        after += 1
    if text.at(at - 1) in _BEFORE_A_DAY or text.at(after) in ("ago", "supply", "course", "later"):
        return Phrase(Kind.UNREAD if text.at(after) != "supply" else Kind.NOTHING, at, after)
    return _often(at, after, ONE, found[0])


_BEFORE_A_DAY = vocabulary(
    "in on after before by from since until till start starts starting due last next begin beginning past "
    "previous within"
)

_BETWEEN_DAYS = frozenset({",", "/", "&", "and", "-", "–", "+"})
_NOT_ON = vocabulary("except avoid not omit starting from next until before after by last this")


def _weekdays(text: Tokens, at: int, *, named: bool = False) -> Phrase | None:
    """Days of the week: "Mon, Wed, Fri" is three times a week; "Monday to Friday" five.

    One alone counts when it is `named` ("every Monday") or in the plural.
    """
    if text.at(at) not in WEEKDAYS:
        return None
    found = {WEEKDAYS[text.at(at)]}
    plural = text.at(at).endswith("days")
    end = at + 1
    while True:
        after = end
        while text.at(after) in _BETWEEN_DAYS and after < end + 2:
            after += 1
        if text.at(after) not in WEEKDAYS:
            break
        found.add(WEEKDAYS[text.at(after)])
        end = after + 1
    if text.at(at - 1) in _NOT_ON or text.at(end) == DATE:
        return Phrase(Kind.NOTHING, at, end)
    joined = text.at(at + 1)
    if joined in ("to", "-", "–") and (len(found) == 2 or (joined == "to" and text.at(at + 2) in WEEKDAYS)):
        if joined == "to":
            end, found = at + 3, {WEEKDAYS[text.at(at)], WEEKDAYS[text.at(at + 2)]}
        if sorted(found) != [0, 4]:
            return Phrase(Kind.UNREAD, at, end)
        return Phrase(Kind.DAYS, at, end, number=5)
    if len(found) == 1 and not (named or plural):
        return Phrase(Kind.UNREAD, at, end)
    return Phrase(Kind.DAYS, at, end, number=len(found))


def _letters_of_days(text: Tokens, at: int) -> Phrase | None:
    """As "M/W/F", "MWF"."""
    letters = [text.at(at)]
    end = at + 1
    while text.at(end) in ("/", "-", ",") and len(text.at(end + 1)) in (1, 2) and len(letters) < 7:
        letters.append(text.at(end + 1))
        end += 2
    joined = "".join(letters)
    return Phrase(Kind.DAYS, at, end, number=_LETTERED_DAYS[joined]) if joined in _LETTERED_DAYS else None


_LETTERED_DAYS = {"mwf": 3, "tts": 3, "tths": 3, "tuthsa": 3, "tthsa": 3, "mth": 2, "tth": 2, "tuth": 2}

_DAY_PARTS = vocabulary(
    "morning evening night bedtime breakfast lunch dinner supper teatime afternoon noon am pm mane nocte mornings"
    " evenings nights"
)


def _part_of_day(text: Tokens, at: int) -> Phrase | None:
    """As "morning", "night"; "morning and evening" is twice a day."""
    if text.at(at) not in _DAY_PARTS:
        return None
    end, parts = at + 1, 1
    while text.at(end) in ("and", ",", "&"):
        after = end + 1
        while text.at(after) in ("at", "in", "the", "every", "each"):
            after += 1
        if text.at(after) not in _DAY_PARTS:
            break
        end, parts = after + 1, parts + 1
    every = Repeat(Decimal(parts), each_one(UNITS["day"]))
    return Phrase(Kind.PART_OF_DAY, at, end, every)


def _scheme(text: Tokens, at: int) -> Phrase | None:
    """As "1-0-1": the same amount in the morning and at night."""
    if not text.at(at).startswith("<scheme>"):
        return None
    amounts = [each for each in re.findall(r"\d", text.at(at)) if each != "0"]
    if len(set(amounts)) != 1:
        return Phrase(Kind.GARBLED, at, at + 1)
    return _often(at, at + 1, len(amounts), each_one(UNITS["day"]))


def _numbered_days(text: Tokens, at: int) -> Phrase | None:
    """As "days 1, 3, 5, 7": every second day, four times; only three or more numbers in equal steps are an interval."""
    places: list[Decimal] = []
    after = at + 1
    while (found := number(text, after)) and len(places) < 50:
        places.append(found[0])
        after = found[1]
        while text.at(after) in (",", "and", "&", "/", "day", "week"):
            after += 1
    if not places:
        return None
    steps = {later - earlier for earlier, later in pairwise(places)}
    if len(places) < 3 or len(steps) != 1 or (text.at(after) in (".", "etc") and text.at(after + 1) in (".", "")):
        return Phrase(Kind.UNREAD, at, after)
    (step,) = steps
    of = UNITS[text.at(at)]
    if step <= 0:
        return Phrase(Kind.UNREAD, at, after)
    return _often(at, after, ONE, each_one(of, step))._replace(number=len(places))


# --- for how long, and how many ----------------------------------------------------------------------------------

_A_LENGTH = vocabulary("a an the first next total of up to another further about approximately initial full only")
_NO_END = vocabulary("life lifetime ever good")


def _for(text: Tokens, at: int) -> Phrase | None:
    """How long a course lasts: "for 2 weeks", "for a week", "for the first 2/52"; "for life" has no end."""
    after, least = at + 1, False
    while text.at(after) in _A_LENGTH or (text.at(after) in ("at", "least", "minimum")):
        least = least or text.at(after) in ("least", "minimum")
        after += 1
    if text.at(after) in _NO_END:
        return Phrase(Kind.NOTHING, at, after + 1)
    if text.at(after) == "one" and text.at(after + 1) == "off":
        return None
    found = period(text, after)
    if found is None and after > at + 1 and (named := unit(text, after)):
        found = each_one(named[0]), named[1]
    if found is None:
        return None
    length, end = found
    if _days_of_the_week(text, after):
        # "For 5 days a week".
        return None
    if _is_part_of_a_cycle(text, end):
        return Phrase(Kind.GARBLED, at, end)
    return Phrase(Kind.NOTHING if least else Kind.LASTS, at, end, lasts=length)


def _x(text: Tokens, at: int) -> Phrase | None:
    """As "x 2 weeks", "x2/52" last; "x 6", "x6 doses" count."""
    if text.glued(at) and text.at(at - 1).isalpha():
        return None
    found = period(text, at + 1)
    if found and text.at(found[1]) not in _PER | _EACH:
        return Phrase(Kind.LASTS, at, found[1], lasts=found[0])
    many = number(text, at + 1)
    if many is None or (text.at(at - 1)[:1].isdecimal() or text.at(at + 2) == "."):
        return None
    after = many[1]
    if text.at(after) in _DOSE_WORDS:
        return _counted(at, after + 1, many[0])
    # "x 5 mg", "x 2 tablets" and "x 500-1000" are amounts.
    if text.at(after) in _OF_AN_AMOUNT or text.at(after)[:1].isdecimal():
        return None
    return _counted(at, after, many[0])


_OF_AN_AMOUNT = vocabulary(
    "mg mcg ug µg μg g ml cc milligram milligrams microgram micrograms tab tabs tablet tablets cap caps "
    "capsule capsules amp amps ampoule ampoules ampule ampules vial vials unit units iu per / % -"
)


def _counted(at: int, end: int, many: Decimal) -> Phrase | None:
    if many != many.to_integral_value() or not 0 < many < 1000:
        return None
    return Phrase(Kind.COUNT, at, end, number=int(many))


def _doses(text: Tokens, at: int) -> Phrase | None:
    """As "six doses", "6 injections"; one alone is once, or the size of each time."""
    found = numbers(text, at)
    if found is None or text.at(found[2]) not in _DOSE_WORDS:
        return None
    _, many, after = found
    end = after + 1
    end = after_plural(text, end)
    return Phrase(Kind.ONE, at, end) if many == 1 else _counted(at, end, many)


def _total(text: Tokens, at: int) -> Phrase | None:
    """As "a total of 6", "total 6 doses"."""
    after = at + 2 if text.at(at + 1) == "of" else at + 1
    found = number(text, after)
    if found is None or text.at(found[1]) in _OF_AN_AMOUNT or found[0] >= _IS_A_DOSE:
        return None
    return _counted(at, found[1] + (text.at(found[1]) in _DOSE_WORDS), found[0])


def _within(text: Tokens, at: int) -> Phrase | None:
    """As "over 2 weeks", "in a week": with a number of doses how often, else how long, or a day to come."""
    after = at + 2 if text.at(at + 1) in ("a", "the", "first", "next") else at + 1
    if text.at(after) == "first":
        after += 1
    found = period(text, after)
    if found is None:
        named = unit(text, after) if after > at + 1 else None
        if named is None:
            return None
        found = each_one(named[0]), named[1]
    return Phrase(Kind.OVER, at, found[1], lasts=found[0])


def _is_part_of_a_cycle(text: Tokens, end: int) -> bool:
    """Whether a length of time that ends here comes again: "5 days a month", "1 week every 3 months"."""
    return text.at(end) in _PER | _EACH and (unit(text, end + 1) or period(text, end + 1)) is not None


def _length_named(text: Tokens, at: int) -> Phrase | None:
    """As "2 week course", "a 3/12 supply"."""
    found = period(text, at)
    if found is None:
        return None
    if _is_part_of_a_cycle(text, found[1]):
        return Phrase(Kind.GARBLED, at, found[1])
    if text.at(found[1]) == "course":
        return Phrase(Kind.LASTS, at, found[1] + 1, lasts=found[0])
    return Phrase(Kind.NOTHING, at, found[1] + 1) if text.at(found[1]) in ("supply", "script") else None


def _duration(text: Tokens, at: int) -> Phrase | None:
    """As "duration: 3 months", "course of 2 weeks", "stop after 3 months"."""
    after = at + 1
    while text.at(after) in (":", "of", "is", "=", "after", "treatment"):
        after += 1
    found = period(text, after) if after > at + 1 or text.at(at) == "duration" else None
    if found:
        return Phrase(Kind.LASTS, at, found[1], lasts=found[0])
    return _until(text, at) if text.at(at) in ("stop", "end", "finish") and text.at(at + 1) in _ENDS_ON else None


_ENDS_ON = frozenset({"on", "date", "by", "in"})
_MONTHS = vocabulary(
    "january february march april june july august september october november december jan feb mar apr jun jul "
    "aug sep sept oct nov dec"
)


def _until(text: Tokens, at: int) -> Phrase | None:
    """As "until 1 March 2027": an end that is not read here; "until review" is none."""
    for after in range(at + 1, at + 5):
        word = text.at(after)
        if word == DATE or word in _MONTHS or (len(word) == 4 and word.isdecimal() and word.startswith("20")):
            return Phrase(Kind.UNREAD_END, at, after + 1)
        if word in _STOPS:
            break
    return Phrase(Kind.NOTHING, at, at + 1)


# --- once, as needed, and what is not about doses ----------------------------------------------------------------


def _once(text: Tokens, at: int) -> Phrase | None:
    """A single dose: "stat", "today", "one-off", "single dose", "once only"; "once" alone, where nothing follows."""
    word = text.at(at)
    if word in ("stat", "today", "now", "immediately"):
        return Phrase(Kind.ONCE, at, at + 1)
    if word == "one":
        after = at + 2 if text.at(at + 1) == "-" else at + 1
        return Phrase(Kind.ONCE, at, after + 1) if text.at(after) in ("off", "time") else None
    if word == "single":
        return Phrase(Kind.ONCE, at, at + 2) if text.at(at + 1) in _DOSE_WORDS else None
    after = at + 2 if text.at(at + 1) == "," else at + 1
    if text.at(after) in ("only", "today", "now"):
        return Phrase(Kind.ONCE, at, after + 1)
    return Phrase(Kind.ONCE, at, at + 1) if text.at(at + 1) in ("", ".", ",", ";", ")", "on", "then") else None


def _as_needed(text: Tokens, at: int) -> Phrase | None:
    if text.at(at) in ("prn", "sos"):
        return Phrase(Kind.AS_NEEDED, at, at + 1)
    if text.at(at + 1) in ("needed", "required", "necessary"):
        return Phrase(Kind.AS_NEEDED, at, at + 2)
    told = text.at(at) == "as" and text.at(at + 1) in ("directed", "advised", "instructed", "per", "before", "usual")
    return Phrase(Kind.AS_TOLD, at, at + 2) if told else None


_STOPS = frozenset({".", ";", ",", ")", "]", "|", "\n"})
_NEW_PHASE = vocabulary("then thereafter afterwards subsequently maintenance followed")
_REVIEW = vocabulary(
    "review reviewed reviews recheck rechecks retest retested check checks monitor monitoring follow followup "
    "blood bloods level levels appointment appt screening fbc supply dispense refill refills reissue"
)
_TESTS = vocabulary("review reviews recheck check blood bloods test tests level levels fbc appointment monitoring")


def _not_about_doses(text: Tokens, at: int) -> Phrase | None:
    """As "review in 3/12" is no interval of doses: nothing is read until the sentence part ends."""
    word = text.at(at)
    if word == "re":
        after = at + 2 if text.at(at + 1) == "-" else at + 1
        if text.at(after) not in ("check", "test", "testing"):
            return None
    if word == "follow":
        after = at + 2 if text.at(at + 1) == "-" else at + 1
        if text.at(after) != "up":
            return None
    end = at + 1
    while text.at(end) and text.at(end) not in _STOPS and text.at(end) not in _NEW_PHASE:
        end += 1
    return Phrase(Kind.NOTHING, at, end)


def _is_of_something_else(text: Tokens, phrase: Phrase) -> bool:
    """As "6 monthly bloods", "annual B12 level": an interval of tests; "every 3 months, review" is one of doses."""
    if text.at(phrase.start) in ("every", "q") or phrase.kind is not Kind.REPEAT:
        return False
    after = phrase.end
    if text.at(after) in (NAME, "vitamin", "serum"):
        after += 1
    return text.at(after) in _TESTS


_DENIED = vocabulary("not than previously was were formerly from no")
_LIMITS = vocabulary("maximum max minimum")


def _is_not_meant(text: Tokens, at: int) -> bool:
    """Whether an interval is denied, past, or a limit: "not weekly", "from 3 monthly", "no more than once a month"."""
    before = text.at(at - 1)
    if before == "of" and text.at(at - 2) in ("instead", "maximum", "max"):
        return True
    return before in _DENIED or before in _LIMITS or (before == "given" and text.at(at - 2) in ("was", "last"))


def _then(text: Tokens, at: int) -> Phrase | None:
    word = text.at(at)
    if word == "followed":
        return Phrase(Kind.THEN, at, at + 2) if text.at(at + 1) == "by" else None
    if word == "after":
        return Phrase(Kind.THEN, at, at + 2) if text.at(at + 1) == "that" else None
    if text.at(at - 1) in ("since", "by", "until", "till"):
        return Phrase(Kind.AS_TOLD, at, at + 1) if word == "maintenance" else None
    if word == "maintenance" and text.at(at - 1) == "then":
        return Phrase(Kind.AS_TOLD, at, at + 1)
    return Phrase(Kind.THEN, at, at + 1)


_DOSES_TIMES: tuple[_Reader, ...] = (_days_of_the_week, _times)
_READ_NUMBERS: tuple[_Reader, ...] = (*_DOSES_TIMES, _number_ly, _doses, _length_named, _bare_shorthand)
# Most numbers of an instruction are amounts, which are told apart by what follows.
_AFTER_NUMBERS = frozenset((*UNITS, *UNITS_LY, *_TIMES_WORDS, *_DOSE_WORDS, *_PER, *_EACH, "in"))


def _numbered(text: Tokens, at: int) -> Phrase | None:
    """What begins with a number."""
    found = numbers(text, at)
    if found is None:
        return None
    follows = text.at(found[2])
    if follows in ("-", "–"):
        follows = text.at(found[2] + 1)
    if follows not in _AFTER_NUMBERS:
        return None
    return next((phrase for read in _READ_NUMBERS if (phrase := read(text, at))), None)


_OF_NUMBERS: tuple[_Reader, ...] = (_numbered,)


def _fixed(times: int, every: int, of: str) -> _Reader:
    repeat = Repeat(Decimal(times), each_one(UNITS[of], every))

    def read(_text: Tokens, at: int) -> Phrase:
        return Phrase(Kind.REPEAT, at, at + 1, repeat)

    return read


def _unread(_text: Tokens, at: int) -> Phrase:
    return Phrase(Kind.UNREAD, at, at + 1)


def _nothing(_text: Tokens, at: int) -> Phrase:
    return Phrase(Kind.NOTHING, at, at + 1)


def _annual(_text: Tokens, at: int) -> Phrase:
    return _often(at, at + 1, ONE, each_one(UNITS["year"]))


def _table() -> dict[str, tuple[_Reader, ...]]:
    """Which phrases a word may begin."""
    found: dict[str, list[_Reader]] = {}

    def add(names: str, *readers: _Reader) -> None:
        for name in names.split():
            found.setdefault(name, []).extend(readers)

    add(" ".join(_REVIEW) + " re", _not_about_doses)
    add("→ then thereafter afterwards subsequently maintenance followed after", _then)
    add("until till til ending ends through thru", _until)
    add("duration course stop end finish", _duration)
    add("for", _for)
    add("total", _total)
    add("over within in during", _within)
    add("x", *_DOSES_TIMES, _x)
    add("once twice thrice", *_DOSES_TIMES)
    add("one", *_OF_NUMBERS)
    add("stat today now immediately single one once", _once)
    add("prn sos as when if where", _as_needed)
    cardinals = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    add(f"{cardinals} eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety", *_OF_NUMBERS)
    add("every each q at", _every)
    add("alternate alternating alt", _alternate)
    add("half", _number_half_year)
    add(" ".join(UNITS_LY), _ly)
    add("a per / an", _per_unit)
    add(" ".join(WEEKDAYS), _weekdays)
    add("m mwf t tu tts tths tth tuth tuthsa", _letters_of_days)
    add(" ".join(_DAY_PARTS), _part_of_day)
    add("days day weeks week", _numbered_days)
    add("eod qod", _fixed(1, 2, "day"))
    add("qow fortnightly eow", _fixed(1, 2, "week"))
    add("eom", _fixed(1, 2, "month"))
    add("quarterly qtrly", _fixed(1, 3, "month"))
    add("semiannual semiannually biannual biannually", _fixed(1, 6, "month"))
    add("semiweekly biw", _fixed(2, 1, "week"))
    add("semimonthly", _fixed(2, 1, "month"))
    add("tiw", _fixed(3, 1, "week"))
    add("biennial biennially", _fixed(1, 2, "year"))
    add("annual", _annual)
    add("qds qid qqh", _fixed(4, 1, "day"))
    add("tds tid", _fixed(3, 1, "day"))
    add("bd bid bds", _fixed(2, 1, "day"))
    add("od qd om", _fixed(1, 1, "day"))
    add("nightly qhs qam qpm qn hs", _fixed(1, 1, "day"))
    add("weekday weekdays", _weekday)
    # Twice in the time, or once in two.
    add("biweekly bimonthly biyearly qm", _unread)
    add("lifelong indefinitely ongoing", _nothing)
    return {word: tuple(readers) for word, readers in found.items()}


def _weekday(_text: Tokens, at: int) -> Phrase:
    return Phrase(Kind.DAYS, at, at + 1, number=5)


_READERS = _table()
# Words of time that no phrase has taken up.
_TIMES_OF_ALL_KINDS = (frozenset(UNITS) | frozenset(UNITS_LY) | {"every", CLOCK}) - NOT_ALONE
_TIMES_OF_ALL_KINDS |= vocabulary("meal meals regularly periodically intermittently frequently occasionally")
_SCHEMES: tuple[_Reader, ...] = (_scheme,)
_NO_READERS: tuple[_Reader, ...] = ()


@remembered
def _q_glued(word: str) -> tuple[_Reader, ...]:
    """As "qmonth", "qwk", "qmonthly": "q" and a unit in one word; "12wkly" is two words already."""
    if len(word) > 2 and word[0] == "q":
        of = UNITS.get(word[1:]) or UNITS_LY.get(word[1:])
        if of and word[1:] not in NOT_ALONE:
            return (_fixed_length(of),)
    return (_fixed_length(UNITS["week"]),) if word == "qw" else _NO_READERS


def _fixed_length(of: Length) -> _Reader:
    def read(_text: Tokens, at: int) -> Phrase:
        return _often(at, at + 1, ONE, each_one(of))

    return read
