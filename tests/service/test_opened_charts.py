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
LOW = result("Serum vitamin B12", 96, "ng/L", "2026-11-01")
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


OVERDUE, PROPHYLAXIS, UNTREATED = "missed-maintenance-dose", "b12-prophylaxis", "untreated-deficiency"


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


async def test_where_injections_are_recorded_an_order_that_does_not_say_how_often_has_a_first_dose() -> None:
    chart = [PERNICIOUS, ordered("As directed", "2026-09-01")]

    spoken = await card(OVERDUE, *chart, settings={"administrations_recorded": 1})
    assert spoken is not None
    assert "every" not in spoken["summary"]
    assert await card(OVERDUE, *chart) is None


async def test_a_hold_for_a_refusal_lowers_the_card_for_sixty_days() -> None:
    chart = [PERNICIOUS, given("2026-05-01")]
    held = ordered("1 mg IM every 12 weeks", status="on-hold", statusReason={"text": "Patient declined"})

    recent = await card(OVERDUE, *chart, {**held, "meta": {"lastUpdated": "2026-11-01T10:00:00Z"}})
    assert recent is not None
    assert recent["indicator"] == "info"
    assert "declined on 1 Nov 2026" in recent["summary"]
    older = await card(OVERDUE, *chart, {**held, "meta": {"lastUpdated": "2026-06-01T10:00:00Z"}})
    assert older is not None
    assert older["indicator"] == "warning"
    assert await card(OVERDUE, *chart, {**held, "statusReason": {"text": "Supply shortage"}}) is None


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


@pytest.mark.parametrize("profile", ["uk", "us"])
async def test_a_dose_given_elsewhere_that_is_recorded_by_the_button_is_counted(profile: str) -> None:
    drug = AMPOULES if profile == "uk" else "Cyanocobalamin 1000 MCG/ML injection"
    chart = [PERNICIOUS, ordered("1 mL IM every 12 weeks", drug=drug), given("2026-05-01", drug)]

    spoken = await card(OVERDUE, *chart, profile=profile)
    assert spoken is not None
    [button] = [each for each in spoken["suggestions"] if each["label"] == "Record a dose given elsewhere"]
    [action] = button["actions"]
    recorded = {**action["resource"], "effectiveDateTime": "2026-11-10"}
    assert await card(OVERDUE, *chart, recorded, profile=profile) is None


@pytest.mark.parametrize("words", ["Blood test: B12 and FBC", "Vitamin B12 level"])
async def test_a_booked_blood_test_is_no_injection(words: str) -> None:
    chart = [PERNICIOUS, ordered("1 mg IM every 12 weeks"), given("2026-05-01")]
    booked = {"resourceType": "Appointment", "status": "booked", "start": "2026-11-27T09:00:00Z"}
    patient = {"participant": [{"actor": {"reference": "Patient/pat-1"}}]}

    assert await card(OVERDUE, *chart, {**booked, **patient, "serviceType": [{"text": words}]}) is not None
    assert await card(OVERDUE, *chart, {**booked, **patient, "serviceType": [{"text": "B12 injection"}]}) is None


async def test_an_order_of_a_drug_that_did_not_come_with_it_leaves_open_what_it_is() -> None:
    unknown = {**ordered("as directed", "2026-11-05"), "medicationReference": {"reference": "Medication/gone"}}
    del unknown["medicationCodeableConcept"]

    got = await answer(LOW, unknown)
    [evaluation] = [value for name, value in got["extension"].items() if name.endswith("evaluation")]
    assert got["cards"] == []
    assert {each["topic"]: each["reason"] for each in evaluation["notEvaluated"]}[UNTREATED] == "unreadable"
    assert await card(UNTREATED, LOW, {**unknown, "status": "entered-in-error"}) is not None
    assert await card(UNTREATED, LOW, {**unknown, "authoredOn": "2026-01-05"}) is not None


# --- loading without maintenance ---------------------------------------------------------------------------------

STOPPED = "lifelong-b12-stopped"
THREE_A_WEEK = "1 mg IM three times a week for 2 weeks"


def loaded(*days: str) -> list[Json]:
    return [given(f"2026-{day}") for day in days]


LOADED = loaded("05-04", "05-06", "05-08", "05-11", "05-13", "05-15")


