"""Adequate cobalamin cover: whether B12 treatment is ensured at a given time (clinical rules 5.0)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from cards.calendar import days_after, months_before
from cards.dosing import (
    COBALAMINS,
    CURRENT,
    ENDING,
    Phase,
    as_course,
    b12_daily,
    b12_mass,
    b12_strength,
    begins,
    cobalamin,
    cobalamins,
    daily_cobalamin,
    ends_on,
    is_injected,
    is_parenteral,
    is_supplement,
    is_supplement_dose,
    phase,
    route_by_mouth_or_nose,
    route_of,
    runs_on,
    states_no_dosage,
)
from cards.due_date import (
    CYANIDE_ANTIDOTE,
    LATE,
    Plan,
    antidote_covers,
    current_plan,
    default_interval,
    injections,
    intervals,
    past_plan,
    standing,
)
from cards.neurology import history
from cards.record import (
    BY_MOUTH_OR_NOSE,
    AmountUnit,
    Course,
    CourseStatus,
    Dispensed,
    Dose,
    Order,
    PatientRecord,
    Route,
    Source,
    WhyNot,
    once_per_record,
)
from cards.rule import Limits
from cards.status import anchor, counts_as_treatment, dietary_cause, irreversible_causes, overlaps, supply_treats


class Cover(NamedTuple):
    """What ensures B12 treatment, in plain words."""

    how: str


@once_per_record
def expected_plan(record: PatientRecord, limits: Limits, today: date) -> Plan:
    """How often injections are expected: by the active order, else the last one, else the profile's default."""
    neurological = history(record, anchor(record, limits, today), today) is not None
    default = default_interval(limits, neurological)
    return current_plan(record, today) or past_plan(record, default) or Plan(default, None)


@once_per_record
def cover(record: PatientRecord, limits: Limits, today: date, starts: date) -> Cover | None:
    """The cover that stands today, or that the drafts bring by the day a folate `starts`; None when there is none."""
    if not _names_b12(record):
        return None
    return (
        _injected(record, limits, today) or _by_mouth(record, limits, today) or _drafted(record, limits, today, starts)
    )


@once_per_record
def _names_b12(record: PatientRecord) -> bool:
    """Whether any B12 was given, supplied, ordered or drafted, the antidote included."""
    found: tuple[Dose | Dispensed | Course, ...] = (*record.doses, *record.dispensed, *record.courses, *record.drafts)
    return any(not _B12.isdisjoint(each.medicine.ingredients) for each in found)


_B12 = COBALAMINS | {CYANIDE_ANTIDOTE}


def any_b12_since(
    record: PatientRecord, since: date, today: date, by_mouth_mcg: Decimal, *, nasal_counts: bool = False
) -> str | None:
    """What B12 was given, handed out, ordered or reported from `since` on, by injection or in a dose that counts.

    By mouth at least `by_mouth_mcg` a day counts; a nasal product of any dose only when `nasal_counts`.
    """
    given = injections(record)
    if given and given[-1].when.latest >= since:
        return "a B12 injection was given"
    for course in record.courses:
        if cobalamin(course.medicine) is None or course.do_not_perform or not overlaps(course, since, today):
            continue
        if course.status is CourseStatus.CANCELLED:
            continue
        if course.status is CourseStatus.ON_HOLD and course.why_not is None and not given:
            # Held for no stated reason and never carried out.
            continue
        nasal = nasal_counts and route_by_mouth_or_nose(course) is Route.NASAL
        amount = daily_cobalamin(course)
        if is_parenteral(course) or nasal or (amount is not None and amount.low >= by_mouth_mcg):
            return "B12 is ordered or being taken"
    for supply in record.dispensed:
        if cobalamin(supply.medicine) is None or days_after(supply.when.latest, int(supply.days or 0)) < since:
            continue
        course = as_course(supply)
        strength = b12_strength(supply.medicine)
        amount = daily_cobalamin(course)
        daily_mcg = amount.low if amount else strength.mcg if strength else None
        if is_parenteral(course) or (daily_mcg is not None and daily_mcg >= by_mouth_mcg):
            return "B12 was dispensed"
    return None


def ordered_without_dose(record: PatientRecord, limits: Limits, today: date) -> Course | None:
    """An active parenteral order of which no dose is recorded.

    Where administrations are not recorded here it is no cover, but no proof of its absence either (rules 8.3).
    """
    if limits.says("administrations_recorded") or injections(record):
        return None
    return next(
        (
            course
            for course in record.courses
            if cobalamin(course.medicine) and is_parenteral(course) and runs_on(course, today)
        ),
        None,
    )


def covered_by_injections(record: PatientRecord, limits: Limits, today: date) -> Cover | None:
    """The cover by injections alone: one within its interval and grace, the antidote, or loading under way."""
    return _injected(record, limits, today)


