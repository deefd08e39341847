"""No name, identifier, token or free text of a patient leaves the request: not in cards, not in errors, not in logs."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest

from cards.library import load
from cards.vignettes import ExpectedCard, all_files
from service.app import create_app
from service.demo import ehr
from service.respond import Answer, HookCall, Service, build
from service.settings import Settings
from tests.serving import client_of, service_on

pytestmark = pytest.mark.anyio

NAME, NUMBER, TOKEN, NOTE = "Zephyrine Quillfeather", "9434765919", "tok-5f0c7a", "lives beside the lighthouse"
SECRETS = (NAME, NUMBER, TOKEN, NOTE)
TODAY = date(2026, 11, 23)


def marked(request: dict[str, Any]) -> dict[str, Any]:
    """A call with a name, an identifier, a token and free text wherever an EHR may put them."""
    request["fhirServer"] = "https://ehr.example.org/fhir"
    request["fhirAuthorization"] = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/*.read",
        "subject": "b12",
    }
    patient = request["prefetch"].get("patient")
    if patient:
        patient["name"] = [{"text": NAME}]
        patient["identifier"] = [{"value": NUMBER}]
    for bundle in request["prefetch"].values():
        for entry in bundle.get("entry", []):
            entry["resource"]["note"] = [{"text": f"{NAME}, {NOTE}"}]
            if "subject" in entry["resource"]:
                entry["resource"]["subject"]["display"] = NAME
    for entry in request["context"].get("draftOrders", {}).get("entry", []):
        entry["resource"]["subject"]["display"] = NAME
    return request


async def test_no_card_repeats_what_identifies_a_patient() -> None:
    terminology = load().terminology
    for file in all_files().values():
        for vignette in file.vignettes:
            if not isinstance(vignette.expect, ExpectedCard):
                continue
            request = marked(ehr.request(vignette, file.today, terminology))
            async with service_on(file.today, vignette.profile, vignette.settings) as client:
                answer = await client.post(f"/cds-services/b12-{vignette.hook.value}", json=request)
            assert answer.status_code == 200
            for card in answer.json()["cards"]:
                # An update is the EHR's own resource and goes back to it whole.
                words = {name: value for name, value in card.items() if name != "suggestions"}
                assert not any(secret in str(words) for secret in SECRETS)
                assert ehr.PATIENT not in str(words)


async def test_a_fault_of_ours_tells_nobody_about_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty:
        services = build(Settings()).services

        async def respond(self, service: Service, call: HookCall, today: date) -> Answer:
            raise KeyError(f"{NAME} {NUMBER} {call.prefetch}")

    request = marked(ehr.request(all_files()["folate-before-b12"].vignettes[0], TODAY, load().terminology))
    with caplog.at_level(logging.DEBUG):
        async with client_of(create_app(Settings(), lambda: TODAY, Faulty())) as client:
            answer = await client.post("/cds-services/b12-order-sign", json=request)

    assert answer.status_code == 500
    assert "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea" in caplog.text
    said = caplog.text + answer.text
    assert not any(secret in said for secret in (*SECRETS, ehr.PATIENT))


async def test_a_refusal_names_the_member_and_never_its_value(caplog: pytest.LogCaptureFixture) -> None:
    request = marked(ehr.request(all_files()["folate-before-b12"].vignettes[0], TODAY, load().terminology))
    request["context"]["patientId"] = {"name": NAME}
    with caplog.at_level(logging.DEBUG):
        async with service_on(TODAY) as client:
            answer = await client.post("/cds-services/b12-order-sign", json=request)

    assert answer.status_code == 400
    assert "context.patientId" in answer.text
    assert not any(secret in caplog.text + answer.text for secret in SECRETS)
