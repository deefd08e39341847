"""A product of several forms of B12: every rule about a form sees each of them, every rule about an amount all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

import cards.b12_dose_unit.criteria as dose_unit
import cards.b12_intravenous.criteria as intravenous
import cards.cobalamin_allergy.criteria as allergy_rule
import cards.duplicate_cobalamin.criteria as duplicate
import cards.methylcobalamin_choice.criteria as choice
import cards.renal_cyanocobalamin.criteria as renal
from cards.dosing import b12_strength, cobalamin, copy_in_chart, daily_cobalamin, is_supplement
from cards.library import load
from cards.record import (
    Allergy,
    Amount,
    AmountUnit,
    Course,
    CourseStatus,
    Dose,
    Instruction,
    Medicine,
    Order,
    PatientRecord,
    Period,
    PeriodUnit,
    Reaction,
    Repeat,
    Route,
    Strength,
    When,
)
from cards.rule import Alert

TODAY = date(2026, 11, 23)
ONE = Amount(Decimal(1), Decimal(1), AmountUnit.UNIT)
MONTHLY = Repeat(Decimal(1), Period(Decimal(1), Decimal(1), PeriodUnit.MONTH))
DAILY = Repeat(Decimal(1), Period(Decimal(1), Decimal(1), PeriodUnit.DAY))

LIMITS = {rule.topic: rule.limits for rule in load().rules("uk")}


def medicine(**mcg: int | None) -> Medicine:
    """A product of these forms, with their strengths in one millilitre where they are known."""
    strengths = {name: Strength(Decimal(each), Decimal(1)) for name, each in mcg.items() if each}
    return Medicine(tuple(mcg), by_text=True, strengths=strengths)


def order(product: Medicine, route: Route = Route.INTRAMUSCULAR, repeat: Repeat = MONTHLY) -> Order:
    instruction = Instruction(ONE, route, repeat=repeat)
    return Order("MedicationRequest/1", product, CourseStatus.DRAFT, (instruction,))


METHYL_AND_CYANO = medicine(cyanocobalamin=400, mecobalamin=600)
METHYL_AND_ADENOSYL = medicine(mecobalamin=600, cobamamide=400)
HYDROXO_AND_CYANO = medicine(hydroxocobalamin=600, cyanocobalamin=400)


@pytest.mark.parametrize("product", [METHYL_AND_CYANO, METHYL_AND_ADENOSYL, HYDROXO_AND_CYANO])
def test_the_amounts_of_all_forms_add_up(product: Medicine) -> None:
    assert b12_strength(product) == Strength(Decimal(1000), Decimal(1))
    amount = daily_cobalamin(order(product, Route.ORAL, DAILY))
    assert amount is not None
    assert amount.low == amount.high == 1000


@pytest.mark.parametrize("forgotten", ["mecobalamin", "cobamamide"])
def test_the_sum_is_not_known_when_one_of_the_amounts_is_not(forgotten: str) -> None:
    known = {name: each for name, each in METHYL_AND_ADENOSYL.strengths.items() if name != forgotten}
    product = replace(METHYL_AND_ADENOSYL, strengths=known)
    assert b12_strength(product) is None
    assert daily_cobalamin(order(product, Route.ORAL, DAILY)) is None


def test_ten_milligrams_of_two_forms_together_are_the_slip_that_ten_of_one_are() -> None:
    slips = dose_unit.slips(order(medicine(cyanocobalamin=5000, mecobalamin=5000)), LIMITS["b12-dose-unit"])
    assert [each.variant for each in slips] == ["far_too_high"]


def test_a_mass_dose_of_several_forms_is_that_of_all_and_can_be_judged() -> None:
    grams = Amount(Decimal(20_000), Decimal(20_000), AmountUnit.MCG)
    draft = replace(order(METHYL_AND_CYANO), instructions=(Instruction(grams, Route.INTRAMUSCULAR, repeat=MONTHLY),))
    assert [each.variant for each in dose_unit.slips(draft, LIMITS["b12-dose-unit"])] == ["far_too_high"]


def test_an_injection_of_several_forms_into_a_vein_is_no_infusion_of_many_vitamins() -> None:
    draft = order(METHYL_AND_CYANO, Route.INTRAVENOUS)
    assert intravenous.triggered_by(draft, LIMITS["b12-intravenous"])


@pytest.mark.parametrize(
    ("product", "triggered"),
    [(METHYL_AND_CYANO, True), (METHYL_AND_ADENOSYL, False), (HYDROXO_AND_CYANO, False)],
)
def test_failed_kidneys_are_asked_about_whatever_stands_beside_cyanocobalamin_but_hydroxocobalamin(
    product: Medicine, triggered: bool
) -> None:
    assert renal.triggered_by(order(product), LIMITS["renal-cyanocobalamin"]) is triggered


@pytest.mark.parametrize(("product", "triggered"), [(METHYL_AND_CYANO, False), (METHYL_AND_ADENOSYL, True)])
def test_a_form_without_a_regimen_is_spoken_of_unless_a_standard_one_is_in_the_product(
    product: Medicine, triggered: bool
) -> None:
    assert choice.triggered_by(order(product), LIMITS["methylcobalamin-choice"]) is triggered


@pytest.mark.parametrize("form", ["hydroxocobalamin", "cyanocobalamin"])
def test_an_allergy_to_any_form_in_the_product_is_one_to_the_drug_and_another_form_is_offered(form: str) -> None:
    draft = order(HYDROXO_AND_CYANO)
    entry = Allergy((form,), Reaction.ALLERGIC, when=When.on(date(2025, 1, 1)))
    record = PatientRecord(drafts=(draft,), allergies=(entry,))
    found = allergy_rule.criteria(draft, record, LIMITS["cobalamin-allergy"], TODAY)
    assert isinstance(found, Alert)
    assert found.variant == "same_severe"
    assert found.facts["drug"] == form
    assert not found.facts[f"to_{form}"]


def test_doses_of_one_form_do_not_show_that_the_other_is_tolerated() -> None:
    draft = order(HYDROXO_AND_CYANO)
    entry = Allergy(("cyanocobalamin",), Reaction.ALLERGIC, when=When.on(date(2025, 1, 1)))
    given = tuple(
        Dose(medicine(hydroxocobalamin=1000), When.on(date(2026, month, 1)), ONE, Route.INTRAMUSCULAR)
        for month in range(1, 11)
    )
    record = PatientRecord(drafts=(draft,), allergies=(entry,), doses=given)
    found = allergy_rule.criteria(draft, record, LIMITS["cobalamin-allergy"], TODAY)
    assert isinstance(found, Alert)
    assert found.variant == "same_severe"


def test_a_product_of_two_forms_is_no_copy_of_an_order_for_one_of_them() -> None:
    draft = order(HYDROXO_AND_CYANO)
    for held, copied in ((HYDROXO_AND_CYANO, True), (medicine(hydroxocobalamin=1000), False)):
        chart = Course("MedicationRequest/2", held, CourseStatus.ACTIVE, draft.instructions)
        assert (copy_in_chart(draft, [chart]) is chart) is copied


def test_maintenance_with_a_product_of_two_forms_beside_one_of_them_is_a_duplicate() -> None:
    draft = order(HYDROXO_AND_CYANO)
    chart = Course("MedicationRequest/2", medicine(hydroxocobalamin=1000), CourseStatus.ACTIVE, draft.instructions)
    found = duplicate.criteria(
        draft, PatientRecord(drafts=(draft,), courses=(chart,)), LIMITS["duplicate-cobalamin"], TODAY
    )
    assert isinstance(found, Alert)


@pytest.mark.parametrize(("mcg", "supplement"), [(None, True), (49, True), (50, False), (1000, False)])
def test_a_multivitamin_counts_from_fifty_micrograms_of_b12_a_day(mcg: int | None, supplement: bool) -> None:
    product = replace(medicine(cobalamin=mcg), multivitamin=True)
    assert is_supplement(order(product, Route.ORAL, DAILY), Decimal(50)) is supplement


def test_of_several_forms_the_one_that_lasts_longest_stands_for_the_product() -> None:
    assert cobalamin(HYDROXO_AND_CYANO) == "hydroxocobalamin"
    assert cobalamin(METHYL_AND_CYANO) == "cyanocobalamin"
