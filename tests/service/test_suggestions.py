"""What the buttons of a card carry: valid new resources, and the EHR's own order with only the change made."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.medicationstatement import MedicationStatement
from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.task import Task

from cards.library import load
from cards.record import Source
from cards.rule import PROFILES, Hook, Profile
from cards.vignettes import ExpectedCard, all_files
from service.demo import ehr
from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
MODELS: dict[str, Any] = {
    "MedicationRequest": MedicationRequest,
    "MedicationStatement": MedicationStatement,
    "ServiceRequest": ServiceRequest,
    "Task": Task,
}
SNOMED = "http://snomed.info/sct"


def buttock_draft(**changes: Any) -> dict[str, Any]:
    draft = {
        "resourceType": "MedicationRequest",
        "id": "draft.with.a.long-id",
        "meta": {"versionId": "7"},
        "extension": [{"url": "https://ehr.example.org/ward", "valueString": "7B"}],
        "status": "draft",
        "category": {"text": "an object where FHIR has a list"},
        "subject": {"reference": f"Patient/{ehr.PATIENT}"},
        "medicationCodeableConcept": {"coding": [{"system": SNOMED, "code": "409258004"}], "text": "Hydroxocobalamin"},
        "dosageInstruction": [
            {
                "sequence": 1,
                "site": {"coding": [{"system": SNOMED, "code": "723979003"}]},
                "route": {"coding": [{"system": SNOMED, "code": "78421000"}]},
                "timing": {"repeat": {"frequency": 1, "period": 2, "periodMax": 3, "periodUnit": "mo"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg", "code": "mg"}}],
                "modifierExtension": [{"url": "https://ehr.example.org/needle", "valueCode": "23G"}],
            }
        ],
        "anEhrsOwnMember": {"kept": True},
    }
    return {**draft, **changes}


async def signed(*drafts: dict[str, Any], profile: Profile = "uk", **prefetch: Any) -> dict[str, Any]:
    """The answer at signing for a patient of whom nothing is in the chart but what `prefetch` brings."""
    request = {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "patientId": ehr.PATIENT,
            "userId": "Practitioner/example",
            "encounterId": "visit-1",
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": each} for each in drafts]},
        },
        "prefetch": {source.value: None for source in Source} | prefetch,
    }
    async with service_on(TODAY, profile) as client:
        answer = await client.post("/cds-services/b12-order-sign", json=request)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def actions(card: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for button in card.get("suggestions", []) for each in button["actions"] if each["type"] == kind]


async def test_every_resource_that_a_vignette_creates_is_valid_r4() -> None:
    created = 0
    terminology = load().terminology
    for file in all_files().values():
        for vignette in file.vignettes:
            if not isinstance(vignette.expect, ExpectedCard):
                continue
            async with service_on(file.today, vignette.profile, vignette.settings) as client:
                answer = await client.post(
                    f"/cds-services/b12-{vignette.hook.value}", json=ehr.request(vignette, file.today, terminology)
                )
            for action in [each for card in answer.json()["cards"] for each in actions(card, "create")]:
                resource = action["resource"]
                MODELS[resource["resourceType"]].model_validate(resource)
                about = resource.get("subject") or resource["for"]
                assert about == {"reference": f"Patient/{ehr.PATIENT}"}
                created += 1
    assert created > 100


async def test_the_buttock_becomes_a_deltoid_and_all_else_stays() -> None:
    draft = buttock_draft()

    [card] = (await signed(draft))["cards"]

    deltoid = actions(card, "update")[0]["resource"]
    assert deltoid["dosageInstruction"][0]["site"]["text"] == "Left deltoid"
    assert {"system": SNOMED, "code": "35259002"}.items() <= deltoid["dosageInstruction"][0]["site"]["coding"][
        1
    ].items()
    untouched = copy.deepcopy(deltoid)
    untouched["dosageInstruction"][0]["site"] = draft["dosageInstruction"][0]["site"]
    assert untouched == draft


async def test_words_that_name_the_buttock_move_with_the_site() -> None:
    draft = buttock_draft()
    draft["dosageInstruction"][0]["text"] = "1 mg IM into the left buttock every 2-3 months"

    [card] = (await signed(draft))["cards"]

    moved = actions(card, "update")[0]["resource"]["dosageInstruction"][0]
    assert moved["text"] == "1 mg IM into the left deltoid every 2-3 months"


async def test_a_site_that_stands_in_words_alone_is_moved_in_the_words() -> None:
    draft = buttock_draft()
    del draft["dosageInstruction"][0]["site"]
    draft["dosageInstruction"][0]["text"] = "1 mg IM, upper outer quadrant of right buttock"

    [card] = (await signed(draft))["cards"]

    assert card["indicator"] == "info"
    moved = actions(card, "update")[0]["resource"]["dosageInstruction"][0]
    assert "buttock" not in moved["text"]
    assert "deltoid" in moved["text"]


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("1 mg IM into L glut max", "1 mg IM into L deltoid"),
        ("1 mg IM, outer upper quadrant of the R buttock", "1 mg IM, R deltoid"),
    ],
)
async def test_a_site_in_short_is_moved_with_its_side(text: str, moved: str) -> None:
    draft = buttock_draft()
    del draft["dosageInstruction"][0]["site"]
    draft["dosageInstruction"][0]["text"] = text

    [card] = (await signed(draft))["cards"]

    assert actions(card, "update")[0]["resource"]["dosageInstruction"][0]["text"] == moved


async def test_words_that_also_say_which_site_to_avoid_are_left_to_be_changed_by_hand() -> None:
    draft = buttock_draft()
    del draft["dosageInstruction"][0]["site"]
    draft["dosageInstruction"][0]["text"] = "1 mg IM, avoid the left buttock, use the right buttock"

    [card] = (await signed(draft))["cards"]

    assert actions(card, "update") == []
    assert "**To do by hand** Move to the deltoid" in card["detail"]


async def test_an_order_of_an_older_fhir_version_keeps_its_shape() -> None:
    draft = {
        "resourceType": "MedicationOrder",
        "id": "order-123",
        "status": "draft",
        "patient": {"reference": f"Patient/{ehr.PATIENT}"},
        "medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml injection"},
        "dosageInstruction": [
            {
                "siteCodeableConcept": {"text": "Right buttock"},
                "route": {"text": "IM"},
                "doseQuantity": {"value": 1, "unit": "mg"},
                "timing": {"repeat": {"frequency": 1, "period": 3, "periodUnits": "mo"}},
            }
        ],
    }

    [card] = (await signed(draft))["cards"]

    moved = actions(card, "update")[0]["resource"]
    assert moved["resourceType"] == "MedicationOrder"
    assert moved["dosageInstruction"][0]["siteCodeableConcept"]["text"] == "Right deltoid"


async def test_new_orders_are_given_in_words_to_an_ehr_of_another_fhir_version() -> None:
    draft = {
        "resourceType": "MedicationOrder",
        "id": "order-123",
        "status": "draft",
        "patient": {"reference": f"Patient/{ehr.PATIENT}"},
        "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
        "dosageInstruction": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
    }
    anaemia = {"resourceType": "Condition", "code": {"coding": [{"system": SNOMED, "code": "84027009"}]}}

    [card] = (await signed(draft, problems=anaemia, labs=None))["cards"]

    assert actions(card, "create") == []
    assert "**To do by hand** Give B12 today: Hydroxocobalamin 1 mg IM three times a week for 2 weeks" in card["detail"]


@pytest.mark.parametrize("profile", PROFILES)
async def test_b12_comes_in_the_profiles_drug_for_this_visit_and_prescriber(profile: Profile) -> None:
    vignette = next(
        each for each in all_files()["folate-before-b12"].vignettes if each.name == "B12 of 96 ng/L and nothing given"
    )
    request = ehr.request(vignette, TODAY, load().terminology)
    request["context"]["encounterId"] = "visit-1"
    async with service_on(TODAY, profile) as client:
        [card] = (await client.post("/cds-services/b12-order-sign", json=request)).json()["cards"]

    order = actions(card, "create")[0]["resource"]
    drug = {"uk": "Hydroxocobalamin", "us": "Cyanocobalamin"}[profile]
    assert order["medicationCodeableConcept"]["text"] == drug
    assert order["encounter"] == {"reference": "Encounter/visit-1"}
    assert order["requester"] == {"reference": "Practitioner/example"}
    assert order["authoredOn"] == "2026-11-23"
    assert [each.get("isRecommended") for each in card["suggestions"]].count(True) == 1


async def test_a_draft_is_removed_by_its_reference() -> None:
    draft = {**buttock_draft(), "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"}}
    draft["dosageInstruction"] = [{"text": "One tablet daily"}]
    anaemia = {"resourceType": "Condition", "code": {"coding": [{"system": SNOMED, "code": "84027009"}]}}

    [card] = (await signed(draft, problems=anaemia, labs=None))["cards"]

    [removal] = actions(card, "delete")
    assert removal["resourceId"] == "MedicationRequest/draft.with.a.long-id"
    assert "resource" not in removal


async def test_the_interval_of_the_charted_order_is_changed_and_nothing_else() -> None:
    vignette = next(
        each
        for each in all_files()["missed-maintenance-dose"].vignettes
        if each.name == "Two intervals missed after subacute combined degeneration"
    )
    request = ehr.request(vignette, TODAY, load().terminology)
    charted = request["prefetch"]["medications"]["entry"][0]["resource"]
    async with service_on(TODAY) as client:
        [card] = (await client.post(f"/cds-services/b12-{Hook.PATIENT_VIEW.value}", json=request)).json()["cards"]

    [change] = actions(card, "update")
    repeat = change["resource"]["dosageInstruction"][0]["timing"]["repeat"]
    assert repeat == {"frequency": 1, "period": 2, "periodUnit": "mo"}
    before = copy.deepcopy(change["resource"])
    before["dosageInstruction"][0]["timing"] = charted["dosageInstruction"][0]["timing"]
    assert before == charted


PERNICIOUS_ANAEMIA = {"resourceType": "Condition", "code": {"coding": [{"system": SNOMED, "code": "84027009"}]}}


def stopped_order(**changes: Any) -> dict[str, Any]:
    order = buttock_draft(**{"status": "stopped", "statusReason": {"text": "B12 level normal"}, **changes})
    del order["dosageInstruction"][0]["site"]
    return order


async def test_an_order_that_arrives_stopped_goes_on_and_is_not_deleted() -> None:
    order = stopped_order()

    [card] = (await signed(order, problems=PERNICIOUS_ANAEMIA))["cards"]

    assert (card["source"]["topic"]["code"], card["selectionBehavior"]) == ("lifelong-b12-stopped", "at-most-one")
    keep, replace = card["suggestions"]
    assert (keep["label"], keep["isRecommended"]) == ("Keep it: remove this stop", True)
    [update] = keep["actions"]
    kept = {name: value for name, value in order.items() if name != "statusReason"}
    assert (update["type"], update["resource"]) == ("update", {**kept, "status": "active"})
    assert [each["type"] for each in replace["actions"]] == ["create"]


async def test_a_stop_that_names_another_order_is_taken_back() -> None:
    charted = {**stopped_order(), "id": "charted", "status": "active"}
    stop = stopped_order(priorPrescription={"reference": "MedicationRequest/charted"})

    [card] = (await signed(stop, problems=PERNICIOUS_ANAEMIA, medications=charted))["cards"]

    [removal] = actions(card, "delete")
    assert removal["resourceId"] == "MedicationRequest/draft.with.a.long-id"
    assert actions(card, "update") == []


async def test_an_order_not_to_give_b12_is_taken_back() -> None:
    [card] = (await signed(stopped_order(status="active", doNotPerform=True), problems=PERNICIOUS_ANAEMIA))["cards"]

    assert len(actions(card, "delete")) == 1
    assert actions(card, "update") == []


async def test_an_order_is_not_resumed_against_an_allergy() -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "code": {"text": "Hydroxocobalamin"},
        "reaction": [{"manifestation": [{"text": "Rash"}]}],
    }

    [card] = (await signed(stopped_order(), problems=PERNICIOUS_ANAEMIA, allergies=allergy))["cards"]

    assert "suggestions" not in card
    assert "An allergy to cobalamin or cobalt is recorded" in card["detail"]


@pytest.mark.parametrize("id_", [..., None, "", [], 7, "two words", "a/b", "#1"], ids=repr)
async def test_an_order_that_cannot_be_named_is_neither_changed_nor_removed(id_: object) -> None:
    draft = {name: value for name, value in buttock_draft(id=id_).items() if value is not ...}
    stop = {name: value for name, value in stopped_order(id=id_).items() if value is not ...}

    [at_the_buttock] = (await signed(draft))["cards"]
    [stopped] = (await signed(stop, problems=PERNICIOUS_ANAEMIA))["cards"]

    for card in (at_the_buttock, stopped):
        assert actions(card, "update") == []
        assert actions(card, "delete") == []


@pytest.mark.parametrize("value", [1e-9, 1, 1e9])
@pytest.mark.parametrize("per", [1e-9, 1, 1e9])
async def test_a_dose_of_any_size_is_told(value: float, per: float) -> None:
    strength = {"numerator": {"value": value, "unit": "ng"}, "denominator": {"value": per, "unit": "mL"}}
    drug = {"resourceType": "Medication", "id": "m", "code": {"text": "hydroxocobalamin"}}
    draft = buttock_draft(
        medicationReference={"reference": "#m"},
        contained=[{**drug, "ingredient": [{"strength": strength}]}],
        dosageInstruction=[{"route": {"text": "IM"}, "doseAndRate": [{"doseQuantity": {"value": 1e9, "unit": "g"}}]}],
    )
    del draft["medicationCodeableConcept"]

    topics = [card["source"]["topic"]["code"] for card in (await signed(draft))["cards"]]

    assert "b12-dose-unit" in topics
