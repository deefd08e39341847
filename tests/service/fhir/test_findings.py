"""What is the matter with the patient, what was done, and which doses were given: facts, never guesses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cards.due_date import injections
from cards.record import (
    ClinicalStatus,
    CourseStatus,
    Patient,
    PatientRecord,
    Problem,
    Procedure,
    Source,
    When,
    WhyNot,
)
from cards.terminology import Concept
from tests.service.fhir.reading import LOINC, RXNORM, SNOMED, Json, bundle, coded, course, read, record

PERNICIOUS_ANAEMIA = coded(SNOMED, "84027009")
ICD10, ICD10CM = "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"
B12_DEFICIENCY, FOLATE_DEFICIENCY = "b12_deficiency_nonanemic_or_unspecified", "folate_deficiency"
DAY = When.on(date(2026, 11, 1))


# --- conditions --------------------------------------------------------------------------------------------------


def problems(**members: Any) -> tuple[Problem, ...]:
    return read(Source.PROBLEMS, {"resourceType": "Condition", "code": PERNICIOUS_ANAEMIA, **members}).problems


def problem(**members: Any) -> Problem:
    (found,) = problems(**members)
    return found


def names(found: Problem) -> set[str]:
    return {each.name for each in found.concepts}


@pytest.mark.parametrize(
    ("members", "status", "present"),
    [
        ({"clinicalStatus": coded("x", "active")}, ClinicalStatus.ACTIVE, True),
        ({"clinicalStatus": coded("x", "recurrence")}, ClinicalStatus.RECURRENCE, True),
        ({"clinicalStatus": coded("x", "relapse")}, ClinicalStatus.RELAPSE, True),
        ({"clinicalStatus": coded("x", "inactive")}, ClinicalStatus.INACTIVE, False),
        ({"clinicalStatus": coded("x", "remission")}, ClinicalStatus.REMISSION, False),
        ({"clinicalStatus": coded("x", "resolved")}, ClinicalStatus.RESOLVED, False),
        ({"clinicalStatus": "resolved"}, ClinicalStatus.RESOLVED, False),
        ({"clinicalStatus": {"text": "Resolved"}}, ClinicalStatus.RESOLVED, False),
        ({}, None, True),
        ({"clinicalStatus": coded("x", "invented")}, None, True),
        ({"abatementDateTime": "2020"}, None, False),
        ({"abatementPeriod": {"end": "2020-05-01"}}, None, False),
        ({"abatementBoolean": True}, ClinicalStatus.RESOLVED, False),
        ({"abatementBoolean": False}, None, True),
        ({"abatementString": "years ago"}, ClinicalStatus.RESOLVED, False),
        ({"abatementAge": {"value": 40, "unit": "a"}}, ClinicalStatus.RESOLVED, False),
        ({"clinicalStatus": coded("x", "active"), "abatementDateTime": "2020"}, ClinicalStatus.ACTIVE, True),
    ],
)
def test_a_condition_is_present_unless_its_status_or_its_end_says_otherwise(
    members: Json, status: ClinicalStatus | None, present: bool
) -> None:
    found = problem(**members)
    assert (found.status, found.present) == (status, present)


@pytest.mark.parametrize("code", ["refuted", "entered-in-error"])
@pytest.mark.parametrize("as_", ["code", "concept", "words"])
def test_a_condition_that_was_refuted_or_entered_in_error_is_left_out(code: str, as_: str) -> None:
    status = {"code": code, "concept": coded("x", code), "words": {"text": code.replace("-", " ").capitalize()}}
    assert problems(verificationStatus=status[as_]) == ()


@pytest.mark.parametrize(
    ("verification", "certain"),
    [
        (None, True),
        (coded("x", "confirmed"), True),
        ("confirmed", True),
        (coded("x", "provisional"), False),
        (coded("x", "differential"), False),
        (coded("x", "unconfirmed"), False),
        ("unconfirmed", False),
    ],
)
def test_a_condition_is_certain_unless_it_is_marked_as_not_yet_confirmed(verification: object, certain: bool) -> None:
    assert problem(verificationStatus=verification).certain is certain


@pytest.mark.parametrize("system", [ICD10, ICD10CM])
@pytest.mark.parametrize(
    ("text", "specific"),
    [
        (None, {B12_DEFICIENCY: False}),
        ("Riboflavin deficiency", {B12_DEFICIENCY: False}),
        ("Vitamin B12 deficiency", {B12_DEFICIENCY: True}),
        ("B12 and folate deficiency", {B12_DEFICIENCY: True}),
    ],
)
def test_e53_8_is_b12_deficiency_only_when_its_words_say_so(
    system: str, text: str | None, specific: dict[str, bool]
) -> None:
    found = problem(code={**coded(system, "E53.8"), "text": text})
    assert {each.name: each.specific for each in found.concepts if each.name != FOLATE_DEFICIENCY} == specific


def test_e53_8_whose_words_say_folate_is_not_b12_deficiency() -> None:
    found = problem(code={**coded(ICD10CM, "E53.8"), "text": "Folate deficiency"})
    assert found.concepts == (Concept("condition", FOLATE_DEFICIENCY, specific=True),)


def test_the_display_of_e53_8_counts_as_its_words() -> None:
    found = problem(code=coded(ICD10CM, "E53.8", display="Vitamin B12 deficiency"))
    assert Concept("condition", B12_DEFICIENCY, "unspecified", specific=True) in found.concepts


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        (coded(ICD10CM, "D51.0"), Concept("condition", "pernicious_anemia", "autoimmune")),
        (coded(ICD10CM, "D51.3"), Concept("condition", "vegan_diet", "strict")),
        (coded(SNOMED, "234362006"), Concept("condition", "pernicious_anemia", "congenital")),
        (coded("urn:oid:2.16.840.1.113883.6.96", "84027009"), Concept("condition", "pernicious_anemia", "autoimmune")),
        (
            {"coding": [{"code": "7"}, {"system": SNOMED, "code": "84027009"}]},
            Concept("condition", "pernicious_anemia", "autoimmune"),
        ),
    ],
)
def test_a_code_names_the_condition_with_its_distinctions(code: Json, concept: Concept) -> None:
    found = problem(code=code)
    assert concept in found.concepts
    assert not found.by_text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Pernicious anaemia", "pernicious_anemia"),
        ("PERNICIOUS ANEMIA", "pernicious_anemia"),
        ("Low B12", B12_DEFICIENCY),
        ("Vitamin B-12 deficiency", B12_DEFICIENCY),
        ("Subacute combined degeneration of the cord", "subacute_combined_degeneration"),
        ("Peripheral neuropathy due to B12 deficiency", "b12_neurological"),
        ("Coeliac disease", "celiac"),
        ("Sleeve gastrectomy", "bariatric_status"),
        ("Vegan", "vegan_diet"),
    ],
)
def test_a_condition_in_words_alone_is_known_and_marked_as_such(text: str, name: str) -> None:
    found = problem(code={"text": text})
    assert name in names(found)
    assert found.by_text


@pytest.mark.parametrize(
    ("code", "text", "substance"),
    [
        ("Z88.8", "Allergic to hydroxocobalamin", "hydroxocobalamin"),
        ("T45.2X5A", "Adverse reaction to vitamin B12", "cobalamin"),
        ("L23.0", "Allergic contact dermatitis due to cobalt", "cobalt"),
        (None, "Allergy to cyanocobalamin", "cyanocobalamin"),
    ],
)
def test_an_allergy_on_the_problem_list_is_to_what_its_words_name(code: str | None, text: str, substance: str) -> None:
    found = problem(code={**(coded(ICD10CM, code) if code else {}), "text": text})
    assert Concept("condition", "cobalamin_cobalt_allergy", substance) in found.concepts


@pytest.mark.parametrize("code", ["Z88.8", "T45.2X5A", "L23.0"])
def test_a_code_for_any_allergy_or_vitamin_names_no_cobalamin(code: str) -> None:
    assert not any(each.specific for each in problem(code=coded(ICD10CM, code)).concepts)


@pytest.mark.parametrize(
    "text",
    [
        "No evidence of pernicious anaemia",
        "Family history of pernicious anaemia",
        "Suspected pernicious anaemia",
        "Pernicious anaemia ruled out",
        "B12 deficiency - excluded",
        "At risk of vitamin B12 deficiency",
        "Denies paraesthesiae",
        "Not pregnant",
        "Asthma",
        "",
    ],
)
def test_words_that_deny_a_condition_or_give_it_to_someone_else_do_not_name_it(text: str) -> None:
    assert problems(code={"text": text}) == ()


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("2019-05-17", When.on(date(2019, 5, 17))),
        ("2019-05", When(date(2019, 5, 1), date(2019, 5, 31))),
        ("2020-02", When(date(2020, 2, 1), date(2020, 2, 29))),
        ("2019", When(date(2019, 1, 1), date(2019, 12, 31))),
        ("2019-05-17T23:30:00Z", When.on(date(2019, 5, 18))),
        ("2019-13", None),
        ("2019-02-30", None),
        ("childhood", None),
    ],
)
def test_a_partial_date_is_the_span_it_leaves_open_and_an_impossible_one_is_none(said: str, when: When | None) -> None:
    assert problem(onsetDateTime=said).began == when
    assert problem(recordedDate=said).recorded == when


@pytest.mark.parametrize("name", ["recordedDate", "assertedDate", "dateRecorded"])
def test_the_day_of_recording_stands_in_for_the_onset(name: str) -> None:
    assert problem(**{name: "2019-05-17"}).dated == When.on(date(2019, 5, 17))
    assert problem(**{name: "2019-05-17"}, onsetPeriod={"start": "2018"}).dated == When(
        date(2018, 1, 1), date(2018, 12, 31)
    )


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"note": [{"text": "due to low B12"}]}, True),
        ({"evidence": [{"code": [{"text": "B12 deficiency"}]}]}, True),
        ({"evidence": [{"concept": {"text": "low vitamin B-12"}}]}, True),
        ({"extension": [{"url": "urn:condition-dueTo", "valueCodeableConcept": {"text": "cobalamin"}}]}, True),
        ({"note": [{"text": "due to vitamin B6"}]}, False),
        ({"extension": [{"url": "urn:other", "valueCodeableConcept": {"text": "cobalamin"}}]}, False),
    ],
)
def test_a_condition_names_b12_in_its_note_evidence_or_cause(members: Json, named: bool) -> None:
    assert problem(code={"text": "Peripheral neuropathy"}, **members).names_b12 is named


# --- procedures --------------------------------------------------------------------------------------------------


def procedure(**members: Any) -> Procedure:
    (found,) = read(Source.PROCEDURES, {"resourceType": "Procedure", "status": "completed", **members}).procedures
    return found


@pytest.mark.parametrize(
    ("code", "concept"),
    [
        (coded(SNOMED, "1260434005"), Concept("procedure", "gastrectomy", "total")),
        (coded(SNOMED, "10869008"), Concept("procedure", "gastrectomy", "partial")),
        (coded(SNOMED, "173747005"), Concept("procedure", "bariatric", "bypass")),
        ({"text": "Total gastrectomy"}, Concept("procedure", "gastrectomy", "total")),
        ({"text": "Gastrectomy"}, Concept("procedure", "gastrectomy", "unspecified")),
        ({"text": "Roux-en-Y gastric bypass"}, Concept("procedure", "bariatric", "bypass")),
        ({"text": "Sleeve gastrectomy"}, Concept("procedure", "bariatric", "sleeve")),
        ({"text": "Ileal resection"}, Concept("procedure", "ileal_resection", "unknown_length")),
    ],
)
def test_a_procedure_is_known_with_its_extent(code: Json, concept: Concept) -> None:
    assert procedure(code=code).concepts == (concept,)


@pytest.mark.parametrize(
    "members",
    [
        {"code": {"text": "Ileal resection 45 cm"}},
        {"code": {"text": "Ileal resection"}, "note": [{"text": "removed 45 cm"}]},
        {"type": {"text": "Ileal resection, 45 centimetres"}},
    ],
)
def test_the_length_of_bowel_removed_is_read_where_it_is_stated(members: Json) -> None:
    assert procedure(**members).length_cm == 45


@pytest.mark.parametrize(
    ("note", "length"),
    [
        ("Tumour of 3 cm. 40 cm of terminal ileum resected.", 40),
        ("Removed 15 centimetres of the ileum with a margin of 5 cm", 15),
        ("25 cm and 10 cm of ileum removed", None),
        ("Stricture 30 cm from the valve, 12 cm of bowel removed", None),
        ("3 cm tumour, margin 5 cm", None),
    ],
)
def test_of_several_lengths_only_the_largest_said_of_bowel_counts(note: str, length: int | None) -> None:
    """A tumour of 3 cm is no short resection, and two pieces of bowel are not the shorter one."""
    found = procedure(code={"text": "Ileal resection"}, note=[{"text": note}])

    assert found.length_cm == length


@pytest.mark.parametrize(
    "members",
    [
        {"performedDateTime": "2001-02-03"},
        {"occurrenceDateTime": "2001-02-03"},
        {"performedPeriod": {"start": "2001-02-02", "end": "2001-02-03"}},
        {"occurrencePeriod": {"start": "2001-02-03"}},
    ],
)
def test_the_day_of_a_procedure_is_read_in_every_version(members: Json) -> None:
    assert procedure(code={"text": "Total gastrectomy"}, **members).when == When.on(date(2001, 2, 3))


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "stopped", "aborted", "on-hold", "unknown"])
def test_a_procedure_that_was_not_done_is_left_out(status: str) -> None:
    resource = {"resourceType": "Procedure", "status": status, "code": {"text": "Total gastrectomy"}}
    assert read(Source.PROCEDURES, resource).procedures == ()


# --- doses that were given ---------------------------------------------------------------------------------------

HYDROXOCOBALAMIN = {"text": "Hydroxocobalamin 1mg/1ml injection"}
ONE_MG = {"value": 1, "unit": "mg"}
J3420 = {"coding": [{"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "J3420"}]}
CPT_INJECTION = {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "96372"}]}


def administration(**members: Any) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": HYDROXOCOBALAMIN,
        "effectiveDateTime": "2026-11-01",
        "dosage": {"dose": ONE_MG},
        **members,
    }


def statement(**members: Any) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": HYDROXOCOBALAMIN,
        "effectiveDateTime": "2026-11-01",
        **members,
    }


def injection(**members: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": coded(SNOMED, "308752009"),
        "performedDateTime": "2026-11-01",
        **members,
    }


def claim(service: Json = J3420, **members: Any) -> Json:
    return {
        "resourceType": "ExplanationOfBenefit",
        "status": "active",
        "outcome": "complete",
        "item": [{"productOrService": service, "servicedDate": "2026-11-01"}],
        **members,
    }


def dispense(**members: Any) -> Json:
    return {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": HYDROXOCOBALAMIN,
        "whenHandedOver": "2026-11-01",
        **members,
    }


GIVEN: dict[str, tuple[Source, Json]] = {
    "administration": (Source.DOSES, administration()),
    "administration of R5": (
        Source.DOSES,
        administration(effectiveDateTime=None, occurenceDateTime="2026-11-01T09:00:00Z"),
    ),
    "administration of DSTU2": (
        Source.DOSES,
        administration(effectiveDateTime=None, effectiveTimePeriod={"start": "2026-10-31", "end": "2026-11-01"}),
    ),
    "administration that began and never ended": (Source.DOSES, administration(status="in-progress")),
    "procedure": (Source.PROCEDURES, injection()),
    "administration of vitamin B12": (Source.PROCEDURES, injection(code=coded(SNOMED, "709544008"))),
    "procedure with a billing code": (Source.PROCEDURES, injection(code=J3420)),
    "claim": (Source.CLAIMS, claim()),
    "claim of STU3": (Source.CLAIMS, claim(item=[{"service": J3420, "servicedPeriod": {"end": "2026-11-01"}}])),
    "statement": (Source.STATEMENTS, statement()),
    "statement of a period that is over": (
        Source.STATEMENTS,
        statement(effectiveDateTime=None, effectivePeriod={"start": "2026-10-01", "end": "2026-11-01"}),
    ),
}


@pytest.mark.parametrize(("source", "resource"), GIVEN.values(), ids=GIVEN)
def test_what_tells_of_an_injection_on_a_day_is_a_dose_given(source: Source, resource: Json) -> None:
    (found,) = injections(read(source, resource))
    assert (found.when, found.source, found.stated) == (DAY, source, source is Source.STATEMENTS)


ORDERED = {
    "resourceType": "MedicationRequest",
    "status": "completed",
    "medicationCodeableConcept": HYDROXOCOBALAMIN,
    "authoredOn": "2026-11-01",
}
IMMUNIZATION = {
    "resourceType": "Immunization",
    "status": "completed",
    "vaccineCode": {"text": "B12 injection"},
    "occurrenceDateTime": "2026-11-01",
}
NOT_GIVEN: dict[str, tuple[Source, Json]] = {
    "not done": (Source.DOSES, administration(status="not-done")),
    "stopped": (Source.DOSES, administration(status="stopped")),
    "on hold": (Source.DOSES, administration(status="on-hold")),
    "unknown": (Source.DOSES, administration(status="unknown")),
    "entered in error": (Source.DOSES, administration(status="entered-in-error")),
    "without a status": (Source.DOSES, administration(status=None)),
    "not given, STU3": (Source.DOSES, administration(notGiven=True)),
    "not given, DSTU2": (Source.DOSES, administration(wasNotGiven=True)),
    "begun today": (Source.DOSES, administration(status="in-progress", effectiveDateTime="2026-11-23")),
    "without a dose": (Source.DOSES, administration(dosage=None)),
    "in the future": (Source.DOSES, administration(effectiveDateTime="2026-11-25")),
    "of another drug": (Source.DOSES, administration(medicationCodeableConcept={"text": "paracetamol"})),
    "of the antidote": (Source.DOSES, administration(medicationCodeableConcept={"text": "Cyanokit 5 g"})),
    "of a tracer": (Source.DOSES, administration(medicationCodeableConcept={"text": "cyanocobalamin Co-57"})),
    "by mouth": (Source.DOSES, administration(medicationCodeableConcept={"text": "Cyanocobalamin 1 mg tablets"})),
    "an immunization": (Source.DOSES, IMMUNIZATION),
    "an order": (Source.MEDICATIONS, ORDERED),
    "a supply": (Source.DISPENSES, dispense()),
    "a procedure in words": (Source.PROCEDURES, injection(code={"text": "B12 injection declined"})),
    "injections in words": (Source.PROCEDURES, injection(code={"text": "Injection of vitamin B12 given"})),
    "a course begun": (Source.PROCEDURES, injection(code=coded(SNOMED, "170821007"))),
    "a procedure not done": (Source.PROCEDURES, injection(status="not-done")),
    "an injection of something": (Source.CLAIMS, claim(CPT_INJECTION)),
    "a claim cancelled": (Source.CLAIMS, claim(status="cancelled")),
    "a claim in error": (Source.CLAIMS, claim(outcome="error")),
    "a statement not taken": (Source.STATEMENTS, statement(taken="n")),
    "a statement denied": (Source.STATEMENTS, statement(status="not-taken")),
    "a statement in error": (Source.STATEMENTS, statement(status="entered-in-error")),
    "a statement of tablets": (Source.STATEMENTS, statement(medicationCodeableConcept={"text": "B12 tablets"})),
}


@pytest.mark.parametrize(("source", "resource"), NOT_GIVEN.values(), ids=NOT_GIVEN)
def test_what_does_not_tell_that_b12_was_injected_is_no_dose(source: Source, resource: Json) -> None:
    assert injections(read(source, resource)) == ()


@pytest.mark.parametrize(
    ("source", "resource", "reason"),
    [
        (Source.DOSES, administration(effectiveDateTime=None), "no-date"),
        (Source.DOSES, administration(effectiveDateTime="2026-11-25"), "future-date"),
        (Source.DOSES, administration(effectiveDateTime="soon"), "impossible-date"),
        (Source.PROCEDURES, injection(performedDateTime=None), "no-date"),
        (Source.PROCEDURES, injection(code={"text": "B12 injection"}), "unreadable"),
        (Source.PROCEDURES, injection(code={"text": "Injection of vitamin B12 given"}), "unreadable"),
        (Source.PROCEDURES, injection(code={"text": "B12 INJ GIVEN"}), "unreadable"),
        (Source.PROCEDURES, injection(code={"text": "Hydroxocobalamin injection"}), "unreadable"),
        (Source.STATEMENTS, statement(effectiveDateTime="2026-12-24"), "future-date"),
        (Source.CLAIMS, claim(item=[{"productOrService": J3420}]), "no-date"),
        (Source.DISPENSES, dispense(whenHandedOver=None), "no-date"),
    ],
)
def test_a_possible_dose_that_cannot_be_counted_is_reported(source: Source, resource: Json, reason: str) -> None:
    assert [each.reason for each in read(source, resource).state(source).unreadable] == [reason]


def test_a_partial_date_of_a_dose_is_taken_as_its_last_day_and_never_as_a_day_to_come() -> None:
    days = [
        injections(read(Source.STATEMENTS, statement(effectiveDateTime=said)))[0].when.latest
        for said in ("2026-10", "2026-11")
    ]
    assert days == [date(2026, 10, 31), date(2026, 11, 23)]
    (injected,) = read(Source.PROCEDURES, injection(performedDateTime="2026-11")).doses
    assert injected.when.latest == date(2026, 11, 23)


def test_an_administration_without_a_dose_is_kept_apart() -> None:
    (found,) = read(Source.DOSES, administration(dosage=None)).doses_without_amount
    assert found.when == DAY


def everywhere(day: str) -> PatientRecord:
    return record(
        {
            Source.DOSES: bundle(administration()),
            Source.STATEMENTS: bundle(statement(effectiveDateTime=day)),
            Source.CLAIMS: bundle(claim(item=[{"productOrService": J3420, "servicedDate": day}])),
            Source.PROCEDURES: bundle(injection(performedDateTime=day)),
            Source.DISPENSES: bundle(dispense(whenHandedOver=day)),
        }
    )


@pytest.mark.parametrize("day", ["2026-10-31", "2026-11-01", "2026-11-02"])
def test_one_injection_recorded_in_several_places_is_one_dose(day: str) -> None:
    assert len(injections(everywhere(day))) == 1


def test_records_two_days_apart_are_two_doses() -> None:
    assert [each.when.latest for each in injections(everywhere("2026-11-03"))] == [date(2026, 11, 1), date(2026, 11, 3)]


def test_the_administration_is_kept_of_several_records_of_one_day() -> None:
    assert [each.source for each in injections(everywhere("2026-11-01"))] == [Source.DOSES]


def test_administrations_on_consecutive_days_are_two_doses() -> None:
    found = read(Source.DOSES, administration(), administration(effectiveDateTime="2026-11-02"))
    assert len(injections(found)) == 2


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"statusReason": [{"text": "Patient refused"}]}, WhyNot.REFUSED),
        ({"statusReason": [{"coding": [{"display": "Declined by patient"}]}]}, WhyNot.REFUSED),
        ({"statusReason": [{"text": "out of stock"}]}, WhyNot.NO_STOCK),
        ({"statusReason": [{"text": "away on holiday"}]}, WhyNot.AWAY),
        ({"reasonNotGiven": [{"text": "B12 level normal"}]}, WhyNot.NORMAL_LEVEL),
        ({"statusReason": [{"text": "unwell"}]}, WhyNot.OTHER),
        ({}, WhyNot.OTHER),
    ],
)
def test_a_dose_not_given_keeps_its_day_and_reason(members: Json, why: WhyNot) -> None:
    (found,) = read(Source.DOSES, administration(status="not-done", **members)).not_given
    assert (found.when, found.why_not) == (DAY, why)


def test_a_supply_keeps_its_quantity_and_days() -> None:
    quantity, days = {"value": 2, "unit": "ampoules"}, {"value": 168, "unit": "days"}
    (found,) = read(Source.DISPENSES, dispense(quantity=quantity, daysSupply=days)).dispensed
    assert found.quantity
    assert (found.when, found.quantity.high, found.days) == (DAY, Decimal(2), Decimal(168))


def test_a_supply_for_an_absurd_number_of_days_is_for_an_unknown_number() -> None:
    (found,) = read(Source.DISPENSES, dispense(daysSupply={"value": 1e300, "unit": "days"})).dispensed
    assert found.days is None


@pytest.mark.parametrize("status", ["in-progress", "cancelled", "stopped", "entered-in-error", "declined"])
def test_a_supply_that_was_not_handed_over_is_left_out(status: str) -> None:
    assert read(Source.DISPENSES, dispense(status=status)).dispensed == ()


# --- courses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("active", CourseStatus.ACTIVE),
        ("on-hold", CourseStatus.ON_HOLD),
        ("stopped", CourseStatus.STOPPED),
        ("cancelled", CourseStatus.CANCELLED),
        ("completed", CourseStatus.COMPLETED),
        ("ended", CourseStatus.COMPLETED),
        ("unknown", CourseStatus.UNKNOWN),
        ("invented", CourseStatus.UNKNOWN),
        (None, CourseStatus.UNKNOWN),
        (7, CourseStatus.UNKNOWN),
    ],
)
def test_the_status_of_an_order_is_read(said: object, status: CourseStatus) -> None:
    assert course(status=said, medicationCodeableConcept=HYDROXOCOBALAMIN).status is status


@pytest.mark.parametrize("status", ["entered-in-error", "draft"])
def test_an_order_in_error_or_not_yet_signed_is_no_course(status: str) -> None:
    assert read(Source.MEDICATIONS, {**ORDERED, "status": status}).courses == ()


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"status": "active"}, CourseStatus.ACTIVE),
        ({"status": "intended"}, CourseStatus.ACTIVE),
        ({"status": "recorded"}, CourseStatus.ACTIVE),
        ({"status": "active", "taken": "n"}, CourseStatus.STOPPED),
        ({"status": "active", "wasNotTaken": True}, CourseStatus.STOPPED),
        ({"status": "not-taken"}, CourseStatus.STOPPED),
        ({"status": "completed"}, CourseStatus.COMPLETED),
    ],
)
def test_a_statement_without_a_day_of_injection_is_a_course(members: Json, status: CourseStatus) -> None:
    folic_acid = coded(RXNORM, "4511")
    (found,) = read(Source.STATEMENTS, statement(medicationCodeableConcept=folic_acid, **members)).courses
    assert (found.status, found.stated, found.source) == (status, True, Source.STATEMENTS)


@pytest.mark.parametrize("name", ["authoredOn", "dateWritten"])
def test_the_day_an_order_was_written_is_read_in_every_version(name: str) -> None:
    assert course(medicationCodeableConcept=HYDROXOCOBALAMIN, **{name: "2026-11-01"}).authored == DAY


# --- the person --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "patient"),
    [
        ({"birthDate": "1950-06-01"}, Patient(born=When.on(date(1950, 6, 1)))),
        ({"birthDate": "1950"}, Patient(born=When(date(1950, 1, 1), date(1950, 12, 31)))),
        ({"deceasedBoolean": True}, Patient(deceased=True)),
        ({"deceasedDateTime": "2026-10-01"}, Patient(deceased=True)),
        ({"deceasedBoolean": False}, Patient()),
        ({"active": False}, Patient(left=True)),
        ({"name": [{"text": "Example"}], "identifier": [{"value": "1"}]}, Patient()),
    ],
)
def test_the_patient_is_an_age_and_whether_they_are_still_here(members: Json, patient: Patient) -> None:
    found = record({Source.PATIENT: {"resourceType": "Patient", "id": "example", **members}})
    assert found.patient == patient


def test_the_findings_of_another_patient_are_left_out() -> None:
    mine, other, unsaid = (
        {"resourceType": "Condition", "code": {"text": text}, **subject}
        for text, subject in (
            ("Coeliac disease", {"subject": {"reference": "Patient/example"}}),
            ("Pernicious anaemia", {"subject": {"reference": "Patient/somebody-else"}}),
            ("Vegan", {}),
        )
    )
    assert [names(each) for each in read(Source.PROBLEMS, mine, other, unsaid).problems] == [{"celiac"}, {"vegan_diet"}]


@pytest.mark.parametrize("reference", ["Patient/example/_history/3", "https://ehr.example.org/fhir/Patient/example"])
def test_the_patient_is_recognised_in_any_form_of_reference(reference: str) -> None:
    assert problems(subject={"reference": reference})
    assert problems(subject=None, patient={"reference": reference})


def test_a_resource_of_a_type_that_was_not_asked_for_is_left_out() -> None:
    found = read(Source.PROBLEMS, {"resourceType": "Observation", "code": coded(LOINC, "2132-9")}, administration())
    assert (found.problems, found.labs, found.doses) == ((), (), ())
    assert found.state(Source.PROBLEMS).unreadable == ()
