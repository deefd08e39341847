"""Any JSON in any place: reading never fails, and one spoiled resource costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cards.record import PatientRecord, Source
from service.fhir.prefetch import received
from tests.service.fhir.reading import (
    LOINC,
    PATIENT,
    READER,
    SNOMED,
    TODAY,
    UCUM,
    Json,
    bundle,
    coded,
    order,
    read,
    record,
)

quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

MEAN = [
    "", " ", "#", "Medication/", "urn:uuid:", "2026-02-30", "0000", "9999-12", "9999-12-31T23:59:59-14:00", "2026-1-1",
    "NaN", "Infinity", "1e999", "9" * 400, "-1", "٣", "²", "1/0", "0/7", "99/52", "every 0 days", "q0d", "x0",
    "0 doses", "every 999 years", "1,000,000,000 mg", "0.0.1 mg/ml", "<", "> ", "< . ng/L", "5 mg/0 ml",
    "entered-in-error", "\0",
]  # fmt: skip
TOKENS = [
    "every", "each", "q", "x", "for", "over", "in", "then", "to", "-", "/", ",", ".", "0", "1", "2.5", "12", "52",
    "999", "٣", "three", "third", "once", "twice", "daily", "weekly", "monthly", "day", "weeks", "months", "years",
    "doses", "3/12", "0/7", "mg", "1,000", "ml", "tablet", "half", "one", "to be taken", "Mon", "alternate", "per",
    "a", "review", "stat", "IM",
]  # fmt: skip
NUMBERS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, -0.0, 1e308, 5e-324])
)
NAMES = st.sampled_from(["coding", "code", "text", "value", "reference", "resourceType", "start", "low", "x"])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(MEAN) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)

DRUG = {"coding": [{"system": SNOMED, "code": "409258004", "display": "Hydroxocobalamin"}], "text": "hydroxocobalamin"}
STRENGTH = {"numerator": {"value": 1, "unit": "mg"}, "denominator": {"value": 1, "unit": "mL"}}
PRODUCT = {
    "resourceType": "Medication",
    "id": "m",
    "code": DRUG,
    "ingredient": [{"itemCodeableConcept": DRUG, "strength": STRENGTH}],
}
REPEAT = {
    "frequency": 3,
    "frequencyMax": 3,
    "period": 1,
    "periodMax": 2,
    "periodUnit": "wk",
    "dayOfWeek": ["mon"],
    "when": ["MORN"],
    "count": 6,
    "countMax": 7,
    "boundsPeriod": {"start": "2026-11-01", "end": "2026-12-01"},
    "boundsDuration": {"value": 2, "code": "wk"},
}
DOSAGE = {
    "sequence": 1,
    "text": "1 mg IM deltoid alternate days for 2 weeks, then every 3 months",
    "additionalInstruction": [{"text": "slowly"}],
    "timing": {"repeat": REPEAT, "code": {"coding": [{"system": "x", "code": "Q2D"}]}, "event": ["2026-11-01"]},
    "asNeededBoolean": False,
    "site": {"coding": [{"system": SNOMED, "code": "723979003"}], "text": "buttock"},
    "route": {"coding": [{"system": SNOMED, "code": "78421000"}], "text": "IM"},
    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg", "system": UCUM, "code": "mg"}}],
    "doseRange": {"low": {"value": 1, "unit": "mg"}, "high": {"value": 2, "unit": "mg"}},
}
ORDER = {
    "resourceType": "MedicationRequest",
    "id": "1",
    "meta": {"lastUpdated": "2026-11-01T08:00:00Z"},
    "status": "active",
    "statusReason": {"text": "refused"},
    "category": [{"coding": [{"code": "inpatient"}]}],
    "medicationReference": {"reference": "#m", "display": "hydroxocobalamin"},
    "contained": [PRODUCT],
    "subject": {"reference": f"Patient/{PATIENT}"},
    "authoredOn": "2026-10-01",
    "reasonCode": [{"text": "Pernicious anaemia", "coding": [{"system": SNOMED, "code": "84027009"}]}],
    "note": [{"text": "into the thigh"}],
    "priorPrescription": {"reference": "MedicationRequest/0"},
    "dosageInstruction": [DOSAGE, {**DOSAGE, "sequence": 2}],
}
SAMPLES: dict[Source, Json] = {
    Source.PATIENT: {"resourceType": "Patient", "id": PATIENT, "birthDate": "1950-01", "deceasedBoolean": False},
    Source.MEDICATIONS: ORDER,
    Source.PROBLEMS: {
        "resourceType": "Condition",
        "clinicalStatus": coded("x", "active"),
        "verificationStatus": coded("x", "confirmed"),
        "code": {**coded("http://hl7.org/fhir/sid/icd-10", "E53.8"), "text": "B12 deficiency"},
        "onsetDateTime": "2019-05",
        "onsetPeriod": {"start": "2019"},
        "abatementPeriod": {"end": "2020"},
        "recordedDate": "2019-06-01",
        "evidence": [{"code": [{"text": "B12"}]}],
        "extension": [{"url": "condition-dueTo", "valueCodeableConcept": {"text": "B12"}}],
        "note": [{"text": "B12"}],
    },
    Source.DOSES: {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "effectivePeriod": {"start": "2026-11-01", "end": "2026-11-01"},
        "statusReason": [{"text": "refused"}],
        "dosage": {**DOSAGE, "dose": {"value": 1, "unit": "mg"}},
    },
    Source.STATEMENTS: {
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "effectivePeriod": {"start": "2026-10-01", "end": "2026-11-01"},
        "dateAsserted": "2026-11-02",
        "taken": "y",
        "dosage": [DOSAGE],
    },
    Source.DISPENSES: {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": DRUG,
        "whenHandedOver": "2026-11-01",
        "quantity": {"value": 2, "unit": "ampoules"},
        "daysSupply": {"value": 168, "unit": "days"},
        "dosageInstruction": [DOSAGE],
    },
    Source.LABS: {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(LOINC, "2132-9"),
        "effectiveDateTime": "2026-11-01",
        "effectivePeriod": {"start": "2026-11-01"},
        "valueQuantity": {"value": 150, "comparator": "<", "unit": "ng/L", "system": UCUM, "code": "ng/L"},
        "interpretation": [{"coding": [{"code": "L"}], "text": "low"}],
        "referenceRange": [
            {"low": {"value": 180, "unit": "ng/L"}, "high": {"value": 900}, "type": coded("x", "normal")}
        ],
        "component": [{"code": coded(LOINC, "31444-3"), "valueCodeableConcept": {"coding": [{"display": "positive"}]}}],
    },
    Source.PROCEDURES: {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Ileal resection 45 cm"},
        "performedPeriod": {"start": "2001-02-03"},
        "note": [{"text": "45 cm"}],
    },
    Source.FAMILY: {
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "condition": [{"code": {"text": "Pernicious anaemia"}}],
    },
    Source.TESTS: {
        "resourceType": "ServiceRequest",
        "status": "active",
        "code": {**coded(LOINC, "2132-9"), "text": "Vitamin B12"},
        "occurrencePeriod": {"start": "2026-12-01"},
        "authoredOn": "2026-11-01",
        "reasonCode": [{"text": "tired"}],
    },
    Source.APPOINTMENTS: {
        "resourceType": "Appointment",
        "status": "booked",
        "serviceType": [{"text": "B12 injection"}],
        "start": "2026-12-01T09:00:00Z",
        "description": "B12",
    },
    Source.CLAIMS: {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "outcome": "complete",
        "item": [
            {
                "productOrService": coded("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "J3420"),
                "servicedPeriod": {"start": "2026-11-01"},
            }
        ],
    },
}
Path = tuple[str | int, ...]


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Every place in a resource, the resource itself first."""
    yield here
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*here, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from paths(inner, (*here, position))


