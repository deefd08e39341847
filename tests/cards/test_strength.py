"""Strengths from product names: a tenfold slip here is a tenfold slip on the card."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

from cards.record import Strength
from cards.strength import strengths_in
from cards.terminology import Terminology

HYDROXOCOBALAMIN = ("hydroxocobalamin",)
FOLIC_ACID = ("folic_acid",)
B12 = ("cobalamin",)


def _mcg(mcg: str, per_ml: str | None = None) -> Strength:
    return Strength(Decimal(mcg), Decimal(per_ml) if per_ml else None)


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("Folic Acid 5 MG Oral Tablet", _mcg("5000")),
        ("Folic acid 5mg tablets", _mcg("5000")),
        ("Folic acid 400microgram tablets", _mcg("400")),
        ("Folic acid 400 micrograms", _mcg("400")),
        ("Folic acid 400mcg", _mcg("400")),
        ("Folic acid 400 µg", _mcg("400")),  # micro sign
        ("Folic acid 400 μg", _mcg("400")),  # Greek mu
        ("Folic acid 400 ug", _mcg("400")),
        ("Folic acid 0.4 MG", _mcg("400")),
        ("folic acid 5 milligrams", _mcg("5000")),
        ("ácido fólico 400 microgramos", _mcg("400")),
        ("acide folique 0,4 mg", _mcg("400")),
        ("Folic acid 400 microg", _mcg("400")),
        ("Folic acid 0.125 mg", _mcg("125")),
        ("Folic acid 5 mg 28 tablets", _mcg("5000")),
        ("Folic acid 5 mg (5000 micrograms)", _mcg("5000")),
    ],
)
def test_a_tablet_holds_what_its_name_says(name: str, strength: Strength) -> None:
    assert strengths_in(name, FOLIC_ACID) == {"folic_acid": strength}


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("Hydroxocobalamin 1mg/1ml solution for injection ampoules", _mcg("1000", "1")),
        ("Hydroxocobalamin 1mg/ml 1ml ampoules", _mcg("1000", "1")),
        ("1mg/ml 1ml ampoules", _mcg("1000", "1")),
        ("Hydroxocobalamin 10mg/2ml", _mcg("10000", "2")),
        ("Hydroxocobalamin 10mg/5ml oral solution", _mcg("10000", "5")),
        ("Neo-Cytamen 1000micrograms/1ml solution for injection ampoules", _mcg("1000", "1")),
        ("Hydroxocobalamin 1000 mcg/mL 30 mL vial", _mcg("1000", "1")),
        ("Hydroxocobalamin 30 ml vial 1000 mcg/ml", _mcg("1000", "1")),
        ("Hydroxocobalamin 1 mg per ml", _mcg("1000", "1")),
        ("Hydroxocobalamin 1 mg in 1 millilitre", _mcg("1000", "1")),
        ("Hydroxocobalamin 500micrograms/0.5ml", _mcg("500", "0.5")),
        ("Hydroxocobalamin 1 mg/L", _mcg("1000", "1000")),
    ],
)
def test_a_liquid_holds_its_strength_in_the_stated_volume(name: str, strength: Strength) -> None:
    assert strengths_in(name, HYDROXOCOBALAMIN) == {"hydroxocobalamin": strength}


@pytest.mark.parametrize(
    ("number", "mcg"),
    [
        ("1,000 mcg", "1000"),
        ("1,000.5 mcg", "1000.5"),
        ("10,000 mcg", "10000"),
        ("1,000,000 ng", "1000"),
        ("0,4 mg", "400"),  # the continent's decimal comma
        ("2,5 mg", "2500"),
        ("0,400 mg", "400"),
        ("0.4 mg", "400"),
        (".4 mg", "400"),
    ],
)
def test_a_comma_sets_off_thousands_only_before_three_digits(number: str, mcg: str) -> None:
    assert strengths_in(f"Cyanocobalamin {number}", ("cyanocobalamin",)) == {"cyanocobalamin": _mcg(mcg)}


@pytest.mark.parametrize(
    ("name", "ingredients", "strengths"),
    [
        (
            "Folic Acid 0.8 MG / Vitamin B 12 0.115 MG / Vitamin B6 10 MG Oral Tablet",
            ("folic_acid", "cobalamin"),
            {"folic_acid": _mcg("800"), "cobalamin": _mcg("115")},
        ),
        (
            "Vitamin B6 10 MG / Vitamin B 12 0.1 MG / Folic acid 1 MG",
            ("folic_acid", "cobalamin"),
            {"folic_acid": _mcg("1000"), "cobalamin": _mcg("100")},
        ),
        (
            "Acetylcysteine 600 MG / L-METHYLFOLATE 6 MG / mecobalamin 2 MG",
            ("levomefolate", "cobalamin"),
            {"levomefolate": _mcg("6000"), "cobalamin": _mcg("2000")},
        ),
        ("Ferrous fumarate 322mg / Folic acid 350microgram tablets", FOLIC_ACID, {"folic_acid": _mcg("350")}),
        ("Ferrous fumarate 200 mg and folic acid 0.35 mg", FOLIC_ACID, {"folic_acid": _mcg("350")}),
        ("Pregaday (ferrous fumarate 322 mg, folic acid 350 micrograms)", FOLIC_ACID, {"folic_acid": _mcg("350")}),
        ("Vitamin B6 10 MG + Vitamin B12 1 MG", B12, {"cobalamin": _mcg("1000")}),
        ("Folic acid + Vitamin B12 1 mg", ("folic_acid", "cobalamin"), {"cobalamin": _mcg("1000")}),
        (
            "Folic acid 5 mg, cyanocobalamin 1 mg",
            ("folic_acid", "cyanocobalamin"),
            {"folic_acid": _mcg("5000"), "cyanocobalamin": _mcg("1000")},
        ),
        (
            "Folic acid 400mcg/Vitamin B12 1mg tablets",
            ("cobalamin", "folic_acid"),
            {"folic_acid": _mcg("400"), "cobalamin": _mcg("1000")},
        ),
        (
            "FOLIC ACID-VIT B6-VIT B12 2.5-25-2 MG TABLET",
            ("cobalamin", "folic_acid"),
            {"folic_acid": _mcg("2500"), "cobalamin": _mcg("2000")},
        ),
        (
            "L-methylfolate-B-6-B-12 3-35-2 mg capsule",
            ("cobalamin", "levomefolate"),
            {"levomefolate": _mcg("3000"), "cobalamin": _mcg("2000")},
        ),
        ("folic acid-iron 1-65 mg", FOLIC_ACID, {"folic_acid": _mcg("1000")}),
        (
            "cobamamide 0.1 MG / Vitamin B 12 5 MG Sublingual Tablet",
            ("cyanocobalamin", "cobamamide"),
            {"cobamamide": _mcg("100"), "cyanocobalamin": _mcg("5000")},
        ),
        (
            "Vitamin B12 (methylcobalamin 1 mg and adenosylcobalamin 2 mg)",
            ("mecobalamin", "cobamamide"),
            {"mecobalamin": _mcg("1000"), "cobamamide": _mcg("2000")},
        ),
    ],
)
def test_of_several_ingredients_each_takes_the_strength_beside_it(
    name: str, ingredients: tuple[str, ...], strengths: dict[str, Strength]
) -> None:
    assert strengths_in(name, ingredients) == strengths


@pytest.mark.parametrize(
    ("name", "ingredients"),
    [
        ("Folic acid tablets", FOLIC_ACID),
        ("Folic acid 1.2.3 mg", FOLIC_ACID),
        ("Folic acid 400", FOLIC_ACID),
        ("Folic acid 1.000 mcg", FOLIC_ACID),
        ("Cyanocobalamin 1.000 microgramos", ("cyanocobalamin",)),
        ("Folic acid-vit B6-vit B12 2.5-25 mg", ("cobalamin", "folic_acid")),
        ("Folic acid 1-5 mg", FOLIC_ACID),
        ("methylcobalamin, adenosylcobalamin 1 mg", ("mecobalamin", "cobamamide")),
        ("Vitamin B12 1000 IU", B12),
        ("Hydroxocobalamin 1 mg/0 ml", HYDROXOCOBALAMIN),
        (f"Hydroxocobalamin 1 mg/{'9' * 400} ml", HYDROXOCOBALAMIN),
        (f"Hydroxocobalamin {'9' * 400} mg", HYDROXOCOBALAMIN),
        ("Ferrograd Folic 325mg/350microgram tablets", FOLIC_ACID),
        ("Pregaday 322mg/350microgram tablets", FOLIC_ACID),
        ("Folic acid / Vitamin B6 10 mg", FOLIC_ACID),
        ("Folic acid and ferrous fumarate 200 mg", FOLIC_ACID),
        ("Folic acid 5 mg", ()),
        ("", FOLIC_ACID),
    ],
)
def test_a_strength_that_cannot_be_told_is_left_out(name: str, ingredients: tuple[str, ...]) -> None:
    assert strengths_in(name, ingredients) == {}


@pytest.mark.parametrize("file", ["hydroxocobalamin", "cyanocobalamin", "mecobalamin", "folic_acid", "levomefolate"])
def test_every_product_that_names_a_mass_has_a_strength(file: str) -> None:
    path = Path(__file__).parents[2] / "cards" / "value_sets" / "drugs" / f"{file}.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        names = [row["display"] for row in csv.DictReader(lines)]
    with_mass = [name for name in names if re.search(r"\d ?(?:mg|microgram)", name, re.IGNORECASE)]
    ingredients = Terminology.load().drug_ingredients(file)

    assert with_mass
    assert [name for name in with_mass if set(strengths_in(name, ingredients)) != set(ingredients)] == []
