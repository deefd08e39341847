"""What a client may send, requirement by requirement; tests/service/test_errors.py has each fault."""

from __future__ import annotations

import pytest

from tests.service.calls import (
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
from tests.serving import service_on

pytestmark = pytest.mark.anyio
FHIR = "https://ehr.example.org/fhir"
# An order that no rule is about: what is answered depends on the envelope alone.
OTHER_DRUG = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "intent": "order",
    "medicationCodeableConcept": {"text": "Amoxicillin 500mg capsules"},
    "subject": {"reference": "Patient/pat-1"},
}


async def status(call: Json, path: str = SIGN) -> int:
    """The status that a call gets."""
    async with client() as ehr:
        return (await ehr.post(path, json=call)).status_code


@pytest.mark.req(15, 16)
async def test_a_service_is_called_by_posting_json_to_its_address() -> None:
    """A hook call is a POST of JSON to the id of the service below the address of discovery."""
    async with service_on(TODAY) as ehr:
        answer = await ehr.post(SIGN, json=order_sign())

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.req(18)
async def test_hook_is_required() -> None:
    """The hook is a text, and the one of the service."""
    assert await status(order_sign(hook=...)) == 400
    assert await status(order_sign(hook=1)) == 400
    assert await status(order_sign(hook="patient-view")) == 400


@pytest.mark.req(19, 25, 26)
async def test_hook_instance_is_required_but_need_not_be_a_uuid() -> None:
    """The hookInstance is a text; some clients send one that is no UUID, which harms nobody."""
    assert await status(order_sign(hookInstance=...)) == 400
    assert await status(order_sign(hookInstance={})) == 400
    assert await status(order_sign(hookInstance="call-17")) == 200


@pytest.mark.req(20)
async def test_a_fhir_server_is_required_with_leave_to_read_from_it() -> None:
    """FhirAuthorization makes sense for a server only; a slash at the end of its address is fine."""
    assert await status(order_sign(fhirAuthorization=authorization())) == 400
    assert await status(order_sign(fhirServer=f"{FHIR}/", fhirAuthorization=authorization())) == 200


@pytest.mark.req(21)
async def test_leave_to_read_is_optional() -> None:
    """A call without fhirAuthorization is complete."""
    assert await status(order_sign(fhirServer=FHIR)) == 200


@pytest.mark.req(65, 66, 67, 68, 69)
@pytest.mark.parametrize("member", ["access_token", "token_type", "expires_in", "scope", "subject"])
async def test_leave_to_read_needs_all_its_members(member: str) -> None:
    """Token, type, life, scope and subject are required; without one we read nothing, and still answer."""
    listener = Listener()
    async with client(listener) as ehr:
        for sent in (authorization(), authorization(**{member: ...})):
            await ehr.post(SIGN, json=order_sign(fhirServer=FHIR, fhirAuthorization=sent))

    assert [call.has_fhir_access for call in listener.heard] == [True, False]


@pytest.mark.req(70, 71)
async def test_leave_to_read_another_patient_is_refused() -> None:
    """The patient that a token is for must be the patient of the context, or data of two people would mix."""
    same, other = authorization(patient="pat-1"), authorization(patient="pat-2")

    assert await status(order_sign(fhirServer=FHIR, fhirAuthorization=same)) == 200
    assert await status(order_sign(fhirServer=FHIR, fhirAuthorization=other)) == 400


@pytest.mark.req(22)
async def test_context_is_required_with_what_the_hook_defines() -> None:
    """The context is an object; orders come with their patient and drafts, a chart with its patient."""
    assert await status(order_sign(context=...)) == 400
    assert await status(with_context(patientId=...)) == 400
    assert await status(with_context(draftOrders=...)) == 400
    chart = order_sign(hook="patient-view")
    assert await status(chart | {"context": {"patientId": "pat-1"}}, VIEW) == 200
    assert await status(chart | {"context": {}}, VIEW) == 400


@pytest.mark.req(23, 37, 51)
async def test_prefetch_is_optional() -> None:
    """A client may send all keys, some, or no prefetch at all; an order that no rule is about needs none."""
    call = with_context(draftOrders={"resourceType": "Bundle", "entry": [{"resource": OTHER_DRUG}]})
    async with service_on(TODAY) as ehr:
        answers = [
            await ehr.post(SIGN, json=call),
            await ehr.post(SIGN, json={**call, "prefetch": {}}),
            await ehr.post(SIGN, json={**call, "prefetch": {"patient": None}}),
            await ehr.post(SIGN, json={**call, "prefetch": {"a-key-we-never-asked-for": {}}}),
        ]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"cards": []})] * 4


@pytest.mark.req(54)
async def test_missing_data_that_a_rule_requires_are_a_failed_precondition() -> None:
    """Without required data and without a way to read them the answer is 412, naming the keys."""
    folic_acid = {**OTHER_DRUG, "medicationCodeableConcept": {"text": "Folic acid 5mg tablets"}}
    call = with_context(draftOrders={"resourceType": "Bundle", "entry": [{"resource": folic_acid}]})
    async with service_on(TODAY) as ehr:
        answer = await ehr.post(SIGN, json=call)

    assert answer.status_code == 412
    assert all(key.startswith("prefetch.") for key in issue(answer)["expression"])


@pytest.mark.req(214, 215)
async def test_extensions_are_accepted_at_every_level() -> None:
    """Extensions that we do not know are left alone, wherever they stand."""
    call = with_context(extension={"org.example.a": {"b": 1}})

    assert await status({**call, "extension": {"org.example.c": None}}) == 200


@pytest.mark.req(208)
async def test_a_page_in_a_browser_can_call() -> None:
    """Answers and refusals carry CORS headers, and the preflight needs no token."""
    preflight = {"origin": "https://ehr.example", "access-control-request-method": "POST"}
    async with client() as ehr:
        answers = [
            await ehr.options(SIGN, headers=preflight),
            await ehr.get("/cds-services"),
            await ehr.post(SIGN, json=order_sign()),
            await ehr.post(SIGN, json={}),
            await ehr.get("/nowhere"),
        ]

    assert [answer.status_code for answer in answers] == [204, 200, 200, 400, 404]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