def spoiled(value: Any, path: Path, junk: Any) -> Any:
    """A copy with `junk` in the place of `path`."""
    if not path:
        return junk
    step, *rest = path
    if isinstance(value, dict):
        return {name: spoiled(inner, tuple(rest), junk) if name == step else inner for name, inner in value.items()}
    return [spoiled(inner, tuple(rest), junk) if at == step else inner for at, inner in enumerate(value)]


@st.composite
def spoiled_samples(draw: st.DrawFn, source: Source) -> Any:
    """A sample with junk in one to three of its places."""
    resource: Any = SAMPLES[source]
    for _ in range(draw(st.integers(1, 3))):
        resource = spoiled(resource, draw(st.sampled_from(list(paths(resource)))), draw(JUNK))
    return resource


def facts(found: PatientRecord) -> list[Any]:
    """All facts of a record."""
    kinds = [each.name for each in fields(found) if isinstance(getattr(found, each.name), tuple)]
    return [fact for kind in kinds for fact in getattr(found, kind)]


LISTS = sorted(set(SAMPLES) - {Source.PATIENT})


@pytest.mark.parametrize("source", LISTS)
def test_every_sample_is_read_when_nothing_is_spoiled(source: Source) -> None:
    found = read(source, SAMPLES[source])
    assert facts(found)
    assert found.state(source).unreadable == ()


