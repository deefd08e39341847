"""
WHEN  B12 treatment began, or bariatric surgery was done
AND   the recheck of 3, 6 or 12 months or of a later year fell due more than 30 days ago
AND   nothing of its panel was measured since 30 days before, and nothing is ordered
THEN  say which recheck is late and what to measure, and that the level does not time injections.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from cards.calendar import days_after, days_before, months_after, months_before, span_in_words
from cards.dosing import (
    b12_daily,
    begins,
    cobalamin,
    is_parenteral,
    runs_on,
)
from cards.due_date import injections
from cards.neurology import NeurologicalFinding, findings
from cards.record import Course, CourseStatus, Flag, LabResult, Order, PatientRecord, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    B12_RESULTS,
    MMA,
    TOTAL_B12,
    Band,
    band,
    deficiency_resolved,
    in_hospice,
    in_pregnancy,
    newest,
    younger_than,
)

BLOOD_COUNT = frozenset({"hemoglobin", "mcv"})
PANEL = frozenset({*B12_RESULTS, MMA, *BLOOD_COUNT})
_BARIATRIC = frozenset({"bariatric", "bariatric_status"})
# The blood count that shows an anaemia at the start may be this old.
_ANAEMIA_BEFORE_START_MONTHS = 3


class _Recheck(NamedTuple):
    """A recheck that is late: its name, the day it fell due, since when a result counts for it, and of what."""

    name: str
    due: date
    counts_from: date
    panel: frozenset[str]


class _Start(NamedTuple):
    """From when the rechecks are counted: the first dose or order of `drug`, or bariatric surgery."""

    day: date
    drug: str
    surgery: bool


def triggered_by(order: Order, limits: Limits) -> bool:
    """Speaks when the chart is opened, not about an order."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """One card for the latest recheck that is late."""
    start = _start(record, limits, today)
    if start is None:
        return None
    if why := _not_our_patient(record, limits, today):
        return Excluded(why)
    late = _late_recheck(start, limits, today) or _late_blood_count(start, record, limits, today)
    if late is None:
        return None
    if why := _done(late, record, limits, today):
        return Excluded(why)
    if lacking := _not_known(start, late, record):
        return lacking
    return _alert(start, late, record, limits, today)


def _not_our_patient(record: PatientRecord, limits: Limits, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    if in_hospice(record):
        return "hospice or comfort care"
    if deficiency_resolved(record, limits):
        return "the deficiency is recorded as resolved"
    return None


# --- from when rechecks are counted ------------------------------------------------------------------------------


def _start(record: PatientRecord, limits: Limits, today: date) -> _Start | None:
    """Bariatric surgery, else the first dose or order of a treatment that still goes on."""
    operations = _operations(record, today)
    begun = _treatment_began(record, limits, today)
    if operations:
        return _Start(max(operations), begun.drug if begun else "cobalamin", surgery=True)
    return begun if begun and _goes_on(record, limits, today) else None


def _operations(record: PatientRecord, today: date) -> list[date]:
    procedures = [each.when for each in record.procedures if _BARIATRIC & {concept.name for concept in each.concepts}]
    problems = [
        each.dated
        for each in record.problems
        if each.certain and _BARIATRIC & {concept.name for concept in each.concepts}
    ]
    return [when.latest for when in (*procedures, *problems) if when and when.latest <= today]


def _treatment_began(record: PatientRecord, limits: Limits, today: date) -> _Start | None:
    begun = [
        _Start(dose.when.latest, cobalamin(dose.medicine) or "cobalamin", surgery=False) for dose in injections(record)
    ]
    for course in record.courses:
        day, form = begins(course), cobalamin(course.medicine)
        if day and form and day <= today and _is_treatment(course, limits):
            begun.append(_Start(day, form, surgery=False))
    return min(begun, default=None)


def _is_treatment(course: Course, limits: Limits) -> bool:
    """An order for injections, or for at least 50 mcg a day by mouth; an amount that cannot be known counts.

    What is only stated was ordered by nobody, a multivitamin is no treatment, and a cancelled order never began.
    """
    medicine = course.medicine
    if cobalamin(medicine) is None or medicine.multivitamin or course.stated or course.do_not_perform:
        return False
    if course.status in (CourseStatus.DRAFT, CourseStatus.CANCELLED):
        return False
    amounts = [b12_daily(each, course.medicine) for each in course.instructions]
    enough = any(each is None or each.high >= limits["oral_counts_mcg_day"] for each in amounts)
    return is_parenteral(course) or enough or not amounts


def _goes_on(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether an order runs today, or an injection was given in the last year."""
    running = any(_is_treatment(course, limits) and runs_on(course, today) for course in record.courses)
    return running or _injected_lately(record, limits, today)


def _injected_lately(record: PatientRecord, limits: Limits, today: date) -> bool:
    given = injections(record)
    return bool(given) and (today - given[-1].when.latest).days < limits.whole("lost_after_days")


# --- which recheck is late ---------------------------------------------------------------------------------------


def _late_recheck(start: _Start, limits: Limits, today: date) -> _Recheck | None:
    """The latest recheck of the first year or of a later one that fell due more than 30 days ago."""
    first, second = limits.whole("monitoring_first_months"), limits.whole("monitoring_second_months")
    year = limits.whole("monitoring_year_months")
    planned = [(f"{months}-month", months_after(start.day, months)) for months in (first, second, year)]
    years = (today.year - start.day.year + 1) * 12 // year
    planned += [("yearly", months_after(start.day, year * number)) for number in range(2, years + 1)]
    window = limits.whole("monitoring_window_days")
    late = [
        _Recheck(name, due, days_before(due, window), PANEL)
        for name, due in planned
        if (today - due).days > limits.whole("monitoring_late_days")
    ]
    return max(late, key=lambda each: each.due, default=None)


