"""Laboratory units: a closed table of factors into one canonical unit per concept; an unknown unit is refused."""

from __future__ import annotations

import re
from decimal import Decimal

from cards.memory import remembered

# 1 pmol/L of B12 is 1.355 ng/L (clinical rules 5.0, unit guards; molar mass 1355.4 g/mol).
B12_NG_PER_PMOL = Decimal("1.355")

_ONE = Decimal(1)
_NANO, _MILLI = Decimal("0.001"), Decimal(1000)
_COUNT = {
    "10*9/l": _ONE,
    "10^9/l": _ONE,
    "x10*9/l": _ONE,
    "x10^9/l": _ONE,
    "×10⁹/l": _ONE,
    "10e9/l": _ONE,
    "g/l": _ONE,
    "giga/l": _ONE,
}
_COUNT |= {"10*3/ul": _ONE, "10^3/ul": _ONE, "x10^3/ul": _ONE, "x10*3/ul": _ONE, "k/ul": _ONE, "/nl": _ONE}
_COUNT |= {"thousand/ul": _ONE, "10*3/mm3": _ONE, "/ul": _NANO}
_RATE = {"ml/min/{1.73_m2}": _ONE, "ml/min/1.73m2": _ONE, "ml/min/1.73m^2": _ONE, "ml/min": _ONE}
_RATE |= {"ml/min/1.73sqm": _ONE, "ml/min/{1.73m2}": _ONE, "ml/min/1.73m*2": _ONE}
_NONE = {"": _ONE, "1": _ONE, "{inr}": _ONE, "ratio": _ONE, "{ratio}": _ONE, "inr": _ONE}

# Multiply by the factor to come to the canonical unit. Sources: clinical rules 5.0 and 7, and scaling.
_FACTORS: dict[str, dict[str, Decimal]] = {
    "b12_total_serum": {"ng/l": _ONE, "pg/ml": _ONE, "pmol/l": B12_NG_PER_PMOL, "ng/ml": _MILLI, "ug/l": _MILLI},
    "holotranscobalamin": {"pmol/l": _ONE},
    "mma_serum": {
        "umol/l": _ONE,
        "nmol/l": _NANO,
        "nmol/ml": _ONE,
        "mmol/l": _MILLI,
        "ug/l": _ONE / 118,
        "ng/ml": _ONE / 118,
    },
    "homocysteine": {"umol/l": _ONE, "nmol/ml": _ONE, "mg/l": Decimal("7.4"), "nmol/l": _NANO},
    "hemoglobin": {"g/l": _ONE, "g/dl": Decimal(10)},
    "mcv": {"fl": _ONE, "um3": _ONE, "um^3": _ONE, "um*3": _ONE, "cuum": _ONE},
    "platelets": _COUNT,
    "wbc": _COUNT,
    "potassium": {"mmol/l": _ONE, "meq/l": _ONE},
    "egfr": _RATE,
    "creatinine": {"umol/l": _ONE, "mg/dl": Decimal("88.4")},
    "inr": _NONE,
}
# Values that no patient has: beyond them a unit or a decimal point went wrong. Service settings.
_POSSIBLE: dict[str, tuple[Decimal, Decimal]] = {
    "b12_total_serum": (Decimal(1), Decimal(10000)),
    "holotranscobalamin": (Decimal(1), Decimal(2000)),
    "mma_serum": (Decimal("0.01"), Decimal(1000)),
    "homocysteine": (Decimal("0.5"), Decimal(1000)),
    "hemoglobin": (Decimal(10), Decimal(300)),
    "mcv": (Decimal(30), Decimal(200)),
    "platelets": (Decimal(0), Decimal(5000)),
    "wbc": (Decimal(0), Decimal(1000)),
    "potassium": (Decimal("0.5"), Decimal(15)),
    "egfr": (Decimal(0), Decimal(250)),
    "creatinine": (Decimal(1), Decimal(5000)),
    "inr": (Decimal("0.3"), Decimal(30)),
}
_MICRO = re.compile("[µμ]")


class UnknownUnit(ValueError):
    """A unit that is not in the table for this result: nothing is guessed."""


def to_canonical(concept: str, value: Decimal, unit: str) -> Decimal:
    """`value` in the canonical unit of `concept`. Raises `UnknownUnit`."""
    factor = _FACTORS.get(concept, {}).get(_spelled(unit))
    if factor is None:
        raise UnknownUnit(concept)
    return value * factor


def is_numeric(concept: str) -> bool:
    """Whether results of `concept` are numbers that rules compare."""
    return concept in _FACTORS


def implausible(concept: str, value: Decimal) -> bool:
    """Whether a value in the canonical unit is one that no patient has."""
    low, high = _POSSIBLE[concept]
    return not low <= value <= high


@remembered
def _spelled(unit: str) -> str:
    """One spelling of a unit: lower case, no spaces, micro as `u`, `mcg` and `mcmol` too."""
    plain = _MICRO.sub("u", unit.strip()).lower().replace(" ", "").replace("mcg", "ug").replace("mcmol", "umol")
    return plain.replace("litre", "l").replace("liter", "l").replace("mmol/lblood", "mmol/l")
