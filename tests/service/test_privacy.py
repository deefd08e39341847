"""No name, identifier, token or free text of a patient leaves the request: not in cards, errors, logs or anything."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cards.library import load
from cards.vignettes import ExpectedCard, all_files
from service.app import create_app
from service.clients.file import read_clients
from service.demo import ehr
from service.operations import logs, metrics, tracing
from service.respond import Answer, HookCall, Service, build
from service.settings import Settings
from service.store.migrate import migrate
from tests.ehr_identity import NOW, PUBLIC_URL, Clock, Signer, client_toml
from tests.fhir_server import BASE, FhirServer, Said, outcome, said
from tests.service.store.conftest import sqlite_in
from tests.service.store.stored import everything, store_at
from tests.service.store.test_stored_rows import every_byte
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


# --- a signed call that fetches ----------------------------------------------------------------------------------

PATIENT, USER, VISIT = "patient-zq81", "prac-zq82", "visit-zq83"
CLAIM, ANSWERED, COMMENT = "sub-zq84", "said-by-the-server-zq85", "told by the clinician zq86"
EVERYWHERE = (*SECRETS, PATIENT, USER, VISIT, CLAIM, ANSWERED, COMMENT)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SIGN = "/cds-services/b12-order-sign"
FEEDBACK = f"{SIGN}/feedback"
EHR = Signer()
FOLIC_ACID = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"},
    "identifier": [{"value": NUMBER}],
    "subject": {"reference": f"Patient/{PATIENT}", "display": NAME},
    "note": [{"text": NOTE}],
    "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}],
}
CHART: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": PATIENT, "birthDate": "1956-03-14", "name": [{"text": NAME}]},
    {
        "resourceType": "Observation",
        "id": "b12",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        "subject": {"reference": f"Patient/{PATIENT}", "display": NAME},
        "effectiveDateTime": "2026-11-01",
        "valueQuantity": {"value": 96, "unit": "ng/L"},
        "note": [{"text": f"{NOTE} {ANSWERED}"}],
    },
]
HOW_THE_SERVER_ANSWERS: dict[str, Said | None] = {
    "well": None,
    "with another patient's data": said({**CHART[1], "subject": {"reference": f"Patient/{NUMBER}"}}),
    "with a reason": said(
        {"resourceType": "OperationOutcome", "issue": [{"code": "exception", "diagnostics": f"{ANSWERED} {NAME}"}]}, 500
    ),
    "without rights": outcome(ANSWERED, 403),
    "with a page": Said(200, f"<html>{ANSWERED} {NAME}</html>".encode(), {"content-type": "text/html"}),
    "from elsewhere": Said(302, b"", {"location": f"https://{ANSWERED}.example/{NUMBER}"}),
    "in pieces": Said(200, f'{{"resourceType": "{ANSWERED}'.encode()),
    "as something else": said({"resourceType": ANSWERED, "id": NAME}),
}


def signed_call(**changes: Any) -> dict[str, Any]:
    """A call that an EHR signs, with leave to fetch, and marks wherever it can."""
    return {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": f"Practitioner/{USER}",
            "patientId": PATIENT,
            "encounterId": VISIT,
            "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": FOLIC_ACID}]},
        },
        "fhirServer": BASE,
        "fhirAuthorization": {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/*.read",
            "subject": CLAIM,
            "patient": PATIENT,
        },
        "extension": {"name": NAME},
        **changes,
    }


@contextmanager
def written() -> Iterator[io.StringIO]:
    """What a server writes to its log meanwhile, with the levels that it has."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    levels = {"": logging.WARNING, "service": logging.INFO, "uvicorn": logging.INFO}
    before = {name: logging.getLogger(name).level for name in levels}
    root.addHandler(handler)
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        yield stream
    finally:
        root.removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


