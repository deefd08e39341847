"""
WHEN  maintenance injections of B12 are being given on time
AND   a neurological symptom came up in the last third of an interval, or returned then
THEN  suggest a shorter interval; a serum level would not decide it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from cards.calendar import after, days_after, in_words, is_longer, months_before, span_in_words, upper_days
from cards.dosing import LOADING_DAYS, TIMING_UNREAD, Phase, cobalamin
from cards.due_date import (
    Plan,
    current_plan,
    default_interval,
    grace_days,
    injections,
    intervals,
    loading_runs,
    maintenance_orders,
    unread_plan,
)
from cards.neurology import NeurologicalFinding, arisen, other_diagnosis
from cards.record import Order, PatientRecord, Period, PeriodUnit, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import has, younger_than


class _Return(NamedTuple):
    """A symptom on `day`, late in the interval that began with the injection on `last`."""

    symptom: NeurologicalFinding
    day: date
    last: date


def triggered_by(order: Order, limits: Limits) -> bool:
    """Speaks when the chart is opened, not about an order."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """The next step: every 2 months, then monthly, then every 2-4 weeks with specialist advice."""
    plan = current_plan(record, today)
    if plan is None:
        asked = unread_plan(record, today) and arisen(record, today) and injections(record)
        return Unanswerable((Source.MEDICATIONS.value,), TIMING_UNREAD) if asked else None
    if why := _not_our_patient(plan, record, limits, today):
        return Excluded(why)
    found = _returned(plan, record, limits, today)
    if found is None:
        return None
    if not record.known(Source.DOSES, found.last):
        return Unanswerable((Source.DOSES.value,), record.state(Source.DOSES).supplied.value)
    if other_diagnosis(record, months_before(found.day, limits.whole("return_months")), today):
        return Excluded("another diagnosis explains the symptom")
    if _shortened_since(found.day, plan, record, limits, today):
        return Excluded("the interval was shortened since, or in the last months")
    return Alert(*_step(plan, found, limits, today), plan.course)


def _not_our_patient(plan: Plan, record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 18):
        return "under 18"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if has(record, "inborn_error_cobalamin"):
        return "inborn error of cobalamin metabolism under specialist care"
    if plan.course and plan.course.research:
        return "an order of a research protocol"
    if upper_days(plan.interval) <= limits["return_shortest_days"]:
        return "injections are as frequent as they get"
    if loading_runs(record, today, limits):
        return "loading is under way"
    return None


def _returned(plan: Plan, record: PatientRecord, limits: Limits, today: date) -> _Return | None:
    """The newest symptom entry of the last year that lies late in an interval, before the next injection or its grace.

    A date known only to the month cannot be placed in an interval.
    """
    since = months_before(today, limits.whole("return_months"))
    days = [dose.when.latest for dose in injections(record)]
    for symptom in arisen(record, today):
        if symptom.when is None or symptom.when.earliest != symptom.when.latest:
            continue
        day = symptom.when.latest
        given = [each for each in days if each < day]
        if not since <= day <= today or _maintenance_doses(given) < limits.whole("return_maintenance_doses"):
            continue
        if _late_in_interval(day, given[-1], plan.interval, limits):
            return _Return(symptom, day, given[-1])
    return None


def _late_in_interval(day: date, last: date, interval: Period, limits: Limits) -> bool:
    """Whether `day` lies in the last third of the interval after `last`, or in its grace: later is overdue."""
    due = after(last, interval.high, interval.unit)
    length = due - last
    starts = days_after(last, round(length.days * limits["return_after_fraction"]))
    return starts <= day <= days_after(due, grace_days(length, limits))


def _maintenance_doses(days: list[date]) -> int:
    """How many injections lie further apart than in loading; the first of all counts when the next is far."""
    far = [(later - earlier).days > LOADING_DAYS for earlier, later in pairwise(days)]
    return sum(far) + bool(far and far[0])


def _shortened_since(day: date, plan: Plan, record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether the order asks for shorter intervals than an older one and was written after the symptom, or just now."""
    course = plan.course
    if course is None or course.authored is None:
        return False
    changed = months_before(today, limits.whole("return_changed_months"))
    if course.authored.latest <= min(day, changed):
        return False
    return any(
        is_longer(interval, plan.interval)
        for other in maintenance_orders(record)
        if other is not course
        for interval in intervals(other, Phase.MAINTENANCE)
    )


def _step(plan: Plan, found: _Return, limits: Limits, today: date) -> tuple[str, dict[str, object]]:
    """What comes next after this interval, and the facts for the card."""
    neurological = default_interval(limits, neurological=True)
    month = Period(Decimal(1), Decimal(1), PeriodUnit.MONTH)
    to_usual = is_longer(plan.interval, neurological)
    to_month = not to_usual and is_longer(plan.interval, month)
    shorter = neurological if to_usual else month
    facts: dict[str, object] = {
        "drug": cobalamin(plan.course.medicine) if plan.course else "cobalamin",
        "symptom": found.symptom.name,
        "when": found.day,
        "last": found.last,
        "after": span_in_words((found.day - found.last).days),
        "interval": in_words(plan.interval),
        "shorter": in_words(shorter),
        "to_usual": to_usual,
        "to_month": to_month,
        "to_specialist": not (to_usual or to_month),
    }
    return ("shorten" if to_usual or to_month else "specialist"), facts
