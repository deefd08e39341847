"""Prefetch: the templates that discovery publishes, and the queries, generated from what rules need."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from cards.record import Source
from cards.rule import Rule
from cards.terminology import Terminology


class Search(NamedTuple):
    """A template: resource type, the search parameter that sorts newest first, and the page size."""

    resource: str
    sort: str
    page: int


# The public contract (keys, types and sort parameters never change); Patient is a read, all others are searches.
SEARCHES = {
    Source.PROBLEMS: Search("Condition", "-recorded-date", 200),
    Source.MEDICATIONS: Search("MedicationRequest", "-authoredon", 200),
    Source.DOSES: Search("MedicationAdministration", "-effective-time", 200),
    Source.STATEMENTS: Search("MedicationStatement", "-effective", 100),
    Source.DISPENSES: Search("MedicationDispense", "-whenhandedover", 100),
    Source.LABS: Search("Observation", "-date", 200),
    Source.PROCEDURES: Search("Procedure", "-date", 200),
    Source.ALLERGIES: Search("AllergyIntolerance", "-date", 100),
    Source.FAMILY: Search("FamilyMemberHistory", "-date", 100),
    Source.TESTS: Search("ServiceRequest", "-authored", 100),
    Source.APPOINTMENTS: Search("Appointment", "-date", 50),
    Source.CLAIMS: Search("ExplanationOfBenefit", "-created", 100),
}
_LAB_SYSTEMS = ("LOINC", "SNOMED")


class Query(NamedTuple):
    """What is asked for one source: a search, or a read by id, which has no parameters."""

    resource: str
    parameters: tuple[tuple[str, str], ...] = ()


def templates(rules: Iterable[Rule], terminology: Terminology) -> dict[str, str]:
    """The prefetch templates of the `rules` of one hook, by their public keys."""
    rules = tuple(rules)
    wanted = {source for rule in rules for source in rule.sources}
    labs = {concept for rule in rules for concept in rule.labs}
    return {
        source.value: _template(query(source, "{{context.patientId}}", labs, terminology))
        for source in Source
        if source in wanted
    }


def query(source: Source, patient_id: str, labs: Collection[str], terminology: Terminology) -> Query:
    """The query of one source for a patient; of laboratory results, only the concepts in `labs`."""
    if source is Source.PATIENT:
        return Query(f"Patient/{patient_id}")
    search = SEARCHES[source]
    codes = (("code", _codes(labs, terminology)),) if source is Source.LABS else ()
    return Query(
        search.resource,
        (("patient", patient_id), *codes, ("_sort", search.sort), ("_count", str(search.page))),
    )


def _template(asked: Query) -> str:
    parameters = "&".join(f"{name}={value}" for name, value in asked.parameters)
    return f"{asked.resource}?{parameters}" if parameters else asked.resource


def _codes(concepts: Iterable[str], terminology: Terminology) -> str:
    """The laboratory codes of the concepts."""
    return ",".join(
        f"{terminology.uri(system)}|{code}"
        for concept in sorted(concepts)
        for system in _LAB_SYSTEMS
        for code in terminology.codes_of(concept, system)
    )
