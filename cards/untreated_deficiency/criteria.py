"""
WHEN  a B12 result in the deficient range, or an indeterminate one with raised MMA, has been out for days
AND   no B12 was ordered, given, dispensed, reported or booked since the sample
THEN  ask for treatment, at once where there are neurological signs: the result may have been lost.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from cards.calendar import months_before
from cards.cover import declined_since, treated_since, treatment_planned
from cards.dosing import cobalamin
from cards.due_date import possible_injection
from cards.neurology import NeurologicalFinding, involvement, signs
from cards.record import Course, CourseStatus, LabResult, Order, PatientRecord, Source
from cards.rule import Alert, Excluded, Limits, Outcome, Unanswerable
from cards.status import (
    ACTIVE_B12,
    MMA,
    TOTAL_B12,
    Band,
    anchor,
    awaits_result,
    b12_status,
    band,
    has,
    in_pregnancy,
    irreversible_cause,
    mma_raised,
    newest,
    newest_b12,
    unknown_since,
    weak_kidneys,
    younger_than,
)

# What a doubtful result asks for: once that is requested there is nothing to add.
_CONFIRMED_BY = {
    "old_result": frozenset({TOTAL_B12, ACTIVE_B12}),
    "pregnancy": frozenset({ACTIVE_B12}),
    "possible_artefact": frozenset({MMA}),
}
_LOW_WITHOUT_DEFICIENCY = {"myeloma": "myeloma", "hiv": "HIV infection"}


class Proof(NamedTuple):
    """What shows the deficiency: the B12 result, and the raised MMA that an indeterminate one needs."""

    result: LabResult
    mma: LabResult | None

    @property
    def released(self) -> date:
        """The day on which the last part of the proof was released by the laboratory, else sampled."""
        return max((each.issued or each.when).latest for each in (self.result, self.mma) if each)


def triggered_by(order: Order, limits: Limits) -> bool:
    """Speaks when a chart is opened, not about orders."""
    return False


def criteria(order: Order | None, record: PatientRecord, limits: Limits, today: date) -> Outcome:
    """Untreated is a warning, with neurological signs critical; an old or a doubtful result is information."""
    if why := _not_our_patient(record, today):
        return Excluded(why)
    proof = _proof(record, limits, today)
    if proof is None:
        return Unanswerable((Source.LABS.value,), "open-bound") if _is_open(record, limits, today) else None
    neurological = signs(record, today) or involvement(record, anchor(record, limits, today), today)
    if _may_still_be_read(proof, neurological, limits, today):
        return Excluded("the result is only days old")
    sample = proof.result.when.latest
    if treated := treated_since(record, limits, sample, today):
        return Excluded(treated.how)
    if treatment_planned(record, sample, today):
        return Excluded("B12 treatment is booked or requested")
    if declined_since(record, sample):
        return Excluded("the patient declined B12")
    if gap := unknown_since(record, Source.MEDICATIONS, sample):
        return Unanswerable((Source.MEDICATIONS.value,), gap)
    if _refuted_in_pregnancy(proof, record, limits, today):
        return Excluded("active B12 is not deficient in pregnancy")

    artefact = _artefact(proof, record, limits)
    variant = _variant(proof, neurological, artefact, record, limits, today)
    confirmed_by = _CONFIRMED_BY.get(variant)
    if confirmed_by and not neurological and awaits_result(record, confirmed_by, today, sample):
        return Excluded("the test that confirms it is requested")
    return Alert(variant, _facts(variant, proof, neurological, artefact, record, limits, today))


def _not_our_patient(record: PatientRecord, today: date) -> str | None:
    if younger_than(record, today, 16):
        return "under 16"
    if record.patient.deceased or record.patient.left:
        return "the patient has died or left"
    return None


def _proof(record: PatientRecord, limits: Limits, today: date) -> Proof | None:
    """The newest B12 result that may be relied on, when it is deficient, or indeterminate with raised MMA."""
    status = b12_status(record, limits)
    if status is None:
        return None
    if status.band is Band.DEFICIENT:
        return Proof(status.result, None)
    since = min(months_before(today, limits.whole("deficiency_result_months")), status.result.when.latest)
    raised = mma_raised(record, limits, since) if status.band is Band.INDETERMINATE else None
    return Proof(status.result, raised) if raised else None


def _is_open(record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether the newest B12 is a bound such as `<200 ng/L`, which leaves its band open."""
    newest_one = newest_b12(record, months_before(today, limits.whole("deficiency_result_months")))
    return newest_one is not None and band(newest_one, limits) is None


