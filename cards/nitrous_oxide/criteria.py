"""
WHEN  nitrous oxide misuse, use or poisoning is present or recent in a patient with neurological signs,
      or nitrous oxide was given on two days of the last 3 months to a patient with documented deficiency
AND   no B12 loading is under way
THEN  ask for homocysteine or MMA and B12 injections at once, and an end to the exposure: serum B12 may be normal.
"""

from __future__ import annotations

from datetime import date

from cards.calendar import months_before
from cards.cover import cover
from cards.due_date import loading_runs
from cards.neurology import NeurologicalFinding, findings, signs
from cards.record import Order, PatientRecord, Problem
from cards.rule import Alert, Excluded, Limits, Outcome
from cards.status import B12_RESULTS, MMA, Documented, documented_deficiency, newest, younger_than

_EXPOSURE = "nitrous_oxide_exposure"
_DRUG = "nitrous_oxide"
_HOMOCYSTEINE = "homocysteine"


def triggered_by(order: Order, limits: Limits) -> bool:
    """Speaks when a chart is opened, not about orders."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Exposure with neurological signs, or repeated medical use in documented deficiency, is a warning."""
    if younger_than(record, today, 16):
        return Excluded("under 16")
    if record.patient.deceased or record.patient.left:
        return Excluded("the patient has died or left")
    if loading_runs(record, today, limits):
        return Excluded("B12 loading is under way")
    since = months_before(today, limits.whole("nitrous_oxide_months"))
    exposure = _exposure(record, since)
    days = _days_given(record, since)
    repeated = len(days) >= limits.whole("nitrous_oxide_given_days")
    if not (exposure or repeated):
        return None
    neurological = _neurological(record, today)
    if exposure and neurological:
        return Alert("exposure", _facts(record, limits, today, exposure=exposure, neurological=neurological))
    deficiency = documented_deficiency(record, limits, today)
    if deficiency is None or not repeated:
        return None
    if covered := cover(record, limits, today, today):
        return Excluded(covered.how)
    return Alert(
        "given_repeatedly",
        _facts(record, limits, today, neurological=neurological, days=days, deficiency=deficiency),
    )


def _neurological(record: PatientRecord, today: date) -> NeurologicalFinding | None:
    """New signs, or a finding without a date that is put down to B12 and present."""
    undated = (each for each in findings(record, today) if each.when is None and each.linked and each.present)
    return signs(record, today) or next(undated, None)


def _exposure(record: PatientRecord, since: date) -> Problem | None:
    """An exposure that is present, or that began, was recorded or ended since that day."""
    for problem in record.problems:
        named = any(each.name == _EXPOSURE and each.specific for each in problem.concepts)
        if not (named and problem.certain):
            continue
        dates = (problem.began, problem.recorded, problem.ended)
        if (problem.present and problem.ended is None) or any(each and each.latest >= since for each in dates):
            return problem
    return None


def _days_given(record: PatientRecord, since: date) -> tuple[date, ...]:
    """The days on which nitrous oxide was given since that day, first to last; its dose does not matter."""
    given = (*record.doses, *record.doses_without_amount)
    days = {dose.when.latest for dose in given if _DRUG in dose.medicine.ingredients and dose.when.latest >= since}
    return tuple(sorted(days))


def _facts(
    record: PatientRecord,
    limits: Limits,
    today: date,
    *,
    neurological: NeurologicalFinding | None,
    exposure: Problem | None = None,
    days: tuple[date, ...] = (),
    deficiency: Documented | None = None,
) -> dict[str, object]:
    since = months_before(today, limits.whole("nitrous_oxide_months"))
    b12 = [found for concept in B12_RESULTS if (found := newest(record.labs, concept, since))]
    functional = [found for concept in (_HOMOCYSTEINE, MMA) if (found := newest(record.labs, concept, since))]
    covered = cover(record, limits, today, today)
    return {
        "neurological": neurological,
        "misuse": exposure is not None,
        "exposed": exposure.dated if exposure else None,
        "times": len(days),
        "first": days[0] if days else None,
        "last": days[-1] if days else None,
        "listed": deficiency is not None and deficiency.problem is not None,
        "b12": b12[0] if b12 else None,
        "functional": functional[0] if functional else None,
        "covered": covered is not None,
        "ask_functional": not functional,
        "start_neurological": neurological is not None,
        "start_standard": neurological is None,
    }
