"""
WHEN  maintenance injections of B12 are ordered, or were given for a cause that does not go away
AND   the due-date model says that the next one is overdue
THEN  say how late it is and ask for symptoms, unless the delay is known and in hand.
"""

from __future__ import annotations

from datetime import date

from cards.calendar import days_after, days_before, in_words, is_longer, months_before, span_in_words
from cards.cover import oral_bridging
from cards.dosing import (
    ENDING,
    TIMING_UNREAD,
    Phase,
    b12_mass,
    begins,
    cobalamin,
)
from cards.due_date import (
    LATE,
    DueState,
    Plan,
    Standing,
    antidote_covers,
    current_plan,
    default_interval,
    injections,
    intervals,
    loading_completed,
    loading_runs,
    past_plan,
    possible_injection,
    shortened_recently,
    standing,
    unread_plan,
    untimed_plan,
)
from cards.neurology import NeurologicalFinding, history, signs
from cards.record import Course, CourseStatus, NotGiven, Order, PatientRecord, Period, Source, Supplied, When, WhyNot
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import Cause, anchor, deficiency_resolved, has, in_hospice, irreversible_cause, younger_than

_PLANNED_AHEAD_DAYS = 14
_USUAL_DOSE_MCG = 1000
_NOT_OVERDUE = "the next injection is not overdue"


