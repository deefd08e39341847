"""The value sets as FHIR R4 ValueSet resources, for whoever wants to look at them with FHIR tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.valueset import ValueSet

from cards.terminology import Member, Terminology

URL = "urn:b12-cds:value-set:"
MEANING = "urn:b12-cds:meaning"
SAYS_OTHER_THINGS = "urn:b12-cds:says-other-things-too"
_TABLES = {
    "sites": "injection sites",
    "routes": "routes of administration",
    "timings": "timings",
    "reasons": "reasons of a stop, a hold or a dose that was not given",
}
# The descriptors of these codes belong to their owner: the code goes out without words.
_WITHOUT_DISPLAY = frozenset({"CPT"})
_COPYRIGHT = {
    "LOINC": (
        "LOINC codes and names are copyright of Regenstrief Institute, Inc. and the LOINC Committee; the licence is at "
        "https://loinc.org/license."
    ),
    "SNOMED": "SNOMED CT is of SNOMED International; its use needs a licence. dm+d is of NHSBSA and NHS England.",
    "RXNORM": "RxNorm is of the U.S. National Library of Medicine, which neither endorses nor recommends this product.",
    "CPT": "CPT is copyright of the American Medical Association; its codes stand here without descriptors.",
    "ICD10": "ICD-10 is of the World Health Organization.",
    "ATC": "ATC is of the WHO Collaborating Centre for Drug Statistics Methodology.",
}


def value_sets(terminology: Terminology, version: str) -> Iterator[dict[str, Any]]:
    """One ValueSet for each concept that has codes, each validated; `version` is that of this package."""
    for name in terminology.value_sets:
        resource = _value_set(name, terminology, version)
        ValueSet.model_validate(resource)
        yield resource


def _value_set(name: str, terminology: Terminology, version: str) -> dict[str, Any]:
    title = _TABLES.get(name) or terminology.title(name)
    members = terminology.members(name)
    systems = dict.fromkeys(each.system for each in members)
    slug = name.replace("_", "-").lower()
    resource: dict[str, Any] = {
        "resourceType": "ValueSet",
        "id": slug,
        "url": f"{URL}{slug}",
        "version": version,
        "name": "B12Cds" + "".join(part.capitalize() for part in re.split(r"[_-]", name)),
        "title": title[0].upper() + title[1:],
        "status": "draft",
        "experimental": False,
        "description": (
            f"Codes that B12 CDS takes for {title}. Awaiting clinical sign-off; codes marked {SAYS_OTHER_THINGS} count "
            "only where other words or findings name the concept."
        ),
        "compose": {
            "include": [
                {
                    "system": terminology.uri(system),
                    "concept": [_concept(each) for each in members if each.system == system],
                }
                for system in systems
            ]
        },
    }
    if owners := [_COPYRIGHT[system] for system in systems if system in _COPYRIGHT]:
        resource["copyright"] = " ".join(owners)
    return resource


def _concept(member: Member) -> dict[str, Any]:
    concept: dict[str, Any] = {"code": member.code}
    if member.system not in _WITHOUT_DISPLAY:
        concept["display"] = member.display
    extensions: list[dict[str, Any]] = []
    if member.meaning:
        extensions.append({"url": MEANING, "valueString": member.meaning})
    if not member.specific:
        extensions.append({"url": SAYS_OTHER_THINGS, "valueBoolean": True})
    if extensions:
        concept["extension"] = extensions
    return concept
