"""How much and how often: doses in micrograms, daily amounts, intervals, and the phase of a course."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cards.calendar import after, average_days, in_words, months_after, upper_days
from cards.record import (
    BY_MOUTH_OR_NOSE,
    PARENTERAL,
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Instruction,
    Medicine,
    Order,
    Period,
    PeriodUnit,
    Route,
    Strength,
    When,
)

# Ingredients that replace vitamin B12; the cyanide antidote and radiolabelled forms are ingredients of their own.
COBALAMINS = frozenset({"hydroxocobalamin", "cyanocobalamin", "mecobalamin", "cobamamide", "cobalamin"})
FOLATES = frozenset({"folic_acid", "levomefolate"})

# Rules 8.4 item 1: up to seven days between injections is loading, longer is maintenance.
LOADING_DAYS = Decimal(7)

CURRENT = frozenset({CourseStatus.ACTIVE, CourseStatus.ON_HOLD})
ENDING = frozenset({CourseStatus.STOPPED, CourseStatus.CANCELLED, CourseStatus.COMPLETED})


# The reason, for a report, why a rule that asks how often could not be answered.
TIMING_UNREAD = "timing-unread"


class Mcg(NamedTuple):
    """A mass in micrograms, `low` to `high`."""

    low: Decimal
    high: Decimal


class Phase(StrEnum):
    """What a parenteral instruction is for."""

    LOADING = "loading"
    MAINTENANCE = "maintenance"
    SINGLE = "single dose"


def ingredient_of(medicine: Medicine, wanted: frozenset[str]) -> str | None:
    """The first ingredient of a product that is one of `wanted`."""
    for name in medicine.ingredients:
        if name in wanted:
            return name
    return None


def cobalamin(medicine: Medicine) -> str | None:
    """The B12 form in a product, if any; of several the one that lasts longest."""
    return ingredient_of(medicine, COBALAMINS)


def cobalamins(medicine: Medicine) -> frozenset[str]:
    """All the B12 forms in a product."""
    return COBALAMINS.intersection(medicine.ingredients)


def is_all_b12(medicine: Medicine) -> bool:
    """Whether a product holds B12, in one form or several, and no other drug that is known."""
    return bool(medicine.ingredients) and COBALAMINS.issuperset(medicine.ingredients)


def b12_strength(medicine: Medicine) -> Strength | None:
    """What a product holds of all its B12 forms together; None when the strength of one is not known."""
    forms = [name for name in medicine.ingredients if name in COBALAMINS]
    if len(forms) == 1:
        return medicine.strengths.get(forms[0])
    found = [medicine.strengths[name] for name in forms if name in medicine.strengths]
    if not found or len(found) < len(forms) or len({each.per_ml for each in found}) > 1:
        return None
    return Strength(sum((each.mcg for each in found), Decimal(0)), found[0].per_ml)


def route_of(course: Course, instruction: Instruction) -> Route | None:
    """The route as ordered, else as the product's form implies."""
    return instruction.route or course.medicine.form_route


def is_parenteral(course: Course) -> bool:
    """Whether any instruction of the order, or the product's form, is an injection."""
    routes = [route_of(course, each) for each in course.instructions] or [course.medicine.form_route]
    return any(route in PARENTERAL for route in routes)


def is_injected(dose: Dose) -> bool:
    """Whether a given dose was an injection."""
    return (dose.route or dose.medicine.form_route) in PARENTERAL


def mass(amount: Amount | None, medicine: Medicine, ingredient: str) -> Mcg | None:
    """One dose of `ingredient` in micrograms; None when the dose or the product's strength is not known.

    A mass dose of several forms of B12 is said of all together: no form is more than that.
    """
    return _mass(amount, medicine, ingredient, medicine.strengths.get(ingredient))


def b12_mass(amount: Amount | None, medicine: Medicine) -> Mcg | None:
    """One dose of all the B12 in a product, in micrograms; None when it holds none or that is not known."""
    form = cobalamin(medicine)
    return _mass(amount, medicine, form, b12_strength(medicine)) if form else None


def _mass(amount: Amount | None, medicine: Medicine, ingredient: str, strength: Strength | None) -> Mcg | None:
    if amount is None:
        return None
    if amount.unit is AmountUnit.MCG:
        # "5 mg" of folic acid with B12 is said of the folic acid.
        beside = ingredient in COBALAMINS and not COBALAMINS.issuperset(medicine.ingredients)
        return None if beside else Mcg(amount.low, amount.high)
    if strength is None:
        return None
    if amount.unit is AmountUnit.UNIT:
        # One ampoule of "10 mg/2 ml" is the whole stated volume.
        return Mcg(amount.low * strength.mcg, amount.high * strength.mcg)
    if amount.unit is AmountUnit.ML and strength.per_ml:
        return Mcg(amount.low * strength.mcg / strength.per_ml, amount.high * strength.mcg / strength.per_ml)
    return None


