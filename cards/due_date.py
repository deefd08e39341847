"""The due-date model of maintenance injections: what was given, when the next one is due, and how late it is.

Clinical rules, section 8. All dates are days in the site's time zone; partial dates count at their latest day, so that
the model errs towards "not yet due".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from cards.calendar import after, days_after, days_before, is_longer, upper_days
from cards.dosing import (
    COBALAMINS,
    Phase,
    b12_strength,
    begins,
    between_doses,
    cobalamin,
    ends_on,
    is_injected,
    is_parenteral,
    phase,
    runs_on,
)
from cards.record import (
    AmountUnit,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    PatientRecord,
    Period,
    PeriodUnit,
    Source,
    once_per_record,
)
from cards.rule import Limits

CYANIDE_ANTIDOTE = "hydroxocobalamin_antidote"


class DueState(StrEnum):
    """Rules 8.3."""

    NOT_DUE = "not due"
    DUE = "due"
    OVERDUE = "overdue"
    SERIOUSLY_OVERDUE = "seriously overdue"
    LOST = "lost to follow-up"


LATE = frozenset({DueState.OVERDUE, DueState.SERIOUSLY_OVERDUE, DueState.LOST})


@dataclass(frozen=True, slots=True)
class Plan:
    """How often maintenance is expected: `interval`, and the order that says so (None: the profile's default)."""

    interval: Period
    course: Course | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where maintenance stands today.

    `last`: the last recorded injection, or the day on which the last dispensed ampoule is presumed used (`supplied`);
    `due`: `last` plus the upper bound of the interval; `grace_ends`: the last day that is not called overdue;
    `two_intervals`: the day on which two intervals have gone.
    """

    state: DueState
    last: date
    due: date
    grace_ends: date
    two_intervals: date
    supplied: bool

    def days_overdue(self, today: date) -> int:
        """Days since the dose fell due."""
        return (today - self.due).days


@once_per_record
def injections(record: PatientRecord) -> tuple[Dose, ...]:
    """Every parenteral cobalamin dose given, oldest first, each once.

    Records of one injection in several places (administration, claim, statement) lie at most a day apart; two
    administrations on consecutive days are two doses.
    """
    found = [dose for dose in record.doses if cobalamin(dose.medicine) and is_injected(dose)]
    # The administration, not its claim or statement, is kept.
    found.sort(key=lambda dose: (dose.when.latest, dose.stated, dose.source is not Source.DOSES))
    kept: list[Dose] = []
    for dose in found:
        twin = next((other for other in kept[-3:] if _same_injection(dose, other)), None)
        if twin is None:
            kept.append(dose)
        elif dose.source is Source.DOSES and twin.source is not Source.DOSES:
            kept[kept.index(twin)] = dose
    return tuple(kept)


def possible_injection(record: PatientRecord, after_day: date) -> date | None:
    """The newest day after `after_day` of a procedure that only its words call a B12 injection: it is never counted.

    Rules 8.4 item 9.
    """
    days = [
        each.when.latest
        for each in record.state(Source.PROCEDURES).unreadable
        if each.concept is not None and each.concept in COBALAMINS and each.when and each.when.latest > after_day
    ]
    return max(days, default=None)


def _same_injection(one: Dose, other: Dose) -> bool:
    apart = abs((one.when.latest - other.when.latest).days)
    return apart == 0 or (apart <= 1 and one.source is not other.source)


def intervals(course: Course, of: Phase) -> tuple[Period, ...]:
    """The intervals of an order's instructions that are in phase `of`; none for an order that is not an injection."""
    if not cobalamin(course.medicine) or not is_parenteral(course):
        return ()
    return tuple(gap for each in course.instructions if phase(each) is of and (gap := between_doses(each)))


def shortest(periods: Sequence[Period]) -> Period | None:
    """The one with the shortest upper bound."""
    return min(periods, key=upper_days, default=None)


@once_per_record
def maintenance_orders(record: PatientRecord) -> tuple[Course, ...]:
    """Orders in the chart, of any status, for maintenance injections of a cobalamin."""
    return tuple(course for course in record.courses if intervals(course, Phase.MAINTENANCE))


@once_per_record
def current_plan(record: PatientRecord, today: date) -> Plan | None:
    """The active or held maintenance order with the shortest interval, if there is one."""
    plans = [
        Plan(interval, course)
        for course in maintenance_orders(record)
        if runs_on(course, today) and (interval := shortest(intervals(course, Phase.MAINTENANCE)))
    ]
    return min(plans, key=_goes_before, default=None)


def _goes_before(plan: Plan) -> tuple[Decimal, bool, int, str]:
    """The shorter interval first; of two with the same, the active order before the held one, then the newer one."""
    course = plan.course
    if course is None:
        return upper_days(plan.interval), False, 0, ""
    written = course.authored.latest.toordinal() if course.authored else 0
    return upper_days(plan.interval), course.status is not CourseStatus.ACTIVE, -written, course.reference


def unread_plan(record: PatientRecord, today: date) -> Course | None:
    """An active parenteral cobalamin order that gives its timing in words that could not be read."""
    for course in record.courses:
        unread = any(each.timing_unread and each.repeat is None for each in course.instructions)
        if unread and cobalamin(course.medicine) and is_parenteral(course) and runs_on(course, today):
            return course
    return None


def untimed_plan(record: PatientRecord, today: date) -> Course | None:
    """An active parenteral cobalamin order that says nothing of how often, such as "use as directed"."""
    return next(
        (
            course
            for course in record.courses
            if cobalamin(course.medicine)
            and is_parenteral(course)
            and runs_on(course, today)
            and not any(
                each.repeat or each.count or each.events or each.as_needed or each.timing_unread
                for each in course.instructions
            )
        ),
        None,
    )


def written(course: Course) -> tuple[date, date, str]:
    """For the newest of several orders: when it was written, then when it was last changed, then its name."""
    authored = course.authored.latest if course.authored else date.min
    return authored, course.changed or date.min, course.reference


def past_plan(record: PatientRecord, default: Period) -> Plan | None:
    """The newest maintenance order that is no longer active, else the default interval when doses lay weeks apart."""
    old = [course for course in maintenance_orders(record) if course.status is not CourseStatus.DRAFT]
    old.sort(key=written)
    if old and (interval := shortest(intervals(old[-1], Phase.MAINTENANCE))):
        return Plan(interval, old[-1])
    days = [dose.when.latest for dose in injections(record)]
    if any((later - earlier).days > 7 for earlier, later in pairwise(days)):
        return Plan(default, None)
    return None


def default_interval(limits: Limits, neurological: bool) -> Period:
    """The profile's interval where no order gives one (rules 8.2 item 3), calendar months."""
    name = "default_interval_neurological" if neurological else "default_interval"
    return Period(limits[name], limits[name], PeriodUnit.MONTH)


def standing(record: PatientRecord, plan: Plan, limits: Limits, today: date) -> Standing | None:
    """How late the next maintenance dose is; None when no dose and no supply is on record."""
    given = injections(record)
    last = given[-1].when.latest if given else None
    supply = _supplied_until(record.dispensed, given, plan.interval)
    supplied = supply is not None and (last is None or supply > last)
    day = supply if supplied else last
    if day is None:
        return None
    high, unit = plan.interval.high, plan.interval.unit
    due = after(day, high, unit)
    grace = grace_days(due - day, limits)
    if given and not supplied and all(dose.source is Source.CLAIMS for dose in given):
        # Outside claims arrive 30-60 days late (rules 8.4 item 11).
        grace += limits.whole("claims_delay_days")
    grace_ends = days_after(due, grace)
    two_intervals = after(day, high * 2, unit)
    return Standing(
        _state(today, day, due, grace_ends, two_intervals, limits),
        day,
        due,
        grace_ends,
        two_intervals,
        supplied,
    )


def grace_days(interval: timedelta, limits: Limits) -> int:
    """A quarter of the interval, at least 7 and at most 21 days (rules 8.3, service setting)."""
    quarter = round(Decimal(interval.days) * limits["grace_fraction"])
    return min(max(quarter, limits.whole("grace_days_min")), limits.whole("grace_days_max"))


def _state(today: date, last: date, due: date, grace_ends: date, two_intervals: date, limits: Limits) -> DueState:
    if today < due:
        return DueState.NOT_DUE
    if today <= grace_ends:
        return DueState.DUE
    if today >= days_after(last, limits.whole("lost_after_days")):
        return DueState.LOST
    return DueState.SERIOUSLY_OVERDUE if today >= two_intervals else DueState.OVERDUE


def _supplied_until(dispensed: Sequence[Dispensed], given: Sequence[Dose], interval: Period) -> date | None:
    """The day on which the last ampoule handed to the patient is presumed used; None when none is left over.

    An ampoule that was handed out and then given by a nurse is one dose: recorded injections since the hand-over are
    taken off the supply (rules 8.4 item 3).
    """
    used: list[date] = []
    for supply in dispensed:
        if not cobalamin(supply.medicine) or not is_injection(supply):
            continue
        start = supply.when.latest
        since = [dose.when.latest for dose in given if dose.when.latest >= start]
        ampoules = _ampoules(supply, interval)
        left = ampoules - len(since)
        if left <= 0:
            continue
        # The first ampoule is presumed used on the day it was handed over, unless injections are on record since.
        used.append(
            after(since[-1], interval.high * left, interval.unit)
            if since
            else after(start, interval.high * (left - 1), interval.unit)
        )
    return max(used, default=None)


def is_injection(supply: Dispensed) -> bool:
    """Whether a supply is for injection."""
    return is_parenteral(Course("", supply.medicine, CourseStatus.COMPLETED, supply.instructions))


def _ampoules(supply: Dispensed, interval: Period) -> int:
    """How many doses a supply holds: its quantity in units, else the intervals that its days of supply span."""
    counted = 0
    if supply.quantity and supply.quantity.unit in (AmountUnit.UNIT, AmountUnit.NONE):
        counted = int(supply.quantity.low)
    if supply.quantity and supply.quantity.unit is AmountUnit.ML:
        # Cobalamin ampoules hold a millilitre or two: fewer doses is the safe reading.
        strength = b12_strength(supply.medicine)
        volume = strength.per_ml if strength and strength.per_ml else Decimal(1)
        counted = int(supply.quantity.low / max(volume, Decimal(1)))
    if supply.days:
        # 90 days are three months.
        counted = max(counted, round(supply.days / max(upper_days(interval), Decimal(1))))
    return counted


@once_per_record
def loading_runs(record: PatientRecord, today: date, limits: Limits) -> bool:
    """Whether a loading course is still running: within its bounds, or open-ended and in use.

    An open-ended order stays active in many charts long after its last injection: where injections are recorded, the
    last one tells, or the day on which the order began; where neither they nor maintenance are, the order is believed.
    """
    given = injections(record)
    since = days_before(today, limits.whole("loading_in_use_days"))
    recent = bool(given) and given[-1].when.latest >= since
    for course in record.courses:
        if not intervals(course, Phase.LOADING) or not runs_on(course, today):
            continue
        loading = [each for each in course.instructions if phase(each) is Phase.LOADING]
        bounded = any(each.ends or each.lasts or each.count for each in loading)
        if bounded and _still_loading(course, today):
            return True
        began = begins(course)
        new = began is not None and began >= since
        if not bounded and (recent or new or not (given or maintenance_orders(record))):
            return True
    return False


def _still_loading(course: Course, today: date) -> bool:
    start = begins(course)
    ends = [ends_on(each, start) for each in course.instructions if phase(each) is Phase.LOADING]
    return any(end is not None and end >= today for end in ends)


def antidote_covers(record: PatientRecord, plan: Plan, today: date) -> bool:
    """Whether a cyanide antidote (5 g hydroxocobalamin) was given within two intervals (rules 8.1)."""
    return any(
        after(dose.when.latest, plan.interval.high * 2, plan.interval.unit) >= today
        for dose in record.doses
        if CYANIDE_ANTIDOTE in dose.medicine.ingredients
    )


def shortened_recently(record: PatientRecord, plan: Plan, today: date, limits: Limits) -> bool:
    """Whether the order is new and asks for shorter intervals than before: not overdue in retrospect (8.4 item 7).

    What was late by the longer interval already is late.
    """
    course = plan.course
    if course is None or course.authored is None:
        return False
    if (today - course.authored.latest).days > limits.whole("shortened_interval_grace_days"):
        return False
    before = [
        interval
        for other in maintenance_orders(record)
        if other is not course
        for interval in intervals(other, Phase.MAINTENANCE)
    ]
    longest = max(before, key=upper_days, default=plan.interval)
    if not is_longer(longest, plan.interval):
        return False
    where = standing(record, Plan(longest, None), limits, today)
    return where is None or where.state not in LATE


def loading_completed(record: PatientRecord, limits: Limits) -> date | None:
    """The last day of the newest complete loading: enough injections in a short enough time; None without one."""
    days = [dose.when.latest for dose in injections(record)]
    doses, span = limits.whole("full_loading_doses"), timedelta(days=limits.whole("full_loading_days"))
    ends = [last for first, last in zip(days, days[doses - 1 :], strict=False) if last - first <= span]
    return ends[-1] if ends else None
