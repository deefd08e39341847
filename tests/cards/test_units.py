"""Laboratory units: every unit of the table, and a refusal to guess what is not in it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from cards.units import UnknownUnit, implausible, is_numeric, to_canonical

CONCEPTS = Path(__file__).parents[2] / "cards" / "value_sets" / "concepts.yaml"
LABS = yaml.safe_load(CONCEPTS.read_text(encoding="utf-8"))["labs"]
NUMERIC = [name for name in LABS if is_numeric(name)]


@pytest.mark.parametrize(
    ("concept", "value", "unit", "canonical"),
    [
        # Total B12: 1 ng/L = 1 pg/mL, 1 pmol/L = 1.355 ng/L.
        ("b12_total_serum", "180", "ng/L", "180"),
        ("b12_total_serum", "180", "pg/mL", "180"),
        ("b12_total_serum", "133", "pmol/L", "180.215"),
        ("b12_total_serum", "258", "pmol/L", "349.590"),
        ("b12_total_serum", "0.18", "ng/mL", "180"),
        ("b12_total_serum", "0.18", "ug/L", "180"),
        ("holotranscobalamin", "25", "pmol/L", "25"),
        # Methylmalonic acid: 1 umol/L = 1000 nmol/L = 118 mcg/L.
        ("mma_serum", "0.28", "umol/L", "0.28"),
        ("mma_serum", "280", "nmol/L", "0.28"),
        ("mma_serum", "0.28", "nmol/mL", "0.28"),
        ("mma_serum", "0.00028", "mmol/L", "0.28"),
        ("homocysteine", "15", "umol/L", "15"),
        ("homocysteine", "2", "mg/L", "14.8"),
        ("homocysteine", "15", "nmol/mL", "15"),
        ("homocysteine", "15000", "nmol/L", "15"),
        ("hemoglobin", "80", "g/L", "80"),
        ("hemoglobin", "8.0", "g/dL", "80"),
        ("mcv", "101", "fL", "101"),
        ("mcv", "101", "um3", "101"),
        ("platelets", "50", "10*9/L", "50"),
        ("platelets", "50", "x10^9/L", "50"),
        ("platelets", "50", "10*3/uL", "50"),
        ("platelets", "50", "K/uL", "50"),
        ("platelets", "50000", "/uL", "50"),
        ("wbc", "4.1", "10^9/L", "4.1"),
        ("wbc", "4.1", "thousand/uL", "4.1"),
        ("potassium", "3.4", "mmol/L", "3.4"),
        ("potassium", "3.4", "meq/L", "3.4"),
        ("egfr", "29", "mL/min/{1.73_m2}", "29"),
        ("egfr", "29", "mL/min/1.73m2", "29"),
        ("creatinine", "100", "umol/L", "100"),
        ("creatinine", "1", "mg/dL", "88.4"),
        ("inr", "2.5", "", "2.5"),
        ("inr", "2.5", "{INR}", "2.5"),
    ],
)
def test_a_result_comes_to_the_unit_of_its_concept(concept: str, value: str, unit: str, canonical: str) -> None:
    assert to_canonical(concept, Decimal(value), unit) == Decimal(canonical)


@pytest.mark.parametrize("unit", ["ug/L", "ng/mL"])
def test_a_methylmalonic_acid_of_33_micrograms_is_that_of_280_nanomoles(unit: str) -> None:
    assert round(to_canonical("mma_serum", Decimal(33), unit), 2) == Decimal("0.28")
    assert round(to_canonical("mma_serum", Decimal(118), unit), 6) == 1


@pytest.mark.parametrize(
    ("concept", "one", "other", "factor"),
    [
        ("b12_total_serum", "pmol/L", "ng/L", "1.355"),
        ("b12_total_serum", "ng/mL", "pg/mL", "1000"),
        ("mma_serum", "umol/L", "nmol/L", "1000"),
        ("homocysteine", "mg/L", "umol/L", "7.4"),
        ("hemoglobin", "g/dL", "g/L", "10"),
        ("creatinine", "mg/dL", "umol/L", "88.4"),
        ("platelets", "10*9/L", "/uL", "1000"),
    ],
)
def test_a_conversion_holds_both_ways(concept: str, one: str, other: str, factor: str) -> None:
    assert to_canonical(concept, Decimal(1), one) == to_canonical(concept, Decimal(factor), other)
    assert to_canonical(concept, 1 / Decimal(factor), one).quantize(Decimal("0.000001")) == to_canonical(
        concept, Decimal(1), other
    ).quantize(Decimal("0.000001"))


@pytest.mark.parametrize("spelling", ["µmol/L", "μmol/L", "umol/l", "UMOL/L", " umol / L ", "mcmol/L", "umol/litre"])
def test_a_unit_is_read_in_every_spelling(spelling: str) -> None:
    assert to_canonical("mma_serum", Decimal("0.4"), spelling) == Decimal("0.4")


@pytest.mark.parametrize(
    ("concept", "unit"),
    [
        ("b12_total_serum", ""),
        ("b12_total_serum", "mg/L"),
        ("b12_total_serum", "nmol/L"),
        ("b12_total_serum", "pg/dL"),
        ("b12_total_serum", "IU/L"),
        ("holotranscobalamin", "ng/L"),
        ("holotranscobalamin", "pg/mL"),
        ("mma_serum", ""),
        ("mma_serum", "mmol/mol"),  # a urine ratio
        ("mma_serum", "mg/L"),
        ("homocysteine", "mmol/L"),
        ("hemoglobin", ""),
        ("hemoglobin", "%"),
        ("hemoglobin", "mmol/L"),
        ("hemoglobin", "mmol/mol"),  # haemoglobin A1c
        ("potassium", "mg/dL"),
        ("platelets", "fL"),
        ("inr", "s"),
        ("creatinine", ""),
        ("creatinine", "mmol/L"),
    ],
)
def test_a_unit_that_is_missing_or_not_in_the_table_is_refused(concept: str, unit: str) -> None:
    with pytest.raises(UnknownUnit):
        to_canonical(concept, Decimal(1), unit)


def test_a_concept_without_units_is_refused() -> None:
    with pytest.raises(UnknownUnit):
        to_canonical("intrinsic_factor_antibody", Decimal(1), "U/mL")


@pytest.mark.parametrize("concept", NUMERIC)
def test_the_unit_of_a_concept_is_the_unit_that_others_are_turned_into(concept: str) -> None:
    assert to_canonical(concept, Decimal(7), LABS[concept]["unit"]) == 7


def test_what_rules_compare_is_numeric() -> None:
    assert set(NUMERIC) == {
        "b12_total_serum",
        "holotranscobalamin",
        "mma_serum",
        "homocysteine",
        "hemoglobin",
        "mcv",
        "platelets",
        "wbc",
        "potassium",
        "egfr",
        "creatinine",
        "inr",
    }


@pytest.mark.parametrize("concept", ["intrinsic_factor_antibody", "b12_other_not_total", "folate_serum"])
def test_a_result_that_no_rule_compares_is_not_numeric(concept: str) -> None:
    assert not is_numeric(concept)


@pytest.mark.parametrize(
    ("concept", "possible", "impossible"),
    [
        ("b12_total_serum", ["1", "96", "10000"], ["0", "10001"]),
        ("hemoglobin", ["10", "80", "300"], ["8", "800"]),
        ("mcv", ["30", "101", "200"], ["1.01", "1010"]),
        ("potassium", ["0.5", "3.4", "15"], ["0.4", "34"]),
        ("mma_serum", ["0.28", "1000"], ["0.009", "1001"]),
        ("inr", ["0.3", "2.5", "30"], ["0", "250"]),
    ],
)
def test_a_value_that_no_patient_has_is_implausible(concept: str, possible: list[str], impossible: list[str]) -> None:
    assert not any(implausible(concept, Decimal(value)) for value in possible)
    assert all(implausible(concept, Decimal(value)) for value in impossible)
