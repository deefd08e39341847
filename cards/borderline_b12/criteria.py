"""
WHEN  the newest B12 of the last 6 months is indeterminate, in a patient with symptoms or at high risk
AND   neither MMA nor homocysteine was measured with it, and no B12 treatment stands or was given since
THEN  ask for MMA or homocysteine before any B12; with neurological signs, not to wait for the answer.
"""

from __future__ import annotations

from datetime import date

from cards.calendar import days_before, months_before
from cards.cover import treated_since, treatment_planned
from cards.neurology import NeurologicalFinding, signs
from cards.record import Flag, LabResult, Order, PatientRecord, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    ACTIVE_B12,
    MMA,
    TOTAL_B12,
    Band,
    b12_status,
    band,
    documented_deficiency,
    has,
    in_pregnancy,
    irreversible_cause,
    macrocytosis,
    newest,
    strong_risk,
    unknown_since,
    weak_kidneys,
    younger_than,
)

HOMOCYSTEINE = "homocysteine"
_FUNCTIONAL = frozenset({MMA, HOMOCYSTEINE})
_RISKS = {
    "celiac": "coeliac disease",
    "crohn_ileal": "ileal Crohn's disease",
    "bariatric": "bariatric surgery",
    "bariatric_status": "bariatric surgery",
}


def triggered_by(order: Order, limits: Limits) -> bool:
    """Speaks when a chart is opened, not about orders."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Neurological signs make a warning; other symptoms and high risk are information."""
    if why := _not_our_patient(record, today):
        return Excluded(why)
    result = _indeterminate(record, limits, today)
    if result is None:
        return None
    pregnant = result.concept == TOTAL_B12 and in_pregnancy(record, limits, today)
    if why := _settled(result, record, limits, today, pregnant=pregnant):
        return Excluded(why)
    neurological = signs(record, today)
    symptom = neurological.name if neurological else _symptom(record, limits, today)
    finding = symptom or _high_risk(record, limits, today)
    if finding is None:
        return None
    requested = _requested(record, result, limits, pregnant=pregnant)
    if requested and not neurological:
        return Excluded("the test is already requested")
    treated_before = months_before(result.when.latest, limits.whole("untreated_months_before_sample"))
    if gap := unknown_since(record, Source.MEDICATIONS, treated_before):
        return Unanswerable((Source.MEDICATIONS.value,), gap)

    kidneys = None if pregnant else weak_kidneys(record, limits, today)
    facts = {
        "result": result,
        "finding": finding,
        "symptom": symptom is not None,
        "pregnant": pregnant,
        "requested": requested,
        "kidneys": kidneys,
        "ask_active_b12": pregnant,
        "ask_functional": not pregnant and kidneys is None,
        "ask_blood_count": newest(record.labs, "hemoglobin", result.when.latest) is None,
        **_urgency(neurological, record, limits, pregnant=pregnant, kidneys=kidneys),
    }
    return Alert(_variant(neurological, symptom, kidneys), facts)


def _not_our_patient(record: PatientRecord, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    return "the patient has died or left" if record.patient.deceased or record.patient.left else None


def _settled(result: LabResult, record: PatientRecord, limits: Limits, today: date, *, pregnant: bool) -> str | None:
    """Why the borderline result asks for nothing more: measured with it, or treated."""
    sample = result.when.latest
    since = _measured_from(result, limits)
    if any(lab.concept in _FUNCTIONAL and lab.when.latest >= since for lab in record.labs):
        return "MMA or homocysteine was measured with it"
    if treated := treated_since(record, limits, sample, today):
        return treated.how
    if treatment_planned(record, sample, today):
        return "B12 treatment is booked or requested"
    active = newest(record.labs, ACTIVE_B12, sample)
    if pregnant and active and band(active, limits) is Band.REPLETE:
        return "active B12 is normal in pregnancy"
    return None


def _urgency(
    neurological: NeurologicalFinding | None,
    record: PatientRecord,
    limits: Limits,
    *,
    pregnant: bool,
    kidneys: str | None,
) -> dict[str, object]:
    """What makes treatment not wait for a result, and which treatment is offered."""
    cause = irreversible_cause(record, limits)
    do_not_wait = neurological is not None or cause is not None or pregnant
    return {
        "neurological": neurological,
        "cause": cause.name if cause else None,
        "do_not_wait": do_not_wait,
        "start_neurological": neurological is not None,
        "start_standard": neurological is None and (do_not_wait or kidneys is not None),
    }


def _variant(neurological: NeurologicalFinding | None, symptom: str | None, kidneys: str | None) -> str:
    if neurological:
        return "neurological_poor_kidneys" if kidneys else "neurological"
    if kidneys:
        return "poor_kidneys"
    return "symptoms" if symptom else "high_risk"


def _indeterminate(record: PatientRecord, limits: Limits, today: date) -> LabResult | None:
    """The newest B12 that may be relied on, when it is indeterminate and at most 6 months old."""
    status = b12_status(record, limits)
    if status is None or status.band is not Band.INDETERMINATE:
        return None
    oldest = months_before(today, limits.whole("borderline_result_months"))
    return status.result if status.result.when.latest >= oldest else None


def _measured_from(result: LabResult, limits: Limits) -> date:
    """MMA or homocysteine counts as measured with the result from this day on: 30 days before the sample."""
    return days_before(result.when.latest, limits.whole("functional_test_days"))


def _symptom(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """Changes of the blood that go with deficiency: macrocytosis, megaloblastic anaemia, or any low haemoglobin."""
    if mcv := macrocytosis(record, limits, today):
        return f"MCV {mcv.reported}"
    if has(record, "megaloblastic_anemia"):
        return "megaloblastic anaemia"
    found = newest(record.labs, "hemoglobin", months_before(today, limits.whole("blood_count_months")))
    return f"haemoglobin {found.reported}" if found and found.flag is Flag.LOW else None


def _high_risk(record: PatientRecord, limits: Limits, today: date) -> str | None:
    """An irreversible cause, documented deficiency, a strong risk, coeliac or ileal disease, or bariatric surgery."""
    if cause := irreversible_cause(record, limits):
        return cause.name
    if documented_deficiency(record, limits, today):
        return "B12 deficiency on the problem list"
    if risk := strong_risk(record, limits, today):
        return risk
    present = [each for problem in record.problems if problem.present and problem.certain for each in problem.concepts]
    done = [each for procedure in record.procedures for each in procedure.concepts]
    return next((_RISKS[each.name] for each in (*present, *done) if each.name in _RISKS), None)


def _requested(record: PatientRecord, result: LabResult, limits: Limits, *, pregnant: bool) -> bool:
    """Whether the test that answers is requested; a request from long before the sample was for another one."""
    wanted = {ACTIVE_B12} if pregnant else _FUNCTIONAL
    since = _measured_from(result, limits)
    return any(
        planned.source is Source.TESTS
        and wanted & {concept.name for concept in planned.concepts}
        and (planned.authored is None or planned.authored.latest >= since)
        for planned in record.planned
    )
