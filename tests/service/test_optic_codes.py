"""Codes that need their words: RxNorm's "vitamin B 12", and codes of optic atrophy, beside a cyanocobalamin order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cards.record import Source
from service.demo import ehr
from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
LEBER = {"coding": [{"system": SNOMED, "code": "58610003"}]}
VITAMIN_B12 = {"coding": [{"system": RXNORM, "code": "11248"}]}


async def signed(drug: dict[str, Any], *problems: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards when `drug` is signed for a patient with `problems`."""
    draft = {
        "resourceType": "MedicationRequest",
        "id": "1",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": drug,
        "subject": {"reference": f"Patient/{ehr.PATIENT}"},
    }
    conditions = [{"resourceType": "Condition", "code": each, "subject": draft["subject"]} for each in problems]
    entries = [{"resource": each} for each in conditions]
    call = {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "patientId": ehr.PATIENT,
            "userId": "Practitioner/example",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
        },
        "prefetch": {source.value: None for source in Source}
        | {"problems": {"resourceType": "Bundle", "total": len(entries), "entry": entries}},
    }
    async with service_on(TODAY, "us") as client:
        answer = await client.post("/cds-services/b12-order-sign", json=call)
    cards: list[dict[str, Any]] = answer.json()["cards"]
    return cards


async def levels(drug: dict[str, Any], problem: dict[str, Any]) -> list[str]:
    """The levels of the cards about Leber's, when `drug` is signed for a patient with `problem`."""
    return [
        card["indicator"]
        for card in await signed(drug, problem)
        if card["source"]["topic"]["code"] == "leber-cyanocobalamin"
    ]


@pytest.mark.parametrize(
    ("drug", "expected"),
    [
        (VITAMIN_B12, ["critical"]),
        ({**VITAMIN_B12, "text": "Vitamin B 12 injection"}, ["critical"]),
        ({**VITAMIN_B12, "text": "hydroxocobalamin 1 mg injection"}, []),
        ({**VITAMIN_B12, "text": "methylcobalamin 1000 mcg"}, []),
        ({**VITAMIN_B12, "text": "cyanocobalamin, was on hydroxocobalamin"}, ["critical"]),
        ({"coding": [{"system": RXNORM, "code": "1304559"}]}, ["critical"]),
        ({"coding": [{"system": SNOMED, "code": "1231353000"}]}, []),
    ],
    ids=[
        "code alone",
        "B12 in words",
        "hydroxocobalamin",
        "methylcobalamin",
        "both",
        "multivitamin injection",
        "mecobalamin",
    ],
)
async def test_rxnorm_vitamin_b12_is_cyanocobalamin_unless_the_words_name_another(
    drug: dict[str, Any], expected: list[str]
) -> None:
    assert await levels(drug, LEBER) == expected


@pytest.mark.parametrize(
    ("system", "code", "text", "expected"),
    [
        (ICD10CM, "H47.22", "Leber's hereditary optic neuropathy", ["critical"]),
        (ICD10CM, "H47.22", "Hereditary optic atrophy", ["warning"]),
        (ICD10CM, "H47.22", "Leber congenital amaurosis", []),
        (ICD10, "H47.2", "Optic atrophy", ["warning"]),
        (ICD10, "H47.2", "Glaucomatous optic atrophy", []),
        (ICD10CM, "H46.3", "Toxic optic neuropathy", ["warning"]),
    ],
)
async def test_a_code_of_any_optic_atrophy_is_what_its_words_say(
    system: str, code: str, text: str, expected: list[str]
) -> None:
    problem = {"coding": [{"system": system, "code": code}], "text": text}
    assert await levels(VITAMIN_B12, problem) == expected


async def test_no_card_offers_cyanocobalamin_beside_lebers() -> None:
    anaemia = {"coding": [{"system": SNOMED, "code": "84027009"}]}

    [card] = await signed({"text": "Folic acid 5 mg oral tablets"}, anaemia, LEBER)

    assert card["source"]["topic"]["code"] == "folate-before-b12"
    assert "no cyanocobalamin order is offered here" in card["detail"]
    assert not any("yanocobalamin" in each["label"] for each in card.get("suggestions", []))
