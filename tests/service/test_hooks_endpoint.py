"""What a hook call may look like, and what the rules get to see of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from service.settings import Settings
from tests.service.calls import (
    SELECT,
    SIGN,
    TODAY,
    VIEW,
    Json,
    Listener,
    authorization,
    client,
    issue,
    order_sign,
    with_context,
)

pytestmark = pytest.mark.anyio


async def heard(call: Json, path: str = SIGN) -> Listener:
    """The listener after this call, which must be accepted."""
    listener = Listener()
    async with client(listener) as ehr:
        answer = await ehr.post(path, json=call)
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    return listener


async def test_a_call_reaches_the_rules_with_everything_they_need() -> None:
    call = with_context(encounterId="enc-1", selections=["MedicationRequest/1"])
    prefetch = {"patient": None, "labs": {"resourceType": "Bundle"}}

    listener = await heard({**call, "prefetch": prefetch})

    [asked] = listener.heard
    assert asked.hook == "order-sign"
    assert asked.patient_id == "pat-1"
    assert asked.user_id == "Practitioner/prac-1"
    assert asked.encounter_id == "enc-1"
    assert asked.draft_orders == {"resourceType": "Bundle", "type": "collection"}
    assert asked.selections == ["MedicationRequest/1"]
    assert asked.prefetch == prefetch
    assert asked.fhir_server is None
    assert not asked.has_fhir_access
    assert listener.days == [TODAY]


async def test_the_answer_is_sent_as_it_is_and_kept_by_nobody() -> None:
    given = {"cards": [], "extension": {"x": {"text": "µg, naïve"}}}
    async with client(Listener(lambda: given)) as ehr:
        answer = await ehr.post(SIGN, json=order_sign())

    assert answer.status_code == 200
    assert answer.json() == given
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_chart_can_be_opened_without_user_encounter_drafts_or_prefetch() -> None:
    call = {"hook": "patient-view", "hookInstance": "1", "context": {"patientId": "pat-1"}}

    [asked] = (await heard(call, VIEW)).heard

    assert (asked.user_id, asked.encounter_id, asked.draft_orders, asked.prefetch) == (None, None, None, None)


async def test_members_that_the_standard_does_not_know_are_accepted_anywhere() -> None:
    call = with_context(novelty={"a": [None, {}]}, extension={"x": 1})

    listener = await heard({**call, "extension": {"org.example": {}}, "novelty": None, "prefetch": {"other": 3}})

    assert listener.heard[0].patient_id == "pat-1"


@pytest.mark.parametrize("name", ["prefetch", "fhirServer", "fhirAuthorization"])
async def test_an_optional_member_sent_as_null_counts_as_absent(name: str) -> None:
    [asked] = (await heard(order_sign(**{name: None}))).heard

    assert (asked.prefetch, asked.fhir_server, asked.has_fhir_access) == (None, None, False)


async def test_a_patient_sent_as_a_reference_is_the_same_patient() -> None:
    [asked] = (await heard(with_context(patientId="Patient/pat-1"))).heard

    assert asked.patient_id == "pat-1"


@pytest.mark.parametrize("named", ["pat-1", "Patient/pat-1"])
async def test_leave_to_read_the_patient_of_the_context_is_accepted(named: str) -> None:
    call = order_sign(fhirServer="https://ehr.example/fhir/", fhirAuthorization=authorization(patient=named))

    [asked] = (await heard(call)).heard

    assert asked.has_fhir_access
    assert asked.fhir_server == "https://ehr.example/fhir/"


async def test_a_token_never_reaches_the_rules() -> None:
    call = order_sign(fhirServer="https://ehr.example/fhir", fhirAuthorization=authorization())

    [asked] = (await heard(call)).heard

    assert "token-marked-secret" not in repr(asked)


@pytest.mark.parametrize(
    "incomplete",
    [
        {"access_token": ...},
        {"access_token": ""},
        {"access_token": ["a"]},
        {"token_type": "Basic"},
        {"token_type": None},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"scope": ...},
        {"subject": 3},
    ],
)
async def test_incomplete_leave_to_read_is_no_leave_but_no_fault_either(incomplete: Json) -> None:
    call = order_sign(fhirServer="https://ehr.example/fhir", fhirAuthorization=authorization(**incomplete))

    [asked] = (await heard(call)).heard

    assert not asked.has_fhir_access


async def test_a_fhir_server_without_a_token_is_no_access() -> None:
    [asked] = (await heard(order_sign(fhirServer="http://127.0.0.1:9001/fhir"))).heard

    assert asked.fhir_server == "http://127.0.0.1:9001/fhir"
    assert not asked.has_fhir_access


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "application/JSON;charset=UTF-8",
        "application/fhir+json",
        "application/json+fhir+json",
    ],
)
async def test_json_is_read_under_each_of_its_names(content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=json.dumps(order_sign()).encode(), headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/xml"},
        {"content-type": ""},
    ],
)
async def test_what_is_not_called_json_is_refused(headers: dict[str, str]) -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=json.dumps(order_sign()).encode(), headers=headers)

    assert answer.status_code == 415
    assert issue(answer)["code"] == "not-supported"


async def test_a_byte_order_mark_is_overlooked() -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=b"\xef\xbb\xbf" + json.dumps(order_sign()).encode())

    assert answer.status_code == 200


def sized(size: int) -> bytes:
    """A valid call of exactly this many bytes."""
    body = json.dumps(order_sign()).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413)])
async def test_the_limit_is_the_largest_body_that_is_read(size: int, status: int) -> None:
    async with client(settings=Settings(max_body_bytes=2000)) as ehr:
        answer = await ehr.post(SIGN, content=sized(size))

    assert answer.status_code == status


@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413)])
async def test_a_body_that_comes_in_pieces_has_the_same_limit(size: int, status: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        body = sized(size)
        for start in range(0, size, 700):
            yield body[start : start + 700]

    async with client(settings=Settings(max_body_bytes=2000)) as ehr:
        answer = await ehr.post(SIGN, content=pieces())

    assert "content-length" not in answer.request.headers
    assert answer.status_code == status
    if status == 413:
        assert issue(answer)["code"] == "too-long"


async def test_a_caller_who_hangs_up_midway_is_not_answered() -> None:
    listener = Listener()
    app = client(listener)._transport.app  # type: ignore[attr-defined]
    messages: list[Json] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Json] = []

    async def receive() -> Json:
        return messages.pop(0)

    async def send(message: Json) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": SIGN, "headers": []}, receive, send)

    assert sent == []
    assert listener.heard == []


@pytest.mark.parametrize(
    ("path", "hook"),
    [(SELECT, "order-sign"), (SIGN, "order-select"), (SIGN, "patient-view"), (VIEW, "encounter-start")],
)
async def test_a_service_refuses_another_hook_than_its_own(path: str, hook: str) -> None:
    listener = Listener()
    async with client(listener) as ehr:
        answer = await ehr.post(path, json=order_sign(hook=hook))

    assert answer.status_code == 400
    assert issue(answer)["expression"] == ["hook"]
    assert listener.heard == []


async def test_the_service_and_its_addresses_are_told_to_anyone_who_asks_for_them() -> None:
    async with client() as ehr:
        plain, slashed = await ehr.get("/cds-services"), await ehr.get("/cds-services/")
        head = await ehr.head("/cds-services")

    assert plain.status_code == slashed.status_code == head.status_code == httpx.codes.OK
    assert plain.content == slashed.content
    first = plain.json()["services"][0]
    assert first == {
        "hook": "order-sign",
        "title": "Title of order-sign",
        "description": "Description of order-sign",
        "id": "b12-order-sign",
        "version": "2.0.1",
    }
