"""
WHEN  B12 treatment is being stopped or given an end, or the last order of it was stopped or has lapsed
AND   the cause of the deficiency does not go away
AND   no other B12 treatment goes on
THEN  ask to keep it or to replace it: a normal level on treatment shows that the treatment works.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from cards.calendar import months_after, months_before
from cards.contraindications import anaphylaxis_to
from cards.cover import treats_beyond
from cards.dosing import (
    CURRENT,
    ENDING,
    TIMING_UNREAD,
    Phase,
    b12_daily,
    begins,
    cobalamin,
    cobalamins,
    copy_in_chart,
    ends_on,
    is_parenteral,
    phase,
    runs_on,
    states_no_dosage,
)
from cards.due_date import LATE, Plan, Standing, default_interval, injections, intervals, shortest, standing, written
from cards.neurology import NeurologicalFinding, history
from cards.record import Course, CourseStatus, Order, PatientRecord, Source, WhyNot
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    TOTAL_B12,
    Cause,
    anchor,
    in_hospice,
    irreversible_cause,
    irreversible_causes,
    newest,
    younger_than,
)

_STOPPED = frozenset({CourseStatus.STOPPED, CourseStatus.CANCELLED})
_MAINTENANCE = frozenset({Phase.MAINTENANCE})
_REPEATED = frozenset({Phase.LOADING, Phase.MAINTENANCE})
# Nobody ended this patient's treatment: the order ended with the patient, or stood there twice.
_NO_STOP = {
    WhyNot.DIED: "the order ended because the patient died",
    WhyNot.LEFT: "the order ended because the patient left the practice",
    WhyNot.DUPLICATE: "a duplicate order was removed",
}
_FORMS_FOR_TODAY = ("hydroxocobalamin", "cyanocobalamin")


def triggered_by(order: Order, limits: Limits) -> bool:
    """A cobalamin treatment that is stopped, or maintenance injections that are drafted with an end."""
    if not _is_treatment(order, limits):
        return False
    return _is_stop(order) or _maintenance_has_bounds(order) or _end_may_be_unread(order)


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Stopping is a warning, critical after nerve damage and the like; an end date is a warning."""
    cause = irreversible_cause(record, limits)
    if cause is None:
        return None
    if why := _not_our_patient(order, record, today):
        return Excluded(why)
    if order is None:
        return _lapsed(cause, record, limits, today)
    if _is_stop(order):
        return _stopped(order, cause, record, limits, today)
    return _ending(order, cause, record, limits, today)


