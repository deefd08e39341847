"""An EHR's FHIR server that fails in whatever way: the hook call is answered, and what is not known is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx
import pytest

from cards.library import load
from cards.record import Source
from service.app import create_app
from service.clients.client import Client, FhirAccess
from service.endpoints.answers import NO_STORE
from service.fhir.client import FhirClient
from service.fhir.fallback import Fallback
from service.operations import metrics
from service.respond import HookCall, Responder, build
from service.settings import Settings
from tests.fhir_server import BASE, Behaviour, FhirServer, Said, bundle, listening, outcome, said
from tests.service.calls import SIGN, VIEW, authorization
from tests.serving import client_of

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
EXTENSION = "urn:b12-cds:evaluation"
PATIENT_ID = "patient-marked-7"
FOLIC_ACID = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ],
}
B12_96 = {
    "resourceType": "Observation",
    "id": "b12",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
    "subject": {"reference": f"Patient/{PATIENT_ID}"},
    "effectiveDateTime": "2026-11-01",
    "valueQuantity": {"value": 96, "unit": "ng/L"},
}
Json = dict[str, Any]


def order_sign(draft: Json, base: str = BASE, **changes: Any) -> Json:
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": "Practitioner/1",
            "patientId": PATIENT_ID,
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
        },
        "fhirServer": base,
        "fhirAuthorization": authorization(),
        **changes,
    }


@asynccontextmanager
async def service(
    access: FhirAccess | None = None, *, budget_ms: int = 60_000, max_bytes: int = 1_000_000
) -> AsyncIterator[httpx.AsyncClient]:
    """The service for one EHR; patient unless told otherwise, because these tests are not about time."""
    settings = Settings()
    client = Client("an EHR", "uk", settings.zone, fhir=access or FhirAccess((BASE,)))
    fallback = Fallback(FhirClient(max_bytes), budget_ms)
    async with client_of(create_app(settings, lambda: TODAY, Responder(load(), client, fallback))) as ehr:
        yield ehr
    await fallback.close()


def open_question(answer: httpx.Response) -> tuple[list[str], str]:
    """The data and the reason for which folic acid could not be checked; one card says so."""
    assert answer.status_code == httpx.codes.OK
    body = answer.json()
    [card] = body["cards"]
    assert card["source"]["topic"]["code"] == "not-evaluated"
    [gap] = body["extension"][EXTENSION]["notEvaluated"]
    assert gap["topic"] == "folate-before-b12"
    return gap["data"], gap["reason"]


def always(answer: Said) -> Behaviour:
    return lambda asked: answer


ANOTHER = {**B12_96, "subject": {"reference": "Patient/somebody-else"}}
HTML = Said(200, b"<html>Please sign in</html>", {"content-type": "text/html"})
REDIRECT = Said(302, b"", {"location": "https://evil.example/r4"})
PACKED = Said(200, b"\x1f\x8b", {"content-encoding": "gzip", "content-type": "application/fhir+json"})
FAULTS = {
    "401": (outcome("login", 401), "401"),
    "403": (outcome("forbidden", 403), "403"),
    "404": (outcome("not-found", 404), "404"),
    "429": (Said(429, b"", {"retry-after": "3600"}), "429"),
    "500": (Said(500, b"Internal Server Error"), "500"),
    "an OperationOutcome": (outcome("timeout", 200), "200"),
    "HTML": (HTML, "200"),
    "a redirect to another host": (REDIRECT, "302"),
    "a compressed body that nobody asked for": (PACKED, "malformed"),
    "a list": (Said(200, b"[]"), "200"),
    "another type": (said({"resourceType": "CapabilityStatement"}), "200"),
    "entries that are no list": (said({"resourceType": "Bundle", "entry": "none"}), "200"),
    "another patient's result": (said(bundle(ANOTHER)), "200"),
    "this patient's result among another's": (said(bundle(B12_96, ANOTHER)), "200"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_that_cannot_be_used_leaves_the_question_open(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, status = FAULTS[fault]
    counted = metrics.count("b12_cds_fhir_fetches_total", status=status)
    server = FhirServer([B12_96], always(answer))

    with caplog.at_level(logging.DEBUG), server.intercepting():
        async with service() as ehr:
            answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID))

    assert open_question(answered) == (["problems", "labs"], "failed")
    assert metrics.count("b12_cds_fhir_fetches_total", status=status) > counted
    assert "not fetched from the FHIR server: " in caplog.text
    secrets = (authorization()["access_token"], PATIENT_ID, "somebody-else", "evil.example")
    assert not any(secret in answered.text + caplog.text for secret in secrets)
    # Nobody was asked but the server itself.
    assert {each.headers["host"] for each in server.asked} == {"fhir.example.org"}


async def test_after_a_refused_token_nothing_more_is_asked() -> None:
    refused, never = Said(401, b""), Said(200, b"", never=True)
    hanging = FhirServer([], lambda asked: refused if asked.kind == "Observation" else never)
    async with listening(hanging) as base, service(FhirAccess((base,), private_networks=True)) as ehr:
        answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    # The server never answers about the rest, and nobody waits for it.
    assert open_question(answered) == (["problems", "labs"], "failed")
    assert hanging.kinds().count("Observation") == 1


async def test_a_server_that_does_not_answer_in_time_costs_the_budget_and_what_came_before_counts() -> None:
    server = FhirServer([B12_96], lambda asked: None if asked.kind == "Observation" else Said(200, b"", never=True))
    async with (
        listening(server) as base,
        service(FhirAccess((base,), private_networks=True), budget_ms=2_000) as ehr,
    ):
        answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    [card] = answered.json()["cards"]
    assert card["source"]["topic"]["code"] == "folate-before-b12"
    assert "B12 96 ng/L" in card["summary"]


async def test_a_server_that_is_too_slow_leaves_the_question_open() -> None:
    server = FhirServer([B12_96], always(Said(200, b"", never=True)))
    async with listening(server) as base, service(FhirAccess((base,), private_networks=True), budget_ms=50) as ehr:
        answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    assert open_question(answered) == (["problems", "labs"], "failed")


@asynccontextmanager
async def breaking_off_after(response: bytes) -> AsyncIterator[str]:
    """The base URL of a server that sends these bytes to whoever asks, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/r4"


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b'{"resourceType": "Bundle", "entry": [',
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res',
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
)
async def test_half_an_answer_is_none(response: bytes) -> None:
    async with breaking_off_after(response) as base, service(FhirAccess((base,), private_networks=True)) as ehr:
        answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    assert open_question(answered) == (["problems", "labs"], "failed")


