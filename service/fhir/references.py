"""Medications that orders refer to: which are not there, and where they are found."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from service.fhir.drafts import resources_of
from service.fhir.product import medications

MEDICATION = re.compile(r"(?:(?P<base>https?://\S+)/)?Medication/(?P<id>[A-Za-z0-9._~-]{1,256})(?:/_history/\S+)?")
Resource = dict[str, Any]
Read = Callable[[Iterable[str]], Awaitable[list[Resource]]]


async def with_medications(bundle: Any, prefetched: Mapping[str, Any] | None, read: Read | None) -> Any:
    """A Bundle of drafts with the Medications beside them to which they refer; the same one when none is lacking.

    They are looked for in the Bundle, in what was prefetched, and then by `read` on the FHIR server: which rules a
    draft concerns cannot be said before its drug is known, and the words beside a reference may be anything.
    """
    lacking = _lacking(bundle)
    if lacking:
        bundle, lacking = _with_prefetched(bundle, lacking, prefetched)
    if lacking and read:
        bundle = _with(bundle, await read(lacking))
    return bundle


def with_prefetched_medications(bundle: Any, prefetched: Mapping[str, Any] | None) -> Any:
    """The same without asking a FHIR server."""
    lacking = _lacking(bundle)
    return _with_prefetched(bundle, lacking, prefetched)[0] if lacking else bundle


def _lacking(bundle: Any) -> list[str]:
    """References of drafts to Medications that are not in their Bundle."""
    resources = resources_of(bundle)
    references = unnamed_medications(resources, also_with_words=True)
    known = medications(resources) if references else {}
    return [each for each in references if id_of(each) not in known]


def _with_prefetched(bundle: Any, lacking: list[str], prefetched: Mapping[str, Any] | None) -> tuple[Any, list[str]]:
    """The Bundle with what of the lacking was prefetched, and what is lacking still."""
    beside = medications(_in_bundles(prefetched or {}))
    found = [beside[id_] for id_ in dict.fromkeys(map(id_of, lacking)) if id_ in beside]
    return _with(bundle, found), [each for each in lacking if id_of(each) not in beside]


def _with(bundle: Any, found: list[Resource]) -> Any:
    if not found:
        return bundle
    entries = bundle["entry"]
    beside = [{"resource": each} for each in found]
    return {**bundle, "entry": [*(entries if isinstance(entries, list) else [entries]), *beside]}


def _in_bundles(values: Mapping[str, Any]) -> Iterator[Any]:
    """Every resource in the Bundles among the values."""
    for value in values.values():
        entries = value.get("entry") if isinstance(value, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            yield entry.get("resource") if isinstance(entry, dict) else None


def unnamed_medications(resources: Iterable[Any], *, also_with_words: bool = False) -> list[str]:
    """References to Medications that do not stand in the resource that refers to them.

    Those that come with words for the drug are left out, unless `also_with_words`.
    """
    found = []
    for resource in resources:
        reference = _medication_reference(resource)
        if reference is None:
            continue
        target, words = reference.get("reference"), reference.get("display")
        if not isinstance(target, str) or not MEDICATION.fullmatch(target):
            continue
        if also_with_words or not isinstance(words, str) or not words.strip():
            found.append(target)
    return found


def _medication_reference(resource: Any) -> Resource | None:
    """How a request, administration, statement or dispense of any FHIR version refers to its drug."""
    if not isinstance(resource, dict) or resource.get("medicationCodeableConcept"):
        return None
    reference = resource.get("medicationReference")
    concept = resource.get("medication")
    if isinstance(concept, dict) and not concept.get("concept") and "coding" not in concept:
        inner = concept.get("reference")
        reference = inner if isinstance(inner, dict) else concept
    return reference if isinstance(reference, dict) else None


def id_of(reference: str) -> str:
    """The id at the end of a reference, its version left out."""
    return reference.partition("/_history")[0].rpartition("/")[2]