def _may_still_be_read(proof: Proof, neurological: NeurologicalFinding | None, limits: Limits, today: date) -> bool:
    """Whether the result is so new that its treatment may be on the way: up to 7 days, with neurological signs 1."""
    days = (today - proof.released).days
    if neurological:
        return days < limits.whole("untreated_days_neurological")
    return days <= limits.whole("untreated_days")


def _variant(
    proof: Proof,
    neurological: NeurologicalFinding | None,
    artefact: str | None,
    record: PatientRecord,
    limits: Limits,
    today: date,
) -> str:
    if proof.result.when.latest < months_before(today, limits.whole("deficiency_result_months")):
        return "old_result"
    if neurological:
        return "neurological"
    if _total_only(proof) and in_pregnancy(record, limits, today) and irreversible_cause(record, limits) is None:
        return "pregnancy"
    return "possible_artefact" if artefact else "untreated"


def _total_only(proof: Proof) -> bool:
    return proof.result.concept == TOTAL_B12 and proof.mma is None


def _refuted_in_pregnancy(proof: Proof, record: PatientRecord, limits: Limits, today: date) -> bool:
    """Whether active B12 of the same time or later answers a low total B12 in pregnancy."""
    if not (_total_only(proof) and in_pregnancy(record, limits, today)):
        return False
    active = newest(record.labs, ACTIVE_B12, proof.result.when.latest)
    return active is not None and band(active, limits) in (Band.REPLETE, Band.INDETERMINATE)


def _artefact(proof: Proof, record: PatientRecord, limits: Limits) -> str | None:
    """What may lower total B12 without deficiency; no excuse where a cause of deficiency is known."""
    if not _total_only(proof) or irreversible_cause(record, limits):
        return None
    for concept, name in _LOW_WITHOUT_DEFICIENCY.items():
        if has(record, concept):
            return name
    taken = any("oestrogen" in course.medicine.ingredients and _taken(course) for course in record.courses)
    return "oestrogen treatment" if taken else None


class Halted(NamedTuple):
    """A B12 order since the sample that is not carried out, and what became of it."""

    day: date
    what: str


_HALTED = {
    CourseStatus.STOPPED: "was stopped",
    CourseStatus.CANCELLED: "was cancelled",
    CourseStatus.ON_HOLD: "is on hold",
}


def _halted(record: PatientRecord, sample: date) -> Halted | None:
    found = [
        Halted(course.authored.latest, _HALTED[course.status])
        for course in record.courses
        if cobalamin(course.medicine)
        and course.status in _HALTED
        and course.authored
        and course.authored.latest >= sample
    ]
    return max(found, default=None)


def _nitrous_oxide(record: PatientRecord) -> bool:
    """Whether exposure to nitrous oxide is a present problem; a code for any inhaled anaesthetic does not say so."""
    return any(
        each.name == "nitrous_oxide_exposure" and each.specific
        for problem in record.problems
        if problem.present and problem.certain
        for each in problem.concepts
    )


def _taken(course: Course) -> bool:
    return course.status is CourseStatus.ACTIVE and not course.do_not_perform


def _facts(
    variant: str,
    proof: Proof,
    neurological: NeurologicalFinding | None,
    artefact: str | None,
    record: PatientRecord,
    limits: Limits,
    today: date,
) -> dict[str, object]:
    sample = proof.result.when.latest
    cause = irreversible_cause(record, limits)
    antibody = any(lab.concept == "intrinsic_factor_antibody" for lab in record.labs)
    treat = variant in ("neurological", "untreated")
    return {
        "result": proof.result,
        "mma": proof.mma,
        "kidneys": weak_kidneys(record, limits, today) if proof.mma else None,
        "possible": possible_injection(record, sample),
        "neurological": neurological,
        "cause": cause.name if cause else None,
        "artefact": artefact,
        "halted": _halted(record, sample),
        "nitrous_oxide": _nitrous_oxide(record),
        "treat": treat,
        "treat_neurological": variant == "neurological" and cause is None,
        "treat_neurological_for_life": variant == "neurological" and cause is not None,
        "treat_standard": variant == "untreated" and cause is None,
        "treat_standard_for_life": variant == "untreated" and cause is not None,
        "repeat": variant == "old_result",
        "active_b12": variant == "pregnancy",
        "confirm": variant == "possible_artefact",
        "ask_antibody": treat and not antibody and cause is None,
        "ask_blood_count": (treat or variant == "old_result") and newest(record.labs, "hemoglobin", sample) is None,
    }
