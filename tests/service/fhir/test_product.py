"""Which drug a resource is about: its four forms, the shapes of five FHIR versions, and names that only look alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cards.record import Medicine, Route, Source, Strength, UnknownDrug
from tests.service.fhir.reading import (
    PATIENT,
    READER,
    RXNORM,
    SNOMED,
    TODAY,
    Json,
    bundle,
    coded,
    drafts,
    named,
    order,
    read,
    record,
)

HYDROXOCOBALAMIN = coded(SNOMED, "409258004")
MEDICATION = {"resourceType": "Medication", "id": "m1", "code": HYDROXOCOBALAMIN}
REFERENCE = {"reference": "Medication/m1"}
FOUR_FORMS: dict[str, Json] = {
    "codings": {"medicationCodeableConcept": HYDROXOCOBALAMIN},
    "words": {"medicationCodeableConcept": {"text": "Hydroxocobalamin 1mg/1ml injection"}},
    "a contained Medication": {"medicationReference": {"reference": "#m1"}, "contained": [MEDICATION]},
    "a display alone": {"medicationReference": {**REFERENCE, "display": "Hydroxocobalamin 1 mg injection"}},
}
OF_EVERY_VERSION: dict[str, Json] = {
    "R4 and R4B code": {"resourceType": "MedicationRequest", "medicationCodeableConcept": HYDROXOCOBALAMIN},
    "R4 reference": {"resourceType": "MedicationRequest", "medicationReference": REFERENCE},
    "R5 concept": {"resourceType": "MedicationRequest", "medication": {"concept": HYDROXOCOBALAMIN}},
    "R5 reference": {"resourceType": "MedicationRequest", "medication": {"reference": REFERENCE}},
    "R5 display": {
        "resourceType": "MedicationRequest",
        "medication": {"reference": {"display": "Hydroxocobalamin 1 mg injection"}},
    },
    "plain reference": {"resourceType": "MedicationRequest", "medication": REFERENCE},
    "plain code": {"resourceType": "MedicationRequest", "medication": HYDROXOCOBALAMIN},
    "DSTU2 code": {"resourceType": "MedicationOrder", "medicationCodeableConcept": HYDROXOCOBALAMIN},
    "DSTU2 reference": {"resourceType": "MedicationOrder", "medicationReference": REFERENCE},
}


def first_of(*resources: Any) -> Medicine:
    return drafts(*resources).orders[0].medicine


@pytest.mark.parametrize("members", FOUR_FORMS.values(), ids=FOUR_FORMS)
def test_the_drug_is_known_by_codings_words_a_contained_medication_or_a_display(members: Json) -> None:
    assert order(**members).medicine.ingredients == ("hydroxocobalamin",)


@pytest.mark.parametrize("request_", OF_EVERY_VERSION.values(), ids=OF_EVERY_VERSION)
def test_the_drug_is_found_in_the_shape_of_every_version(request_: Json) -> None:
    assert first_of({"id": "1", "status": "draft", **request_}, MEDICATION).ingredients == ("hydroxocobalamin",)


@pytest.mark.parametrize(
    "reference",
    ["Medication/m1", "Medication/m1/_history/2", "https://ehr.example.org/fhir/Medication/m1", "m1"],
)
def test_a_medication_in_the_same_bundle_is_found_by_any_form_of_its_address(reference: str) -> None:
    request_ = {"resourceType": "MedicationRequest", "id": "1", "medicationReference": {"reference": reference}}
    assert first_of(request_, MEDICATION).ingredients == ("hydroxocobalamin",)


def test_a_medication_beside_the_draft_is_found_by_its_full_address() -> None:
    address = "urn:uuid:7f1d6d3a-5b1e-4a55-9d37-000000000001"
    request_ = {"resourceType": "MedicationRequest", "id": "1", "medicationReference": {"reference": address}}
    nameless = {"resourceType": "Medication", "code": HYDROXOCOBALAMIN}
    entries = [{"resource": request_}, {"fullUrl": address, "resource": nameless}]
    (found,) = READER.drafts({"resourceType": "Bundle", "entry": entries}, PATIENT, None, TODAY).orders
    assert found.medicine.ingredients == ("hydroxocobalamin",)


def test_a_medication_in_any_prefetched_bundle_is_found() -> None:
    active = {"resourceType": "MedicationRequest", "id": "1", "status": "active", "medicationReference": REFERENCE}
    (found,) = record({Source.MEDICATIONS: bundle(active), Source.DISPENSES: bundle(MEDICATION)}).courses
    assert found.medicine.ingredients == ("hydroxocobalamin",)


def test_a_reference_to_nothing_is_no_drug_that_rules_know() -> None:
    assert order(medicationReference={"reference": "Medication/elsewhere"}).medicine == Medicine(())


@pytest.mark.parametrize(
    ("text", "ingredients"),
    [
        ("Hydroxocobalamin 1mg/1ml solution for injection ampoules", ("hydroxocobalamin",)),
        ("hydroxycobalamin 1 mg inj", ("hydroxocobalamin",)),
        ("Neo-Cytamen 1000 mcg", ("hydroxocobalamin",)),
        ("OH-Cbl 1 mg", ("hydroxocobalamin",)),
        ("Cyanocobalamin 50microgram tablets", ("cyanocobalamin",)),
        ("Nascobal 500 mcg nasal spray", ("cyanocobalamin",)),
        ("B12 (cyanocobalamin) 1,000 mcg tab", ("cyanocobalamin",)),
        ("methylcobalamin 1 mg", ("mecobalamin",)),
        ("adenosylcobalamin", ("cobamamide",)),
        ("vitamin B-12", ("cobalamin",)),
        ("B12 injection", ("cobalamin",)),
        ("B-12 1000 mcg/mL", ("cobalamin",)),
        ("L-methylfolate-B6-B12 3-35-2 mg capsule", ("cobalamin", "levomefolate")),
        ("Folic acid 5mg tablets", ("folic_acid",)),
        ("Cyanocobalamin 1 mg / Folic acid 400 microgram tablets", ("cyanocobalamin", "folic_acid")),
        ("L-methylfolate 15 mg", ("levomefolate",)),
        ("OMEPRAZOLE 20MG CAPSULES", ("ppi",)),
    ],
)
def test_words_name_the_ingredients(text: str, ingredients: tuple[str, ...]) -> None:
    found = named(text)
    assert (found.ingredients, found.by_text) == (ingredients, True)


@pytest.mark.parametrize(
    ("text", "ingredients"),
    [
        ("cyanocobalamin Co-57 capsules", ("radiolabelled_b12",)),
        ("Schilling test capsule", ("radiolabelled_b12",)),
        ("Radiolabelled cyanocobalamin", ()),
        ("Cyanokit", ("hydroxocobalamin_antidote",)),
        ("Hydroxocobalamin 5 g powder for infusion", ("hydroxocobalamin_antidote",)),
        ("Hydroxocobalamin 5000 mg kit", ("hydroxocobalamin_antidote",)),
        ("Folinic acid 15mg tablets", ("folinic_acid",)),
        ("Calcium folinate 15mg", ("folinic_acid",)),
        ("Leucovorin 25 mg", ("folinic_acid",)),
        ("folic acid antagonist", ()),
        ("Drospirenone / ethinylestradiol / levomefolate", ("oestrogen",)),
        ("aripiprazole 5mg", ()),
        ("Vitamin B compound strong tablets", ()),
        ("Vitamin B6 10 mg", ()),
        ("serum B12 level", ()),
        ("paracetamol 500mg", ()),
    ],
)
def test_names_that_only_look_alike_are_not_taken_for_b12_or_folic_acid(
    text: str, ingredients: tuple[str, ...]
) -> None:
    assert named(text).ingredients == ingredients


@pytest.mark.parametrize(
    ("system", "code", "ingredients"),
    [
        (RXNORM, "11248", ("cyanocobalamin",)),
        (RXNORM, "199240", ("cobalamin", "folic_acid")),
        (RXNORM, "700499", ("hydroxocobalamin_antidote",)),
        (RXNORM, "314982", ("cobalamin",)),
        ("urn:oid:2.16.840.1.113883.6.88", "4511", ("folic_acid",)),
        (SNOMED, "187006", ("radiolabelled_b12",)),
        ("https://dmd.nhs.uk", "327529002", ("hydroxocobalamin",)),
        ("http://www.whocc.no/atc", "B03BA04", ("cobamamide",)),
    ],
)
def test_codes_name_the_ingredients(system: str, code: str, ingredients: tuple[str, ...]) -> None:
    found = order(medicationCodeableConcept=coded(system, code)).medicine
    assert (found.ingredients, found.by_text) == (ingredients, False)


def test_a_product_coded_as_plain_b12_is_the_form_that_its_words_name() -> None:
    concept = {**coded(RXNORM, "11248"), "text": "hydroxocobalamin 1 mg injection"}
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("hydroxocobalamin",)


def test_a_product_coded_as_plain_b12_stays_cyanocobalamin_when_its_words_name_it_beside_another() -> None:
    concept = {**coded(RXNORM, "11248"), "text": "Cyanocobalamin injection (hydroxocobalamin not in stock)"}
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("cyanocobalamin",)


def test_a_combination_has_the_form_that_its_name_states() -> None:
    concept = coded(SNOMED, "1231353000")  # gabapentin and mecobalamin
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("mecobalamin",)


def test_a_known_code_outranks_the_words() -> None:
    concept = {**coded(RXNORM, "4511"), "text": "vitamin B12"}
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("folic_acid",)


def test_a_known_coding_after_a_local_one_is_used() -> None:
    concept = {"coding": [{"system": "urn:local", "code": "F5"}, {"system": RXNORM, "code": "4511"}]}
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("folic_acid",)


def test_an_unknown_code_gives_way_to_the_words_and_is_counted() -> None:
    local = {**coded("urn:local", "F5"), "text": "Folic acid 5mg tablets"}
    found = drafts({"resourceType": "MedicationRequest", "id": "1", "medicationCodeableConcept": local})
    assert found.orders[0].medicine.ingredients == ("folic_acid",)
    assert found.unknown_drugs == (UnknownDrug("urn:local", "F5", ("folic_acid",)),)


def test_the_display_of_an_unknown_code_names_the_drug() -> None:
    concept = coded("urn:local", "F5", display="Folic acid 5 mg tablet")
    assert order(medicationCodeableConcept=concept).medicine.ingredients == ("folic_acid",)


@pytest.mark.parametrize(
    ("text", "strengths"),
    [
        ("Folic acid 5mg tablets", {"folic_acid": Strength(Decimal(5000))}),
        ("Folic acid 400 micrograms", {"folic_acid": Strength(Decimal(400))}),
        ("Hydroxocobalamin 1mg/1ml injection", {"hydroxocobalamin": Strength(Decimal(1000), Decimal(1))}),
        ("vitamin B12 1,000 mcg/mL", {"cobalamin": Strength(Decimal(1000), Decimal(1))}),
        ("Folic acid 2.5mg/5ml oral solution", {"folic_acid": Strength(Decimal(2500), Decimal(5))}),
        ("Ferrous fumarate 305mg / Folic acid 350microgram capsules", {"folic_acid": Strength(Decimal(350))}),
        (
            "Cyanocobalamin 1 mg / Folic acid 400 microgram tablets",
            {"cyanocobalamin": Strength(Decimal(1000)), "folic_acid": Strength(Decimal(400))},
        ),
        ("Cytamen", {}),
    ],
)
def test_the_name_gives_the_strength_of_each_ingredient(text: str, strengths: dict[str, Strength]) -> None:
    assert named(text).strengths == strengths


ONE_MG = {"value": 1, "unit": "mg"}
RATIO = {"numerator": ONE_MG, "denominator": {"value": 1, "unit": "mL"}}
PER_ML, PER_UNIT = Strength(Decimal(1000), Decimal(1)), Strength(Decimal(1000))
STRENGTHS: dict[str, tuple[Json, Strength]] = {
    "R4": ({"ingredient": [{"itemCodeableConcept": HYDROXOCOBALAMIN, "strength": RATIO}]}, PER_ML),
    "R5 ratio": ({"ingredient": [{"item": {"concept": HYDROXOCOBALAMIN}, "strengthRatio": RATIO}]}, PER_ML),
    "R5 quantity": ({"ingredient": [{"item": {"concept": HYDROXOCOBALAMIN}, "strengthQuantity": ONE_MG}]}, PER_UNIT),
    "STU3": ({"ingredient": [{"itemCodeableConcept": HYDROXOCOBALAMIN, "amount": RATIO}]}, PER_ML),
    "DSTU2": ({"product": {"ingredient": [{"item": {"display": "hydroxocobalamin"}, "amount": RATIO}]}}, PER_ML),
    "nameless": ({"ingredient": [{"strength": RATIO}]}, PER_ML),
    "two units": (
        {"ingredient": [{"strength": {"numerator": {"value": 2, "code": "mg"}, "denominator": {"value": 2}}}]},
        PER_UNIT,
    ),
}


@pytest.mark.parametrize(("members", "strength"), STRENGTHS.values(), ids=STRENGTHS)
def test_a_medication_resource_states_the_strength_in_every_version(members: Json, strength: Strength) -> None:
    found = order(medicationReference={"reference": "#m1"}, contained=[{**MEDICATION, **members}]).medicine
    assert found.strengths == {"hydroxocobalamin": strength}


@pytest.mark.parametrize("value", [0, -1, 1e300, "many"])
@pytest.mark.parametrize("unit", ["mL", "tablet"])
def test_a_strength_per_an_absurd_amount_is_not_known(value: object, unit: str) -> None:
    strength = {"numerator": ONE_MG, "denominator": {"value": value, "unit": unit}}
    medication = {**MEDICATION, "ingredient": [{"itemCodeableConcept": HYDROXOCOBALAMIN, "strength": strength}]}
    assert order(medicationReference={"reference": "#m1"}, contained=[medication]).medicine.strengths == {}


def test_the_strength_of_another_ingredient_is_not_taken_for_that_of_b12() -> None:
    ingredients = [{"itemCodeableConcept": {"text": "lidocaine"}, "strength": RATIO}, {"strength": RATIO}]
    mixed = {**MEDICATION, "ingredient": ingredients}
    assert order(medicationReference={"reference": "#m1"}, contained=[mixed]).medicine.strengths == {}


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Cyanocobalamin 1 mg tablets", Route.ORAL),
        ("Cyanocobalamin 1 mg sublingual tablets", Route.SUBLINGUAL),
        ("Cyanocobalamin nasal spray", Route.NASAL),
        ("Cyanocobalamin 1 mg/ml vial", Route.INJECTION),
        ("Hydroxocobalamin 1 mg", Route.INJECTION),
        ("Hydroxocobalamin 1 mg lozenges", Route.ORAL),
        ("Cyanocobalamin 1 mg", None),
    ],
)
def test_the_form_of_the_product_tells_the_route(text: str, route: Route | None) -> None:
    assert named(text).form_route is route


@pytest.mark.parametrize(
    ("text", "multivitamin"),
    [
        ("Prenatal multivitamin with folic acid", True),
        ("Pregnacare tablets with folic acid", True),
        ("Folic acid 400 micrograms", False),
    ],
)
def test_a_multivitamin_is_known_by_its_name(text: str, multivitamin: bool) -> None:
    assert named(text).multivitamin is multivitamin


@pytest.mark.parametrize(
    ("source", "type_", "more"),
    [
        (Source.DOSES, "MedicationAdministration", {"effectiveDateTime": "2026-11-01"}),
        (Source.DISPENSES, "MedicationDispense", {"whenHandedOver": "2026-11-01"}),
        (Source.STATEMENTS, "MedicationStatement", {}),
        (Source.STATEMENTS, "MedicationUsage", {}),
    ],
)
def test_every_kind_of_medication_resource_names_its_drug_alike(source: Source, type_: str, more: Json) -> None:
    resource = {"resourceType": type_, "status": "completed", "medication": {"concept": HYDROXOCOBALAMIN}, **more}
    found = read(source, resource)
    doses = [each.medicine for each in (*found.doses, *found.doses_without_amount)]
    others = [each.medicine for each in found.courses] + [each.medicine for each in found.dispensed]
    assert [each.ingredients for each in doses + others] == [("hydroxocobalamin",)]


@pytest.mark.parametrize("text", ["CYANOCOBALAMIN 1000 MCG/ML IJ SOLN", "B12 shot"])
def test_an_injection_is_known_by_the_short_words_for_it(text: str) -> None:
    assert order(medicationCodeableConcept={"text": text}).medicine.form_route is Route.INJECTION


def test_a_renal_vitamin_is_a_multivitamin_and_b_vitamins_alone_are_not() -> None:
    renal = "B complex-vitamin C-folic acid (NEPHROCAPS) 1 mg capsule"
    alone = "L-methylfolate-B6-B12 3-35-2 mg capsule"

    assert order(medicationCodeableConcept={"text": renal}).medicine.multivitamin
    assert not order(medicationCodeableConcept={"text": alone}).medicine.multivitamin
