"""How much, by which way and where: a unit is never guessed, a code outranks the words beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cards.dosing import mass
from cards.record import Amount, AmountUnit, Instruction, Repeat, Route, Site, Source
from service.fhir.dosage import UNREAD
from tests.service.fhir.reading import SNOMED, UCUM, Json, course, order, read

FIVE_MG = {"value": 5, "unit": "mg", "system": UCUM, "code": "mg"}
ONE_TO_TWO = {"low": {"value": 1, "unit": "mg"}, "high": {"value": 2, "unit": "mg"}}


def instructions(*dosages: Json, drug: str = "Folic acid") -> tuple[Instruction, ...]:
    return order(medicationCodeableConcept={"text": drug}, dosageInstruction=list(dosages)).instructions


def of(**dosage: object) -> Instruction:
    (found,) = instructions(dosage, drug="Hydroxocobalamin")
    return found


def mg(value: int) -> Json:
    """A quantity in milligrams."""
    return {"value": value, "unit": "mg"}


def amount(quantity: Json) -> Amount:
    found = of(doseAndRate=[{"doseQuantity": quantity}]).amount
    assert found
    return found


def low_to_high(found: Amount | None) -> tuple[str, str, AmountUnit]:
    assert found
    return f"{found.low.normalize():f}", f"{found.high.normalize():f}", found.unit


@pytest.mark.parametrize(
    "dosage",
    [
        {"doseAndRate": [{"doseQuantity": FIVE_MG}]},
        {"doseAndRate": {"doseQuantity": FIVE_MG}},
        {"doseQuantity": FIVE_MG},
        {"doseSimpleQuantity": FIVE_MG},
        {"doseAndRate": [{"doseQuantity": {"value": "5", "unit": "mg"}}]},
        {"doseAndRate": [{"rateQuantity": {"value": 1}}], "doseQuantity": FIVE_MG},
    ],
    ids=["R4", "R4 without its list", "DSTU2", "STU3", "a number as a string", "a rate beside the dose"],
)
def test_the_dose_is_found_in_the_shape_of_every_version(dosage: Json) -> None:
    assert low_to_high(of(**dosage).amount) == ("5000", "5000", AmountUnit.MCG)


@pytest.mark.parametrize(
    ("unit", "micrograms"),
    [
        ("mg", "1000"),
        ("MG", "1000"),
        ("milligrams", "1000"),
        ("mg.", "1000"),
        ("g", "1000000"),
        ("mcg", "1"),
        ("ug", "1"),
        ("µg", "1"),
        ("μg", "1"),
        ("microgram", "1"),
        ("Micrograms", "1"),
        ("microgram(s)", "1"),
        ("ng", "0.001"),
        ("milligrammes", "1000"),
        ("microgrammes", "1"),
    ],
)
def test_a_mass_becomes_micrograms(unit: str, micrograms: str) -> None:
    assert low_to_high(amount({"value": 1, "unit": unit})) == (micrograms, micrograms, AmountUnit.MCG)


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ({"unit": "tablet"}, AmountUnit.UNIT),
        ({"unit": "tablet(s)"}, AmountUnit.UNIT),
        ({"unit": "caps"}, AmountUnit.UNIT),
        ({"unit": "pill"}, AmountUnit.UNIT),
        ({"unit": "ampoules"}, AmountUnit.UNIT),
        ({"unit": "1 ampoule"}, AmountUnit.UNIT),
        ({"unit": "vial"}, AmountUnit.UNIT),
        ({"unit": "puffs"}, AmountUnit.UNIT),
        ({"code": "{tbl}"}, AmountUnit.UNIT),
        ({"system": SNOMED, "code": "413516001", "unit": "Ampule"}, AmountUnit.UNIT),
        ({"unit": "mL"}, AmountUnit.ML),
        ({"unit": "millilitres"}, AmountUnit.ML),
        ({"code": "ug/kg"}, AmountUnit.MCG_PER_KG),
        ({"unit": "IU"}, AmountUnit.UNKNOWN),
        ({"code": "[iU]"}, AmountUnit.UNKNOWN),
        ({"unit": "units"}, AmountUnit.UNKNOWN),
        ({"unit": "mmol"}, AmountUnit.UNKNOWN),
        ({"unit": "mg/mL"}, AmountUnit.UNKNOWN),
        ({}, AmountUnit.NONE),
        ({"unit": ""}, AmountUnit.NONE),
    ],
)
def test_what_is_not_a_mass_is_told_apart_and_not_guessed(quantity: Json, unit: AmountUnit) -> None:
    found = amount({"value": 1, **quantity})
    assert found == Amount(Decimal(1), Decimal(1), unit)


def test_the_code_of_a_unit_outranks_its_words() -> None:
    found = amount({"value": 5, "code": "mg", "unit": "tablet"})
    assert (low_to_high(found), found.as_written) == (("5000", "5000", AmountUnit.MCG), "5 mg")


def test_a_mass_keeps_the_words_of_the_order() -> None:
    assert amount({"value": 400, "code": "ug", "unit": "micrograms"}).as_written == "400 micrograms"


@pytest.mark.parametrize(
    ("range_", "expected"),
    [
        (ONE_TO_TWO, ("1000", "2000", AmountUnit.MCG)),
        ({"low": {"value": 1}, "high": {"value": 2, "unit": "mg"}}, ("1000", "2000", AmountUnit.MCG)),
        ({"low": {"value": 1, "unit": "mg"}, "high": {"value": 2}}, ("1000", "2000", AmountUnit.MCG)),
        ({"high": {"value": 2, "unit": "mg"}}, ("2000", "2000", AmountUnit.MCG)),
        (
            {"low": {"value": 500, "unit": "mcg"}, "high": {"value": 1, "unit": "mg"}},
            ("500", "1000", AmountUnit.MCG),
        ),
        ({"low": {"value": 1, "unit": "mg"}, "high": {"value": 2, "unit": "mL"}}, ("1000", "2", AmountUnit.UNKNOWN)),
    ],
)
@pytest.mark.parametrize("r4", [True, False], ids=["R4", "DSTU2"])
def test_a_range_keeps_both_ends_each_in_its_own_unit(
    r4: bool, range_: Json, expected: tuple[str, str, AmountUnit]
) -> None:
    dosage = {"doseAndRate": [{"doseRange": range_}]} if r4 else {"doseRange": range_}
    assert low_to_high(of(**dosage).amount) == expected


@pytest.mark.parametrize("value", [True, [], {}, "NaN", "Infinity", 1e300, -5, "some", "1,000"])
def test_a_dose_without_a_usable_number_is_unknown_not_absent(value: object) -> None:
    assert of(doseAndRate=[{"doseQuantity": {"value": value, "unit": "mg"}}]).amount == UNREAD


def test_no_dose_is_none() -> None:
    assert of(doseAndRate=[{"doseQuantity": {"unit": "mg"}}]).amount is None
    assert of(doseAndRate=[]).amount is None


@pytest.mark.parametrize(
    ("dosage", "expected"),
    [
        ([{"doseQuantity": mg(1)}, {"doseQuantity": mg(20)}], ("1000", "20000", AmountUnit.MCG)),
        ([{"doseQuantity": mg(1)}, {"doseQuantity": mg(1)}], ("1000", "1000", AmountUnit.MCG)),
        ([{"doseQuantity": {"value": 1, "unit": "mL"}}, {"doseQuantity": mg(1)}], ("1000", "1000", AmountUnit.MCG)),
        ([{"rateQuantity": mg(1)}, {"doseQuantity": mg(2)}], ("2000", "2000", AmountUnit.MCG)),
        ([{"doseQuantity": {"value": "20,0", "unit": "mg"}}], ("20000", "20000", AmountUnit.MCG)),
        ([{"doseQuantity": {"value": "20 mg"}}], ("20000", "20000", AmountUnit.MCG)),
        ([{"doseQuantity": [mg(1), mg(20)]}], ("1000", "20000", AmountUnit.MCG)),
        ([{"doseQuantity": {"value": 1, "unit": "mg", "code": "ug"}}], ("0", "0", AmountUnit.UNKNOWN)),
        ([{"doseQuantity": mg(1)}, {"doseQuantity": {"value": True}}], ("0", "0", AmountUnit.UNKNOWN)),
        ([{"doseQuantity": "1 mg"}], ("1000", "1000", AmountUnit.MCG)),
        ([{"doseQuantity": 7}], ("0", "0", AmountUnit.UNKNOWN)),
        ([{"doseQuantity": mg(1), "doseRange": {"high": mg(20)}}], ("1000", "20000", AmountUnit.MCG)),
        ([{"doseQuantity": {"value": 1, "unit": "mg", "code": "mL"}}], ("0", "0", AmountUnit.UNKNOWN)),
        (["20 mg"], ("20000", "20000", AmountUnit.MCG)),
        ([{"rateQuantity": {"value": 1, "unit": "mg/h"}}], ("0", "0", AmountUnit.UNKNOWN)),
        ([{"doseRatio": {"numerator": mg(1)}}], ("0", "0", AmountUnit.UNKNOWN)),
    ],
)
def test_every_dose_of_an_instruction_counts(dosage: list[Json], expected: tuple[str, str, AmountUnit]) -> None:
    assert low_to_high(of(doseAndRate=dosage).amount) == expected


def test_the_words_tell_the_dose_that_a_rate_does_not() -> None:
    rate = {"rateQuantity": {"value": 1, "unit": "mL/min"}}
    assert low_to_high(of(doseAndRate=[rate], text="5 mg once").amount) == ("5000", "5000", AmountUnit.MCG)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 mg monthly", ("1000", "10000", AmountUnit.MCG)),
        ("1 mg monthly", ("1000", "1000", AmountUnit.MCG)),
        ("1000 micrograms monthly", ("1000", "1000", AmountUnit.MCG)),
        ("two 500 micrograms tablets", ("1000", "1000", AmountUnit.MCG)),
        ("1 ml of 10 mg/10 ml", ("1000", "1000", AmountUnit.MCG)),
    ],
)
def test_a_dose_that_differs_from_its_own_words_by_a_power_of_ten_is_both(
    text: str, expected: tuple[str, str, AmountUnit]
) -> None:
    assert low_to_high(of(doseAndRate=[{"doseQuantity": mg(1)}], text=text).amount) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 mg once daily", ("5000", "5000", AmountUnit.MCG)),
        ("5mg od", ("5000", "5000", AmountUnit.MCG)),
        ("1,000 micrograms IM", ("1000", "1000", AmountUnit.MCG)),
        ("1 000 micrograms IM", ("1000", "1000", AmountUnit.MCG)),
        ("20,0 mg weekly", ("20000", "20000", AmountUnit.MCG)),
        ("0,125 mg daily", ("125", "125", AmountUnit.MCG)),
        ("2,5 milligrammes", ("2500", "2500", AmountUnit.MCG)),
        ("1,000.5 microgrammes", ("1000.5", "1000.5", AmountUnit.MCG)),
        ("1,5 tablets", ("1.5", "1.5", AmountUnit.UNIT)),
        ("0.4 mg daily", ("400", "400", AmountUnit.MCG)),
        ("1-2 mg daily", ("1000", "2000", AmountUnit.MCG)),
        ("1 to 2 mg daily", ("1000", "2000", AmountUnit.MCG)),
        ("Take 1 tablet (5 mg) daily", ("5000", "5000", AmountUnit.MCG)),
        ("inject 1 mL", ("1", "1", AmountUnit.ML)),
        ("5mg/5ml: 10 ml daily", ("10", "10", AmountUnit.ML)),
        ("ONE tablet daily", ("1", "1", AmountUnit.UNIT)),
        ("One to be taken daily", ("1", "1", AmountUnit.UNIT)),
        ("One daily", ("1", "1", AmountUnit.UNIT)),
        ("Take ONE each morning", ("1", "1", AmountUnit.UNIT)),
        ("1 OD", ("1", "1", AmountUnit.UNIT)),
        ("one or two daily", ("1", "2", AmountUnit.UNIT)),
        ("1 three times a day", ("1", "1", AmountUnit.UNIT)),
        ("One under the tongue twice daily", ("1", "1", AmountUnit.UNIT)),
        ("1 spray in one nostril once weekly", ("1", "1", AmountUnit.UNIT)),
        ("two ampoules", ("2", "2", AmountUnit.UNIT)),
        ("1-2 tablets", ("1", "2", AmountUnit.UNIT)),
        ("0.5 tablet", ("0.5", "0.5", AmountUnit.UNIT)),
        ("half a tablet", ("0.5", "0.5", AmountUnit.UNIT)),
        ("2 x tablets", ("2", "2", AmountUnit.UNIT)),
    ],
)
def test_a_dose_in_words_is_read_where_the_structure_has_none(text: str, expected: tuple[str, str, AmountUnit]) -> None:
    assert low_to_high(of(text=text).amount) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("1 mg/ml", "1000mcg/1mL", "5 mg / 5 ml", "1/2 tablet", "B12 tablet", "every 3 months"),
        *(
            "9" * 20 + " mg daily",
            "three times a day",
            "1000 daily",
            "2 weekly",
            "2 times daily",
            "once daily",
            "every two days",
        ),
    ],
)
def test_a_strength_a_part_of_a_number_or_an_absurd_one_is_not_taken_for_a_dose(text: str) -> None:
    assert of(text=text).amount is None


def test_the_structure_outranks_the_words_of_the_dose() -> None:
    found = of(doseAndRate=[{"doseQuantity": FIVE_MG}], text="1 tablet daily")
    assert low_to_high(found.amount) == ("5000", "5000", AmountUnit.MCG)


@pytest.mark.parametrize(
    ("product", "quantity", "micrograms"),
    [
        ("Folic acid 5mg tablets", {"value": 1, "unit": "tablet"}, 5000),
        ("Folic acid 400microgram tablets", {"value": 2, "code": "{tbl}"}, 800),
        ("Folic acid 2.5mg/5ml oral solution", {"value": 10, "unit": "ml"}, 5000),
        ("Folic acid 5mg tablets", {"value": 1, "unit": "IU"}, None),
        ("Folic acid tablets", {"value": 1, "unit": "tablet"}, None),
    ],
)
def test_tablets_and_millilitres_become_micrograms_by_the_strength_of_the_product(
    product: str, quantity: Json, micrograms: int | None
) -> None:
    draft = order(medicationCodeableConcept={"text": product}, dosageInstruction=[{"doseQuantity": quantity}])
    found = mass(draft.instructions[0].amount, draft.medicine, "folic_acid")
    assert (found and found.high) == micrograms


V2_ROUTE = "http://terminology.hl7.org/CodeSystem/v2-0162"
V3_ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"


@pytest.mark.parametrize(
    ("dosage", "route"),
    [
        ({"route": {"coding": [{"system": SNOMED, "code": "78421000"}]}}, Route.INTRAMUSCULAR),
        ({"route": {"coding": {"system": SNOMED, "code": "34206005"}}}, Route.SUBCUTANEOUS),
        ({"route": {"coding": [{"system": V2_ROUTE, "code": "IM"}]}}, Route.INTRAMUSCULAR),
        ({"route": {"coding": [{"system": V3_ROUTE, "code": "PO"}]}}, Route.ORAL),
        ({"route": {"coding": [{"system": "http://standardterms.edqm.eu", "code": "20053000"}]}}, Route.ORAL),
        ({"route": {"coding": [{"system": SNOMED, "code": "26643006", "display": "Intramuscular"}]}}, Route.ORAL),
        ({"route": {"coding": [{"code": "7"}, {"system": SNOMED, "code": "78421000"}]}}, Route.INTRAMUSCULAR),
        ({"route": {"coding": [{"code": "7", "display": "Intramuscular"}]}}, Route.INTRAMUSCULAR),
        ({"route": {"text": "IM"}}, Route.INTRAMUSCULAR),
        ({"route": {"text": "i.m."}}, Route.INTRAMUSCULAR),
        ({"route": {"text": "Sublingual"}}, Route.SUBLINGUAL),
        ({"text": "1 mg IM monthly"}, Route.INTRAMUSCULAR),
        ({"text": "1 mg sub-cut monthly"}, Route.SUBCUTANEOUS),
        ({"text": "one by mouth daily"}, Route.ORAL),
        ({"route": {"text": "Oral"}, "text": "not IM"}, Route.ORAL),
        ({"text": "1 mg subcutaneously, not IM, monthly"}, Route.SUBCUTANEOUS),
        ({"text": "1 mg monthly, avoid IM (platelets)"}, None),
        ({"route": {"text": "elsewhere"}}, None),
        ({"text": "aim for 1 mg"}, None),
    ],
)
def test_the_route_is_read_by_code_then_text_then_the_words_of_the_order(dosage: Json, route: Route | None) -> None:
    assert of(**dosage).route is route


V2_SITE = "http://terminology.hl7.org/CodeSystem/v2-0163"


@pytest.mark.parametrize(
    ("dosage", "site"),
    [
        ({"site": {"coding": [{"system": SNOMED, "code": "723979003"}]}}, Site("buttock", "left")),
        ({"site": {"coding": [{"system": V2_SITE, "code": "RD"}]}}, Site("deltoid", "right")),
        (
            {"site": {"coding": [{"system": "http://hl7.org/fhir/v2/0163", "code": "LVG"}]}},
            Site("ventrogluteal", "left"),
        ),
        ({"site": {"coding": [{"code": "7", "display": "Left thigh"}]}}, Site("thigh", "left")),
        ({"siteCodeableConcept": {"text": "Left buttock"}}, Site("buttock", "left")),
        ({"site": {"text": "gluteal, right"}}, Site("gluteal_unspecified", "right")),
        ({"site": {"text": "deltoid"}, "text": "into the buttock"}, Site("deltoid")),
        ({"text": "inject into the left deltoid"}, Site("deltoid", "left")),
        ({"text": "upper outer quadrant of right buttock"}, Site("upper_outer_quadrant", "right")),
        ({"text": "deltoid, not buttock"}, Site("deltoid")),
        ({"text": "not into the buttock; use the thigh"}, Site("thigh")),
        ({"text": "avoid the buttock"}, None),
        ({"text": "army medical centre"}, None),
        ({"siteReference": {"reference": "BodyStructure/1"}}, None),
    ],
)
def test_the_site_is_read_by_code_then_text_then_the_words_of_the_order(dosage: Json, site: Site | None) -> None:
    assert of(**dosage).site == site


def test_the_site_of_a_b12_order_may_stand_in_its_note() -> None:
    found = course(
        medicationCodeableConcept={"text": "Hydroxocobalamin 1 mg injection"},
        dosageInstruction=[{"text": "every 3 months"}],
        note=[{"text": "Always gives it into the left buttock"}],
    )
    assert found.instructions[0].site == Site("buttock", "left")


def test_the_instructions_of_an_order_come_in_their_sequence() -> None:
    maintenance = {"sequence": 2, "timing": {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}}}
    loading = {"sequence": 1, "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "wk"}}}
    found = instructions(maintenance, loading)
    assert [each.repeat.times for each in found if isinstance(each.repeat, Repeat)] == [Decimal(3), Decimal(1)]


@pytest.mark.parametrize(
    ("dosage", "needed"),
    [
        ({"asNeededBoolean": True}, True),
        ({"asNeeded": True}, True),
        ({"asNeededCodeableConcept": {"text": "tiredness"}}, True),
        ({"asNeededFor": [{"text": "tiredness"}]}, True),
        ({"asNeededBoolean": False}, False),
    ],
)
def test_a_dose_as_needed_is_known_in_every_version(dosage: Json, needed: bool) -> None:
    assert of(**dosage).as_needed is needed


@pytest.mark.parametrize("name", ["dose", "quantity"])
def test_an_administration_has_its_dose_route_and_site(name: str) -> None:
    site = {"site" if name == "dose" else "siteCodeableConcept": {"text": "left deltoid"}}
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Hydroxocobalamin 1 mg injection"},
        "effectiveDateTime": "2026-11-01",
        "dosage": {name: {"value": 1, "unit": "mg"}, "route": {"text": "IM"}, **site},
    }
    (found,) = read(Source.DOSES, given).doses
    assert low_to_high(found.amount) == ("1000", "1000", AmountUnit.MCG)
    assert (found.route, found.site) == (Route.INTRAMUSCULAR, Site("deltoid", "left"))
