"""Prefetch: the templates that discovery publishes, generated from what rules need, and what became of each key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from cards.record import SOURCES, Source, Supplied
from cards.rule import Rule
from cards.terminology import Terminology


class Received(NamedTuple):
    """What one key brought: its state, and the resources in it, which may be anything that JSON allows."""

    state: Supplied
    resources: list[Any]


NOTHING_RECEIVED = Received(Supplied.MISSING, [])


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


def received(prefetch: Mapping[str, Any] | None, sources: Collection[Source]) -> dict[Source, Received]:
    """What arrived under the keys of `sources`.

    An absent key is missing; `null` and an empty Bundle say that nothing was found; an OperationOutcome says that
    the EHR's query failed; a Bundle that announces more than it holds is truncated.
    """
    prefetch = prefetch or {}
    # A source is its key: both are strings.
    return {
        source: read(prefetch[source], source) if source in prefetch else NOTHING_RECEIVED
        for source in SOURCES
        if source in sources
    }


def read(value: Any, source: Source) -> Received:
    """What a prefetched value, or the answer of a FHIR server, says about its source."""
    if value is None:
        return Received(Supplied.NONE_FOUND, [])
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind == "OperationOutcome":
        return Received(Supplied.FAILED, [])
    if kind != "Bundle":
        # One resource where a Bundle was asked for: taken as the answer.
        return Received(Supplied.SUPPLIED, [value])
    return _bundle(value, SEARCHES[source].page if source in SEARCHES else 1)


def _bundle(bundle: dict[str, Any], page: int) -> Received:
    entries = bundle.get("entry")
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        return Received(Supplied.FAILED, [])
    resources = []
    matches = 0
    failed = False
    for entry in entries:
        resource = search = None
        if isinstance(entry, dict):
            resource, search = entry.get("resource"), entry.get("search")
            if isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome":
                failed = failed or _is_error(resource)
                continue
        resources.append(resource)
        if not isinstance(search, dict) or search.get("mode") != "include":
            matches += 1
    if failed:
        return Received(Supplied.FAILED, resources)
    if _has_more(bundle, matches, page):
        return Received(Supplied.TRUNCATED, resources)
    return Received(Supplied.SUPPLIED if resources else Supplied.NONE_FOUND, resources)


def _is_error(outcome: dict[str, Any]) -> bool:
    """Whether an OperationOutcome inside a Bundle says more than a remark."""
    issues = outcome.get("issue")
    if not isinstance(issues, list) or not issues:
        return True
    return any(not isinstance(each, dict) or each.get("severity") != "information" for each in issues)


def _has_more(bundle: dict[str, Any], matches: int, page: int) -> bool:
    """Whether a search result holds only its first page."""
    links = bundle.get("link")
    if isinstance(links, list) and any(isinstance(each, dict) and each.get("relation") == "next" for each in links):
        return True
    total = bundle.get("total")
    if isinstance(total, int) and not isinstance(total, bool):
        return total > matches
    return matches == page
