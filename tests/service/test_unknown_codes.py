"""Drug codes that no value set knows: what is counted, and what a site's own release makes of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cards.terminology import Terminology
from service.app import create_app
from service.settings import Settings
from service.value_sets import rxnorm
from service.value_sets.products import save
from tests.service.value_sets import releases
from tests.serving import client_of

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
EVALUATION = "urn:b12-cds:evaluation"
DEFICIENT = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
    "effectiveDateTime": "2026-10-01",
    "valueQuantity": {"value": 96, "unit": "ng/L"},
}


def coded(code: str, display: str | None = None, system: str = RXNORM) -> dict[str, Any]:
    """A drug by one code, with or without words."""
    coding = {"system": system, "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


def request_of(drug: dict[str, Any], **dose: Any) -> dict[str, Any]:
    """One tablet a day, or a dose as given."""
    quantity = dose or {"value": 1, "unit": "tablet", "system": "http://unitsofmeasure.org", "code": "{tbl}"}
    return {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": drug,
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": quantity}],
            }
        ],
    }


def call(*drafts: dict[str, Any], chart: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """A call at signing: these drafts, these medicines in the chart, and a deficient result."""
    found = {"resourceType": "Bundle", "type": "searchset"}
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": "Practitioner/1",
            "patientId": "1",
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": {**each, "id": f"draft-{n}"}} for n, each in enumerate(drafts)],
            },
        },
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "1", "birthDate": "1958-04-12"},
            "problems": None,
            "medications": {**found, "entry": [{"resource": each} for each in chart]},
            "labs": {**found, "entry": [{"resource": DEFICIENT}]},
            **dict.fromkeys(("doses", "statements", "dispenses", "procedures", "allergies", "family", "tests")),
        },
    }


async def answer(request: dict[str, Any], data_dir: Path) -> tuple[list[str], int]:
    """The topics of the cards, and how many codes were not recognised."""
    app = create_app(Settings(data_dir=data_dir), today=lambda: TODAY)
    async with client_of(app) as client:
        body = (await client.post("/cds-services/b12-order-sign", json=request)).json()
    topics = [card["source"]["topic"]["code"] for card in body["cards"]]
    return topics, body["extension"][EVALUATION].get("unrecognisedCodes", 0)


FOLIC_ACID_BY_WORDS = request_of(coded("90000001", "Folic Acid 7 MG Oral Tablet"))


async def test_an_unknown_code_whose_words_name_our_drug_is_matched_and_counted(tmp_path: Path) -> None:
    assert await answer(call(FOLIC_ACID_BY_WORDS), tmp_path) == (["folate-before-b12"], 1)


async def test_a_code_counts_once_however_often_it_comes(tmp_path: Path) -> None:
    twice = call(FOLIC_ACID_BY_WORDS, chart=(FOLIC_ACID_BY_WORDS, FOLIC_ACID_BY_WORDS))

    assert (await answer(twice, tmp_path))[1] == 1


@pytest.mark.parametrize(
    ("drug", "counted"),
    [
        pytest.param(coded("90000050", "Metformin 500 MG Oral Tablet"), 1, id="our drug, by its words"),
        pytest.param(coded("90000051"), 1, id="no words: what it is cannot be told"),
        pytest.param(coded("LOCAL-7", "B12 injection", "urn:local"), 1, id="a local code of our drug"),
        pytest.param(coded("90000052", "Amoxicillin 500 MG Oral Capsule"), 0, id="another drug, by its words"),
        pytest.param({"text": "Amoxicillin 500 mg"}, 0, id="another drug, no code"),
        pytest.param({"text": "Hydroxocobalamin injection"}, 0, id="our drug, no code"),
        pytest.param(coded("6809"), 0, id="our drug, by its code"),
        pytest.param(
            coded("37902011000001105", None, "http://snomed.info/sct"), 0, id="known to hold nothing that we look for"
        ),
        pytest.param(
            {"coding": [{"system": "urn:local", "code": "LOCAL-8"}, {"system": RXNORM, "code": "6809"}]},
            0,
            id="a local code beside one of ours",
        ),
        pytest.param(
            {"coding": [{"system": "urn:local", "code": "LOCAL-9"}, {"system": RXNORM, "code": "90000053"}]},
            1,
            id="two unknown codes of one drug",
        ),
    ],
)
async def test_what_counts_in_the_chart(tmp_path: Path, drug: dict[str, Any], counted: int) -> None:
    known = request_of(coded(releases.FOLIC_ACID, "folic acid"), value=5, unit="mg")

    assert await answer(call(known, chart=(request_of(drug),)), tmp_path) == (["folate-before-b12"], counted)


async def test_an_imported_product_is_known_and_its_tablets_are_milligrams(tmp_path: Path) -> None:
    terminology = Terminology.load()
    conso, rel = releases.rxnorm(tmp_path)
    by_code_alone = call(request_of(coded(releases.FOLIC_TABLET)), request_of(coded(releases.FOLIC_ACID)))

    before = await answer(by_code_alone, tmp_path)
    save(rxnorm.products(conso, rel, terminology), rxnorm.SYSTEM, terminology, tmp_path, rxnorm.RELEASE)
    after = await answer(by_code_alone, tmp_path)

    # The tablet of the bare ingredient has no strength: that draft stays not evaluated.
    assert before == (["not-evaluated"], 1)
    assert after == (["folate-before-b12", "not-evaluated"], 0)
