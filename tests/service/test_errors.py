"""What a call that cannot be answered gets: a status, and an OperationOutcome naming no value."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.endpoints.edge import Edge
from service.respond import PrefetchIncomplete
from tests.service.calls import (
    SIGN,
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
MARKED = "marked-patient-value"
HERE = {"origin": "http://ehr.example"}


def failing(message: str = MARKED) -> Listener:
    """A service whose rules fail."""

    def fail() -> Json:
        raise ValueError(message)

    return Listener(fail)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hook=order-sign",
        b'{"hook": NaN}',
        b'{"hook": Infinity}',
        b'{"hook": 1e999}',
        b'{"hook": "\xff\xfe"}',
        b'{"hook": "\\ud800"}',
        '{"hook": "order-sign"}'.encode("utf-16"),
        b'{"hook": "order-sign",}',
        b'{"hook": "order-sign"} {}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"context":' * 50_000 + b"1" + b"}" * 50_000,
    ],
    ids=lambda body: f"{body[:24]!r} of {len(body)}",
)
async def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=body)

    assert answer.status_code == 400
    assert issue(answer)["code"] == "structure"


@pytest.mark.parametrize("body", ["[]", "null", "3", '"order-sign"', "[{}]"])
async def test_json_that_is_not_an_object_is_refused(body: str) -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=body)

    assert answer.status_code == 400
    assert "object" in issue(answer)["details"]["text"]


@pytest.mark.parametrize(
    ("call", "member", "code"),
    [
        (order_sign(hook=...), "hook", "required"),
        (order_sign(hook=None), "hook", "structure"),
        (order_sign(hook=[MARKED]), "hook", "structure"),
        (order_sign(hook=MARKED), "hook", "value"),
        (order_sign(hookInstance=...), "hookInstance", "required"),
        (order_sign(hookInstance=7), "hookInstance", "structure"),
        (order_sign(hookInstance=""), "hookInstance", "structure"),
        (order_sign(context=...), "context", "required"),
        (order_sign(context=[MARKED]), "context", "structure"),
        (order_sign(context=MARKED), "context", "structure"),
        (order_sign(prefetch=[MARKED]), "prefetch", "structure"),
        (order_sign(prefetch=MARKED), "prefetch", "structure"),
        (order_sign(fhirServer=[MARKED]), "fhirServer", "structure"),
        (order_sign(fhirAuthorization=MARKED), "fhirAuthorization", "structure"),
        (order_sign(fhirAuthorization=authorization()), "fhirServer", "required"),
        (order_sign(fhirServer="", fhirAuthorization=authorization()), "fhirServer", "required"),
        (
            order_sign(fhirServer="https://e.example", fhirAuthorization=authorization(patient=[MARKED])),
            "fhirAuthorization.patient",
            "structure",
        ),
        (
            order_sign(fhirServer="https://e.example", fhirAuthorization=authorization(patient=MARKED)),
            "fhirAuthorization.patient",
            "structure",
        ),
        (with_context(patientId=...), "context.patientId", "required"),
        (with_context(patientId=None), "context.patientId", "required"),
        (with_context(patientId=12), "context.patientId", "structure"),
        (with_context(patientId=""), "context.patientId", "structure"),
        (with_context(patientId="Patient/"), "context.patientId", "structure"),
        (with_context(patientId=f"https://e.example/Patient/{MARKED}"), "context.patientId", "structure"),
        (with_context(userId={"reference": MARKED}), "context.userId", "structure"),
        (with_context(encounterId=[MARKED]), "context.encounterId", "structure"),
        (with_context(draftOrders=...), "context.draftOrders", "required"),
        (with_context(draftOrders=None), "context.draftOrders", "required"),
        (with_context(draftOrders=[MARKED]), "context.draftOrders", "structure"),
        (with_context(draftOrders=MARKED), "context.draftOrders", "structure"),
        (
            with_context(draftOrders={"resourceType": "MedicationRequest"}),
            "context.draftOrders.resourceType",
            "structure",
        ),
        (with_context(draftOrders={"entry": {"resource": MARKED}}), "context.draftOrders.entry", "structure"),
        (with_context(draftOrders={"entry": 0}), "context.draftOrders.entry", "structure"),
        (with_context(draftOrders={"entry": ""}), "context.draftOrders.entry", "structure"),
        (with_context(draftOrders={"entry": False}), "context.draftOrders.entry", "structure"),
        (with_context(draftOrders={"entry": {}}), "context.draftOrders.entry", "structure"),
    ],
)
async def test_a_member_that_is_missing_or_wrong_is_named_and_its_value_is_not(
    call: Json, member: str, code: str
) -> None:
    listener = Listener()
    async with client(listener) as ehr:
        answer = await ehr.post(SIGN, json=call)

    assert answer.status_code == 400
    fault = issue(answer)
    assert fault["expression"] == [member]
    assert fault["details"]["text"].startswith(f"{member} ")
    assert fault["code"] == code
    assert MARKED not in answer.text
    assert listener.heard == []


async def test_all_wrong_members_of_the_envelope_are_named_at_once() -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, json={"hook": 1, "prefetch": []})

    assert issue(answer)["expression"] == ["hook", "hookInstance", "context", "prefetch"]


@pytest.mark.parametrize(
    "path",
    [
        "/cds-services/unknown",
        f"/cds-services/{MARKED}",
        "/cds-services/b12-order-sign/other",
        "/docs",
        "/redoc",
    ],
)
async def test_an_unknown_address_is_not_found(path: str) -> None:
    async with client() as ehr:
        answer = await ehr.post(path, json=order_sign(), headers=HERE)

    assert answer.status_code == 404
    assert issue(answer)["code"] == "not-found"
    assert MARKED not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", SIGN, "POST, OPTIONS"),
        ("PUT", SIGN, "POST, OPTIONS"),
        ("DELETE", VIEW, "POST, OPTIONS"),
        ("POST", "/cds-services", "GET, HEAD, OPTIONS"),
        ("PATCH", "/cds-services/", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str) -> None:
    async with client() as ehr:
        answer = await ehr.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert issue(answer)["code"] == "not-supported"


@pytest.mark.parametrize(("path", "allowed"), [(SIGN, "POST, OPTIONS"), ("/cds-services", "GET, HEAD, OPTIONS")])
async def test_the_methods_of_an_address_can_be_asked(path: str, allowed: str) -> None:
    async with client() as ehr:
        answer = await ehr.options(path)

    assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", allowed)


@pytest.mark.parametrize("path", [SIGN, "/cds-services", "/cds-services/", "/unknown"])
async def test_a_browser_may_call_from_anywhere_and_send_a_token(path: str) -> None:
    asks = {
        **HERE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    async with client() as ehr:
        answer = await ehr.options(path, headers=asks)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"


async def test_missing_data_that_every_rule_requires_are_named() -> None:
    def lack() -> Json:
        raise PrefetchIncomplete(("problems", "labs"))

    async with client(Listener(lack)) as ehr:
        answer = await ehr.post(SIGN, json=order_sign())

    assert answer.status_code == 412
    fault = issue(answer)
    assert fault["expression"] == ["prefetch.problems", "prefetch.labs"]
    assert "prefetch.problems, prefetch.labs" in fault["details"]["text"]


async def test_a_fault_of_ours_is_an_error_that_reveals_nothing() -> None:
    async with client(failing()) as ehr:
        answer = await ehr.post(SIGN, json=order_sign(), headers=HERE)

    assert answer.status_code == 500
    fault = issue(answer)
    assert fault["code"] == "exception"
    assert "not mean all clear" in fault["details"]["text"]
    assert "ValueError" not in answer.text
    assert MARKED not in answer.text


async def test_a_fault_of_ours_is_logged_by_its_kind_and_place_without_what_it_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client(failing()) as ehr:
        await ehr.post(SIGN, json=order_sign())

    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("fault in hookInstance d1577c69-dfbe-44ad-ba6d-3e05e953b2ea: ValueError at ")
    assert "tests.service.test_errors:" in line
    assert "service.endpoints.hooks:" in line
    assert MARKED not in caplog.text


@pytest.mark.parametrize("instance", [f"Patient {MARKED}", "a" * 65, "a\nb"])
async def test_a_hook_instance_that_may_be_more_than_an_id_is_not_logged(
    instance: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with client(failing()) as ehr:
        await ehr.post(SIGN, json=order_sign(hookInstance=instance))

    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("fault in hookInstance not a UUID: ValueError at ")


async def test_an_answer_that_is_no_json_is_a_fault_too() -> None:
    async with client(Listener(lambda: {"cards": [object()]})) as ehr:
        answer = await ehr.post(SIGN, json=order_sign())

    assert answer.status_code == 500


async def test_a_bomb_of_nesting_that_is_json_is_the_callers_fault() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    call = with_context(draftOrders={"entry": [{"resource": deep}]})
    listener = Listener(lambda: {"cards": [listener.heard[0].draft_orders]})
    async with client(listener) as ehr:
        answer = await ehr.post(SIGN, json=call)

    assert answer.status_code == 400
    assert "nested" in issue(answer)["details"]["text"]


async def test_a_fault_anywhere_else_is_answered_in_the_same_way(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(MARKED)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=Edge(broken)), base_url="http://b12") as ehr:
        answer = await ehr.get("/anything")

    assert answer.status_code == 500
    assert issue(answer)["code"] == "exception"
    assert "hookInstance none: RuntimeError at tests.service.test_errors:" in caplog.text
    assert MARKED not in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CONTEXT = st.dictionaries(
    st.sampled_from(["patientId", "userId", "encounterId", "draftOrders", "selections", "extension"]),
    JSON | st.sampled_from(["pat-1", "Patient/pat-1"]),
)
CALL = st.fixed_dictionaries(
    {},
    optional={
        "hook": st.sampled_from(["order-sign", "order-select", "patient-view"]) | JSON,
        "hookInstance": st.text(max_size=70) | JSON,
        "context": CONTEXT | JSON,
        "prefetch": JSON,
        "fhirServer": JSON,
        "fhirAuthorization": JSON
        | st.dictionaries(st.sampled_from(["patient", "access_token", "token_type", "expires_in", "scope"]), JSON),
    },
)


@settings(max_examples=150, deadline=None)
@given(call=CALL | JSON)
def test_no_junk_in_the_envelope_makes_the_service_fail(call: Any) -> None:
    assert status_of(json.dumps(call).encode("utf-8", "replace")) in (200, 400)


@settings(max_examples=75, deadline=None)
@given(body=st.binary(max_size=60))
def test_no_junk_bytes_make_the_service_fail(body: bytes) -> None:
    assert status_of(body) == 400


def status_of(body: bytes) -> int:
    """The status that a body gets at signing."""

    async def post() -> int:
        async with client() as ehr:
            return (await ehr.post(SIGN, content=body)).status_code

    return anyio.run(post)