def _late_blood_count(start: _Start, record: PatientRecord, limits: Limits, today: date) -> _Recheck | None:
    """The early blood count of a patient who was anaemic at the start: at 7-10 days, and at about 8 weeks."""
    if start.surgery or not _anaemic_at_start(start, record):
        return None
    window = limits.whole("monitoring_window_days")
    early = days_after(start.day, limits.whole("monitoring_count_days"))
    later = days_after(start.day, limits.whole("monitoring_count_weeks") * 7)
    planned = [
        _Recheck("first", early, days_after(start.day, 1), BLOOD_COUNT),
        _Recheck("8-week", later, days_before(later, window), BLOOD_COUNT),
    ]
    late = [each for each in planned if (today - each.due).days > limits.whole("monitoring_late_days")]
    return late[-1] if late else None


def _anaemic_at_start(start: _Start, record: PatientRecord) -> bool:
    """Whether the last haemoglobin up to the start lay below the laboratory's range."""
    before = [lab for lab in record.labs if lab.concept == "hemoglobin" and lab.when.latest <= start.day]
    last = newest(before, "hemoglobin", months_before(start.day, _ANAEMIA_BEFORE_START_MONTHS))
    return last is not None and last.flag is Flag.LOW


# --- whether it was done -----------------------------------------------------------------------------------------


def _done(late: _Recheck, record: PatientRecord, limits: Limits, today: date) -> str | None:
    if any(lab.concept in late.panel and lab.when.latest >= late.counts_from for lab in record.labs):
        return "measured for this recheck"
    recent = days_before(today, limits.whole("monitoring_recent_b12_days"))
    if late.panel is PANEL and newest(record.labs, TOTAL_B12, recent):
        return "serum B12 was measured lately"
    wanted = {*late.panel, "cbc_panel"}
    for planned in record.planned:
        names_it = planned.names_b12 and not planned.names_injection
        if planned.source is not Source.TESTS or not (names_it or wanted & {each.name for each in planned.concepts}):
            continue
        dated = planned.authored or planned.days
        if dated is None or dated.latest >= late.counts_from:
            return "a test is ordered"
    return None


def _not_known(start: _Start, late: _Recheck, record: PatientRecord) -> Unanswerable | None:
    """That nothing was measured, or when treatment began, is only known when the lists are complete."""
    if not record.known(Source.LABS, late.counts_from):
        return Unanswerable((Source.LABS.value,), record.state(Source.LABS).supplied.value)
    for each in record.state(Source.LABS).unreadable:
        if each.concept in (None, *late.panel) and (each.when is None or each.when.latest >= late.counts_from):
            return Unanswerable((Source.LABS.value,), each.reason)
    if start.surgery or record.known(Source.MEDICATIONS) or record.known(Source.DOSES):
        return None
    return Unanswerable((Source.MEDICATIONS.value,), record.state(Source.MEDICATIONS).supplied.value)


# --- what is said ------------------------------------------------------------------------------------------------


def _alert(start: _Start, late: _Recheck, record: PatientRecord, limits: Limits, today: date) -> Alert:
    full = late.panel is PANEL
    last_b12 = _newest_of(record.labs, B12_RESULTS)
    borderline = last_b12 is not None and band(last_b12, limits) is Band.INDETERMINATE
    persisting = _persisting(record, limits, today)
    injected = _on_injections(record, limits, today)
    mma = full and (borderline or persisting is not None)
    pregnant = in_pregnancy(record, limits, today)
    facts: dict[str, object] = {
        "drug": start.drug,
        "surgery": start.surgery,
        "start": start.day,
        "recheck": late.name,
        "due": late.due,
        "since": late.counts_from,
        "late": span_in_words((today - late.due).days),
        "injected": injected,
        "full": full,
        # Total B12 falls in pregnancy without deficiency.
        "pregnant": pregnant,
        "level_first": full and not injected and not pregnant,
        "active_first": full and not injected and pregnant,
        "level_too": full and injected and not pregnant,
        "active_too": full and injected and pregnant,
        "mma": mma,
        "borderline": borderline,
        "persisting": persisting,
        "last_b12": last_b12,
        "homocysteine": _newest_of(record.labs, ("homocysteine",)) if full else None,
    }
    return Alert("recheck_mma" if mma else "recheck" if full else "blood_count", facts)


def _on_injections(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether injections are ordered, or were given in the last year and no B12 by mouth is ordered."""
    running = [each for each in record.courses if _is_treatment(each, limits) and runs_on(each, today)]
    return any(is_parenteral(each) for each in running) or (not running and _injected_lately(record, limits, today))


def _newest_of(labs: Iterable[LabResult], concepts: tuple[str, ...]) -> LabResult | None:
    return max((lab for lab in labs if lab.concept in concepts), key=lambda lab: lab.when.latest, default=None)


def _persisting(record: PatientRecord, limits: Limits, today: date) -> NeurologicalFinding | None:
    """A neurological finding that is present and dated after the last injection, or in the last 90 days."""
    given = injections(record)
    since = days_before(today, limits.whole("monitoring_symptom_days"))
    for each in findings(record, today):
        if not each.present or each.when is None:
            continue
        if each.when.latest >= since or (given and each.when.latest > given[-1].when.latest):
            return each
    return None