def daily(instruction: Instruction, medicine: Medicine, ingredient: str) -> Mcg | None:
    """The amount of `ingredient` a day, shared out evenly; an order that does not say how often is taken as daily.

    The largest dose as often as allowed makes `high`, the smallest as seldom as allowed makes `low`.
    """
    return _a_day(instruction, mass(instruction.amount, medicine, ingredient))


def b12_daily(instruction: Instruction, medicine: Medicine) -> Mcg | None:
    """The amount of all the B12 in a product a day, as `daily` has it."""
    return _a_day(instruction, b12_mass(instruction.amount, medicine))


def _a_day(instruction: Instruction, one: Mcg | None) -> Mcg | None:
    if one is None or instruction.repeat is None:
        return one
    times, every = instruction.repeat
    shortest, longest = average_days(every.low, every.unit), average_days(every.high, every.unit)
    if shortest <= 0:
        return None
    return Mcg(one.low * times / longest, one.high * times / shortest)


def largest_daily(course: Course, ingredient: str) -> Mcg | None:
    """The largest daily amount of `ingredient` among the instructions, in micrograms; None when one is not known.

    An instruction without a dose stands for one unit of the product: nobody takes less.
    """
    amounts = [
        daily(each if each.amount else replace(each, amount=_ONE_UNIT), course.medicine, ingredient)
        for each in course.instructions or (Instruction(),)
    ]
    known = [amount for amount in amounts if amount]
    return max(known, key=lambda amount: amount.high) if len(known) == len(amounts) else None


_ONE_UNIT = Amount(Decimal(1), Decimal(1), AmountUnit.UNIT)


def between_doses(instruction: Instruction) -> Period | None:
    """The time from one dose to the next; None for a single dose.

    "Three times a week" is 7/3 days; "twice a year" is six months of the calendar.
    """
    if instruction.repeat is None:
        return None
    times, every = instruction.repeat
    if times == 1:
        return every
    if months := _months_between(times, every):
        return months
    low, high = average_days(every.low, every.unit), average_days(every.high, every.unit)
    return Period(low / times, high / times, PeriodUnit.DAY)


def _months_between(times: Decimal, every: Period) -> Period | None:
    """The whole months from one of several doses to the next, where months are what fits."""
    months = {PeriodUnit.MONTH: 1, PeriodUnit.YEAR: 12}.get(every.unit)
    if months is None or every.low * months % times or every.high * months % times:
        return None
    return Period(every.low * months / times, every.high * months / times, PeriodUnit.MONTH)


def how_often(instruction: Instruction) -> str:
    """`every 8 weeks`, or `3 times a week` where the time between two doses is no whole number; empty without one."""
    gap = between_doses(instruction)
    if gap is None or instruction.repeat is None:
        return ""
    times, every = instruction.repeat
    if gap.low % 1 == 0 and gap.high % 1 == 0:
        return f"every {in_words(gap)}"
    length = in_words(every)
    return f"{times.normalize():f} times {'in' if length[0].isdigit() else 'a'} {length}"


def phase(instruction: Instruction) -> Phase:
    """Whether an instruction loads, maintains, or gives one dose (rules 8.4 item 1)."""
    interval = between_doses(instruction)
    if interval is None or instruction.count == 1:
        return Phase.SINGLE
    return Phase.LOADING if upper_days(interval) <= LOADING_DAYS else Phase.MAINTENANCE


def ends_on(instruction: Instruction, begins: date | None) -> date | None:
    """The day on which an instruction's own bounds end it, or None when it is open-ended.

    A count ends it after its last dose; a duration counts from its start, else from `begins`.
    """
    if instruction.ends:
        return instruction.ends
    start = instruction.starts or begins
    if start is None:
        return None
    if instruction.lasts:
        return after(start, instruction.lasts.high, instruction.lasts.unit)
    interval = between_doses(instruction)
    if instruction.count and interval:
        return after(start, interval.high * (instruction.count - 1), interval.unit)
    return None


def begins(course: Course) -> date | None:
    """The first day of a course by its own instructions, else the day it was written."""
    days = [*(d for each in course.instructions for d in each.events)]
    days += [each.starts for each in course.instructions if each.starts]
    if days:
        return min(days)
    return course.authored.latest if course.authored else None