async def test_a_server_that_is_down_leaves_the_question_open() -> None:
    async with breaking_off_after(b"") as base:
        pass
    async with service(FhirAccess((base,), private_networks=True)) as ehr:
        answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    assert open_question(answered) == (["problems", "labs"], "failed")


async def test_an_answer_larger_than_the_limit_is_left_unread() -> None:
    server = FhirServer([{**B12_96, "note": [{"text": "x" * 20_000}]}])
    with server.intercepting():
        async with service(max_bytes=10_000) as ehr:
            answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID))

    assert open_question(answered) == (["labs"], "failed")


async def test_a_server_in_a_private_network_is_not_asked_unless_that_is_configured() -> None:
    async with listening(server := FhirServer([B12_96])) as base:
        async with service(FhirAccess((base,))) as ehr:
            refused = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))
        assert server.asked == []
        async with service(FhirAccess((base,), private_networks=True)) as ehr:
            answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID, base))

    assert open_question(refused) == (["problems", "labs"], "failed")
    assert [card["source"]["topic"]["code"] for card in answered.json()["cards"]] == ["folate-before-b12"]


# --- 412, and what is not fetched --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "without",
    [
        {"fhirServer": "https://another.example/r4"},
        {"fhirServer": None, "fhirAuthorization": None},
        {"fhirAuthorization": None},
        {"fhirAuthorization": authorization(access_token="")},
    ],
)
async def test_a_call_without_data_and_without_access_is_a_412(without: Json) -> None:
    server = FhirServer([B12_96])
    with server.intercepting():
        async with service() as ehr:
            answered = await ehr.post(SIGN, json=order_sign(FOLIC_ACID) | without)

    assert answered.status_code == httpx.codes.PRECONDITION_FAILED
    assert server.asked == []


