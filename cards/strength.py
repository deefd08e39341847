"""Strengths from product names: what one tablet, ampoule or millilitre holds of an ingredient."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from cards.record import Strength

_MCG = {"mg": Decimal(1000), "g": Decimal(1_000_000), "ng": Decimal("0.001")}
_STRENGTH = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)*)\s*(?P<unit>milligrams?|micrograms?|mcg|µg|μg|ug|mg|ng|g)\b"
    r"(?:\s*(?:/|per|in)\s*(?P<volume>\d+(?:\.\d+)?)?\s*(?P<per>ml|millilit(?:re|er)s?|l)\b)?",
    re.IGNORECASE,
)
# Which words of a product name stand for an ingredient, when a name lists several.
_NAMES = {
    "folic_acid": re.compile(r"folic|folate", re.IGNORECASE),
    "levomefolate": re.compile(r"levomefol|methyl ?-?folate|mthf|methyl folic", re.IGNORECASE),
    "folinic_acid": re.compile(r"folin|leucovorin", re.IGNORECASE),
}
_COBALAMIN = re.compile(r"cobalamin|cobamamide|b[ -]?12", re.IGNORECASE)


@lru_cache(maxsize=4096)
def strengths_in(name: str, ingredients: tuple[str, ...]) -> dict[str, Strength]:
    """The strength of each of `ingredients` that the product's name gives, in micrograms.

    In a name that lists several ingredients ("A 0.8 MG / B 0.115 MG") each takes the strength beside it; a strength
    that cannot be told apart is left out.
    """
    found: dict[str, Strength] = {}
    parts = [part for part in re.split(r"\s/\s|\s\+\s|;", name) if part]
    for ingredient in ingredients:
        own = _NAMES.get(ingredient, _COBALAMIN)
        part = parts[0] if len(parts) == 1 else next((each for each in parts if own.search(each)), None)
        strength = _strength(part) if part else None
        if strength and (len(ingredients) == 1 or len(parts) > 1):
            found[ingredient] = strength
    return found


def _strength(text: str) -> Strength | None:
    match = _STRENGTH.search(text)
    if match is None:
        return None
    try:
        number = Decimal(match["number"].replace(",", ""))
    except InvalidOperation:
        return None
    unit = match["unit"].lower()
    factor = _MCG.get(unit) or (Decimal(1000) if unit.startswith("milligram") else Decimal(1))
    if not match["per"]:
        return Strength(number * factor)
    volume = Decimal(match["volume"] or 1)
    if match["per"].lower() == "l":
        volume *= 1000
    return Strength(number * factor, volume) if volume else None