def _stopped(order: Order, cause: Cause, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Trigger A: the draft stops a treatment, or completes it before its own end."""
    if order.why_not in _NO_STOP:
        return Excluded(_NO_STOP[order.why_not])
    own = copy_in_chart(order, record.courses)
    if states_no_dosage(order) and own and not _is_treatment(own, limits):
        return Excluded("a loading course or a single dose is stopped")
    if order.status is CourseStatus.COMPLETED and not order.do_not_perform:
        end = _last_day(order, begins(order) or today)
        if end and end <= today:
            return Excluded("the order has reached its own end")
    if _goes_on(order, own, record, limits, today, today):
        return Excluded("other B12 treatment goes on")
    if _anaphylaxis(order, record):
        return Excluded("anaphylaxis to this B12 is on record")
    # A stop of another order, and a "do not give", is removed; an order that is itself stopped goes on as active.
    names_another = order.do_not_perform or (own is not None and own.reference != order.reference)
    keeps = order.why_not is not WhyNot.ALLERGY
    facts = {"stop": True, "withdraw": keeps and names_another, "resume": keeps and not names_another}
    return _alert("stopped", order, cause, record, limits, today, facts)


def _ending(order: Order, cause: Cause, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Trigger B: maintenance injections that end within a year, with nothing to follow."""
    end = _last_day(order, begins(order) or today, _MAINTENANCE)
    if end is None or end > months_after(today, limits.whole("end_date_months")):
        if not _end_may_be_unread(order):
            return Excluded("no end date within a year")
        end = None
    if _goes_on(order, copy_in_chart(order, record.courses), record, limits, end or today, today):
        return Excluded("other B12 treatment follows")
    if end is None:
        return Unanswerable((DRAFTS,), TIMING_UNREAD)
    return _alert("end_date", order, cause, record, limits, today, {"ends": True, "end": end})


def _lapsed(cause: Cause, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The fallback: the last order of the treatment was stopped in the last year, or is completed and overdue.

    Loading that is over is no treatment for life: once the first maintenance injection is overdue, it has lapsed.
    """
    current = [course for course in _orders(record) if course.status in CURRENT and is_parenteral(course)]
    if any(_is_treatment(course, limits) for course in current):
        return Excluded("B12 injections are ordered")
    if any(treats_beyond(course, limits, today, today) for course in _treatments(record)):
        return Excluded("other B12 treatment goes on")
    # What a duplicate stood beside is judged in its place.
    duplicates = [each for each in _orders(record) if each.status in _STOPPED and each.why_not is WhyNot.DUPLICATE]
    last = max(
        (
            course
            for course in _orders(record)
            if course not in duplicates
            and ((course.status in ENDING and _is_treatment(course, limits)) or _is_past_loading(course, today))
        ),
        key=written,
        default=None,
    )
    if last is None:
        return Excluded(_NO_STOP[WhyNot.DUPLICATE]) if duplicates else None
    if last.why_not in _NO_STOP:
        return Excluded(_NO_STOP[last.why_not])
    if _anaphylaxis(last, record):
        return Excluded("anaphylaxis to this B12 is on record")
    past = history(record, anchor(record, limits, today), today)
    where = _standing(last, past, record, limits, today)
    loading = _is_past_loading(last, today)
    stopped = _day_of_stopping(last, where, today) if last.status in _STOPPED and not loading else None
    if where is None and (loading or last.status not in _STOPPED):
        return Unanswerable((Source.DOSES.value,), "no-dose-recorded")
    if last.status in _STOPPED and not loading:
        if stopped is None:
            return Unanswerable((Source.MEDICATIONS.value,), "no-date")
        if stopped < months_before(today, limits.whole("stopped_months")):
            return Excluded("stopped more than a year ago")
        if where and where.last > stopped and where.state not in LATE:
            return Excluded("B12 was given since and is not overdue")
    elif where is None or where.state not in LATE:
        return Excluded("completed, and the next injection is not overdue")
    elif not record.known(Source.DOSES, where.last):
        return Unanswerable((Source.DOSES.value,), record.state(Source.DOSES).supplied.value)
    late = where is not None and where.state in LATE
    facts = {"lapse": True, "loading": loading, "stopped_on": stopped, "due": where.due if where and late else None}
    return _alert("lapsed", last, cause, record, limits, today, facts)


# --- what is being stopped ---------------------------------------------------------------------------------------


def _is_treatment(course: Course, limits: Limits) -> bool:
    """Treatment that may be meant for life: neither loading, nor a single dose, nor a multivitamin.

    By mouth at least 50 mcg a day; an amount that cannot be known counts, and so does an injection without timing.
    """
    if cobalamin(course.medicine) is None or course.medicine.multivitamin:
        return False
    if any(
        phase(each) is Phase.MAINTENANCE or (each.timing_unread and not each.repeat) for each in course.instructions
    ):
        return True
    if is_parenteral(course) or states_no_dosage(course):
        return states_no_dosage(course)
    amounts = [b12_daily(each, course.medicine) for each in course.instructions if each.count != 1]
    return any(each is None or each.high >= limits["oral_counts_mcg_day"] for each in amounts)


def _is_past_loading(course: Course, today: date) -> bool:
    """Whether an order of loading injections alone is over, by its status or by its own bounds."""
    if not intervals(course, Phase.LOADING) or intervals(course, Phase.MAINTENANCE):
        return False
    if course.status in CURRENT:
        return not runs_on(course, today)
    return course.status in ENDING and course.status is not CourseStatus.CANCELLED


def _is_stop(order: Order) -> bool:
    return order.status in ENDING or order.do_not_perform


def _maintenance_has_bounds(order: Order) -> bool:
    """Whether every maintenance instruction of an injection is bounded; tablets are bounded by their supply."""
    if not intervals(order, Phase.MAINTENANCE):
        return False
    maintaining = [each for each in order.instructions if phase(each) is Phase.MAINTENANCE]
    return all(each.ends or each.lasts or each.count for each in maintaining)


def _end_may_be_unread(order: Order) -> bool:
    """Whether injections may be maintenance with an end: the end, or how often up to a known end, was not read."""
    return is_parenteral(order) and any(
        each.timing_unread
        and (phase(each) is Phase.MAINTENANCE or (each.repeat is None and (each.ends or each.lasts or each.count)))
        for each in order.instructions
    )


def _last_day(course: Course, begins_on: date, of: frozenset[Phase] = _REPEATED) -> date | None:
    """The day on which the instructions in phases `of` end by their own bounds; None when one is open-ended."""
    ends = [ends_on(each, begins_on) for each in course.instructions if phase(each) in of]
    known = [end for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


# --- what excludes -----------------------------------------------------------------------------------------------


def _not_our_patient(order: Order | None, record: PatientRecord, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    if order and order.research:
        return "an order of a research protocol"
    return None


def _goes_on(order: Order, own: Course | None, record: PatientRecord, limits: Limits, day: date, today: date) -> bool:
    """Whether another draft or an active order, other than this order's copy in the chart, treats beyond `day`."""
    others: list[Course] = [each for each in record.drafts if each is not order]
    ended = [own, *(copy_in_chart(each, record.courses) for each in record.drafts if _is_stop(each))]
    others += [each for each in _treatments(record) if not any(each is gone for gone in ended)]
    return any(treats_beyond(each, limits, day, today) for each in others)


def _orders(record: PatientRecord) -> list[Course]:
    """Orders for a cobalamin in the chart; those of a ward stay end with it, and what must not be given is none."""
    return [
        each
        for each in record.courses
        if cobalamin(each.medicine) and not each.stated and not each.inpatient and not each.do_not_perform
    ]


def _treatments(record: PatientRecord) -> list[Course]:
    """Orders, and what is stated to be taken by mouth; a statement of injections may only repeat a stopped order."""
    return [each for each in record.courses if not (each.stated and is_parenteral(each))]


def _anaphylaxis(course: Course, record: PatientRecord) -> bool:
    """Anaphylaxis to this form, to vitamin B12 of no stated form, or to cobalt; or as the reason why it was stopped."""
    if course.why_not is WhyNot.ANAPHYLAXIS:
        return True
    return anaphylaxis_to(record, {*cobalamins(course.medicine), "cobalamin", "cobalt"})


# --- since when --------------------------------------------------------------------------------------------------


def _standing(
    last: Course, past: NeurologicalFinding | None, record: PatientRecord, limits: Limits, today: date
) -> Standing | None:
    interval = shortest(intervals(last, Phase.MAINTENANCE)) or default_interval(limits, past is not None)
    return standing(record, Plan(interval, last), limits, today)


def _day_of_stopping(last: Course, where: Standing | None, today: date) -> date | None:
    """The end of the order's bounds, else its last change, else the last dose, else the day it was written."""
    end = _last_day(last, begins(last) or today)
    if end and end <= today:
        return end
    authored = last.authored.latest if last.authored else None
    return last.changed or (where.last if where else None) or authored


# --- what is said ------------------------------------------------------------------------------------------------


def _alert(
    kind: str,
    course: Course,
    cause: Cause,
    record: PatientRecord,
    limits: Limits,
    today: date,
    own: Mapping[str, object],
) -> Alert:
    past = history(record, anchor(record, limits, today), today)
    total_gastrectomy = any(each.name == "total gastrectomy" for each in irreversible_causes(record, limits))
    antibody = any(lab.concept == "intrinsic_factor_antibody" and lab.positive for lab in record.labs)
    normal_level = course.why_not is WhyNot.NORMAL_LEVEL
    variant = kind
    if kind != "end_date" and normal_level:
        variant = f"{kind}_normal_level"
    elif kind != "end_date" and (past or total_gastrectomy or antibody):
        variant = f"{kind}_high_risk"
    given = injections(record)
    drug = cobalamin(course.medicine)
    result = newest(record.labs, TOTAL_B12, date.min) if normal_level else None
    facts: dict[str, object] = {
        "stop": False,
        "withdraw": False,
        "resume": False,
        "ends": False,
        "lapse": False,
        "loading": False,
        "end": None,
        "stopped_on": None,
        "due": None,
        "end_months": limits.whole("end_date_months"),
        "drug": drug,
        "cause": cause.name,
        "since": cause.when,
        "past": past,
        "neurological": past is not None,
        "antibody": antibody,
        "result": result,
        "refused": course.why_not is WhyNot.REFUSED,
        "reacted": course.why_not is WhyNot.ALLERGY,
        "last": given[-1].when if given else None,
        **own,
    }
    for form in _FORMS_FOR_TODAY:
        due = bool(facts["due"]) and not facts["reacted"]
        facts[f"{form}_today"] = due and is_parenteral(course) and drug == form
    return Alert(variant, facts, course)
