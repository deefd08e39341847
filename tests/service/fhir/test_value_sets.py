"""The value sets as FHIR resources: every code of the files, valid, and without the words of others."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.valueset import ValueSet

from cards.terminology import Terminology
from service.commands.value_sets import export
from service.fhir.value_sets import value_sets

FILES = Path(__file__).parents[3] / "cards" / "value_sets"
TERMINOLOGY = Terminology.load()
RESOURCES = {each["id"]: each for each in value_sets(TERMINOLOGY, "1.2.3")}


def concepts(resource: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The concepts of a ValueSet by system and code."""
    return {
        (include["system"], concept["code"]): concept
        for include in resource["compose"]["include"]
        for concept in include["concept"]
    }


@pytest.mark.parametrize("path", sorted(FILES.rglob("*.csv")), ids=lambda path: path.stem)
def test_a_value_set_holds_every_code_of_its_file_with_its_display(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        assert path.stem.replace("_", "-") not in RESOURCES
        return
    found = concepts(RESOURCES[path.stem.replace("_", "-")])

    assert found.keys() == {(TERMINOLOGY.uri(row["system"]), row["code"]) for row in rows}
    for row in rows:
        expected = None if row["system"] == "CPT" else row["display"]
        assert found[TERMINOLOGY.uri(row["system"]), row["code"]].get("display") == expected


def test_every_value_set_is_valid_fhir_with_an_address_of_its_own() -> None:
    for resource in RESOURCES.values():
        ValueSet.model_validate(resource)

    assert len({resource["url"] for resource in RESOURCES.values()}) == len(RESOURCES)
    assert RESOURCES["folic-acid"]["url"] == "urn:b12-cds:value-set:folic-acid"
    assert {resource["version"] for resource in RESOURCES.values()} == {"1.2.3"}


def test_a_code_that_says_other_things_too_is_marked_and_a_meaning_is_kept() -> None:
    deficiency = concepts(RESOURCES["b12-deficiency-nonanemic-or-unspecified"])
    gastrectomy = concepts(RESOURCES["gastrectomy"])

    marked = deficiency["http://hl7.org/fhir/sid/icd-10-cm", "E53.8"]["extension"]
    assert {"url": "urn:b12-cds:says-other-things-too", "valueBoolean": True} in marked
    assert gastrectomy["http://snomed.info/sct", "10869008"]["extension"] == [
        {"url": "urn:b12-cds:meaning", "valueString": "partial"}
    ]


def test_a_value_set_names_the_owners_of_its_codes() -> None:
    assert "Regenstrief" in RESOURCES["b12-total-serum"]["copyright"]
    assert "American Medical Association" in RESOURCES["gastrectomy"]["copyright"]


def test_no_descriptor_of_cpt_leaves_the_house() -> None:
    codes = [
        concept
        for resource in RESOURCES.values()
        for (system, _), concept in concepts(resource).items()
        if system == "http://www.ama-assn.org/go/cpt"
    ]

    assert len(codes) > 10
    assert [each for each in codes if "display" in each] == []


def test_the_files_are_written_one_for_each_value_set(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"

    assert export(folder) == f"{len(RESOURCES)} value sets written to {folder}\n"

    written = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("ValueSet-*.json")]
    assert {each["id"] for each in written} == RESOURCES.keys()