def runs_on(course: Course, day: date) -> bool:
    """Whether an active order still runs on `day` by its own bounds; an order without bounds runs on."""
    if course.status not in CURRENT or course.do_not_perform:
        return False
    start = begins(course)
    ends = [ends_on(each, start) for each in course.instructions]
    return not ends or any(end is None or end >= day for end in ends)


def interval_unread(course: Course) -> bool:
    """Whether an instruction says when in words that could not be read, so that nobody knows how often."""
    return any(each.timing_unread and each.repeat is None for each in course.instructions)


def injections_of_unread_interval(course: Course) -> bool:
    """Whether an order is for injections of B12 that may be loading or maintenance: how often could not be read."""
    return interval_unread(course) and cobalamin(course.medicine) is not None and is_parenteral(course)


def states_no_dosage(course: Course) -> bool:
    """Whether an order says neither how much nor how often: still being filled in, or a stop that names the drug."""
    return not any(
        each.amount or each.repeat or each.count or each.events or each.timing_unread for each in course.instructions
    )


def copy_in_chart(order: Order, courses: Iterable[Course]) -> Course | None:
    """The chart's own copy of an order that is being signed: the same one, the one it replaces, or one just like it.

    An order that is stopped or renewed still stands in the chart as active while its change is being signed.
    """
    current = [each for each in courses if each.status in CURRENT and not each.stated and cobalamin(each.medicine)]
    named = {order.reference, *order.replaces}
    found = next((each for each in current if each.reference in named), None)
    return found or next((each for each in current if _alike(each, order)), None)


def _alike(one: Course, other: Course) -> bool:
    """Whether two orders are for the same drug at the same intervals; an order without instructions is like any."""
    if cobalamins(one.medicine) != cobalamins(other.medicine):
        return False
    own, others = ({between_doses(each) for each in course.instructions} for course in (one, other))
    return own == others or states_no_dosage(other)


def planned_for_months(course: Course, months: int, today: date) -> bool:
    """Whether repeated doses are planned over at least `months`; without an end they are.

    Instructions without a start of their own follow one another; an order without a start begins today.
    """
    start = last = begins(course) or today
    for each in course.instructions:
        if each.events:
            last = max(last, *each.events)
        elif phase(each) is not Phase.SINGLE:
            end = ends_on(each if each.starts else replace(each, starts=last), None)
            if end is None:
                return True
            last = max(last, end)
    return last >= months_after(start, months)


def within(when: When, earliest: date, latest: date) -> bool:
    """Whether a date known only to the month or year may lie between two days."""
    return when.latest >= earliest and when.earliest <= latest


def route_by_mouth_or_nose(course: Course) -> Route | None:
    """The way by mouth or nose of an order that is given in no other way; None for any other order."""
    routes = [route for each in course.instructions if (route := route_of(course, each))]
    routes = routes or ([course.medicine.form_route] if course.medicine.form_route else [])
    return routes[0] if routes and set(routes) <= BY_MOUTH_OR_NOSE else None


def daily_cobalamin(course: Course) -> Mcg | None:
    """The largest daily amount of B12, in micrograms, among an order's instructions; None when none can be told."""
    amounts = [b12_daily(each, course.medicine) for each in course.instructions]
    return max((each for each in amounts if each), key=lambda amount: amount.low, default=None)


def is_supplement(course: Course, least_mcg: Decimal) -> bool:
    """Whether an order is for a multivitamin that gives less than `least_mcg` of B12 a day, or nobody knows how much.

    From that amount on its B12 counts as any other.
    """
    if not course.medicine.multivitamin:
        return False
    amount = daily_cobalamin(course)
    return amount is None or amount.high < least_mcg


def is_supplement_dose(dose: Dose, least_mcg: Decimal) -> bool:
    """Whether a dose of a multivitamin held less than `least_mcg` of B12, or nobody knows how much."""
    if not dose.medicine.multivitamin:
        return False
    amount = b12_mass(dose.amount, dose.medicine)
    return amount is None or amount.high < least_mcg


def as_course(supply: Dispensed) -> Course:
    """A supply as the order that would have the same dose and directions."""
    return Course("", supply.medicine, CourseStatus.COMPLETED, supply.instructions)


def why_no_amount(course: Course) -> str:
    """The reason, for a report, why an order's amount cannot be told."""
    amounts = [each.amount for each in course.instructions]
    if not any(amounts):
        return "dose-missing"
    units = {amount.unit for amount in amounts if amount}
    if AmountUnit.NONE in units:
        return "unit-missing"
    if AmountUnit.UNKNOWN in units:
        return "unknown-unit"
    return TIMING_UNREAD if interval_unread(course) else "unknown-strength"