@pytest.mark.parametrize("status", ["completed", "active", "stopped"])
async def test_after_loading_for_a_lasting_cause_the_first_maintenance_injection_is_not_forgotten(status: str) -> None:
    loading = ordered(THREE_A_WEEK, "2026-05-04", status=status)

    spoken = await card(STOPPED, PERNICIOUS, loading, *LOADED)
    assert spoken is not None
    assert spoken["summary"] == (
        "Hydroxocobalamin loading is completed, nothing follows it: pernicious anaemia needs B12 for life. Maintain it."
    )
    assert "Order again: Hydroxocobalamin 1 mg IM every 3 months" in [each["label"] for each in spoken["suggestions"]]
    maintained = ordered("1 mg IM every 3 months", "2026-05-15")
    assert await card(STOPPED, PERNICIOUS, loading, maintained, *LOADED) is None
    assert await card(STOPPED, problem("Vitamin B12 deficiency", "2026-05-01"), loading, *LOADED) is None
    late = [*loaded("08-24", "08-26", "08-28", "08-31", "09-02", "09-04")]
    assert await card(STOPPED, PERNICIOUS, ordered(THREE_A_WEEK, "2026-08-24", status=status), *late) is None


async def test_after_loading_without_any_order_the_first_maintenance_injection_is_overdue() -> None:
    spoken = await card(OVERDUE, PERNICIOUS, *LOADED)

    assert spoken is not None
    assert "expected every 3 months" in spoken["detail"]


async def test_one_injection_and_then_none_in_pernicious_anaemia_is_overdue() -> None:
    assert await card(OVERDUE, PERNICIOUS, given("2026-05-01")) is not None
    assert await card(OVERDUE, PERNICIOUS, given("2026-10-01")) is None
    assert await card(OVERDUE, done("Gastric bypass", "2020-01-01"), given("2026-05-01")) is None


async def test_alternate_days_that_nobody_ended_do_not_hide_that_injections_ceased() -> None:
    loading = ordered("1 mg IM on alternate days", "2026-05-04")
    neuropathy = problem("Peripheral neuropathy", "2026-04-20")

    spoken = await card(OVERDUE, PERNICIOUS, neuropathy, loading, *LOADED)
    assert spoken is not None
    assert spoken["indicator"] == "critical"
    assert await card(OVERDUE, PERNICIOUS, neuropathy, loading, *LOADED, given("2026-11-01")) is None
    assert await card(OVERDUE, PERNICIOUS, neuropathy, loading) is None


async def test_alternate_days_that_nobody_ended_do_not_hide_nitrous_oxide() -> None:
    chart = [problem("Nitrous oxide misuse", "2026-10-20"), problem("Peripheral neuropathy", "2026-10-20")]
    loading = ordered("1 mg IM on alternate days", "2026-05-04")

    assert await card("nitrous-oxide", *chart, loading, *LOADED) is not None
    assert await card("nitrous-oxide", *chart, loading, *LOADED, given("2026-11-01")) is None


async def test_loading_of_which_no_dose_is_recorded_is_reported() -> None:
    got = await answer(PERNICIOUS, ordered(THREE_A_WEEK, "2026-05-04", status="completed"))
    [evaluation] = [value for name, value in got["extension"].items() if name.endswith("evaluation")]

    assert {each["topic"]: each["reason"] for each in evaluation["notEvaluated"]}[STOPPED] == "no-dose-recorded"


# --- what was asked for is not asked for again -------------------------------------------------------------------


def requested(text: str, day: str = "2026-11-20", **more: Any) -> Json:
    return {"resourceType": "ServiceRequest", "status": "active", "code": {"text": text}, "authoredOn": day, **more}


@pytest.mark.parametrize(
    "chart",
    [
        [problem("Crohn's disease of ileum", "2015-01-01")],
        [done("Sleeve gastrectomy", "2025-02-01")],
        [done("Ileocaecal resection", "2020-02-01")],
        [problem("History of bariatric surgery", "2024-02-01")],
    ],
    ids=["Crohn's disease", "sleeve", "length unknown", "kind unknown"],
)
async def test_a_test_that_decides_about_prophylaxis_is_asked_for_once(chart: list[Json]) -> None:
    assert await card(PROPHYLAXIS, *chart) is not None
    assert await card(PROPHYLAXIS, *chart, requested("Serum vitamin B12")) is None
    assert await card(PROPHYLAXIS, *chart, requested("Serum vitamin B12", "2026-02-01")) is not None


