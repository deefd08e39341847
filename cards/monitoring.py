"""When treatment began and when its rechecks fall due: the schedule that all rules about tests share.

Founding document, statement F11: 3, 6 and 12 months after the start, then yearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cards.calendar import days_after, days_before, months_after, months_before
from cards.dosing import begins, cobalamin
from cards.due_date import LATE, current_plan, injections, past_plan, standing
from cards.record import CourseStatus, Medicine, PatientRecord, Period
from cards.rule import Limits
from cards.status import B12_RESULTS, MMA

_FIRST_RECHECKS = (3, 6, 12)


def treatment_began(record: PatientRecord) -> date | None:
    """The first cobalamin dose, order or supply on record; None when there is none.

    A multivitamin is no treatment, and a cancelled order never began.
    """
    days = [dose.when.latest for dose in record.doses if _treats(dose.medicine)]
    days += [supply.when.latest for supply in record.dispensed if _treats(supply.medicine)]
    days += [
        day
        for course in record.courses
        if _treats(course.medicine) and course.status is not CourseStatus.CANCELLED and (day := begins(course))
    ]
    return min(days, default=None)


def _treats(medicine: Medicine) -> bool:
    return cobalamin(medicine) is not None and not medicine.multivitamin


def rechecks(began: date, until: date) -> Iterator[date]:
    """The days on which rechecks of a treatment that began on `began` fall due, up to `until`."""
    month = 0
    for month in _FIRST_RECHECKS:
        if (day := months_after(began, month)) > until:
            return
        yield day
    # At the end of the calendar the next year is the same day.
    while (day := months_after(began, month + 12)) <= until and day < date.max:
        month += 12
        yield day


def recheck_near(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether a recheck falls due within the window on either side of today."""
    began = treatment_began(record)
    if began is None:
        return False
    window = limits.whole("recheck_window_days")
    return any(day >= days_before(today, window) for day in rechecks(began, days_after(today, window)))


def recheck_missed(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether the last recheck that fell due is still to be done: no B12 or MMA from its window on."""
    began = treatment_began(record)
    due = max(rechecks(began, today), default=None) if began else None
    if due is None:
        return False
    since = days_before(due, limits.whole("recheck_window_days"))
    return not any(lab.concept in (*B12_RESULTS, MMA) and lab.when.latest >= since for lab in record.labs)


def on_injections_since(record: PatientRecord, default: Period, limits: Limits, today: date) -> date | None:
    """The day from which injections have run without a gap of a year, when they still do; None when they do not.

    An active maintenance order speaks for the time before the first recorded dose.
    """
    given = injections(record)
    current = current_plan(record, today)
    if not given:
        return begins(current.course) if current and current.course else None
    plan = current or past_plan(record, default)
    where = standing(record, plan, limits, today) if plan else None
    if where is None or where.state in LATE:
        return None
    first = given[-1].when.latest
    for dose in reversed(given[:-1]):
        if dose.when.latest < months_before(first, 12):
            return first
        first = dose.when.latest
    ordered = begins(current.course) if current and current.course else None
    return min(first, ordered or first)