class Caller:
    """The EHR: it signs each call, and keeps what it sent as tokens and got as answers."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.tokens: list[str] = []
        self.refusals: list[str] = []

    async def post(self, path: str, body: Any, **claims: Any) -> httpx.Response:
        """A signed call, its address and its headers marked too."""
        self.tokens.append(EHR.token(path, sub=CLAIM, given_name=NAME, **claims))
        headers = {"authorization": f"Bearer {self.tokens[-1]}", "traceparent": TRACEPARENT, "user-agent": NAME}
        answer = await self._client.post(f"{path}?name={NUMBER}", json=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            self.refusals.append(answer.text)
        return answer

    @property
    def secrets(self) -> list[str]:
        """All that may stand nowhere: the marks, and each token by its signature."""
        return [*EVERYWHERE, *(token.rpartition(".")[2] for token in self.tokens)]


def overridden(card: str, outcome: str = "overridden") -> dict[str, Any]:
    why = {"reason": {"code": NOTE, "display": NAME}, "userComment": COMMENT}
    entry = {"card": card, "outcome": outcome, "overrideReason": why, "outcomeTimestamp": NOW.isoformat()}
    return {"feedback": [entry]}


async def shown_and_refused(caller: Caller) -> str:
    """One call that is answered, feedback of it, and every kind of refusal. The words of its cards."""
    answer = await caller.post(SIGN, signed_call())
    cards = answer.json()["cards"]
    assert (await caller.post(FEEDBACK, overridden(cards[0]["uuid"]))).status_code == httpx.codes.OK
    refused = [
        await caller.post(SIGN, signed_call(context={"patientId": {"id": PATIENT}, "userId": NAME})),
        await caller.post(SIGN, signed_call(fhirAuthorization={"patient": NUMBER})),
        await caller.post(FEEDBACK, overridden(cards[0]["uuid"], COMMENT)),
        await caller.post(SIGN, signed_call(), iss=f"https://{NAME}.example", jti=NAME),
        await caller.post(SIGN, signed_call(), aud=f"https://b12.example/{PATIENT} {NAME}"),
        await caller.post(f"/cds-services/{PATIENT}", signed_call()),
        await caller.post(SIGN, signed_call(fhirServer=None, fhirAuthorization=None)),
    ]
    assert [each.status_code for each in refused] == [400, 400, 400, 401, 401, 404, 412]
    # An update is the EHR's own resource and goes back to it whole.
    return json.dumps([{name: value for name, value in card.items() if name != "suggestions"} for card in cards])


@pytest.mark.parametrize("answers", HOW_THE_SERVER_ANSWERS.values(), ids=HOW_THE_SERVER_ANSWERS)
async def test_a_signed_call_that_fetches_tells_nobody_about_the_patient(answers: Said | None, tmp_path: Path) -> None:
    """Not cards and refusals, log, metrics and spans, nor any row or byte of the store."""
    (tmp_path / "clients.toml").write_text(
        client_toml(EHR, tables=f'[clients.general.fhir]\nbase_urls = ["{BASE}"]'), encoding="utf-8"
    )
    settings = Settings(public_url=PUBLIC_URL, fhir_budget_ms=5_000)
    clients = partial(read_clients, tmp_path / "clients.toml", settings, load())
    migrate(url := sqlite_in(tmp_path))
    store, clock, spans = store_at(url, clock=Clock()), Clock(), InMemorySpanExporter()
    stop = tracing.collect(SimpleSpanProcessor(spans))

    with written() as log, FhirServer(CHART, lambda _: answers).intercepting() as server:
        async with store.running():
            app = create_app(settings, clients=clients, replay=store, ledger=store, now=clock)
            async with client_of(app) as client:
                caller = Caller(client)
                cards = await shown_and_refused(caller)
    stop()

    places = {
        "cards": cards,
        "refusals": "".join(caller.refusals),
        "log": log.getvalue(),
        "metrics": metrics.page().decode(),
        "spans": "".join(span.to_json() for span in spans.get_finished_spans()),
        "rows": everything(url),
        "bytes": every_byte(tmp_path).decode("latin-1"),
    }
    assert server.asked
    assert all(places.values())
    assert [(place, secret) for place, text in places.items() for secret in caller.secrets if secret in text] == []