def triggered_by(order: Order, limits: Limits) -> bool:
    """Any cobalamin order of this patient: the prescriber sees how late the last injection is."""
    return cobalamin(order.medicine) is not None and order.status not in ENDING and not order.do_not_perform


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Overdue is a warning; critical only with a neurological history and two intervals gone."""
    if why := _not_our_patient(record, limits, today):
        return Excluded(why)
    plan = current_plan(record, today)
    unread = None if plan else unread_plan(record, today)
    cause = irreversible_cause(record, limits)
    if not (plan or unread or cause or injections(record)):
        return None
    past = history(record, anchor(record, limits, today), today)
    usual = default_interval(limits, past is not None)
    plan = plan or (Plan(usual, unread) if unread else _untimed_or_past(record, usual, cause, limits, today))
    if plan is None:
        return None
    if loading_runs(record, today, limits):
        return Excluded("loading is under way")

    where = standing(record, plan, limits, today)
    if where is None:
        return _never_started(plan, record, limits, today)
    if where.state not in LATE:
        return Unanswerable((Source.MEDICATIONS.value,), TIMING_UNREAD) if unread else Excluded(_NOT_OVERDUE)
    if not record.known(Source.DOSES, where.last) or _unreadable_since(record, where.last):
        return _doses_unknown(record)
    new = signs(record, today)
    # By the usual interval a dose is overdue (rules 8.2); how overdue, only what was ordered can say within a year.
    counted = unread is None or where.state is DueState.LOST
    critical = counted and past is not None and today >= where.two_intervals
    refusal = _refusal(plan, record, limits, today, where.last)
    if why := _in_hand(plan, record, limits, today, critical=critical, refused=refusal is not None):
        return Excluded(why)

    variant = _variant(where, critical=critical, refused=refusal is not None, new_signs=new is not None)
    return Alert(variant, _facts(plan, where, past, new, refusal, record, limits, today), plan.course)


def _untimed_or_past(
    record: PatientRecord, usual: Period, cause: Cause | None, limits: Limits, today: date
) -> Plan | None:
    """The usual interval for an order that does not say how often; in a lasting cause also what was given before."""
    before = past_plan(record, usual)
    # Whoever is ordering a cobalamin needs no word about a single injection.
    single = injections(record) if cause and cause.needs_injection and not record.drafts else ()
    if before is None and cause and (single or loading_completed(record, limits)):
        # The first maintenance injection falls due one interval after the last of loading (rules 8.2).
        before = Plan(usual, None)
    untimed = untimed_plan(record, today)
    if untimed and (cause or before):
        return Plan(usual, untimed)
    return before if cause else None


def _not_our_patient(record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 18):
        return "under 18"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if deficiency_resolved(record, limits):
        return "the deficiency is recorded as resolved"
    return None


def _in_hand(
    plan: Plan, record: PatientRecord, limits: Limits, today: date, *, critical: bool, refused: bool
) -> str | None:
    """Why a late dose needs no card: booked, bridged, held for a stated reason, or the patient is an inpatient."""
    soon = days_after(today, _PLANNED_AHEAD_DAYS)
    for planned in record.planned:
        # A blood test that names B12 is no injection.
        names_it = (planned.names_b12 and not planned.is_test) or planned.names_injection
        if names_it and planned.days and today <= planned.days.latest and planned.days.earliest <= soon:
            return "an appointment or order for it is booked"
    if any(
        cobalamin(course.medicine) and course.status is not CourseStatus.DRAFT and today <= day <= soon
        for course in record.courses
        if course.status not in ENDING
        for each in course.instructions
        for day in each.events
    ):
        return "the next dose is scheduled"
    if oral_bridging(record, limits, today):
        return "oral B12 of 1 mg a day or more bridges"
    if antidote_covers(record, plan, today):
        return "high-dose hydroxocobalamin was given as an antidote"
    recent = months_before(today, 1)
    if any(
        course.inpatient
        and course.status is CourseStatus.ACTIVE
        and course.authored
        and course.authored.latest >= recent
        for course in record.courses
    ):
        return "the patient is an inpatient"
    if shortened_recently(record, plan, today, limits):
        return "the interval was shortened in the last two weeks"
    course = plan.course
    # A hold with a reason is a decision; it does not outweigh neurological history with two intervals gone.
    # A refusal is none for ever: it lowers the card while it is recent (rules 8.3).
    dated_refusal = course is not None and _is_held_for_refusal(course) and course.changed is not None
    held = course is not None and course.status is CourseStatus.ON_HOLD and course.why_not is not None
    if held and not dated_refusal and not critical and not refused:
        return "the order is on hold for a stated reason"
    return None


def _never_started(plan: Plan, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """No dose at all: news only where injections are recorded in this system (rules 8.3)."""
    if not record.known(Source.DOSES) or _unreadable_since(record, date.min):
        return _doses_unknown(record)
    course = plan.course
    if not limits.says("administrations_recorded"):
        return Unanswerable((Source.DOSES.value,), "no-dose-recorded")
    first = begins(course) if course else None
    if course is None or first is None or course.authored is None:
        return None
    if course.authored.latest < months_before(today, 12):
        return Excluded("ordered more than a year ago and never recorded here")
    if today <= days_after(first, limits.whole("grace_days_max")):
        return Excluded("the first dose is not overdue")
    facts = {
        "drug": cobalamin(course.medicine),
        "ordered": first,
        "interval": in_words(plan.interval) if intervals(course, Phase.MAINTENANCE) else None,
        "refused": None,
        "over_a_year": False,
        "lengthy_interval": False,
        "shorter": "",
        **_today(record, course, cobalamin(course.medicine)),
    }
    return Alert("never_started", facts, course)


def _unreadable_since(record: PatientRecord, day: date) -> bool:
    """Whether a dose that could not be read may be newer than `day`."""
    return any(each.when is None or each.when.latest > day for each in record.state(Source.DOSES).unreadable)


def _doses_unknown(record: PatientRecord) -> Unanswerable:
    state = record.state(Source.DOSES)
    complete = state.supplied in (Supplied.SUPPLIED, Supplied.NONE_FOUND)
    reason = state.unreadable[0].reason if complete and state.unreadable else state.supplied.value
    return Unanswerable((Source.DOSES.value,), reason)


def _refusal(plan: Plan, record: PatientRecord, limits: Limits, today: date, last: date) -> NotGiven | None:
    """A refusal recorded in the last 60 days and after the last dose: of a dose, or as the reason of a hold."""
    since = max(last, days_before(today, limits.whole("refusal_days")))
    course = plan.course
    if course and _is_held_for_refusal(course) and course.changed and course.changed >= since:
        return NotGiven(course.medicine, When.on(course.changed), WhyNot.REFUSED)
    return next(
        (
            each
            for each in record.not_given
            if cobalamin(each.medicine) and each.why_not is WhyNot.REFUSED and each.when.latest >= since
        ),
        None,
    )


def _is_held_for_refusal(course: Course) -> bool:
    return course.status is CourseStatus.ON_HOLD and course.why_not is WhyNot.REFUSED


def _variant(where: Standing, *, critical: bool, refused: bool, new_signs: bool) -> str:
    lost = where.state is DueState.LOST
    if critical:
        return "lost_neurological" if lost else "seriously_overdue_neurological"
    if refused:
        return "refused"
    if new_signs:
        return "overdue_new_signs"
    if lost:
        return "lost"
    return "seriously_overdue" if where.state is DueState.SERIOUSLY_OVERDUE else "overdue"


def _facts(
    plan: Plan,
    where: Standing,
    past: NeurologicalFinding | None,
    new: NeurologicalFinding | None,
    refusal: NotGiven | None,
    record: PatientRecord,
    limits: Limits,
    today: date,
) -> dict[str, object]:
    given = injections(record)
    course = plan.course
    drug = cobalamin(course.medicine) if course else None
    missed = [each for each in record.not_given if cobalamin(each.medicine) and each.when.latest > where.last]
    without_amount = [
        dose.when.latest
        for dose in record.doses_without_amount
        if cobalamin(dose.medicine) and dose.when.latest > where.last
    ]
    ordered = course is not None and course.status not in ENDING and bool(intervals(course, Phase.MAINTENANCE))
    shorter = default_interval(limits, neurological=True)
    return {
        "drug": drug or (cobalamin(given[-1].medicine) if given else None) or "cobalamin",
        "last": where.last,
        "latest": "supply used up" if where.supplied else "last injection",
        "ago": span_in_words((today - where.last).days),
        "late": span_in_words(where.days_overdue(today)),
        "due": where.due,
        "every": f"{'ordered' if ordered else 'expected'} every {in_words(plan.interval)}",
        "supplied": where.supplied,
        "stated": bool(given) and given[-1].stated and not where.supplied,
        "history": past,
        "new_signs": new,
        "refused": refusal.when.latest if refusal else None,
        "not_given": max(missed, key=lambda each: each.when.latest, default=None),
        "without_amount": max(without_amount, default=None),
        "possible": possible_injection(record, where.last),
        "over_a_year": where.state is DueState.LOST,
        "on_hold": course is not None and course.status is CourseStatus.ON_HOLD,
        "shorter": in_words(shorter),
        "lengthy_interval": past is not None and ordered and is_longer(plan.interval, shorter),
        **_today(record, course, drug or cobalamin(given[-1].medicine) if given else drug),
    }


def _today(record: PatientRecord, course: Course | None, drug: str | None) -> dict[str, bool]:
    """Which dose the card may offer for today: the form that is ordered or was given, when its dose is 1 mg.

    None when a cobalamin is being ordered anyway; a multivitamin is none.
    """
    drafted = any(
        cobalamin(draft.medicine) and not draft.medicine.multivitamin and draft.status not in ENDING
        for draft in record.drafts
    )
    doses = [b12_mass(each.amount, course.medicine) for each in course.instructions] if course and drug else []
    offered = None if drafted or any(dose and dose.high != _USUAL_DOSE_MCG for dose in doses) else drug
    return {f"{form}_today": offered == form for form in ("hydroxocobalamin", "cyanocobalamin")}
