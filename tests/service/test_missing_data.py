"""What is said when data are missing: one card for the open questions, a report for the EHR, or a 412."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
NOTHING = {"resourceType": "Bundle", "type": "searchset", "total": 0}
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
EXTENSION = "urn:b12-cds:evaluation"


def draft(number: int, text: str, **instruction: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": f"draft-{number}",
        "status": "draft",
        "medicationCodeableConcept": {"text": text},
        "dosageInstruction": [instruction],
    }


FOLIC_ACID = draft(
    1,
    "Folic acid 5mg tablets",
    timing={"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    doseAndRate=[{"doseQuantity": {"value": 1, "unit": "tablet"}}],
)
HYDROXOCOBALAMIN_TOMORROW = draft(
    2,
    "Hydroxocobalamin 1mg/1ml injection",
    timing={
        "repeat": {
            "frequency": 1,
            "period": 2,
            "periodMax": 3,
            "periodUnit": "mo",
            "boundsPeriod": {"start": "2026-11-24"},
        }
    },
    doseAndRate=[{"doseQuantity": {"value": 1, "unit": "mg"}}],
)


async def call(hook: str, drafts: list[dict[str, Any]] | None, prefetch: Any) -> tuple[int, dict[str, Any]]:
    context: dict[str, Any] = {"patientId": "p", "userId": "Practitioner/1"}
    if drafts is not None:
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": each} for each in drafts]}
    body = {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": context}
    if prefetch is not None:
        body["prefetch"] = prefetch
    async with service_on(TODAY) as client:
        answer = await client.post(f"/cds-services/b12-{hook}", json=body)
    return answer.status_code, answer.json()


async def test_a_failed_query_leaves_one_card_that_names_the_question_and_the_data() -> None:
    status, body = await call("order-sign", [FOLIC_ACID], {"problems": NOTHING, "labs": FAILED})

    assert status == 200
    [card] = body["cards"]
    assert card["indicator"] == "info"
    assert card["source"]["topic"]["code"] == "not-evaluated"
    assert card["summary"] == (
        "B12 status could not be checked before folic acid: laboratory results could not be retrieved."
    )
    assert "no alert here does not mean all clear" in card["detail"]
    assert body["extension"][EXTENSION] == {
        "version": 1,
        "notEvaluated": [{"topic": "folate-before-b12", "data": ["labs"], "reason": "failed"}],
    }


async def test_two_open_questions_share_one_card() -> None:
    prefetch = {"problems": FAILED, "labs": FAILED, "medications": FAILED, "doses": FAILED}

    _, body = await call("order-sign", [FOLIC_ACID, HYDROXOCOBALAMIN_TOMORROW], prefetch)

    [card] = body["cards"]
    assert card["summary"] == "2 vitamin B12 checks could not be made: data were not available."
    assert "before folic acid" in card["detail"]
    assert "injections are up to date" in card["detail"]


async def test_opening_a_chart_stays_quiet_about_missing_data_but_reports_them() -> None:
    status, body = await call("patient-view", None, {"medications": FAILED, "doses": NOTHING})

    assert (status, body["cards"]) == (200, [])
    expected = {"topic": "missed-maintenance-dose", "data": ["medications"], "reason": "failed"}
    assert expected in body["extension"][EXTENSION]["notEvaluated"]


@pytest.mark.parametrize("prefetch", [None, {}, {"problems": NOTHING}])
async def test_required_keys_that_are_absent_are_named_in_a_412(prefetch: Any) -> None:
    status, body = await call("order-sign", [FOLIC_ACID], prefetch)

    assert status == 412
    assert body["resourceType"] == "OperationOutcome"
    assert "prefetch.labs" in str(body)
    assert ("prefetch.problems" in str(body)) is not bool(prefetch)


@pytest.mark.parametrize("nothing", [None, NOTHING, {**NOTHING, "entry": []}])
async def test_null_and_an_empty_bundle_mean_that_nothing_was_found(nothing: Any) -> None:
    status, body = await call("order-sign", [FOLIC_ACID], {"problems": nothing, "labs": nothing})

    assert (status, body["cards"]) == (200, [])
    assert body["extension"][EXTENSION] == {"version": 1, "evaluated": ["folate-before-b12"]}


async def test_an_answered_rule_beside_an_open_one_is_no_412() -> None:
    buttock = draft(3, "Hydroxocobalamin injection", site={"text": "left buttock"})

    status, body = await call("order-sign", [FOLIC_ACID, buttock], None)

    assert status == 200
    assert {each["source"]["topic"]["code"] for each in body["cards"]} >= {"buttock-injection-site"}


async def test_a_draft_without_a_dose_is_no_news_while_it_is_being_chosen() -> None:
    unfinished = draft(1, "Folic acid tablets")
    everything = {"problems": NOTHING, "labs": NOTHING}

    _, choosing = await call("order-select", [unfinished], everything)
    _, signing = await call("order-sign", [unfinished], everything)

    assert choosing["cards"] == []
    assert choosing["extension"][EXTENSION]["notEvaluated"][0]["data"] == ["draftOrders"]
    assert [each["source"]["topic"]["code"] for each in signing["cards"]] == ["not-evaluated"]


async def test_an_order_that_no_rule_is_about_needs_nothing() -> None:
    assert await call("order-sign", [draft(1, "Amoxicillin 500mg capsules")], None) == (200, {"cards": []})


async def test_a_patient_who_reads_the_own_chart_gets_no_cards() -> None:
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"patientId": "p", "userId": "Patient/p"},
    }
    async with service_on(TODAY) as client:
        answer = await client.post("/cds-services/b12-patient-view", json=body)

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


async def test_an_unreadable_result_costs_the_rule_that_needed_it() -> None:
    labs = {"resourceType": "Bundle", "total": 1, "entry": [{"resource": "not a resource"}]}

    _, body = await call("order-sign", [FOLIC_ACID], {"problems": NOTHING, "labs": labs})

    assert body["extension"][EXTENSION]["notEvaluated"] == [
        {"topic": "folate-before-b12", "data": ["labs"], "reason": "unreadable"}
    ]
