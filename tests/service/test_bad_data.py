"""Results and dates that cannot be right are never guessed: the rules that needed them say so in their report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from cards.library import load
from cards.record import Source
from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
EXTENSION = "urn:b12-cds:evaluation"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
Json = dict[str, Any]


def medicine(text: str, dose: float, unit: str, period: int, period_unit: str, frequency: int = 1, **more: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": text},
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": frequency, "period": period, "periodUnit": period_unit}},
                "route": {"coding": [{"system": SNOMED, "code": "78421000"}]} if "inject" in text else {"text": "oral"},
                "doseAndRate": [{"doseQuantity": {"value": dose, "unit": unit}}],
            }
        ],
        **more,
    }


def injection_given(day: str | None) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml injection"},
        **({"effectiveDateTime": day} if day else {}),
        "dosage": {
            "dose": {"value": 1, "unit": "mg"},
            "route": {"coding": [{"system": SNOMED, "code": "78421000"}]},
        },
    }


def problem(code: str, onset: str | None = None, **more: Any) -> Json:
    return {
        "resourceType": "Condition",
        "code": {"coding": [{"system": SNOMED, "code": code}]},
        **({"onsetDateTime": onset} if onset else {}),
        **more,
    }


MAINTENANCE = medicine("Hydroxocobalamin 1mg/1ml injection", 1, "mg", 12, "wk")
ONGOING = {**MAINTENANCE, "status": "active", "authoredOn": "2025-01-10"}
METFORMIN = medicine("Metformin 500mg tablets", 1, "tablet", 1, "d", 2, status="active", authoredOn="2018-01-10")
ADULT = {"resourceType": "Patient", "id": "p", "birthDate": "1958-04-12"}
B12_ORDER = {
    "resourceType": "ServiceRequest",
    "id": "order",
    "status": "draft",
    "intent": "order",
    "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
}
PERNICIOUS_ANAEMIA, NEUROPATHY = "84027009", "386033004"
B12, POTASSIUM, PLATELETS, EGFR = "2132-9", "2823-3", "777-3", "62238-1"


@dataclass(frozen=True)
class Needing:
    """A patient in whom a rule needs a result: the one in question has this `code`, `unit` and impossible `value`."""

    topic: str
    hook: str
    code: str
    unit: str
    impossible: float
    drafts: tuple[Json, ...] = ()
    prefetch: Json = field(default_factory=dict)
    possible: float = 100


NEEDING = [
    Needing(
        "folate-before-b12",
        "order-sign",
        B12,
        "pg/mL",
        20000,
        (medicine("Folic acid 5mg tablets", 1, "tablet", 1, "d"),),
    ),
    Needing(
        "renal-cyanocobalamin",
        "order-sign",
        EGFR,
        "mL/min/{1.73_m2}",
        900,
        (medicine("Cyanocobalamin 1mg/1ml injection", 1, "mg", 1, "mo"),),
    ),
    Needing(
        "loading-hypokalaemia",
        "order-sign",
        POTASSIUM,
        "mmol/L",
        32,
        (medicine("Hydroxocobalamin 1mg/1ml injection", 1, "mg", 1, "wk", 3),),
        possible=3.2,
    ),
    Needing("intramuscular-bleeding-risk", "order-sign", PLATELETS, "10*9/L", 90000, (MAINTENANCE,)),
    Needing(
        "b12-titration-test",
        "order-sign",
        B12,
        "ng/L",
        20000,
        (B12_ORDER,),
        {"medications": ONGOING, "doses": injection_given("2026-10-20")},
    ),
    Needing(
        "b12-test-timing", "order-sign", B12, "ng/L", 20000, (B12_ORDER,), {"doses": injection_given("2026-11-21")}
    ),
    Needing("untreated-deficiency", "patient-view", B12, "ng/L", 20000),
    Needing("borderline-b12", "patient-view", B12, "ng/L", 20000),
    Needing(
        "b12-monitoring",
        "patient-view",
        B12,
        "ng/L",
        20000,
        prefetch={"medications": ONGOING, "doses": injection_given("2026-10-20")},
    ),
    Needing(
        "b12-depleting-drug",
        "patient-view",
        B12,
        "ng/L",
        20000,
        prefetch={"medications": METFORMIN, "problems": problem(NEUROPATHY, "2026-10-01")},
    ),
]


def result(needing: Needing, *, value: float | None = None, unit: str | None = None, day: str | None) -> Json:
    unit = needing.unit if unit is None else unit
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": needing.code}]},
        **({"effectiveDateTime": day} if day else {}),
        "valueQuantity": {"value": needing.possible if value is None else value, **({"unit": unit} if unit else {})},
    }


async def ask(hook: str, drafts: tuple[Json, ...], prefetch: Json) -> Json:
    """The whole answer; what is not told was looked for and not found."""
    context: Json = {"patientId": "p", "userId": "Practitioner/1"}
    if drafts:
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": each} for each in drafts]}
    body = {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": context}
    body["prefetch"] = {source.value: None for source in Source} | prefetch
    async with service_on(TODAY) as client:
        answer = await client.post(f"/cds-services/b12-{hook}", json=body)
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


def gaps(body: Json) -> list[tuple[str, list[str], str]]:
    return [
        (each["topic"], each["data"], each["reason"]) for each in body["extension"][EXTENSION].get("notEvaluated", [])
    ]


def spoken(body: Json) -> list[str]:
    return [card["source"]["topic"]["code"] for card in body["cards"]]


def bad(needing: Needing) -> dict[str, Json]:
    """The same result, wrong in each way, by the reason that is reported."""
    return {
        "unknown-unit": result(needing, unit="furlong/kg", day="2026-11-20"),
        "unit-missing": result(needing, unit="", day="2026-11-20"),
        "implausible-value": result(needing, value=needing.impossible, day="2026-11-20"),
        "future-date": result(needing, day="2062-11-20"),
        "no-date": result(needing, day=None),
        "impossible-date": result(needing, day="2026-02-30"),
    }


REASONS = ["unknown-unit", "unit-missing", "implausible-value", "future-date", "no-date", "impossible-date"]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("needing", [pytest.param(each, id=each.topic) for each in NEEDING])
async def test_a_result_that_cannot_be_right_is_named_by_the_rule_that_needed_it(needing: Needing, reason: str) -> None:
    body = await ask(needing.hook, needing.drafts, {**needing.prefetch, "labs": bad(needing)[reason]})

    assert needing.topic not in spoken(body)
    assert (needing.topic, ["labs"], reason) in gaps(body)


@pytest.mark.parametrize("needing", [pytest.param(each, id=each.topic) for each in NEEDING])
async def test_without_that_result_the_same_rule_is_answered(needing: Needing) -> None:
    """So that it was the result that cost the rule, and not the patient."""
    body = await ask(needing.hook, needing.drafts, needing.prefetch)

    assert needing.topic not in [topic for topic, _, _ in gaps(body)]


def test_every_rule_that_needs_laboratory_results_is_asked() -> None:
    needing = {topic for topic, folder in load().folders.items() if Source.LABS in folder.definition.needs}

    assert needing == {each.topic for each in NEEDING}


async def test_a_value_beyond_the_assay_is_no_impossible_value() -> None:
    """20000 with a comparator is what the laboratory could tell."""
    folic_acid = NEEDING[0]
    above = result(folic_acid, value=20000, day="2026-11-20")
    above["valueQuantity"]["comparator"] = ">"

    assert gaps(await ask("order-sign", folic_acid.drafts, {"labs": above})) == []


async def test_an_older_good_result_does_not_answer_for_a_newer_bad_one() -> None:
    folic_acid = NEEDING[0]
    labs = [result(folic_acid, value=420, day="2026-06-01"), result(folic_acid, unit="furlong/kg", day="2026-11-20")]
    bundle = {"resourceType": "Bundle", "total": 2, "entry": [{"resource": each} for each in labs]}
    body = await ask("order-sign", folic_acid.drafts, {"labs": bundle})

    assert gaps(body) == [("folate-before-b12", ["labs"], "unknown-unit")]


# --- ways and places of an injection ------------------------------------------------------------------------------

LOCAL = {"coding": [{"system": "urn:oid:1.2.36.1", "code": "17"}]}
ELSEWHERE = {"coding": [{"system": "urn:oid:1.2.36.1", "code": "17", "display": "Left upper arm"}]}


def injected(**dosage: Any) -> Json:
    """A draft of maintenance whose instruction has these members."""
    [own] = MAINTENANCE["dosageInstruction"]
    return {**MAINTENANCE, "dosageInstruction": [{**own, **dosage}]}


@pytest.mark.parametrize(
    ("topic", "member"), [("buttock-injection-site", "site"), ("b12-intravenous", "route")], ids=lambda each: each
)
async def test_a_site_or_route_that_nobody_can_read_is_named(topic: str, member: str) -> None:
    body = await ask("order-sign", (injected(**{member: LOCAL}),), {"patient": ADULT})
    assert topic not in spoken(body)
    assert (topic, ["draftOrders"], "unknown-code") in gaps(body)

    # Words name something else, and a code of SNOMED that is none of ours is something else.
    for known in (ELSEWHERE, {"coding": [{"system": SNOMED, "code": "368208006"}]}, {}):
        body = await ask("order-sign", (injected(**{member: known}),), {"patient": ADULT})
        assert topic not in [name for name, _, _ in gaps(body)]


@pytest.mark.parametrize("topic", ["buttock-injection-site", "b12-intravenous"])
async def test_tablets_have_no_site_or_route_to_be_read(topic: str) -> None:
    tablets = medicine("Cyanocobalamin 50 microgram tablets", 1, "tablet", 1, "d")
    [own] = tablets["dosageInstruction"]
    unread = {**tablets, "dosageInstruction": [{**own, "route": LOCAL, "site": LOCAL}]}

    body = await ask("order-sign", (unread,), {"patient": ADULT})

    assert topic not in [name for name, _, _ in gaps(body)]


# --- dates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "reason"), [("2062-05-01", "future-date"), (None, "no-date")])
async def test_an_injection_without_a_possible_day_leaves_open_whether_the_next_is_overdue(
    day: str | None, reason: str
) -> None:
    doses = [injection_given("2026-04-01"), injection_given(day)]
    bundle = {"resourceType": "Bundle", "total": 2, "entry": [{"resource": each} for each in doses]}

    body = await ask("patient-view", (), {"medications": ONGOING, "doses": bundle})

    assert "missed-maintenance-dose" not in spoken(body)
    assert ("missed-maintenance-dose", ["doses"], reason) in gaps(body)


async def test_a_neuropathy_of_the_future_is_no_new_neuropathy() -> None:
    folic_acid = NEEDING[0].drafts

    body = await ask("order-sign", folic_acid, {"problems": problem(NEUROPATHY, "2062-10-01")})

    assert spoken(body) == ["not-evaluated"]
    assert gaps(body) == [("folate-before-b12", ["problems"], "future-date")]


async def test_a_neuropathy_whose_onset_lies_in_the_future_counts_from_the_day_it_was_recorded() -> None:
    body = await ask(
        "order-sign",
        NEEDING[0].drafts,
        {"problems": problem(NEUROPATHY, "2062-10-01", recordedDate="2026-10-01")},
    )

    assert spoken(body) == ["folate-before-b12"]


async def test_pernicious_anaemia_stays_on_record_whatever_its_date() -> None:
    body = await ask("order-sign", NEEDING[0].drafts, {"problems": problem(PERNICIOUS_ANAEMIA, "2062-10-01")})

    assert spoken(body) == ["folate-before-b12"]
    assert "2062" not in str(body["cards"])


async def test_an_operation_of_the_future_was_not_done() -> None:
    gastrectomy = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Total gastrectomy"},
        "performedDateTime": "2062-05-01",
    }

    body = await ask("patient-view", (), {"procedures": gastrectomy})

    assert spoken(body) == []
    assert ("b12-prophylaxis", ["procedures"], "future-date") in gaps(body)


async def test_a_birth_date_in_the_future_makes_nobody_a_child() -> None:
    """Unknown age counts as adult; the card says so."""
    born = {"resourceType": "Patient", "id": "p", "birthDate": "2062-01-01"}
    low = result(NEEDING[0], value=96, unit="ng/L", day="2026-10-01")

    [card] = (await ask("patient-view", (), {"patient": born, "labs": low}))["cards"]

    assert card["source"]["topic"]["code"] == "untreated-deficiency"
    assert "The birth date is not known: taken as an adult." in card["detail"]