def treated_since(record: PatientRecord, limits: Limits, day: date, today: date) -> Cover | None:
    """B12 treatment since a sample of `day`: cover that stands, or a dose, a supply or an order since then.

    Oral B12 under 50 mcg a day (a multivitamin) is no treatment; neither is an order that was stopped or cancelled.
    """
    if standing_cover := cover(record, limits, today, today):
        return standing_cover
    given = (*record.doses, *record.doses_without_amount)
    if any(dose.when.latest >= day and _treats(dose, limits) for dose in given):
        return Cover("B12 was given after the sample")
    if any(supply.when.latest >= day and supply_treats(supply, limits) for supply in record.dispensed):
        return Cover("B12 was dispensed after the sample")
    if any(
        counts_as_treatment(course, limits) and _stands(course, day) and not _has_failed(course, record, limits, day)
        for course in record.courses
    ):
        return Cover("B12 is ordered or being taken")
    return None


def _has_failed(course: Course, record: PatientRecord, limits: Limits, day: date) -> bool:
    """Whether a deficiency of `day` arose under a weak dose by mouth, in a cause that does not go away."""
    if is_parenteral(course) or not irreversible_causes(record, limits):
        return False
    amount, start = daily_cobalamin(course), begins(course)
    return amount is not None and amount.high < limits["oral_cover_mcg_day"] and start is not None and start < day


def _treats(dose: Dose, limits: Limits) -> bool:
    if cobalamin(dose.medicine) is None:
        return False
    if is_injected(dose):
        return True
    least = limits["oral_counts_mcg_day"]
    amount = b12_mass(dose.amount, dose.medicine)
    return not is_supplement_dose(dose, least) and (amount is None or amount.high >= least)


def _stands(course: Course, day: date) -> bool:
    """Whether an order is in force, or was carried out, at any time from `day` on; one on hold only for a reason."""
    if course.status in (CourseStatus.STOPPED, CourseStatus.CANCELLED, CourseStatus.DRAFT):
        return False
    if course.status is CourseStatus.ON_HOLD and course.why_not is None:
        return False
    first = begins(course)
    ends = [ends_on(each, first) for each in course.instructions]
    last = max((end for end in ends if end), default=None) if all(ends) else None
    if last is None and course.status not in CURRENT:
        # The day on which a completed order last changed may be that of a data transfer: only its start counts.
        last = first or date.min
    return last is None or last >= day


def treatment_planned(record: PatientRecord, day: date, today: date) -> bool:
    """Whether a service ordered after `day`, or an appointment still to come, names B12; a test is no plan."""
    for planned in record.planned:
        if not planned.names_b12 or planned.is_test:
            continue
        if planned.source is Source.APPOINTMENTS:
            if planned.days and planned.days.latest >= today:
                return True
        elif any(each and each.latest >= day for each in (planned.authored, planned.days)):
            return True
    return False


def declined_since(record: PatientRecord, day: date) -> bool:
    """Whether the patient is recorded to have refused B12 since `day`: a dose not given, or an order not followed."""
    if any(
        cobalamin(each.medicine) and each.why_not is WhyNot.REFUSED and each.when.latest >= day
        for each in record.not_given
    ):
        return True
    return any(
        cobalamin(course.medicine)
        and course.why_not is WhyNot.REFUSED
        and (course.changed or (course.authored.latest if course.authored else date.min)) >= day
        for course in record.courses
    )


def _injected(record: PatientRecord, limits: Limits, today: date) -> Cover | None:
    plan = expected_plan(record, limits, today)
    where = standing(record, plan, limits, today)
    if where and where.state not in LATE:
        return Cover("B12 injections are up to date")
    if antidote_covers(record, plan, today):
        return Cover("high-dose hydroxocobalamin was given as an antidote")
    given = injections(record)
    if not given or (today - given[-1].when.latest).days > limits.whole("loading_in_use_days"):
        return None
    loading = any(intervals(course, Phase.LOADING) and runs_on(course, today) for course in record.courses)
    return Cover("B12 loading is under way") if loading else None


def _by_mouth(record: PatientRecord, limits: Limits, today: date) -> Cover | None:
    for course in record.courses:
        if not _is_enough_by_mouth(course, record, limits):
            continue
        if course.status is not CourseStatus.ACTIVE or not runs_on(course, today):
            continue
        handed = [each for each in record.dispensed if _same_oral(each, course)]
        if handed:
            if any(_lasts_until(each, course) >= today for each in handed):
                return Cover("oral B12 is dispensed and lasts")
        elif course.authored and course.authored.latest >= months_before(today, limits.whole("oral_order_months")):
            return Cover("oral B12 is being taken")
    return None


def _drafted(record: PatientRecord, limits: Limits, today: date, starts: date) -> Cover | None:
    for draft in record.drafts:
        if cobalamin(draft.medicine) is None or draft.status in ENDING or draft.do_not_perform:
            continue
        if first_dose(draft, today) > starts:
            continue
        if is_parenteral(draft) or _is_enough_by_mouth(draft, record, limits):
            return Cover("B12 is drafted with it")
    return None


