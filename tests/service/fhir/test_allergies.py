"""Allergies: what a coded entry is to, and which codes say nothing of B12."""

from __future__ import annotations

from typing import Any

import pytest

from cards.record import Reaction, Source
from tests.service.fhir import reading

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"


def entry(system: str, code: str, display: str = "", **members: Any) -> dict[str, Any]:
    coding = {"system": system, "code": code, **({"display": display} if display else {})}
    return {"resourceType": "AllergyIntolerance", "code": {"coding": [coding]}, **members}


@pytest.mark.parametrize(
    ("system", "code", "display", "substance"),
    [
        (reading.SNOMED, "293396006", "", "hydroxocobalamin"),
        (reading.SNOMED, "419382002", "", "cyanocobalamin"),
        (reading.RXNORM, "11248", "Vitamin B 12", "cobalamin"),
        (reading.RXNORM, "11248", "cyanocobalamin", "cyanocobalamin"),
        (reading.RXNORM, "11248", "", "cobalamin"),
        (reading.RXNORM, "5514", "Hydroxocobalamin", "hydroxocobalamin"),
    ],
)
def test_a_code_says_to_which_form(system: str, code: str, display: str, substance: str) -> None:
    [allergy] = reading.read(Source.ALLERGIES, entry(system, code, display)).allergies

    assert allergy.substances == (substance,)
    assert allergy.reaction is Reaction.NOT_RECORDED


@pytest.mark.parametrize("code", ["T45.2X5A", "Z88.8", "L23.0"])
def test_a_code_for_any_vitamin_drug_or_metal_says_nothing(code: str) -> None:
    assert reading.read(Source.ALLERGIES, entry(ICD10CM, code)).allergies == ()