@pytest.mark.parametrize("source", LISTS)
@settings(quick, max_examples=40)
@given(data=st.data())
def test_a_spoiled_resource_costs_only_itself(source: Source, data: st.DataObject) -> None:
    good, bad = SAMPLES[source], data.draw(spoiled_samples(source))
    own = facts(read(source, good))
    for resources in ((bad, good), (good, bad)):
        found = facts(read(source, *resources))
        assert all(fact in found for fact in own)


@quick
@given(data=st.data())
def test_a_spoiled_patient_leaves_the_findings(data: st.DataObject) -> None:
    patient = data.draw(spoiled_samples(Source.PATIENT))
    found = record({Source.PATIENT: patient, Source.PROBLEMS: bundle(SAMPLES[Source.PROBLEMS])})
    assert len(found.problems) == 1


@quick
@given(source=st.sampled_from(list(Source)), value=JUNK)
def test_anything_under_a_prefetch_key_has_a_state(source: Source, value: Any) -> None:
    arrived = received({source.value: value}, [source])
    assert record({source: value}).state(source).supplied is arrived[source].state


@quick
@given(data=st.data())
def test_a_spoiled_bundle_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = {**bundle(SAMPLES[Source.PROBLEMS]), "link": [{"relation": "self", "url": "urn:1"}]}
    places = [each for each in paths(whole) if "resource" not in each]
    broken = spoiled(whole, data.draw(st.sampled_from(places)), data.draw(JUNK))
    assert len(record({Source.PROBLEMS: broken}).problems) <= 1


@quick
@given(data=st.data())
def test_a_spoiled_draft_costs_only_itself(data: st.DataObject) -> None:
    bad = data.draw(spoiled_samples(Source.MEDICATIONS))
    good = {"resourceType": "MedicationRequest", "id": "good", "medicationCodeableConcept": DRUG}
    for entries in ([{"resource": bad}, {"resource": good}], [{"resource": good}, {"resource": bad}]):
        found = READER.drafts({"resourceType": "Bundle", "entry": entries}, PATIENT, None, TODAY)
        assert [each.medicine.ingredients for each in found.orders if each.reference == "MedicationRequest/good"] == [
            ("hydroxocobalamin",)
        ]


@quick
@given(orders=JUNK, selections=JUNK, entry=JUNK)
def test_anything_in_place_of_the_drafts_is_no_order(orders: Any, selections: Any, entry: Any) -> None:
    assert READER.drafts(orders, PATIENT, selections, TODAY).orders == ()
    assert READER.drafts({"entry": [entry]}, PATIENT, selections, TODAY).orders == ()


@settings(quick, max_examples=300)
@given(words=st.lists(st.sampled_from(TOKENS), max_size=12))
def test_any_words_of_an_instruction_are_read_or_left_unread(words: list[str]) -> None:
    found = order(medicationCodeableConcept=DRUG, dosageInstruction=[{"text": " ".join(words)}])
    for each in found.instructions:
        assert each.repeat is None or (each.repeat.times > 0 and 0 < each.repeat.every.low <= each.repeat.every.high)
        assert each.amount is None or each.amount.low <= each.amount.high


@quick
@given(selections=JUNK)
def test_anything_in_place_of_the_selections_leaves_the_drafts(selections: Any) -> None:
    assert len(READER.drafts(bundle({**ORDER, "status": "draft"}), PATIENT, selections, TODAY).orders) == 1