def first_dose(order: Order, today: date) -> date:
    """The day of the first dose of a draft: a planned day, else the start of its bounds, else today."""
    planned = [day for each in order.instructions for day in each.events]
    started = [each.starts for each in order.instructions if each.starts]
    return min(planned or started, default=today)


def _is_enough_by_mouth(course: Course, record: PatientRecord, limits: Limits) -> bool:
    """An oral dose that ensures treatment: 1000 mcg a day where the cause allows it, 50 mcg a day in dietary lack."""
    if cobalamin(course.medicine) is None or course.do_not_perform or is_parenteral(course):
        return False
    routes = {route_of(course, each) for each in course.instructions} - {None}
    if not routes <= BY_MOUTH_OR_NOSE:
        return False
    amounts = [amount for each in course.instructions if (amount := b12_daily(each, course.medicine))]
    if not amounts:
        return False
    daily_mcg = max(amount.low for amount in amounts)
    if dietary_cause(record, limits):
        return daily_mcg >= limits["oral_dietary_mcg_day"]
    doubtful = any(cause.needs_injection for cause in irreversible_causes(record, limits))
    if doubtful and not limits.says("oral_covers_malabsorption"):
        return False
    return daily_mcg >= limits["oral_cover_mcg_day"]


def treats_beyond(course: Course, limits: Limits, day: date, today: date) -> bool:
    """Whether an order or draft goes on treating after `day`: repeated injections, or 1000 mcg or more a day by mouth.

    A dose by mouth that cannot be known counts; a single injection does not.
    """
    if cobalamin(course.medicine) is None or course.do_not_perform:
        return False
    if is_supplement(course, limits["oral_counts_mcg_day"]):
        return False
    if course.status not in (CourseStatus.DRAFT, CourseStatus.ACTIVE):
        return False
    repeated = [each for each in course.instructions if phase(each) is not Phase.SINGLE or each.timing_unread]
    if is_parenteral(course):
        if not repeated and not states_no_dosage(course):
            return False
    else:
        amounts = [b12_daily(each, course.medicine) for each in course.instructions]
        if amounts and all(each is not None and each.low < limits["oral_cover_mcg_day"] for each in amounts):
            return False
    start = begins(course) or today
    ends = [ends_on(each, start) for each in repeated]
    return not ends or any(end is None or end > day for end in ends)


def oral_bridging(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether 1000 mcg or more of oral B12 a day is being taken, whatever the cause: a bridge between injections."""
    for course in record.courses:
        if cobalamin(course.medicine) is None or is_parenteral(course) or course.status is not CourseStatus.ACTIVE:
            continue
        if not runs_on(course, today):
            continue
        amounts = [amount for each in course.instructions if (amount := b12_daily(each, course.medicine))]
        if not any(amount.low >= limits["oral_cover_mcg_day"] for amount in amounts):
            continue
        recent = course.authored and course.authored.latest >= months_before(today, limits.whole("oral_order_months"))
        if recent and not any(_same_oral(each, course) for each in record.dispensed):
            return True
    return any(_bridges(supply, record, limits, today) for supply in record.dispensed)


def _bridges(supply: Dispensed, record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether a supply by mouth of enough B12 a day lasts until today and was not stopped."""
    orders = [each for each in record.courses if _same_oral(supply, each) and not is_parenteral(each)]
    running = next((each for each in orders if runs_on(each, today)), None)
    taken = running or as_course(supply)
    if cobalamin(supply.medicine) is None or is_parenteral(taken):
        return False
    if running is None and any(each.status is CourseStatus.STOPPED for each in orders):
        return False
    amount, strength = daily_cobalamin(taken), b12_strength(supply.medicine)
    a_day = amount.low if amount else strength.mcg if strength else Decimal(0)
    return a_day >= limits["oral_cover_mcg_day"] and _lasts_until(supply, taken) >= today


def _same_oral(supply: Dispensed, course: Course) -> bool:
    forms = cobalamins(supply.medicine)
    return bool(forms) and forms == cobalamins(course.medicine)


def _lasts_until(supply: Dispensed, course: Course) -> date:
    """The last day of a supply: by its days, else one unit for each daily dose; its own day when neither is known."""
    days = int(supply.days) if supply.days else 0
    if not days and supply.quantity and supply.quantity.unit in (AmountUnit.UNIT, AmountUnit.NONE):
        strength = b12_strength(supply.medicine)
        amounts = [amount for each in course.instructions if (amount := b12_daily(each, course.medicine))]
        a_day = amounts[0].high / strength.mcg if amounts and strength and strength.mcg else 1
        days = int(supply.quantity.low / a_day) if a_day else 0
    return days_after(supply.when.latest, days)
