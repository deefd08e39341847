"""The words of timing: what several hundred ways of saying it mean, and where in the text each part stands."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.record import Period, PeriodUnit, Repeat
from service.fhir.timing_words import Said, agree, regimen, words

# Left of the arrow what is meant: `1/2-3mo for 2wk n=6` is once in two to three months, for two weeks, six doses.
TABLE = Path(__file__).with_name("timing_words.txt")
CASES = [
    tuple(line.split(" <- ", 1)) for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
]


def _period(period: Period) -> str:
    low, high = (f"{each.normalize():f}" for each in (period.low, period.high))
    return f"{low if low == high else f'{low}-{high}'}{period.unit.value}"


def _meaning(said: Said) -> str:
    parts = [f"{said.repeat.times.normalize():f}/{_period(said.repeat.every)}"] if said.repeat else []
    parts += [f"for {_period(said.lasts)}"] if said.lasts else []
    parts += [f"n={said.count}"] if said.count else []
    parts += ["once"] if said.once else []
    parts += ["prn"] if said.as_needed else []
    parts += ["unread"] if said.unread else []
    return " ".join(parts) or "nothing"


@pytest.mark.parametrize(("meant", "text"), CASES)
def test_words_mean_what_a_prescriber_means_and_are_unread_where_that_is_doubtful(meant: str, text: str) -> None:
    assert " | ".join(map(_meaning, regimen(text))) == meant


def test_the_table_is_large_and_half_of_it_are_near_misses() -> None:
    doubtful = [meant for meant, _ in CASES if "unread" in meant or meant == "nothing"]
    assert len(CASES) > 500
    assert len(doubtful) > len(CASES) / 4


@pytest.mark.parametrize("white", ["  ", "\t", "\n", "\u00a0", " \u2009"])
def test_white_space_and_capitals_of_any_kind_change_nothing(white: str) -> None:
    for meant, text in CASES:
        for disguised in (text.replace(" ", white), text.upper()):
            assert " | ".join(map(_meaning, regimen(disguised))) == meant, disguised


NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six", 8: "eight", 10: "ten", 12: "twelve", 28: "twenty-eight"}
SPELT = {
    PeriodUnit.DAY: ("day", "days", "d", "day(s)", "DAYS"),
    PeriodUnit.WEEK: ("week", "weeks", "wk", "wks", "week(s)", "Weeks"),
    PeriodUnit.MONTH: ("month", "months", "mo", "mth", "mths", "month(s)", "MONTHS"),
}
ADVERBS = {PeriodUnit.WEEK: ("weekly", "wkly"), PeriodUnit.MONTH: ("monthly", "mthly")}


def _every(number: int, unit: PeriodUnit) -> Repeat:
    return Repeat(Decimal(1), Period(Decimal(number), Decimal(number), unit))


def _written(number: int) -> tuple[str, ...]:
    word = NUMBERS[number]
    return str(number), word, f"{number} ({word})", f"{word} ({number})", f"{word.upper()} ({number})", f"({number})"


def test_a_number_in_digits_in_words_or_both_with_any_spelling_of_its_unit_is_one_interval() -> None:
    for (number, unit), form in product(
        product(NUMBERS, SPELT), ("every {}", "each {}", "q {}", "once every {}", "1 every {}", "at intervals of {}")
    ):
        for written, spelt in product(_written(number), SPELT[unit]):
            text = form.format(f"{written} {spelt}")
            if form == "each {}" and written.startswith("("):
                continue
            assert words(text).repeat == _every(number, unit), text
    for (number, unit), hyphen in product(product(NUMBERS, ADVERBS), (" ", "-")):
        for written, adverb in product((str(number), NUMBERS[number]), ADVERBS[unit]):
            assert words(f"{written}{hyphen}{adverb}").repeat == _every(number, unit)


def test_two_numbers_that_contradict_each_other_are_no_interval() -> None:
    for one, other in product(NUMBERS, NUMBERS):
        found = words(f"every {one} ({NUMBERS[other]}) weeks")
        assert (found.repeat is None, found.unread) == (one != other, one != other)


@pytest.mark.parametrize("joined", ["{} / {}", "{}, {}", "{} {}", "{} ({})"])
def test_two_intervals_in_one_phase_are_believed_only_where_they_are_the_same(joined: str) -> None:
    same = {"every 12 weeks": "3 monthly", "monthly": "every 30 days", "every 84 days": "12 weekly"}
    for one, other in same.items():
        assert not words(joined.format(one, other)).unread
    for one, other in (("every 12 weeks", "every 8 weeks"), ("weekly", "monthly"), ("every 10 weeks", "3 monthly")):
        found = words(joined.format(one, other))
        assert (found.repeat, found.unread) == (None, True)


# --- places ------------------------------------------------------------------------------------------------------

PLAIN = [
    "1 mg IM {}",
    "Inject 1 mL (1,000 mcg total) into the muscle {}.",
    "{} for life",
    "ONE AMPOULE {} (review in 6 months)",
    "Weekly for 4 weeks, then {}",
    "{}, next due 3/3/2027",
]
INTERVALS = [
    "every 12 weeks", "every four (4) weeks", "q3mo", "Q 12 WKS", "12-weekly", "3 monthly", "every third month",
    "once every three months", "every 2 to 3 months", "alternate days", "3x/wk", "monthly (every 30 days)", "3/12",
    "Mon, Wed, Fri", "twice a year", "quarterly", "every 8/52-12/52", "EVERY  16 WEEKS",
]  # fmt: skip


@pytest.mark.parametrize("frame", PLAIN)
@pytest.mark.parametrize("old", INTERVALS)
@pytest.mark.parametrize("new", ["every 8 weeks", "every 2 months", "every 6 months"])
def test_another_interval_written_where_the_old_one_stood_is_the_one_that_is_read(
    frame: str, old: str, new: str
) -> None:
    text = frame.format(old)
    said = regimen(text)[-1]
    assert said.repeat == words(old).repeat
    for start, end in sorted(said.repeat_at, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    assert regimen(text)[-1].repeat == words(new).repeat
    assert regimen(text)[:-1] == regimen(frame.format(new))[:-1]


@pytest.mark.parametrize(("old", "new"), [("for 4 weeks", "for 6 weeks"), ("x 2/52", "for 6 weeks")])
def test_the_place_of_a_length_is_known(old: str, new: str) -> None:
    text = f"1 mg alternate days {old}, then every 3 months"
    ((start, end),) = regimen(text)[0].lasts_at
    assert text[start:end] == old
    assert regimen(text[:start] + new + text[end:])[0].lasts == Period(Decimal(6), Decimal(6), PeriodUnit.WEEK)


@pytest.mark.parametrize("old", ["6 doses", "x6", "six (6) injections", "a total of 6"])
def test_the_place_of_a_count_is_known(old: str) -> None:
    text = f"1 mg alternate days for {old}, then every 3 months"
    ((start, end),) = regimen(text)[0].count_at
    assert text[start:end] == old.removeprefix("a ")
    assert regimen(text[:start] + "8 doses" + text[end:])[0].count == 8


@given(st.lists(st.sampled_from([text for _, text in CASES]), min_size=1, max_size=4), st.text(max_size=8))
def test_every_place_lies_in_the_text_and_its_phase_and_nothing_is_read_outside_the_plausible(
    texts: list[str], between: str
) -> None:
    text = between.join(texts)
    phases = regimen(text)
    assert [each.phase.start for each in phases] == sorted(each.phase.start for each in phases)
    for said in phases:
        assert 0 <= said.phase.start <= said.phase.end <= len(text)
        assert bool(said.repeat) == bool(said.repeat_at)
        for start, end in (*said.repeat_at, *said.lasts_at, *said.count_at):
            assert said.phase.start <= start < end <= said.phase.end
        if said.repeat:
            assert agree(said.repeat, said.repeat)
