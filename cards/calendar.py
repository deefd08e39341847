"""Calendar arithmetic: a month is a calendar month, never thirty days."""

from __future__ import annotations

from calendar import monthrange
from datetime import MAXYEAR, MINYEAR, date, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache

from cards.record import Period, PeriodUnit

_DAYS = {PeriodUnit.HOUR: Decimal(1) / 24, PeriodUnit.DAY: Decimal(1), PeriodUnit.WEEK: Decimal(7)}
# Average lengths, for comparing intervals and sharing a dose out over days; never for finding a date.
_AVERAGE_DAYS = {**_DAYS, PeriodUnit.MONTH: Decimal("30.4375"), PeriodUnit.YEAR: Decimal("365.25")}

_MONTHS = {PeriodUnit.MONTH: 1, PeriodUnit.YEAR: 12}
_SHORTEST_MONTH, _LONGEST_MONTH = 28, 31


# Each rule counts back from the day of the call, and by the same few numbers.
@lru_cache(maxsize=1024)
def months_after(day: date, months: int) -> date:
    """The same day `months` later, or the last day of that month; stops at the ends of the calendar."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if year < MINYEAR:
        return date.min
    if year > MAXYEAR:
        return date.max
    in_every_month = day.day <= 28
    return date(year, month + 1, day.day if in_every_month else min(day.day, monthrange(year, month + 1)[1]))


def months_before(day: date, months: int) -> date:
    """The same day `months` earlier, or the last day of that month."""
    return months_after(day, -months)


def days_after(day: date, days: int) -> date:
    """The day so many `days` later; stops at the ends of the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def days_before(day: date, days: int) -> date:
    """The day so many `days` earlier; stops at the ends of the calendar."""
    return days_after(day, -days)


def after(day: date, number: Decimal, unit: PeriodUnit) -> date:
    """`day` plus `number` units: whole months and years by the calendar, their fractions and all else in days.

    It stops at the ends of the calendar.
    """
    if unit is PeriodUnit.YEAR:
        number, unit = number * 12, PeriodUnit.MONTH
    if unit is PeriodUnit.MONTH:
        whole = int(number.to_integral_value(ROUND_FLOOR))
        day = months_after(day, whole)
        days = (number - whole) * _AVERAGE_DAYS[PeriodUnit.MONTH]
    else:
        days = number * _DAYS[unit]
    return days_after(day, round(days))


def average_days(number: Decimal, unit: PeriodUnit) -> Decimal:
    """The length in days, a month taken as 30.4375 days."""
    return number * _AVERAGE_DAYS[unit]


def upper_days(period: Period) -> Decimal:
    """The length of a period's upper bound in days, a month taken as 30.4375 days."""
    return average_days(period.high, period.unit)


def is_longer(one: Period, other: Period) -> bool:
    """Whether one interval is longer than another by its upper bound, and not the same in another spelling.

    A month is said for anything from four weeks to 31 days, so 12 weeks, 13 weeks and 3 months are one interval.
    """
    in_months, other_in_months = one.unit in _MONTHS, other.unit in _MONTHS
    if in_months == other_in_months:
        return upper_days(one) > upper_days(other)
    if in_months:
        return one.high * _MONTHS[one.unit] * _SHORTEST_MONTH > upper_days(other)
    return upper_days(one) > other.high * _MONTHS[other.unit] * _LONGEST_MONTH


def in_words(period: Period) -> str:
    """A period as a reader says it: `12 weeks`, `2-3 months`, `month`, `2 days`; never in fractions."""
    names = {"h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
    whole = _in_whole_units(period)
    name = names[whole.unit.value]
    low, high = f"{whole.low.normalize():f}", f"{whole.high.normalize():f}"
    if low != high:
        return f"{low}-{high} {name}s"
    return name if low == "1" else f"{low} {name}s"


def _in_whole_units(period: Period) -> Period:
    """The period in its own unit where that gives whole numbers, else in months or weeks that fit, else rounded."""
    low, high, unit = period.low, period.high, period.unit
    if unit is PeriodUnit.YEAR and not _whole(low, high):
        low, high, unit = low * 12, high * 12, PeriodUnit.MONTH
    if _whole(low, high):
        return Period(low, high, unit)
    days = [average_days(each, unit) for each in (low, high)]
    months = [each / _AVERAGE_DAYS[PeriodUnit.MONTH] for each in days]
    if _whole(*months):
        return Period(months[0], months[1], PeriodUnit.MONTH)
    if days[1] < 1:
        return Period(_rounded(days[0] * 24), _rounded(days[1] * 24), PeriodUnit.HOUR)
    low, high = _rounded(days[0]), _rounded(days[1])
    in_weeks = _whole(low / 7, high / 7)
    return Period(low / 7, high / 7, PeriodUnit.WEEK) if in_weeks else Period(low, high, PeriodUnit.DAY)


def _whole(*numbers: Decimal) -> bool:
    return all(each == each.to_integral_value() for each in numbers)


def _rounded(number: Decimal) -> Decimal:
    return max(number.to_integral_value(ROUND_HALF_UP), Decimal(1))


def span_in_words(days: int) -> str:
    """A length of time as a clinician says it: days under two weeks, weeks under a year, else months."""
    if days < 14:
        return f"{days} day" + ("s" if days != 1 else "")
    if days < 365:
        return f"{days // 7} weeks"
    return f"{days * 12 // 365} months"
