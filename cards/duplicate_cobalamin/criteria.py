"""
WHEN  a cobalamin is being ordered
AND   another one is active or drafted: both as maintenance injections, or one of them as oral B12 of 1 mg a day or more
THEN  ask which of the two is meant to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from cards.calendar import in_words
from cards.cover import first_dose
from cards.dosing import (
    ENDING,
    TIMING_UNREAD,
    Phase,
    b12_daily,
    between_doses,
    cobalamin,
    cobalamins,
    ends_on,
    injections_of_unread_interval,
    interval_unread,
    is_parenteral,
    is_supplement,
    phase,
    route_of,
    runs_on,
    why_no_amount,
)
from cards.due_date import intervals
from cards.record import BY_MOUTH_OR_NOSE, PARENTERAL, Course, CourseStatus, Order, PatientRecord, Route, Source
from cards.rule import DRAFTS, Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import has, younger_than


def triggered_by(order: Order, limits: Limits) -> bool:
    """Injections of a cobalamin that maintain, or may do so, or one by mouth that is no multivitamin."""
    return _is_treatment(order, limits) and (_may_maintain(order) or _by_mouth(order))


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Harmless in itself, so information at most; switches, renewals and loading before maintenance stay silent."""
    if order is None:
        return None
    if why := _not_our_patient(order, record, today):
        return Excluded(why)
    starts = first_dose(order, today)
    others = [each for each in _others(order, record, limits) if _still_given(each, starts, today)]
    if _by_mouth(order) and _daily_mcg(order) is None and any(map(_may_maintain, others)):
        return Unanswerable((DRAFTS,), why_no_amount(order))
    other = next((each for each in others if _duplicates(order, each, limits)), None)
    if other is None:
        return None
    drafted = isinstance(other, Order)
    if interval_unread(order) or interval_unread(other):
        return Unanswerable((DRAFTS if interval_unread(order) or drafted else Source.MEDICATIONS.value,), TIMING_UNREAD)
    facts = {
        "drug": cobalamin(order.medicine),
        "how": _how(order),
        "other": cobalamin(other.medicine),
        "other_how": _how(other),
        "since": other.authored if not drafted else None,
        "drafted": drafted,
        "stated": other.stated,
        "by_mouth": _by_mouth(order) or _by_mouth(other),
        "stoppable": not drafted and not other.stated,
    }
    return Alert("duplicate", facts, order)


def _not_our_patient(order: Order, record: PatientRecord, today: date) -> str | None:
    if younger_than(record, today, 18):
        return "under 18"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if order.research:
        return "ordered by a research protocol"
    return None


def _is_treatment(course: Course, limits: Limits) -> bool:
    return (
        cobalamin(course.medicine) is not None
        and not is_supplement(course, limits["oral_counts_mcg_day"])
        and course.status not in ENDING
        and not course.do_not_perform
    )


def _others(order: Order, record: PatientRecord, limits: Limits) -> Iterator[Course]:
    """The other cobalamins that are active or drafted; of two drafts that are both asked about, the later one speaks.

    A draft that stops an order, or that replaces it, takes it out of the comparison.
    """
    stopping = [draft for draft in record.drafts if draft.status in ENDING or draft.do_not_perform]
    for draft in record.drafts:
        if draft is order:
            break
        if _is_treatment(draft, limits):
            yield draft
    behind = record.drafts[record.drafts.index(order) + 1 :] if order in record.drafts else ()
    yield from (draft for draft in behind if not draft.selected and _is_treatment(draft, limits))
    replaced = {order.reference, *order.replaces}
    for course in record.courses:
        if (
            course.status is not CourseStatus.ACTIVE
            or not _is_treatment(course, limits)
            or course.reference in replaced
        ):
            continue
        if not any(_stops(draft, course) for draft in stopping):
            yield course


def _stops(draft: Order, course: Course) -> bool:
    """Whether a stopped draft is this course: by its reference, else by form and way of giving."""
    return draft.reference == course.reference or (
        cobalamins(draft.medicine) == cobalamins(course.medicine) and is_parenteral(draft) == is_parenteral(course)
    )


def _still_given(other: Course, starts: date, today: date) -> bool:
    """Whether the other one goes on when the draft starts."""
    if not isinstance(other, Order):
        return runs_on(other, starts)
    began = first_dose(other, today)
    ends = [ends_on(each, began) for each in other.instructions]
    return not ends or any(end is None or end >= starts for end in ends)


def _duplicates(order: Course, other: Course, limits: Limits) -> bool:
    """Two maintenance injections of different forms or ways, or one beside enough oral B12."""
    both = (order, other)
    injected = [each for each in both if _may_maintain(each)]
    if len(injected) == len(both):
        return not (_same_form(order, other) and _same_way(order, other))
    return bool(injected) and any(
        _by_mouth(each) and (interval_unread(each) or (_daily_mcg(each) or 0) >= limits["oral_cover_mcg_day"])
        for each in both
    )


def _may_maintain(course: Course) -> bool:
    """Whether an order is for injections at intervals of more than a week, or at intervals that could not be read."""
    return bool(intervals(course, Phase.MAINTENANCE)) or injections_of_unread_interval(course)


def _same_form(one: Course, other: Course) -> bool:
    """Whether two orders are for one form; vitamin B12 of no stated form may be any."""
    forms = (cobalamins(one.medicine), cobalamins(other.medicine))
    return forms[0] == forms[1] or any("cobalamin" in each for each in forms)


def _same_way(one: Course, other: Course) -> bool:
    """Whether two injections go the same way; one that does not say may be any."""
    return len((_ways(one) | _ways(other)) - {Route.INJECTION}) <= 1


def _ways(course: Course) -> set[Route]:
    return {route for each in course.instructions if (route := route_of(course, each)) in PARENTERAL}


def _by_mouth(course: Course) -> bool:
    routes = [route_of(course, each) for each in course.instructions] or [course.medicine.form_route]
    return not is_parenteral(course) and any(route in BY_MOUTH_OR_NOSE for route in routes)


def _daily_mcg(course: Course) -> Decimal | None:
    """The largest amount of B12 a day in micrograms; None when a dose or strength is not known."""
    if interval_unread(course):
        return None
    amounts = [b12_daily(each, course.medicine) for each in course.instructions]
    known = [each.high for each in amounts if each]
    return max(known) if known and len(known) == len(amounts) else None


_WAYS = {
    Route.INTRAMUSCULAR: "IM",
    Route.SUBCUTANEOUS: "SC",
    Route.INTRAVENOUS: "IV",
    Route.INTRADERMAL: "intradermally",
}


def _how(course: Course) -> str:
    """The way of giving in words: `IM every 3 months`, `by mouth`."""
    gaps = [gap for each in course.instructions if phase(each) is Phase.MAINTENANCE and (gap := between_doses(each))]
    if not gaps or not is_parenteral(course):
        return "by mouth"
    way = next((words for route, words in _WAYS.items() if route in _ways(course)), "by injection")
    return f"{way} every {in_words(gaps[-1])}"
