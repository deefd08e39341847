"""What an EHR that opens a chart gets, from the thin resources that EHRs send: text instead of codes, half a dosage."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
AMPOULES = "Hydroxocobalamin 1mg/1ml solution for injection ampoules"
TABLETS = "Cyanocobalamin 1mg tablets"
Json = dict[str, Any]
_KEYS = {
    "Condition": "problems",
    "MedicationRequest": "medications",
    "MedicationAdministration": "doses",
    "MedicationStatement": "statements",
    "MedicationDispense": "dispenses",
    "Observation": "labs",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "ServiceRequest": "tests",
    "Appointment": "appointments",
    "FamilyMemberHistory": "family",
    "ExplanationOfBenefit": "claims",
}


def ordered(directions: str | None, since: str = "2025-01-10", drug: str = AMPOULES, **more: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"order-{since}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": drug},
        "authoredOn": since,
        **({"dosageInstruction": [{"text": directions}]} if directions else {}),
        **more,
    }


def given(day: str, drug: str = AMPOULES, **more: Any) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": drug},
        "effectiveDateTime": day,
        "dosage": {"text": "1 mg IM", "dose": {"value": 1, "unit": "mg"}},
        **more,
    }


def handed_out(day: str, drug: str, quantity: int, days: int, **more: Any) -> Json:
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": {"text": drug},
        "whenHandedOver": day,
        "quantity": {"value": quantity, "unit": "tablet"},
        "daysSupply": {"value": days, "unit": "days"},
        **more,
    }


def problem(text: str, day: str | None = None, status: str = "active", **more: Any) -> Json:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"code": status}]},
        "code": {"text": text},
        **({"recordedDate": day} if day else {}),
        **more,
    }


def done(text: str, day: str, **more: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": text},
        "performedDateTime": day,
        **more,
    }


def result(text: str, value: float, unit: str, day: str, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": text},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit},
        **more,
    }


PERNICIOUS = problem("Pernicious anaemia", "2020-01-01")
CORD = problem("Subacute combined degeneration of spinal cord", "2022-01-01", "resolved")


async def answer(*chart: Json, profile: Any = "uk", settings: dict[str, Any] | None = None) -> Json:
    """The answer to a chart that is opened; keys without a resource say that nothing was found."""
    found: dict[str, list[Json]] = {key: [] for key in _KEYS.values()}
    for each in chart:
        found[_KEYS[each["resourceType"]]].append({"resource": each})
    prefetch: Json = {key: {"resourceType": "Bundle", "entry": entries} for key, entries in found.items()}
    prefetch["patient"] = {"resourceType": "Patient", "id": "pat-1", "birthDate": "1960-05-05"}
    call = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/prac-1", "patientId": "pat-1"},
        "prefetch": prefetch,
    }
    async with service_on(TODAY, profile, settings) as client:
        got = await client.post("/cds-services/b12-patient-view", json=call)
    assert got.status_code == httpx.codes.OK
    return dict(got.json())


async def card(topic: str, *chart: Json, **more: Any) -> Json | None:
    """The card of a topic, or None when it is silent."""
    cards = (await answer(*chart, **more))["cards"]
    return next((each for each in cards if each["source"]["topic"]["code"] == topic), None)


OVERDUE = "missed-maintenance-dose"


@pytest.mark.parametrize("directions", ["Use as directed", "Inject 1 mg as directed by haematology", "1 mg IM", None])
async def test_an_injection_order_that_does_not_say_how_often_is_overdue_by_the_usual_interval(
    directions: str | None,
) -> None:
    spoken = await card(OVERDUE, PERNICIOUS, ordered(directions), given("2026-05-01"))

    assert spoken is not None
    assert "expected every 3 months" in spoken["summary"] + spoken["detail"]
    assert "ordered every" not in spoken["summary"] + spoken["detail"]


async def test_without_a_lasting_cause_an_order_that_does_not_say_how_often_needs_injections_weeks_apart() -> None:
    deficiency = problem("Vitamin B12 deficiency", "2024-01-01")

    assert await card(OVERDUE, deficiency, ordered("As directed"), given("2026-05-01")) is None
    assert await card(OVERDUE, deficiency, ordered("As directed"), given("2026-02-01"), given("2026-05-01")) is not None


async def test_an_interval_in_words_that_nobody_can_read_is_not_said_to_be_ordered() -> None:
    spoken = await card(OVERDUE, ordered("Every few months by the practice nurse"), given("2026-05-01"))

    assert spoken is not None
    assert "expected every 3 months" in spoken["detail"]


async def test_a_single_dose_that_is_ordered_is_no_course_of_maintenance() -> None:
    deficiency = problem("Vitamin B12 deficiency", "2024-01-01")

    assert await card(OVERDUE, deficiency, ordered("1 mg IM once today"), given("2026-02-01")) is None


async def test_tablets_that_were_handed_out_bridge_without_an_order() -> None:
    chart = [PERNICIOUS, ordered("1 mg IM every 12 weeks"), given("2026-05-01")]
    tablets = {"dosageInstruction": [{"text": "one tablet daily"}]}

    assert await card(OVERDUE, *chart, handed_out("2026-11-01", TABLETS, 28, 28, **tablets)) is None
    assert await card(OVERDUE, *chart, handed_out("2026-11-01", TABLETS, 28, 28)) is None
    assert await card(OVERDUE, *chart, handed_out("2026-09-01", TABLETS, 28, 28, **tablets)) is not None
    assert await card(OVERDUE, *chart, handed_out("2026-11-01", "Cyanocobalamin 50microgram tablets", 28, 28))


async def test_tablets_whose_order_was_stopped_do_not_bridge() -> None:
    stopped = ordered("one tablet daily", "2026-10-01", TABLETS, status="stopped")
    chart = [PERNICIOUS, ordered("1 mg IM every 12 weeks"), given("2026-05-01"), stopped]

    assert await card(OVERDUE, *chart, handed_out("2026-11-01", TABLETS, 28, 28)) is not None


async def test_tablets_ordered_years_ago_and_never_handed_out_do_not_bridge() -> None:
    chart = [PERNICIOUS, ordered("1 mg IM every 12 weeks"), given("2026-05-01")]

    assert await card(OVERDUE, *chart, ordered("one tablet daily", "2026-03-01", TABLETS)) is None
    assert await card(OVERDUE, *chart, ordered("one tablet daily", "2023-03-01", TABLETS)) is not None


async def test_a_shorter_interval_does_not_hide_what_was_overdue_by_the_longer_one() -> None:
    longer = ordered("1 mg IM every 12 weeks", "2025-01-10", status="stopped")
    shorter = ordered("1 mg IM every 8 weeks", "2026-11-15")

    assert await card(OVERDUE, PERNICIOUS, CORD, longer, shorter, given("2026-08-20")) is None
    spoken = await card(OVERDUE, PERNICIOUS, CORD, longer, shorter, given("2026-02-01"))
    assert spoken is not None
    assert spoken["indicator"] == "critical"


async def test_an_injection_told_in_words_alone_is_not_counted_but_named() -> None:
    chart = [PERNICIOUS, ordered("1 mg IM every 12 weeks"), given("2026-05-01")]

    spoken = await card(OVERDUE, *chart, done("B12 INJECTION GIVEN", "2026-11-02"))
    assert spoken is not None
    assert (
        "An entry of 2 Nov 2026 may be a B12 injection; it is told in words only and was not counted."
        in (spoken["detail"])
    )
    older = await card(OVERDUE, *chart, done("B12 INJECTION GIVEN", "2026-03-02"))
    assert older is not None
    assert "may be a B12 injection" not in older["detail"]


@pytest.mark.parametrize(
    "members", [{"use": "predetermination"}, {"use": "preauthorization"}, {"disposition": "Claim denied"}]
)
async def test_an_injection_asked_for_or_denied_in_a_claim_was_not_given(members: Json) -> None:
    claim = {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "use": "claim",
        "outcome": "complete",
        "patient": {"reference": "Patient/pat-1"},
        "item": [
            {
                "servicedDate": "2026-11-02",
                "productOrService": {
                    "coding": [{"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "J3420"}]
                },
            }
        ],
    }
    monthly = ordered("1 mL IM every month", drug="Cyanocobalamin 1000 MCG/ML injection")
    chart = [PERNICIOUS, monthly, given("2026-05-01", "Cyanocobalamin 1000 MCG/ML injection")]

    assert await card(OVERDUE, *chart, claim, profile="us") is None
    assert await card(OVERDUE, *chart, {**claim, **members}, profile="us") is not None
