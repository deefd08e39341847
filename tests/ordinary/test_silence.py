"""Ordinary patients get no cards; and one added fact breaks the silence, which shows that it was not deafness."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from cards.rule import PROFILES, Profile
from tests.ordinary.patients import PATIENTS, Ordinary
from tests.ordinary.population import TODAY, Resource, chart, drafts, patient_id, prefetch
from tests.serving import service_on

pytestmark = pytest.mark.anyio

SIGN, SELECT, VIEW = "b12-order-sign", "b12-order-select", "b12-patient-view"
JSON = {"content-type": "application/json"}
BORN_18_YEARS_AGO = "2008-11-23"
YESTERDAY = str(TODAY - timedelta(days=1))


def is_for_folic_acid(patient: Ordinary) -> bool:
    return any("olic acid" in order.product for order in patient.drafts)


def may_be_overdue(patient: Ordinary) -> bool:
    """Adults; and no booked appointment may speak of an injection, which would count as the plan."""
    return patient.born <= BORN_18_YEARS_AGO and not re.search("injection|B12", patient.booked)


def cases(patients: Iterable[Ordinary]) -> pytest.MarkDecorator:
    """The test once for each patient."""
    return pytest.mark.parametrize("patient", [pytest.param(each, id=each.name) for each in patients])


def request(service: str, patient: Ordinary, orders: Sequence[Resource]) -> Resource:
    """A hook call without prefetch."""
    context: Resource = {"patientId": patient_id(patient), "userId": "Practitioner/example"}
    if service != VIEW:
        entries = [{"resource": each} for each in orders]
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    if service == SELECT:
        context["selections"] = [f"{each['resourceType']}/{each['id']}" for each in orders]
    return {
        "hook": service.removeprefix("b12-"),
        "hookInstance": "0b1ff6c0-2b5c-4d09-9a3e-6f5f8e3c7a11",
        "context": context,
    }


async def ask(
    service: str,
    patient: Ordinary,
    profile: Profile = "uk",
    *,
    ordered: Iterable[Resource] = (),
    recorded: Iterable[Resource] = (),
) -> Any:
    """The answer about an ordinary patient, with the prefetch of discovery; further orders and entries are added."""
    async with service_on(TODAY, profile) as client:
        offered = (await client.get("/cds-services")).json()["services"]
        [templates] = [each["prefetch"] for each in offered if each["id"] == service]
        call = request(service, patient, [*drafts(patient), *ordered])
        call["prefetch"] = prefetch(templates, [*recorded, *chart(patient)])
        answer = await client.post(f"/cds-services/{service}", content=orjson.dumps(call), headers=JSON)
    assert answer.status_code == httpx.codes.OK
    return answer.json()


def evaluation(body: Any) -> Any:
    """What the answer says of the rules."""
    return body.get("extension", {}).get("urn:b12-cds:evaluation", {})


def topics(body: Any) -> list[str]:
    """The topics of the cards."""
    return [card["source"]["topic"]["code"] for card in body["cards"]]


def about(patient: Ordinary) -> Resource:
    return {"subject": {"reference": f"Patient/{patient_id(patient)}"}}


def order(patient: Ordinary, product: str, amount: int, unit: str, every: str = "1 d", **instruction: Any) -> Resource:
    """A draft of a medicine, as a doctor adds it to the others."""
    period, period_unit = every.split()
    return {
        "resourceType": "MedicationRequest",
        "id": "added-order",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": product},
        **about(patient),
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": int(period), "periodUnit": period_unit}},
                "doseAndRate": [{"doseQuantity": {"value": amount, "unit": unit}}],
                **instruction,
            }
        ],
    }


def folic_acid(patient: Ordinary) -> Resource:
    return order(patient, "Folic acid 5mg tablets", 1, "tablet")


def hydroxocobalamin(patient: Ordinary, **instruction: Any) -> Resource:
    product = "Hydroxocobalamin 1mg/1ml solution for injection ampoules"
    return order(patient, product, 1, "mg", "12 wk", **instruction)


def low_b12(patient: Ordinary) -> Resource:
    return {
        "resourceType": "Observation",
        "id": "added-result",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        **about(patient),
        "effectiveDateTime": YESTERDAY,
        "valueQuantity": {"value": 96, "unit": "ng/L"},
    }


def overdue_b12(patient: Ordinary) -> list[Resource]:
    """An injection every 12 weeks, last given 200 days ago."""
    ordered = hydroxocobalamin(patient)
    given = {
        "resourceType": "MedicationAdministration",
        "id": "added-dose",
        "status": "completed",
        "medicationCodeableConcept": ordered["medicationCodeableConcept"],
        **about(patient),
        "effectiveDateTime": str(TODAY - timedelta(days=200)),
        "dosage": {"dose": {"value": 1, "unit": "mg"}},
    }
    return [{**ordered, "status": "active", "authoredOn": "2026-01-05"}, given]


# --- silence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [SIGN, SELECT, VIEW])
@pytest.mark.parametrize("profile", PROFILES)
@cases(PATIENTS)
async def test_an_ordinary_patient_gets_no_card(patient: Ordinary, profile: Profile, service: str) -> None:
    body = await ask(service, patient, profile)

    assert body["cards"] == []
    assert "notEvaluated" not in evaluation(body)


@pytest.mark.parametrize("service", [SIGN, SELECT])
@pytest.mark.parametrize("profile", PROFILES)
@cases(each for each in PATIENTS if not is_for_folic_acid(each))
async def test_an_ordinary_order_needs_no_data(patient: Ordinary, profile: Profile, service: str) -> None:
    async with service_on(TODAY, profile) as client:
        answer = await client.post(f"/cds-services/{service}", json=request(service, patient, drafts(patient)))

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.parametrize("profile", PROFILES)
@cases(each for each in PATIENTS if "400 micrograms" in each.name)
async def test_folic_acid_of_400_micrograms_needs_no_data(patient: Ordinary, profile: Profile) -> None:
    async with service_on(TODAY, profile) as client:
        answer = await client.post(f"/cds-services/{SIGN}", json=request(SIGN, patient, drafts(patient)))

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.parametrize("profile", PROFILES)
@cases(PATIENTS)
async def test_folic_acid_without_a_sign_of_deficiency_gets_no_card(patient: Ordinary, profile: Profile) -> None:
    """The rule is asked, reads the whole chart, and finds nothing in it."""
    body = await ask(SIGN, patient, profile, ordered=[folic_acid(patient)])

    assert body["cards"] == []
    assert "folate-before-b12" in evaluation(body)["evaluated"]
    assert "notEvaluated" not in evaluation(body)


# --- not deafness: each pair differs from the above in one fact ----------------------------------------------------


@cases(each for each in PATIENTS if not is_for_folic_acid(each))
async def test_folic_acid_after_a_low_b12_gets_its_card(patient: Ordinary) -> None:
    body = await ask(SIGN, patient, ordered=[folic_acid(patient)], recorded=[low_b12(patient)])

    assert "folate-before-b12" in topics(body)
    assert "96 ng/L" in body["cards"][0]["summary"]


@cases(PATIENTS)
async def test_b12_into_the_buttock_gets_its_card(patient: Ordinary) -> None:
    body = await ask(SIGN, patient, ordered=[hydroxocobalamin(patient, site={"text": "left buttock"})])

    assert "buttock-injection-site" in topics(body)


@cases(each for each in PATIENTS if may_be_overdue(each))
async def test_an_overdue_b12_injection_gets_its_card(patient: Ordinary) -> None:
    body = await ask(VIEW, patient, recorded=overdue_b12(patient))

    assert "missed-maintenance-dose" in topics(body)


# --- the population ----------------------------------------------------------------------------------------------


@cases(PATIENTS)
def test_every_chart_has_the_size_of_a_real_one(patient: Ordinary) -> None:
    resources = chart(patient)

    assert 300 <= len(resources) <= 600
    assert len({(each["resourceType"], each["id"]) for each in resources}) == len(resources)


def test_the_patients_differ() -> None:
    assert len(PATIENTS) >= 24
    assert len({each.name for each in PATIENTS}) == len(PATIENTS)
    assert len({patient_id(each) for each in PATIENTS}) == len(PATIENTS)


def test_charts_are_the_same_on_every_run() -> None:
    assert chart.__wrapped__(PATIENTS[0]) == chart(PATIENTS[0])