async def test_an_order_that_no_rule_is_about_asks_for_nothing() -> None:
    server = FhirServer([])
    amoxicillin = {**FOLIC_ACID, "medicationCodeableConcept": {"text": "Amoxicillin 500mg capsules"}}
    with server.intercepting():
        async with service() as ehr:
            answered = await ehr.post(SIGN, json=order_sign(amoxicillin))

    assert answered.json() == {"cards": []}
    assert server.asked == []


async def test_only_the_data_of_the_rules_that_the_order_concerns_are_asked_for() -> None:
    library = load()
    [rule] = [each for each in library.rules("uk") if each.topic == "folate-before-b12"]
    server = FhirServer([B12_96])
    with server.intercepting():
        async with service() as ehr:
            await ehr.post(SIGN, json=order_sign(FOLIC_ACID))

    assert len(server.asked) == len(rule.sources) < len(Source)
    [labs] = [each for each in server.asked if each.kind == "Observation"]
    wanted = {code for concept in rule.labs for code in library.terminology.codes_of(concept, "LOINC")}
    asked = {code.partition("|")[2] for code in labs.parameters["code"].split(",") if "loinc" in code}
    assert asked == wanted


@pytest.mark.parametrize("prefetched", [True, False])
async def test_a_draft_that_only_refers_to_its_drug_is_about_that_drug(prefetched: bool) -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": FOLIC_ACID["medicationCodeableConcept"]}
    draft = {name: value for name, value in FOLIC_ACID.items() if name != "medicationCodeableConcept"}
    draft["medicationReference"] = {"reference": "Medication/m1"}
    server = FhirServer([B12_96, *([] if prefetched else [medication])])
    call = order_sign(draft, prefetch={"medications": bundle(medication, total=1)} if prefetched else {})
    with server.intercepting():
        async with service() as ehr:
            answered = await ehr.post(SIGN, json=call)

    assert [card["source"]["topic"]["code"] for card in answered.json()["cards"]] == ["folate-before-b12"]
    assert ("Medication" in server.kinds()) is not prefetched


def test_the_explanation_of_a_call_knows_the_drug_from_prefetch_too() -> None:
    medication = {"resourceType": "Medication", "id": "m1", "code": FOLIC_ACID["medicationCodeableConcept"]}
    draft = {**FOLIC_ACID, "medicationReference": {"reference": "Medication/m1"}, "medicationCodeableConcept": None}
    call = HookCall(
        hook="order-sign",
        patient_id=PATIENT_ID,
        draft_orders={"resourceType": "Bundle", "entry": [{"resource": draft}]},
        prefetch={"medications": bundle(medication, total=1)},
    )
    responder = build(Settings())
    found = responder.examine(responder.services["b12-order-sign"], call, TODAY)

    assert "folate-before-b12" in [rule.topic for rule in found.rules]


async def test_opening_a_chart_with_a_server_that_fails_is_quiet_and_reported() -> None:
    call = order_sign(FOLIC_ACID, hook="patient-view")
    with FhirServer([], always(outcome())).intercepting():
        async with service() as ehr:
            answered = await ehr.post(VIEW, json=call)

    assert (answered.status_code, answered.json()["cards"]) == (200, [])
    reasons = {each["reason"] for each in answered.json()["extension"][EXTENSION]["notEvaluated"]}
    assert reasons == {"failed"}
    assert answered.headers[NO_STORE[0].decode()] == NO_STORE[1].decode()
