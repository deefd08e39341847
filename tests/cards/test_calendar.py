"""Calendar arithmetic: months are calendar months, and no month is thirty days."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cards.calendar import after, average_days, in_words, is_longer, months_after, months_before, upper_days
from cards.dosing import between_doses, how_often
from cards.record import Instruction, Period, PeriodUnit, Repeat

HOUR, DAY, WEEK, MONTH, YEAR = PeriodUnit


def _period(low: str, unit: PeriodUnit, high: str | None = None) -> Period:
    return Period(Decimal(low), Decimal(high or low), unit)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2026-01-15", 1, "2026-02-15"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2025-11-30", 3, "2026-02-28"),
        ("2025-12-01", 1, "2026-01-01"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-05-31", 0, "2026-05-31"),
        ("2025-12-31", 24, "2027-12-31"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_of_the_month(day: str, months: int, later: str) -> None:
    assert months_after(date.fromisoformat(day), months) == date.fromisoformat(later)


@pytest.mark.parametrize(
    ("day", "months", "earlier"),
    [
        ("2026-03-15", 1, "2026-02-15"),
        ("2026-03-31", 1, "2026-02-28"),
        ("2026-01-15", 1, "2025-12-15"),
        ("2026-01-31", 14, "2024-11-30"),
        ("2024-02-29", 24, "2022-02-28"),
        ("2026-11-23", 12, "2025-11-23"),
    ],
)
def test_a_month_earlier_is_the_same_day_or_the_last_of_the_month(day: str, months: int, earlier: str) -> None:
    assert months_before(date.fromisoformat(day), months) == date.fromisoformat(earlier)


def test_months_stop_at_the_ends_of_the_calendar() -> None:
    assert months_before(date(1, 1, 31), 1) == date.min
    assert months_after(date(9999, 12, 1), 1) == date.max
    assert months_before(date(1, 2, 28), 1) == date(1, 1, 28)
    assert months_after(date(9999, 11, 30), 1) == date(9999, 12, 30)


@pytest.mark.parametrize(
    ("number", "unit", "later"),
    [
        ("12", WEEK, "2026-04-25"),  # 84 days
        ("3", MONTH, "2026-04-30"),  # not 90 days
        ("1", YEAR, "2027-01-31"),
        ("0.5", YEAR, "2026-07-31"),
        ("1.5", MONTH, "2026-03-15"),  # a month, and half of 30.4 days
        ("2.3333", DAY, "2026-02-02"),  # three times a week
        ("48", HOUR, "2026-02-02"),
        ("0", DAY, "2026-01-31"),
    ],
)
def test_an_interval_ends_on_its_calendar_day(number: str, unit: PeriodUnit, later: str) -> None:
    assert after(date(2026, 1, 31), Decimal(number), unit) == date.fromisoformat(later)


@pytest.mark.parametrize("unit", [DAY, WEEK, MONTH, YEAR])
def test_an_absurd_interval_ends_with_the_calendar(unit: PeriodUnit) -> None:
    assert after(date(2026, 1, 31), Decimal(10_000_000), unit) == date.max


def test_twelve_weeks_are_shorter_than_three_months_and_compare_so() -> None:
    assert upper_days(_period("12", WEEK)) == 84
    assert upper_days(_period("12", WEEK)) < upper_days(_period("3", MONTH)) < upper_days(_period("13.1", WEEK))


def test_the_upper_bound_of_a_range_counts() -> None:
    assert upper_days(_period("2", WEEK, "3")) == 21


def test_a_year_is_twelve_months_on_average() -> None:
    assert average_days(Decimal(1), YEAR) == average_days(Decimal(12), MONTH)
    assert average_days(Decimal(24), HOUR) == 1


@pytest.mark.parametrize(
    ("weeks", "months"), [("4", "1"), ("8", "2"), ("12", "3"), ("13", "3"), ("24", "6"), ("26", "6"), ("52", "12")]
)
def test_weeks_and_months_that_say_the_same_are_no_change(weeks: str, months: str) -> None:
    assert not is_longer(_period(weeks, WEEK), _period(months, MONTH))
    assert not is_longer(_period(months, MONTH), _period(weeks, WEEK))


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        (_period("3", MONTH), _period("11", WEEK)),
        (_period("9", WEEK), _period("2", MONTH)),
        (_period("5", WEEK), _period("1", MONTH)),
        (_period("14", WEEK), _period("3", MONTH)),
        (_period("13", WEEK), _period("12", WEEK)),
        (_period("2", MONTH, "3"), _period("2", MONTH)),
        (_period("1", YEAR), _period("6", MONTH)),
    ],
)
def test_a_longer_interval_is_one_in_any_spelling(longer: Period, shorter: Period) -> None:
    assert is_longer(longer, shorter)
    assert not is_longer(shorter, longer)


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (_period("12", WEEK), "12 weeks"),
        (_period("2", MONTH, "3"), "2-3 months"),
        (_period("1", MONTH), "month"),
        (_period("1", WEEK), "week"),
        (_period("10", DAY), "10 days"),  # never "1E+1 days"
        (_period("100", DAY), "100 days"),
        (_period("3.0", MONTH), "3 months"),
        (_period("1.5", YEAR), "18 months"),
        (_period("0.5", YEAR), "6 months"),
        (_period("182.625", DAY), "6 months"),
        (_period("1.5", MONTH), "46 days"),
        (_period("49.2", DAY), "7 weeks"),
        (_period("0.5", MONTH, "1.5"), "15-46 days"),
        (_period("0.25", DAY), "6 hours"),
        (_period("0.1", HOUR), "hour"),
    ],
)
def test_a_period_is_said_in_words(period: Period, words: str) -> None:
    assert in_words(period) == words


@pytest.mark.parametrize(
    ("times", "every", "words"),
    [
        ("1", _period("12", WEEK), "every 12 weeks"),
        ("2", _period("1", YEAR), "every 6 months"),
        ("4", _period("1", YEAR), "every 3 months"),
        ("2", _period("6", MONTH), "every 3 months"),
        ("5", _period("1", YEAR), "5 times a year"),
        ("3", _period("1", WEEK), "3 times a week"),
        ("5", _period("2", WEEK), "5 times in 2 weeks"),
    ],
)
def test_how_often_is_said_without_fractions(times: str, every: Period, words: str) -> None:
    assert how_often(Instruction(repeat=Repeat(Decimal(times), every))) == words


def test_twice_a_year_is_six_months_of_the_calendar() -> None:
    assert between_doses(Instruction(repeat=Repeat(Decimal(2), _period("1", YEAR)))) == _period("6", MONTH)
