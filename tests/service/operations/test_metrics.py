"""What is counted of calls, and that it names nobody."""

from __future__ import annotations

import re

import pytest

from service.operations import metrics
from tests.fhir_server import FhirServer
from tests.service.calls import SIGN, authorization
from tests.service.test_fhir_faults import B12_96, FOLIC_ACID, PATIENT_ID, order_sign, service

pytestmark = pytest.mark.anyio


def counts() -> dict[str, float]:
    """Every count of the page, by its name and labels."""
    lines = [line for line in metrics.page().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_a_call_its_cards_its_gaps_and_its_fetches_are_counted() -> None:
    before = counts()
    secondly = {**FOLIC_ACID, "id": "draft-2", "medicationCodeableConcept": {"coding": [{"system": "x", "code": "y"}]}}
    call = order_sign(FOLIC_ACID)
    call["context"]["draftOrders"]["entry"].append({"resource": secondly})
    with FhirServer([B12_96]).intercepting():
        async with service() as ehr:
            await ehr.post(SIGN, json=call)
            await ehr.post(SIGN, json=order_sign(FOLIC_ACID, prefetch={"labs": {"resourceType": "OperationOutcome"}}))
            await ehr.post(SIGN, json={})

    grown = {name: value - before.get(name, 0) for name, value in counts().items() if value != before.get(name, 0)}
    labels = {
        'b12_cds_calls_total{hook="order-sign",status="200"}': 2,
        'b12_cds_calls_total{hook="order-sign",status="400"}': 1,
        'b12_cds_call_seconds_count{hook="order-sign"}': 3,
        'b12_cds_cards_total{level="info",mode="live",topic="not-evaluated"}': 2,
        'b12_cds_not_evaluated_total{reason="failed"}': 1,
        "b12_cds_unrecognised_codes_total": 1,
        "b12_cds_fhir_fetching_seconds_count": 2,
    }
    assert {name: grown.get(name) for name in labels} == labels
    assert [name for name in grown if 'mode="live",topic="folate-before-b12"' in name]
    assert grown['b12_cds_fhir_fetches_total{status="200"}'] > 2


async def test_a_label_holds_our_own_words_whatever_was_sent() -> None:
    with FhirServer([B12_96]).intercepting():
        async with service() as ehr:
            await ehr.post(SIGN, json=order_sign(FOLIC_ACID) | {"hook": "hook-of-the-caller"})
            await ehr.post("/cds-services/service-of-the-caller", json=order_sign(FOLIC_ACID))
            await ehr.post(SIGN, json=order_sign(FOLIC_ACID))

    page = metrics.page().decode()
    for sent in (PATIENT_ID, authorization()["access_token"], "of-the-caller", "fhir.example.org"):
        assert sent not in page
    assert set(re.findall(r'hook="([^"]+)"', page)) <= {"order-sign", "order-select", "patient-view"}


async def test_a_call_is_counted_under_its_hook_whatever_slashes_its_address_has() -> None:
    before, name = counts(), 'b12_cds_calls_total{hook="order-sign",status="400"}'
    async with service() as ehr:
        for path in (f"{SIGN}/", SIGN.replace("/", "//"), f"/{SIGN}"):
            await ehr.post(f"http://b12.example.org{path}", json={})

    assert counts()[name] - before.get(name, 0) == 3
