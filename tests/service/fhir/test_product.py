"""Which drug a resource is about: its four forms, the shapes of five FHIR versions, and names that only look alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.record import Medicine, NotUnderstood, Route, Source, Strength, UnknownDrug
from cards.terminology import Terminology
from service.fhir.product import Products, medications
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
    found = drafts({"resourceType": "MedicationRequest", "medicationReference": {"reference": "Medication/elsewhere"}})
    assert found.orders == ()
    assert [each.reason for each in found.unread] == ["unresolved"]


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


# --- every ingredient counts ------------------------------------------------------------------------------------

CYANOCOBALAMIN, MECOBALAMIN = coded(RXNORM, "11248"), coded(RXNORM, "29421")
A_TABLET = {"value": 1, "unit": "tablet"}


def product_of(medication: Json, **more: Any) -> Medicine | NotUnderstood:
    """What is read of a draft for a contained Medication with these members."""
    contained = [{"resourceType": "Medication", "id": "m1", **medication}, *more.pop("contained", ())]
    return reading_of(medicationReference={"reference": "#m1"}, contained=contained, **more)


def reading_of(beside: dict[str, Json] | None = None, **members: Any) -> Medicine | NotUnderstood:
    """What is read of the drug of a request with these members."""
    products = Products(Terminology.load(), lambda: beside or {})
    return products.read({"resourceType": "MedicationRequest", "id": "1", **members})


def known(found: Medicine | NotUnderstood) -> Medicine:
    assert isinstance(found, Medicine)
    return found


def milligrams(number: object, **denominator: Any) -> Json:
    return {"numerator": {"value": number, "unit": "mg"}, "denominator": denominator or A_TABLET}


B12, METHYL = {"text": "Vitamin B12"}, {"text": "methylcobalamin"}
# The two forms of B12 of one product, in every shape that an EHR has for it.
TWO_FORMS: dict[str, Json] = {
    "code": {"code": coded(RXNORM, "259711")},
    "code of its ingredients alone": {"code": {"coding": [*CYANOCOBALAMIN["coding"], *MECOBALAMIN["coding"]]}},
    "name": {"code": {"text": "mecobalamin 0.6 MG / Vitamin B 12 0.6 MG Sublingual Tablet"}},
    "display": {"code": coded("urn:local", "x", display="mecobalamin 0.6 MG / Vitamin B 12 0.6 MG Sublingual Tablet")},
    "a code of one and the name of both": {
        "code": {**CYANOCOBALAMIN, "text": "mecobalamin 0.6 MG / Vitamin B 12 0.6 MG Sublingual Tablet"}
    },
    "R4 codes": {"ingredient": [{"itemCodeableConcept": CYANOCOBALAMIN}, {"itemCodeableConcept": MECOBALAMIN}]},
    "R4 words": {"ingredient": [{"itemCodeableConcept": B12}, {"itemCodeableConcept": METHYL}]},
    "R4 display": {
        "ingredient": [{"itemReference": {"display": "vitamin B12"}}, {"itemReference": {"display": "mecobalamin"}}]
    },
    "R5 concepts": {"ingredient": [{"item": {"concept": B12}}, {"item": {"concept": METHYL}}]},
    "R5 references": {
        "ingredient": [{"item": {"reference": {"display": "B12"}}}, {"item": {"reference": {"reference": "#s1"}}}]
    },
    "STU3 Substance": {"ingredient": [{"itemReference": {"reference": "#s1"}}, {"itemCodeableConcept": B12}]},
    "Medication as ingredient": {"ingredient": [{"itemReference": {"reference": "#s2"}}, {"itemCodeableConcept": B12}]},
    "DSTU2 product": {
        "product": {"ingredient": [{"item": {"display": "vitamin B12"}}, {"item": {"display": "mecobalamin"}}]}
    },
    "package": {"package": {"content": [{"itemCodeableConcept": B12}, {"itemReference": {"reference": "#s1"}}]}},
    "a brand": {
        "code": {"text": "Neuroplus"},
        "ingredient": [{"itemCodeableConcept": B12}, {"itemCodeableConcept": METHYL}],
    },
    "a brand of a local code": {
        "code": coded("urn:local", "x"),
        "ingredient": [{"itemCodeableConcept": MECOBALAMIN}, {"itemCodeableConcept": CYANOCOBALAMIN}],
    },
    "the name of one, and both as ingredients": {
        "code": METHYL,
        "ingredient": [{"itemCodeableConcept": CYANOCOBALAMIN}, {"itemCodeableConcept": METHYL}],
    },
    "an ingredient that is no list": {
        "code": METHYL,
        "ingredient": {"itemCodeableConcept": {"text": "cyanocobalamin"}},
    },
}  # fmt: skip
SUBSTANCES = [
    {"resourceType": "Substance", "id": "s1", "code": METHYL},
    {"resourceType": "Medication", "id": "s2", "code": METHYL},
]


@pytest.mark.parametrize("medication", TWO_FORMS.values(), ids=TWO_FORMS)
def test_a_product_of_two_forms_of_b12_holds_both_and_plain_vitamin_b12_beside_another_form_is_cyanocobalamin(
    medication: Json,
) -> None:
    found = product_of(medication, contained=SUBSTANCES)
    assert known(found).ingredients == ("cyanocobalamin", "mecobalamin")


@pytest.mark.parametrize("separator", [" / ", "/", " + ", "+", ", ", "; ", " and ", " with ", " & "])
@given(
    data=st.data(),
    strengths=st.lists(st.integers(1, 900), min_size=4, max_size=4),
    spelling=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_the_order_the_separator_and_the_case_of_a_name_change_nothing(
    separator: str, data: st.DataObject, strengths: list[int], spelling: Callable[[str], str]
) -> None:
    names = ["adenosylcobalamin", "methylcobalamin", "folic acid", "vitamin b12"]
    parts = [f"{name} {mcg} mcg" for name, mcg in zip(names, strengths, strict=True)]
    name = spelling(separator.join(data.draw(st.permutations(parts)))) + " tablet"
    found = known(reading_of(medicationCodeableConcept={"text": name}))
    ingredients = ("cobamamide", "mecobalamin", "folic_acid", "cyanocobalamin")
    assert found.ingredients == ("cyanocobalamin", "mecobalamin", "cobamamide", "folic_acid")
    assert found.strengths == {each: Strength(Decimal(mcg)) for each, mcg in zip(ingredients, strengths, strict=True)}


@given(
    held=st.dictionaries(
        st.sampled_from(["hydroxocobalamin", "cyanocobalamin", "mecobalamin", "cobamamide", "folic acid"]),
        st.integers(1, 999),
        min_size=1,
    ),
    data=st.data(),
)
def test_a_name_and_a_list_of_ingredients_tell_the_same_product(held: dict[str, int], data: st.DataObject) -> None:
    listed = data.draw(st.permutations(sorted(held)))
    name = " / ".join(f"{each} {held[each]} MCG" for each in listed) + " Oral Tablet"
    items = [
        {"itemCodeableConcept": {"text": each}, "strength": {"numerator": {"value": held[each], "code": "ug"}}}
        for each in data.draw(st.permutations(sorted(held)))
    ]
    by_name = known(reading_of(medicationCodeableConcept={"text": name}))
    by_items = known(product_of({"form": {"text": "Oral Tablet"}, "ingredient": items}))
    assert by_name == by_items
    assert known(product_of({"code": {"text": name}, "ingredient": items})) == by_name


NOT_TWO = [
    "methylcobalamin (vitamin B12) 1 mg",
    "Vitamin B12 (methylcobalamin) 1 mg",
    "Vitamin B12, methylcobalamin 1 mg",
    "Vitamin B12 as methylcobalamin 1 mg",
    "methyl B12 1 mg",
    "Methylcobalamin 1mg/ml injection",
]


@pytest.mark.parametrize("text", NOT_TWO)
def test_vitamin_b12_that_explains_a_form_is_no_second_one(text: str) -> None:
    assert known(reading_of(medicationCodeableConcept={"text": text})).ingredients == ("mecobalamin",)
    both = {**CYANOCOBALAMIN, "text": text}
    assert known(reading_of(medicationCodeableConcept=both)).ingredients == ("mecobalamin",)


def test_codes_of_two_systems_are_one_form_that_the_more_exact_of_them_names() -> None:
    either = [*CYANOCOBALAMIN["coding"], *HYDROXOCOBALAMIN["coding"]]
    for codings in (either, either[::-1]):
        found = known(reading_of(medicationCodeableConcept={"coding": codings}))
        assert found.ingredients == ("hydroxocobalamin",)


def test_what_is_no_active_ingredient_does_not_count() -> None:
    coloured = [{"itemCodeableConcept": {"text": "cyanocobalamin"}, "isActive": False}]
    assert known(product_of({"code": {"text": "Brand"}, "ingredient": coloured})).ingredients == ()


def test_a_medication_that_is_its_own_ingredient_ends() -> None:
    circle = [{"itemReference": {"reference": "#m1"}}]
    assert known(product_of({"code": {"text": "Folic acid 5 mg"}, "ingredient": circle})).ingredients == ("folic_acid",)


def test_a_bundled_substance_is_found_by_its_own_type_though_a_medication_has_the_same_id() -> None:
    beside = medications(
        [
            {"resourceType": "Medication", "id": "1", "ingredient": [{"itemReference": {"reference": "Substance/1"}}]},
            {"resourceType": "Substance", "id": "1", "code": {"text": "folic acid"}},
        ]
    )
    found = reading_of(beside, medicationReference={"reference": "Medication/1"})
    assert known(found).ingredients == ("folic_acid",)


# --- shapes, and what is not understood --------------------------------------------------------------------------

FOLIC_ACID = {"text": "Folic acid 5mg tablets"}
IN_CONTAINED = {"resourceType": "Medication", "id": "m1", "code": FOLIC_ACID}
READ_BY_WORDS: dict[str, Json] = {
    "plain string": {"medication": "Folic acid 5 mg"},
    "plain string for a concept": {"medicationCodeableConcept": "Folic acid 5 mg"},
    "plain string for a reference": {"medicationReference": "Folic acid 5 mg"},
    "array of concepts": {"medication": [FOLIC_ACID]},
    "array of references": {"medicationReference": [{"display": "Folic acid 5 mg"}]},
    "text that is a list": {"medicationCodeableConcept": {"text": ["Folic acid 5 mg"]}},
    "coding that is an object": {"medicationCodeableConcept": {"coding": coded(RXNORM, "4511")["coding"][0]}},
    "coding that is a string": {"medicationCodeableConcept": {"coding": ["Folic acid 5 mg"]}},
    "identifier with a display": {"medicationReference": {"identifier": {"value": "7"}, "display": "Folic acid 5 mg"}},
    "id with a hash": {"medicationReference": {"reference": "#m1"}, "contained": [{**IN_CONTAINED, "id": "#m1"}]},
    "id that is a number": {"medicationReference": {"reference": "#1"}, "contained": [{**IN_CONTAINED, "id": 1}]},
    "contained that is an object": {"medicationReference": {"reference": "#m1"}, "contained": IN_CONTAINED},
    "reference that is a string": {"medicationReference": "#m1", "contained": [IN_CONTAINED]},
    "reference with a type": {
        "medicationReference": {"reference": "#m1", "type": "Medication"}, "contained": [IN_CONTAINED],
    },
    "Medication in its place": {"medication": IN_CONTAINED},
    "local code, and a reference": {
        "medication": {"concept": coded("urn:local", "7"), "reference": {"reference": "#m1"}},
        "contained": [IN_CONTAINED],
    },
    "empty concept, and a reference": {
        "medicationCodeableConcept": {}, "medicationReference": {"reference": "#m1"}, "contained": [IN_CONTAINED],
    },
}  # fmt: skip


@pytest.mark.parametrize("members", READ_BY_WORDS.values(), ids=READ_BY_WORDS)
def test_a_drug_is_read_in_whatever_shape_it_arrives(members: Json) -> None:
    assert known(reading_of(**members)).ingredients == ("folic_acid",)


NOT_UNDERSTOOD: dict[str, tuple[Json, str]] = {
    "reference to nothing": ({"medicationReference": {"reference": "Medication/none"}}, "unresolved"),
    "contained that is missing": ({"medicationReference": {"reference": "#none"}}, "unresolved"),
    "identifier alone": ({"medicationReference": {"identifier": {"system": "urn:x", "value": "7"}}}, "unresolved"),
    "R5 identifier alone": ({"medication": {"reference": {"identifier": {"value": "7"}}}}, "unresolved"),
    "local code without words": ({"medicationCodeableConcept": coded("urn:local", "7")}, "unresolved"),
    "code without a system": ({"medicationCodeableConcept": {"coding": [{"code": "7"}]}}, "unresolved"),
    "display of blanks": ({"medicationReference": {"reference": "Medication/none", "display": "  "}}, "unresolved"),
    "Medication without anything": (
        {"medicationReference": {"reference": "#m1"}, "contained": [{"resourceType": "Medication", "id": "m1"}]},
        "unresolved",
    ),
    "an ingredient without words": (
        {"medication": {"resourceType": "Medication", "ingredient": [{"itemReference": {"reference": "#none"}}]}},
        "unresolved",
    ),
    "no drug": ({}, "unreadable"),
    "empty concept": ({"medicationCodeableConcept": {}}, "unreadable"),
    "a number": ({"medication": 7}, "unreadable"),
    "B12 that cannot be placed": ({"medicationCodeableConcept": {"text": "B12 liquid drops"}}, "unreadable"),
}


@pytest.mark.parametrize(("members", "reason"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_a_drug_of_which_nothing_can_be_told_is_not_understood(members: Json, reason: str) -> None:
    assert reading_of(**members) == NotUnderstood(reason)
    given = {"resourceType": "MedicationAdministration", "status": "completed", "effectiveDateTime": "2026-11-01"}
    (unread,) = read(Source.DOSES, {**given, **members}).state(Source.DOSES).unreadable
    assert unread.concept is None


@pytest.mark.parametrize(
    "members",
    [
        {"medicationCodeableConcept": coded(RXNORM, "161")},
        {"medicationCodeableConcept": {**coded("urn:local", "7"), "text": "Paracetamol"}},
        {"medicationReference": {"reference": "Medication/none", "display": "Paracetamol"}},
        {"medicationCodeableConcept": {"text": "Cyanocobalamin radiolabelled"}},
        {"medicationCodeableConcept": {"text": "serum B12 level"}},
        {"medication": {"resourceType": "Medication", "ingredient": [{"itemCodeableConcept": {"text": "Iron"}}]}},
    ],
)
def test_another_drug_is_understood_and_none_of_ours(members: Json) -> None:
    assert known(reading_of(**members)).ingredients == ()


# --- strengths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "mcg"),
    [
        (milligrams(5), 5000),
        ({"numerator": {"value": 5000, "code": "ug"}, "denominator": {"value": 1}}, 5000),
        ({"numerator": {"value": 5000, "unit": "µg"}}, 5000),
        ({"numerator": {"value": 5000, "unit": "micrograms"}}, 5000),
        ({"numerator": {"value": 0.005, "code": "g"}}, 5000),
        ({"numerator": {"value": 5, "code": "mg", "unit": "milligram"}}, 5000),
        ({"numerator": {"value": 10, "code": "mg"}, "denominator": {"value": 2, "code": "413516001"}}, 5000),
        ("5 mg", 5000),
        ("0,4 mg", 400),
        ({"text": "5 mg"}, 5000),
        ([milligrams(5)], 5000),
    ],
)
def test_an_ingredient_states_its_strength_in_many_ways(strength: object, mcg: int) -> None:
    items = [{"itemCodeableConcept": {"text": "folic acid"}, "strength": strength}]
    assert known(product_of({"ingredient": items})).strengths == {"folic_acid": Strength(Decimal(mcg))}


@pytest.mark.parametrize(
    "strength",
    [
        {"numerator": {"value": 5, "code": "ug", "unit": "mg"}},
        {"numerator": {"value": 5, "code": "mg"}, "denominator": {"value": 1, "code": "g"}},
        {"numerator": {"value": 5, "code": "mg"}, "denominator": {"value": 24, "code": "h"}},
        {"numerator": {"value": 5, "code": "mg"}, "denominator": "tablet"},
        {"numerator": {"value": 5, "code": "[iU]"}},
        {"numerator": {"value": 5, "code": "mg", "comparator": "<"}},
        {"numerator": 5},
        {"text": "strong"},
        [milligrams(5), milligrams(1)],
        "1.000 mcg",
        7,
    ],
)
def test_a_strength_that_cannot_be_read_is_not_known_and_never_that_of_another(strength: object) -> None:
    items = [
        {"itemCodeableConcept": {"text": "folic acid"}, "strength": strength},
        {"itemCodeableConcept": {"text": "cyanocobalamin"}, "strength": milligrams(1)},
    ]
    assert known(product_of({"ingredient": items})).strengths == {"cyanocobalamin": PER_UNIT}


def test_a_name_and_an_ingredient_that_contradict_each_other_leave_the_strength_unknown() -> None:
    items = [{"itemCodeableConcept": {"text": "folic acid"}, "strength": milligrams("0.4")}]
    assert known(product_of({"code": FOLIC_ACID, "ingredient": items})).strengths == {}


def test_an_ampoule_holds_its_whole_volume_though_its_ingredient_is_stated_for_a_millilitre() -> None:
    items = [{"itemCodeableConcept": {"text": "hydroxocobalamin"}, "strength": milligrams(5, value=1, unit="mL")}]
    found = known(product_of({"code": {"text": "Hydroxocobalamin 10mg/2ml"}, "ingredient": items}))
    assert found.strengths == {"hydroxocobalamin": Strength(Decimal(10000), Decimal(2))}


def test_a_brand_has_the_strength_of_its_name_when_it_holds_one_drug() -> None:
    found = product_of(
        {"code": {"text": "Brand 5 mg"}, "ingredient": [{"itemCodeableConcept": {"text": "folic acid"}}]}
    )
    assert known(found).strengths == {"folic_acid": Strength(Decimal(5000))}


def test_the_words_for_another_drug_do_not_tell_the_strength_of_the_coded_one() -> None:
    concept = {**coded(RXNORM, "4511"), "text": "Hydroxocobalamin 1 mg"}
    found = known(reading_of(medicationCodeableConcept=concept))
    assert (found.ingredients, found.strengths) == (("folic_acid",), {})


# --- multivitamins ---------------------------------------------------------------------------------------------------

SIX = (
    "folic acid 0.4 MG",
    "thiamine 1 MG",
    "riboflavin 1 MG",
    "niacinamide 10 MG",
    "ascorbic acid 60 MG",
    "vitamin B12",
)


@pytest.mark.parametrize(
    ("text", "multivitamin"),
    [
        (" / ".join(SIX), True),
        ("Folic acid, cyanocobalamin, vitamin A, vitamin C, vitamin D3 and vitamin E", True),
        ("vitamins B1, B2, B3, B5, B6 with vitamin B12", True),
        (" / ".join(SIX[:4]), False),
        ("Folic acid 0.8 MG / Vitamin B 12 0.115 MG / Vitamin B6 10 MG Oral Tablet", False),
        ("folic acid 5 MG / " + " / ".join(SIX[1:]), False),
        ("thiamine / riboflavin / niacinamide / ascorbic acid", False),
    ],
)
def test_folate_or_b12_with_four_other_vitamins_is_a_multivitamin_unless_it_holds_more_folic_acid_than_one_does(
    text: str, multivitamin: bool
) -> None:
    assert named(text).multivitamin is multivitamin
    items = [{"itemCodeableConcept": {"text": each}} for each in re.split(r" / |, | and | with ", text)]
    brand = known(product_of({"code": {"text": "Brand"}, "ingredient": items}))
    assert brand.multivitamin is multivitamin


@pytest.mark.parametrize("code", ["826650", "876858", "348025"])
def test_a_coded_multivitamin_is_known_by_what_its_code_stands_for(code: str) -> None:
    terminology = Terminology.load()
    (coded_as, *_) = terminology.find(RXNORM, code)
    assert "Riboflavin" in coded_as.display
    assert order(medicationCodeableConcept=coded(RXNORM, code)).medicine.multivitamin