async def test_a_borderline_result_after_a_resection_is_settled_by_the_requested_mma() -> None:
    chart = [done("Ileocaecal resection", "2020-02-01"), result("Serum vitamin B12", 250, "ng/L", "2026-11-01")]

    assert await card(PROPHYLAXIS, *chart) is not None
    assert await card(PROPHYLAXIS, *chart, requested("Methylmalonic acid")) is None


async def test_a_test_is_no_prophylaxis() -> None:
    assert await card(PROPHYLAXIS, done("Total gastrectomy", "2020-02-01"), requested("Serum vitamin B12")) is not None


async def test_new_nerve_signs_do_not_wait_for_the_test_that_decides_about_prophylaxis() -> None:
    chart = [done("Ileocaecal resection", "2020-02-01"), problem("Peripheral neuropathy", "2026-10-01")]

    assert await card(PROPHYLAXIS, *chart, requested("Serum vitamin B12")) is not None


async def test_an_order_on_hold_of_which_nothing_was_given_is_no_prophylaxis() -> None:
    gastrectomy = done("Total gastrectomy", "2020-02-01")
    held = ordered("1 mg IM every 3 months", "2026-01-10", status="on-hold")

    assert await card(PROPHYLAXIS, gastrectomy, held) is not None
    assert await card(PROPHYLAXIS, gastrectomy, {**held, "statusReason": {"text": "Supply shortage"}}) is None
    assert await card(PROPHYLAXIS, gastrectomy, held, given("2026-10-10")) is None


@pytest.mark.parametrize(
    ("chart", "answer_to_it", "another"),
    [
        ([result("Serum vitamin B12", 96, "ng/L", "2024-10-01")], "Serum vitamin B12", "Full blood count"),
        ([LOW, problem("Pregnant", "2026-09-01")], "Active vitamin B12", "Serum vitamin B12"),
        ([LOW, problem("HIV infection", "2020-09-01")], "Methylmalonic acid", "Serum vitamin B12"),
    ],
    ids=["old result", "pregnancy", "artefact"],
)
async def test_a_doubtful_low_result_asks_for_its_confirmation_once(
    chart: list[Json], answer_to_it: str, another: str
) -> None:
    assert await card(UNTREATED, *chart) is not None
    assert await card(UNTREATED, *chart, requested(another)) is not None
    assert await card(UNTREATED, *chart, requested(answer_to_it)) is None
    assert await card(UNTREATED, *chart, requested(answer_to_it, "2024-09-01")) is not None


async def test_an_old_low_result_with_nerve_signs_does_not_wait_for_the_repeat() -> None:
    chart = [result("Serum vitamin B12", 96, "ng/L", "2024-10-01"), problem("Peripheral neuropathy", "2026-10-01")]

    assert await card(UNTREATED, *chart, requested("Serum vitamin B12")) is not None


async def test_a_repeat_test_is_no_treatment_of_a_deficiency() -> None:
    assert await card(UNTREATED, LOW, requested("Serum vitamin B12")) is not None


async def test_an_untreated_deficiency_names_an_injection_told_in_words_alone() -> None:
    spoken = await card(UNTREATED, LOW, done("B12 injection", "2026-11-10"))

    assert spoken is not None
    assert (
        "An entry of 10 Nov 2026 may be a B12 injection; it is told in words only and was not counted."
        in (spoken["detail"])
    )


async def test_a_raised_mma_says_that_weak_kidneys_raise_it_too() -> None:
    chart = [result("Serum vitamin B12", 240, "ng/L", "2026-10-01"), result("MMA", 0.6, "umol/L", "2026-10-20")]

    sound = await card(UNTREATED, *chart)
    weak = await card(UNTREATED, *chart, result("eGFR", 25, "mL/min/1.73m2", "2026-10-20"))
    assert sound is not None
    assert weak is not None
    assert "eGFR" not in sound["detail"]
    assert "With eGFR 25 MMA may be raised without deficiency." in weak["detail"]


async def test_a_bound_that_does_not_tell_the_band_is_reported() -> None:
    said = result("Serum vitamin B12", 200, "ng/L", "2026-11-01")
    said["valueQuantity"]["comparator"] = "<"

    got = await answer(said)
    [evaluation] = [value for name, value in got["extension"].items() if name.endswith("evaluation")]
    told = {each["topic"]: each["reason"] for each in evaluation["notEvaluated"]}
    assert told[UNTREATED] == "open-bound"


