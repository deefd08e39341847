"""Neurological involvement: which findings count, from when, and which have another cause (clinical rules 5.0)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from cards.calendar import months_before
from cards.dosing import within
from cards.record import ClinicalStatus, PatientRecord, Problem, When, once_per_record

# Findings that are neurological, most telling first; glossitis is not among them (decision 3 of the rules).
NEUROLOGICAL = (
    "subacute_combined_degeneration",
    "b12_neurological",
    "myelopathy",
    "peripheral_neuropathy",
    "paresthesia",
    "ataxia_gait",
    "optic_neuropathy",
    "cognitive_impairment",
)
_NAMES = {
    "subacute_combined_degeneration": "subacute combined degeneration",
    "b12_neurological": "neurological disease due to B12 deficiency",
    "myelopathy": "myelopathy",
    "peripheral_neuropathy": "peripheral neuropathy",
    "paresthesia": "paraesthesiae",
    "ataxia_gait": "ataxia or unsteady gait",
    "optic_neuropathy": "optic neuropathy",
    "cognitive_impairment": "cognitive impairment",
}
_OTHER_NEUROPATHY = frozenset({"diabetes", "alcohol_use_disorder", "chemotherapy_neuropathy", "charcot_marie_tooth"})
_NOT_NERVE_DAMAGE_BY_B12 = frozenset(
    {
        "leber_hereditary_optic_neuropathy",
        "hereditary_optic_atrophy",
        "glaucoma",
        "macular_degeneration",
        "carpal_tunnel",
    }
)
_OTHER_DEMENTIA = frozenset({"alzheimer", "vascular", "lewy", "frontotemporal"})

_CAME_BACK = frozenset({ClinicalStatus.RECURRENCE, ClinicalStatus.RELAPSE})

# Findings count from this long before the anchor, and are "new" or "signs" for this long (rules 5.0).
WINDOW_MONTHS = 12


class NeurologicalFinding(NamedTuple):
    """One finding that counts: its plain name, its first date, whether it is attributed to B12, and present."""

    name: str
    when: When | None
    linked: bool
    present: bool


class OpticRisk(NamedTuple):
    """A disease of the optic nerve in which cyanocobalamin may harm: how it is known, its plain name, its date.

    `kind`: `named` (Leber hereditary optic neuropathy), `possible` (an entry that may mean it), `toxic` (tobacco or
    toxic amblyopia), `family` (Leber's in the family and a disease of the optic nerve).
    """

    kind: str
    name: str
    when: When | None


_LEBER = "leber_hereditary_optic_neuropathy"


@once_per_record
def optic_risk(record: PatientRecord) -> OpticRisk | None:
    """The surest reason on record not to give cyanocobalamin for the sake of the optic nerve (rules, formulation a).

    A hereditary disease stays one whatever the status of its entry. A code that also says other things, and an entry
    that is not confirmed, only make it possible.
    """
    found = [risk for problem in record.problems if (risk := _optic_risk(problem, record))]
    return min(found, key=lambda risk: _OPTIC_RISKS.index(risk.kind), default=None)


_OPTIC_RISKS = ("named", "possible", "toxic", "family")


def _optic_risk(problem: Problem, record: PatientRecord) -> OpticRisk | None:
    names = {concept.name for concept in problem.concepts}
    if problem.certain and any(each.name == _LEBER and each.specific for each in problem.concepts):
        return OpticRisk("named", "Leber hereditary optic neuropathy", problem.dated)
    if names & {_LEBER, "hereditary_optic_atrophy"}:
        return OpticRisk("possible", "optic atrophy that may be Leber's", problem.dated)
    if "toxic_amblyopia" in names and problem.certain and problem.present:
        return OpticRisk("toxic", "tobacco or toxic amblyopia", problem.dated)
    leber_in_family = any(each.name == _LEBER and each.specific for kin in record.family for each in kin.concepts)
    if leber_in_family and "optic_neuropathy" in names and not names & _NOT_NERVE_DAMAGE_BY_B12:
        return OpticRisk("family", "optic nerve disease and Leber's in the family", problem.dated)
    return None


@once_per_record
def findings(record: PatientRecord, today: date) -> tuple[NeurologicalFinding, ...]:
    """The neurological findings on record that have no other explanation, whatever their date; newest first."""
    found = [finding for problem in record.problems if (finding := _finding(problem, record, today))]
    return tuple(sorted(found, key=lambda each: each.when.latest if each.when else date.min, reverse=True))


def involvement(record: PatientRecord, anchor: date, today: date) -> NeurologicalFinding | None:
    """Present neurological involvement: dated from 12 months before `anchor` until today."""
    return _first(each for each in history_findings(record, anchor, today) if each.present)


def history(record: PatientRecord, anchor: date, today: date) -> NeurologicalFinding | None:
    """Neurological involvement now or formerly, resolved findings included."""
    return _first(history_findings(record, anchor, today))


@once_per_record
def history_findings(record: PatientRecord, anchor: date, today: date) -> tuple[NeurologicalFinding, ...]:
    """Findings dated no earlier than 12 months before `anchor`; undated ones only when attributed to B12."""
    start = months_before(anchor, WINDOW_MONTHS)
    return tuple(
        each for each in findings(record, today) if (within(each.when, start, today) if each.when else each.linked)
    )


def signs(record: PatientRecord, today: date, months: int = WINDOW_MONTHS) -> NeurologicalFinding | None:
    """New neurological findings: first dated in the last 12 months (or `months`)."""
    start = months_before(today, months)
    return _first(each for each in findings(record, today) if each.when and each.when.latest >= start)


def arisen(record: PatientRecord, today: date) -> tuple[NeurologicalFinding, ...]:
    """Findings as they came up, newest first: first entries, and those that came back.

    An entry beside an older one of the same kind that still goes on is the same finding with another date; one marked
    as recurrence or relapse came back on the day it was recorded.
    """
    found = []
    for problem in record.problems:
        finding = _finding(problem, record, today)
        if finding is None:
            continue
        came_back = problem.status in _CAME_BACK
        when = problem.recorded or problem.dated if came_back else problem.dated
        if when and (came_back or not _goes_on_beside(problem, finding, when, record, today)):
            found.append(finding._replace(when=when))
    return tuple(sorted(found, key=lambda each: each.when.latest if each.when else date.min, reverse=True))


def _goes_on_beside(
    problem: Problem, finding: NeurologicalFinding, when: When, record: PatientRecord, today: date
) -> bool:
    """Whether an older entry of the same finding, or an undated one, was not yet over at `when`."""
    for other in record.problems:
        if other is problem:
            continue
        older = _finding(other, record, today)
        if older is None or older.name != finding.name or (older.when and older.when.latest >= when.latest):
            continue
        if other.present or (other.ended and other.ended.latest >= when.earliest):
            return True
    return False


def other_diagnosis(record: PatientRecord, since: date, today: date) -> bool:
    """Whether another diagnosis that explains neurological symptoms was first made between `since` and today."""
    return any(
        problem.certain and problem.dated and within(problem.dated, since, today)
        for problem in record.problems
        for concept in problem.concepts
        if concept.name in _OTHER_NEUROPATHY | _NOT_NERVE_DAMAGE_BY_B12
    )


def _first(found: Iterable[NeurologicalFinding]) -> NeurologicalFinding | None:
    return next(iter(found), None)


def _finding(problem: Problem, record: PatientRecord, today: date) -> NeurologicalFinding | None:
    names = {concept.name for concept in problem.concepts}
    kind = next((name for name in NEUROLOGICAL if name in names), None)
    if kind is None or not problem.certain:
        return None
    concept = next(each for each in problem.concepts if each.name == kind)
    linked = problem.names_b12 or (
        concept.specific
        and (kind in ("subacute_combined_degeneration", "b12_neurological") or concept.meaning == "b12")
    )
    # G63, G99.2 and the like say "in diseases classified elsewhere": they count only when B12 is named.
    if kind == "b12_neurological" and not linked:
        return None
    if not linked and _explained_otherwise(kind, names, problem, record, today):
        return None
    return NeurologicalFinding(_NAMES[kind], problem.dated, linked, problem.present)


def _explained_otherwise(kind: str, names: set[str], problem: Problem, record: PatientRecord, today: date) -> bool:
    if names & _NOT_NERVE_DAMAGE_BY_B12:
        return True
    if kind == "cognitive_impairment":
        return any(
            concept.name == "cognitive_impairment" and concept.meaning in _OTHER_DEMENTIA
            for other in record.problems
            for concept in other.concepts
        )
    if kind in ("peripheral_neuropathy", "paresthesia"):
        return _long_standing(problem, today) and _other_cause_earlier(problem, record)
    return False


def _long_standing(problem: Problem, today: date) -> bool:
    return problem.dated is None or problem.dated.latest < months_before(today, WINDOW_MONTHS)


def _other_cause_earlier(problem: Problem, record: PatientRecord) -> bool:
    """Another coded cause of neuropathy; diabetes only when it began more than 12 months before the neuropathy."""
    for other in record.problems:
        for concept in other.concepts:
            if concept.name not in _OTHER_NEUROPATHY:
                continue
            if concept.name != "diabetes" or other.dated is None or problem.dated is None:
                return True
            if other.dated.earliest < months_before(problem.dated.latest, WINDOW_MONTHS):
                return True
    return False
