"""Statuses in every spelling, and resources in the shapes of every FHIR version and sender; none vanishes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cards.library import load
from cards.record import CourseStatus, PatientRecord, Reaction, Source, Unreadable
from cards.vignettes import all_files
from service.demo import ehr
from service.fhir.reader import Drafts
from service.fhir.sources import received
from tests.service.fhir.reading import LABS, LOINC, READER, SNOMED, Json, coded, drafts, read

B12_TEXT = {"text": "Hydroxocobalamin 1mg/1ml solution for injection ampoules"}
ONE_MG = {"value": 1, "unit": "mg"}
PERNICIOUS_ANAEMIA = coded(SNOMED, "84027009")
B12_LEVEL = coded(LOINC, "2132-9")
GASTRECTOMY = coded(SNOMED, "26452005")
J3420 = coded("https://bluebutton.cms.gov/resources/codesystem/hcpcs", "J3420")
B12_CONDITION = {"resourceType": "Condition", "code": PERNICIOUS_ANAEMIA, "recordedDate": "2026-01-05"}
RESULT = {
    "resourceType": "Observation",
    "status": "final",
    "code": B12_LEVEL,
    "effectiveDateTime": "2026-11-01",
    "valueQuantity": {"value": 96, "unit": "ng/L"},
}
ORDER = {"resourceType": "MedicationRequest", "id": "1", "status": "active", "medicationCodeableConcept": B12_TEXT}
GIVEN = {
    "resourceType": "MedicationAdministration",
    "status": "completed",
    "medicationCodeableConcept": B12_TEXT,
    "effectiveDateTime": "2026-11-01",
    "dosage": {"dose": ONE_MG, "route": coded(SNOMED, "78421000")},
}
STATEMENT = {
    "resourceType": "MedicationStatement",
    "status": "active",
    "medicationCodeableConcept": {"text": "Cyanocobalamin 1 mg tablets"},
}
HANDED_OVER = {
    "resourceType": "MedicationDispense",
    "status": "completed",
    "medicationCodeableConcept": B12_TEXT,
    "whenHandedOver": "2026-11-01",
}
OPERATION = {
    "resourceType": "Procedure",
    "status": "completed",
    "code": GASTRECTOMY,
    "performedDateTime": "2020-01-02",
}
ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "code": {"text": "Hydroxocobalamin"},
    "reaction": [{"manifestation": [{"text": "Anaphylaxis"}]}],
}
FAMILY = {
    "resourceType": "FamilyMemberHistory",
    "status": "completed",
    "condition": [{"code": PERNICIOUS_ANAEMIA}],
}
PLANNED = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "code": {"text": "B12 injections by district nurse"},
    "occurrenceDateTime": "2026-12-02",
}
BOOKED = {
    "resourceType": "Appointment",
    "status": "booked",
    "serviceType": [{"text": "B12 injection"}],
    "start": "2026-12-02T09:00:00Z",
}
CLAIM = {
    "resourceType": "ExplanationOfBenefit",
    "status": "active",
    "outcome": "complete",
    "use": "claim",
    "item": [{"productOrService": J3420, "servicedDate": "2026-11-01"}],
}
EVERYTHING: dict[Source, Json] = {
    Source.PROBLEMS: B12_CONDITION,
    Source.MEDICATIONS: ORDER,
    Source.DOSES: GIVEN,
    Source.STATEMENTS: STATEMENT,
    Source.DISPENSES: HANDED_OVER,
    Source.LABS: RESULT,
    Source.PROCEDURES: OPERATION,
    Source.ALLERGIES: ALLERGY,
    Source.FAMILY: FAMILY,
    Source.TESTS: PLANNED,
    Source.APPOINTMENTS: BOOKED,
    Source.CLAIMS: CLAIM,
}
SOURCES = pytest.mark.parametrize("source", EVERYTHING)


def facts(found: PatientRecord) -> tuple[Any, ...]:
    """All that is known of the patient, but not of the sources."""
    return (
        found.problems, found.courses, found.doses, found.not_given, found.doses_without_amount, found.dispensed,
        found.labs, found.procedures, found.allergies, found.family, found.planned,
    )  # fmt: skip


def unreadable(source: Source, resource: Json) -> list[tuple[str | None, str]]:
    """What could not be read, and why."""
    return [(each.concept, each.reason) for each in read(source, resource).state(source).unreadable]


# --- statuses ------------------------------------------------------------------------------------------------------

SPELLINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "a capital": str.capitalize,
    "capital words": lambda status: status.replace("-", " ").title(),
    "blanks around": lambda status: f"  {status}\n",
    "underscores": lambda status: status.replace("-", "_"),
    "no hyphens": lambda status: status.replace("-", ""),
    "camel case": lambda status: status.split("-")[0] + "".join(each.capitalize() for each in status.split("-")[1:]),
    "constants": lambda status: status.replace("-", "_").upper(),
}
# Every status that a reader tells apart, by what carries it.
STATUSES: dict[Source, tuple[str, ...]] = {
    Source.MEDICATIONS: (
        "active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown", "ended",
    ),
    Source.DOSES: ("in-progress", "not-done", "on-hold", "completed", "entered-in-error", "stopped", "unknown"),
    Source.STATEMENTS: (
        "active", "completed", "entered-in-error", "intended", "stopped", "on-hold", "unknown", "not-taken", "recorded",
    ),
    Source.DISPENSES: (
        "preparation", "in-progress", "cancelled", "on-hold", "completed", "entered-in-error", "stopped", "declined",
        "unknown",
    ),
    Source.LABS: (
        "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
    ),
    Source.PROCEDURES: (
        "preparation", "in-progress", "not-done", "on-hold", "stopped", "aborted", "suspended", "completed",
        "entered-in-error", "unknown",
    ),
    Source.FAMILY: ("partial", "completed", "entered-in-error", "health-unknown"),
    Source.TESTS: (
        "draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown", "requested", "received",
        "accepted", "in-progress", "suspended", "rejected", "aborted", "proposed", "planned", "failed", "cancelled",
    ),
    Source.APPOINTMENTS: (
        "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error",
        "checked-in", "waitlist",
    ),
    Source.CLAIMS: ("active", "cancelled", "draft", "entered-in-error"),
}  # fmt: skip
KNOWN = [(source, status) for source, statuses in STATUSES.items() for status in statuses]


@pytest.mark.parametrize(("source", "status"), KNOWN)
def test_the_spelling_of_a_status_does_not_matter(source: Source, status: str) -> None:
    plain = read(source, {**EVERYTHING[source], "status": status})
    for how, spelt in SPELLINGS.items():
        for value in (spelt(status), coded("x", spelt(status)), {"text": spelt(status)}, [coded("x", spelt(status))]):
            found = read(source, {**EVERYTHING[source], "status": value})
            assert (facts(found), found.sources) == (facts(plain), plain.sources), (how, value)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *[
            ("clinicalStatus", each)
            for each in ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
        ],
        *[
            ("verificationStatus", each)
            for each in ("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error")
        ],
    ],
)
@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.ALLERGIES])
def test_the_spelling_of_the_statuses_of_conditions_and_allergies_does_not_matter(
    source: Source, name: str, status: str
) -> None:
    plain = facts(read(source, {**EVERYTHING[source], name: coded("x", status)}))
    for spelt in SPELLINGS.values():
        for value in (spelt(status), coded("x", spelt(status)), {"text": spelt(status)}, {"coding": {"code": status}}):
            assert facts(read(source, {**EVERYTHING[source], name: value})) == plain


def test_a_local_code_beside_the_status_does_not_hide_it() -> None:
    two = {"coding": [{"system": "urn:local", "code": "A1"}, {"code": "Resolved"}]}
    words = {"coding": [{"system": SNOMED, "code": "413322009", "display": "Resolved"}]}
    for value in (two, words):
        [found] = read(Source.PROBLEMS, {**B12_CONDITION, "clinicalStatus": value}).problems
        assert not found.present


OURS = {
    Source.DOSES: "hydroxocobalamin",
    Source.DISPENSES: "hydroxocobalamin",
    Source.LABS: "b12_total_serum",
    Source.PROCEDURES: "gastrectomy",
    Source.TESTS: "cobalamin",
    Source.APPOINTMENTS: "cobalamin",
    Source.CLAIMS: "cobalamin",
}


@pytest.mark.parametrize("status", ["unknown", "verified", "F", "???", 7, ["x"], [], {}])
@pytest.mark.parametrize("source", OURS)
def test_what_is_ours_and_in_a_state_that_nobody_knows_is_said_not_to_be_read(source: Source, status: Any) -> None:
    found = read(source, {**EVERYTHING[source], "status": status})

    [fault] = found.state(source).unreadable
    assert (fault.concept, fault.reason) == (OURS[source], "unknown-status")
    assert not any(facts(found))


@pytest.mark.parametrize("source", OURS)
def test_what_is_not_ours_is_not_reported_whatever_its_state(source: Source) -> None:
    other: dict[str, Any] = {
        "code": {"text": "Appendicectomy"},
        "medicationCodeableConcept": {"text": "Amoxicillin 500 mg capsules"},
        "serviceType": [{"text": "Eye test"}],
    }
    if source is Source.CLAIMS:
        other = {"item": [{"productOrService": coded("urn:oid:2.16.840.1.113883.6.285", "G0008")}]}
    assert unreadable(source, {**EVERYTHING[source], **other, "status": "verified"}) == []


@pytest.mark.parametrize("status", ["superseded", "7", None])
def test_an_order_in_a_state_that_nobody_knows_is_an_order_of_unknown_state(status: Any) -> None:
    [found] = read(Source.MEDICATIONS, {**ORDER, "status": status}).courses
    assert found.status is CourseStatus.UNKNOWN


def test_what_was_not_done_by_an_older_version_was_not_done() -> None:
    for name in ("notDone", "notPerformed"):
        assert not any(facts(read(Source.PROCEDURES, {**OPERATION, name: True})))


def test_a_supply_of_dstu2_needs_no_status_where_it_was_handed_over() -> None:
    without = {name: value for name, value in HANDED_OVER.items() if name != "status"}
    assert facts(read(Source.DISPENSES, without)) == facts(read(Source.DISPENSES, HANDED_OVER))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("not-taking", CourseStatus.STOPPED),
        ("stopped", CourseStatus.STOPPED),
        ("Stopped-as-directed", CourseStatus.STOPPED),
        ("on-hold", CourseStatus.ON_HOLD),
        ("on-hold-as-directed", CourseStatus.ON_HOLD),
        ("taking", CourseStatus.ACTIVE),
        ("taking-not-as-directed", CourseStatus.ACTIVE),
        ("unknown", CourseStatus.ACTIVE),
    ],
)
def test_a_statement_of_r5_says_in_its_adherence_whether_the_drug_is_taken(code: str, status: CourseStatus) -> None:
    said = {**STATEMENT, "status": "recorded", "adherence": {"code": coded("x", code)}}
    [found] = read(Source.STATEMENTS, said).courses
    assert found.status is status


# --- shapes --------------------------------------------------------------------------------------------------------


def _lone(value: Any) -> Any:
    """The same with each list of one object replaced by the object."""
    if isinstance(value, dict):
        return {name: _lone(each) for name, each in value.items()}
    if isinstance(value, list):
        return _lone(value[0]) if len(value) == 1 and isinstance(value[0], dict) else [_lone(each) for each in value]
    return value


def _listed(value: Json) -> Json:
    """The same with each concept in a list."""
    return {
        name: [each] if isinstance(each, dict) and ("coding" in each or "text" in each) else each
        for name, each in value.items()
    }


@SOURCES
def test_a_lone_thing_is_a_list_of_one(source: Source) -> None:
    resource = EVERYTHING[source]
    assert any(facts(read(source, resource)))
    assert facts(read(source, _lone(resource))) == facts(read(source, resource))


@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.LABS, Source.PROCEDURES, Source.ALLERGIES, Source.TESTS])
@pytest.mark.parametrize("shape", ["list", "concept", "reference", "coding", "text"])
def test_a_code_is_read_in_every_shape_of_a_concept(source: Source, shape: str) -> None:
    resource = EVERYTHING[source]
    code = resource["code"]
    plain: Json = code["coding"][0] if "coding" in code else {"display": code["text"]}
    words = {
        Source.PROBLEMS: "Pernicious anaemia",
        Source.LABS: "Serum B12",
        Source.PROCEDURES: "Total gastrectomy",
        Source.ALLERGIES: "Hydroxocobalamin",
        Source.TESTS: "B12 injections by district nurse",
    }[source]
    shaped = {
        "list": [code],
        "concept": {"concept": code},
        "reference": {"reference": {"reference": "X/1", "display": words}},
        "coding": plain,
        "text": words,
    }[shape]
    found = read(source, {**resource, "code": shaped})

    assert found.state(source).unreadable == ()
    assert any(facts(found))


def test_a_reaction_is_read_in_every_shape() -> None:
    for manifestation in (
        {"text": "Anaphylaxis"},
        "Anaphylaxis",
        [{"concept": {"text": "Anaphylaxis"}}],
        {"concept": {"coding": {"display": "Anaphylaxis"}}},
        [{"reference": {"reference": "Observation/1", "display": "Anaphylaxis"}}],
    ):
        for reaction in ({"manifestation": manifestation}, [{"manifestation": manifestation}]):
            for name in ("reaction", "event"):
                code = {"resourceType": "AllergyIntolerance", "substance": {"text": "Hydroxocobalamin"}}
                [found] = read(Source.ALLERGIES, {**code, name: reaction}).allergies
                assert found.reaction is Reaction.ANAPHYLAXIS


def test_a_reaction_of_no_shape_is_said_not_to_be_read() -> None:
    assert unreadable(Source.ALLERGIES, {**ALLERGY, "reaction": 7}) == [("hydroxocobalamin", "unreadable")]


def test_several_dosages_of_one_dose_that_was_given_are_not_read_as_the_first() -> None:
    two = {**GIVEN, "dosage": [GIVEN["dosage"], {"dose": {"value": 10, "unit": "mg"}}]}
    assert unreadable(Source.DOSES, two) == [("hydroxocobalamin", "unreadable")]


@pytest.mark.parametrize("code", [7, True, "E53.8", "84027009", {"coding": 7}, {"coding": [7]}, {"concept": 7}])
@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.LABS, Source.PROCEDURES, Source.ALLERGIES, Source.TESTS])
def test_a_code_that_nobody_can_read_could_be_anything(source: Source, code: Any) -> None:
    assert unreadable(source, {**EVERYTHING[source], "code": code}) == [(None, "unreadable")]


@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.LABS, Source.PROCEDURES, Source.ALLERGIES, Source.TESTS])
def test_a_local_code_without_words_could_be_anything(source: Source) -> None:
    for system in ("urn:local", "http://hl7.org/fhir/sid/icd-9-cm"):
        code = coded(system, "281.0")
        assert unreadable(source, {**EVERYTHING[source], "code": code}) == [(None, "unknown-code")]
    family = {**FAMILY, "condition": {"code": coded("urn:local", "281.0")}}
    assert unreadable(Source.FAMILY, family) == [(None, "unknown-code")]


@pytest.mark.parametrize(
    "code",
    [
        coded("urn:local", "1", display="Hypertension"),
        {**coded("urn:local", "1"), "text": "Hypertension"},
        coded(SNOMED, "38341003"),
        coded("https://snomed.info/sct/", "38341003"),
        coded("urn:oid:2.16.840.1.113883.6.90", "I10"),
        coded(LOINC, "8480-6"),
        {"coding": [{"system": "urn:local", "code": "1"}, {"system": SNOMED, "code": "38341003"}]},
        {"text": "Hypertension"},
        "Hypertension",
        {},
        None,
    ],
)
@pytest.mark.parametrize("source", [Source.PROBLEMS, Source.LABS, Source.PROCEDURES, Source.ALLERGIES, Source.TESTS])
def test_what_has_another_name_or_a_code_of_a_complete_system_is_not_ours(source: Source, code: Any) -> None:
    assert unreadable(source, {**EVERYTHING[source], "code": code}) == []


def test_a_condition_that_was_refuted_is_not_reported_whatever_it_was() -> None:
    refuted = {**B12_CONDITION, "code": coded("urn:local", "1"), "verificationStatus": coded("x", "Refuted")}
    assert unreadable(Source.PROBLEMS, refuted) == []


def test_a_number_is_read_as_the_code_it_stands_for() -> None:
    for code in (84027009, 84027009.0, "84027009 "):
        assert read(Source.PROBLEMS, {**B12_CONDITION, "code": {"coding": {"system": SNOMED, "code": code}}}).problems


def test_a_plan_of_r5_is_read_in_its_concept() -> None:
    planned = {**PLANNED, "code": {"concept": PLANNED["code"]}}
    assert facts(read(Source.TESTS, planned)) == facts(read(Source.TESTS, PLANNED))
    booked = {**BOOKED, "serviceType": [{"concept": each} for each in BOOKED["serviceType"]]}
    assert facts(read(Source.APPOINTMENTS, booked)) == facts(read(Source.APPOINTMENTS, BOOKED))


def test_each_item_of_a_diagnostic_order_is_a_plan_and_a_draft_asks_for_all() -> None:
    order = {
        "resourceType": "DiagnosticOrder",
        "id": "1",
        "status": "Requested",
        "item": [{"code": B12_LEVEL}, {"code": coded(LOINC, "13964-2")}],
        "event": [{"status": "requested", "dateTime": "2026-11-20"}],
    }
    planned = read(Source.TESTS, order).planned
    assert {each.concepts[0].name for each in planned} == {"b12_total_serum", "mma_serum"}
    assert all(each.authored for each in planned)
    [draft] = drafts(order).orders
    assert set(draft.tests) == {"b12_total_serum", "mma_serum"}


def test_a_claim_of_blue_button_counts_in_every_shape() -> None:
    due = facts(read(Source.CLAIMS, CLAIM))
    for item in (
        [{"service": J3420, "servicedDate": "2026-11-01"}],
        {"service": [J3420], "servicedPeriod": {"start": "2026-11-01", "end": "2026-11-01"}},
        [{"productOrService": {"coding": {**J3420["coding"][0], "code": "j3420"}}, "servicedDate": "2026-11-01"}],
    ):
        assert facts(read(Source.CLAIMS, {**CLAIM, "item": item})) == due


# --- DSTU2: every example patient -----------------------------------------------------------------------------------


def _in_dstu2(resource: Json) -> Iterator[Json]:
    """A resource of R4 as DSTU2 has it."""
    resource = copy.deepcopy(resource)
    kind = resource["resourceType"]
    for name in ("clinicalStatus", "verificationStatus"):
        if name in resource:
            resource[name] = resource[name]["coding"][0]["code"]
    if kind in ("Condition", "AllergyIntolerance", "MedicationStatement", "MedicationAdministration"):
        _renamed(resource, subject="patient")
    if kind in ("MedicationRequest", "MedicationDispense"):
        for dosage in resource.get("dosageInstruction", []):
            for rate in dosage.pop("doseAndRate", []):
                dosage.update(rate)
            repeat = dosage.get("timing", {}).get("repeat", {})
            _renamed(repeat, periodUnit="periodUnits", boundsDuration="boundsQuantity")
            _renamed(dosage, site="siteCodeableConcept")
    if kind == "MedicationRequest":
        resource["resourceType"] = "MedicationOrder"
        _renamed(resource, authoredOn="dateWritten", statusReason="reasonEnded", reasonCode="reasonCodeableConcept")
    elif kind == "MedicationAdministration":
        _renamed(resource, effectiveDateTime="effectiveTimeDateTime", statusReason="reasonNotGiven")
        _renamed(resource.get("dosage", {}), dose="quantity", site="siteCodeableConcept")
        if resource["status"] == "not-done":
            resource |= {"status": "completed", "wasNotGiven": True}
    elif kind == "MedicationStatement":
        for dosage in resource.get("dosage", []):
            for rate in dosage.pop("doseAndRate", []):
                dosage["quantityQuantity"] = rate["doseQuantity"]
            _renamed(dosage.get("timing", {}).get("repeat", {}), periodUnit="periodUnits")
    elif kind == "Condition":
        _renamed(resource, recordedDate="dateRecorded")
    elif kind == "AllergyIntolerance":
        _renamed(resource, code="substance")
        status = resource.pop("verificationStatus", None)
        resource["status"] = status or resource.pop("clinicalStatus", "active")
        if "criticality" in resource:
            resource["criticality"] = {"high": "CRITH", "low": "CRITL"}[resource["criticality"]]
    elif kind == "Observation" and isinstance(resource.get("interpretation"), list):
        resource["interpretation"] = resource["interpretation"][0]
    elif kind == "ServiceRequest":
        code, written = resource.pop("code", None), resource.pop("authoredOn", None)
        if "occurrenceDateTime" in resource or code is None:
            _renamed(resource, occurrenceDateTime="scheduledDateTime")
            resource |= {"resourceType": "ProcedureRequest", "code": code, "orderedOn": written}
        else:
            resource |= {"resourceType": "DiagnosticOrder", "item": [{"code": code}]}
            resource["event"] = [{"status": "requested", "dateTime": written}] if written else []
    elif kind == "Appointment" and "serviceType" in resource:
        resource["type"] = resource.pop("serviceType")[0]
    yield resource


def _renamed(holder: Json, **names: str) -> None:
    for old, new in names.items():
        if old in holder:
            holder[new] = holder.pop(old)


@pytest.mark.parametrize("topic", all_files())
def test_every_example_patient_is_read_alike_in_dstu2(topic: str) -> None:
    file = all_files()[topic]
    compared = 0
    for vignette in file.vignettes:
        prefetch = ehr.prefetch(vignette, file.today, load().terminology)
        other = copy.deepcopy(prefetch)
        for bundle in other.values():
            if isinstance(bundle, dict):
                for entry in bundle.get("entry", []):
                    [entry["resource"]] = _in_dstu2(entry["resource"])
        found, same = (
            READER.record(Drafts(), received(each, tuple(Source), ehr.PATIENT), LABS, ehr.PATIENT, file.today)
            for each in (prefetch, other)
        )
        compared += other != prefetch
        assert _told(same) == _told(found), vignette.name
    assert compared


def _told(found: PatientRecord) -> str:
    """The facts; an order is called by another name in DSTU2."""
    states = {
        source: (each.supplied, [(fault.concept, fault.reason) for fault in _faults(each.unreadable)])
        for source, each in found.sources.items()
    }
    return repr((facts(found), states)).replace("MedicationOrder/", "MedicationRequest/")


def _faults(unreadable: tuple[Unreadable, ...]) -> list[Unreadable]:
    return sorted(unreadable, key=lambda each: (each.concept or "", each.reason))