@pytest.mark.parametrize("intent", ["proposal", "option"])
async def test_an_order_that_is_only_proposed_is_none(intent: str) -> None:
    assert await card(UNTREATED, LOW, ordered("1 mg IM every 3 months", "2026-11-10", intent=intent)) is not None
    assert await card(UNTREATED, LOW, ordered("1 mg IM every 3 months", "2026-11-10", intent="plan")) is None


# --- findings in words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "finding",
    [
        "Myelopathy",
        "Myeloneuropathy",
        "Neuropathy",
        "Neuropathy of lower limbs",
        "Axonal neuropathy",
        "Small fibre neuropathy",
        "Numb feet",
        "Burning feet",
        "Sensory loss in both feet",
        "Loss of vibration sense",
        "Impaired proprioception",
        "Abnormal gait",
    ],
)
async def test_nerve_signs_in_words_make_an_untreated_deficiency_critical(finding: str) -> None:
    spoken = await card(UNTREATED, LOW, problem(finding, "2026-10-20"))

    assert spoken is not None
    assert spoken["indicator"] == "critical"


@pytest.mark.parametrize(
    "finding",
    [
        "Cervical spondylotic myelopathy",
        "Compressive myelopathy",
        "Myelopathy excluded",
        "Ulnar neuropathy",
        "Autonomic neuropathy",
        "Neuropathy screening",
        "No neuropathy",
        "Numbness after nerve block",
        "Foot check: no sensory loss",
    ],
)
async def test_what_is_no_nerve_damage_by_b12_does_not(finding: str) -> None:
    spoken = await card(UNTREATED, LOW, problem(finding, "2026-10-20"))

    assert spoken is not None
    assert spoken["indicator"] == "warning"


@pytest.mark.parametrize(
    "exposure", ["Toxic effect of nitrous oxide", "Nitrous oxide-related illness", "N2O toxicity", "Nitrous oxide use"]
)
async def test_nitrous_oxide_in_words_is_an_exposure(exposure: str) -> None:
    chart = [problem(exposure, "2026-10-01"), problem("Myelopathy", "2026-11-01")]

    spoken = await card("nitrous-oxide", *chart)
    assert spoken is not None
    assert "Nitrous oxide and myelopathy" in spoken["summary"]


def observed(**more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "1268384001"}]},
        "effectiveDateTime": "2026-10-20",
        **more,
    }


async def test_nitrous_oxide_may_be_recorded_as_an_observation() -> None:
    myelopathy = problem("Myelopathy", "2026-11-01")

    assert await card("nitrous-oxide", myelopathy, observed()) is not None
    assert await card("nitrous-oxide", myelopathy, observed(code={"text": "Nitrous oxide use"})) is not None
    assert await card("nitrous-oxide", myelopathy, observed(valueString="Weekly")) is not None


@pytest.mark.parametrize(
    "members",
    [
        {"valueBoolean": False},
        {"valueString": "Never"},
        {"valueCodeableConcept": {"text": "No"}},
        {"status": "entered-in-error"},
        {"effectiveDateTime": "2026-05-20"},
        {"effectiveDateTime": None},
        {"code": {"text": "Denies nitrous oxide use"}},
    ],
    ids=str,
)
async def test_an_observation_that_denies_it_or_is_old_is_no_exposure(members: Json) -> None:
    assert await card("nitrous-oxide", problem("Myelopathy", "2026-11-01"), observed(**members)) is None


async def test_a_count_of_tablets_in_words_goes_beyond_three() -> None:
    metformin = ordered("Take FOUR tablets once a day", "2024-02-01", "Metformin 500mg modified-release tablets")
    omeprazole = ordered("one daily", "2026-02-01", "Omeprazole 20mg capsules")

    spoken = await card("b12-depleting-drug", metformin, omeprazole)
    assert spoken is not None
    assert "1500 mg a day or more" in spoken["summary"]


async def test_a_deficiency_that_arose_under_a_weak_tablet_is_untreated_where_the_cause_lasts() -> None:
    weak = ordered("one tablet daily", "2026-06-01", "Cyanocobalamin 50microgram tablets")

    assert await card(UNTREATED, LOW, PERNICIOUS, weak) is not None
    assert await card(UNTREATED, LOW, weak) is None
    assert await card(UNTREATED, LOW, PERNICIOUS, {**weak, "authoredOn": "2026-11-10"}) is None
    assert await card(UNTREATED, LOW, PERNICIOUS, ordered("one tablet daily", "2026-06-01", TABLETS)) is None
