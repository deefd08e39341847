"""Strengths from product names: what one tablet, ampoule or millilitre holds of an ingredient."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from cards.memory import remembered
from cards.record import Strength

# No product holds more: what such a number is divided by or into would have no use.
_LARGEST = Decimal(1_000_000_000)
_MCG = {"mg": Decimal(1000), "g": Decimal(1_000_000), "ng": Decimal("0.001")}
# A number begins where it begins and has an end: to try each of its digits would take hours for a text of nothing
# else.
_STRENGTH = re.compile(
    r"(?P<number>(?:(?<![\w.])\.)?(?<!\d)(?<!\d[.,])\d{1,15}(?:[.,]\d{1,15}){0,4})\s*(?P<unit>milligrams?|micrograms?|mcg|µg|μg|ug|mg|ng|g)\b"
    r"(?:\s*(?:/|per|in)\s{0,3}(?P<volume>\d+(?:\.\d+)?)?\s{0,3}(?P<per>ml|millilit(?:re|er)s?|l)\b)?",
    re.IGNORECASE,
)
# Which words of a product name stand for an ingredient, when a name lists several.
_NAMES = {
    "folic_acid": re.compile(r"folic|folate", re.IGNORECASE),
    "levomefolate": re.compile(r"levomefol|methyl ?-?folate|mthf|methyl folic", re.IGNORECASE),
    "metformin": re.compile(r"metformin", re.IGNORECASE),
    "folinic_acid": re.compile(r"folin|leucovorin", re.IGNORECASE),
}
_COBALAMIN = re.compile(r"cobalamin|cobamamide|b[ -]?12", re.IGNORECASE)


_BETWEEN = re.compile(r"\s/\s|\s\+\s|;|\s(?:and|with|&)\s", re.IGNORECASE)
_AND_ANOTHER = re.compile(r"\s*/\s*\d")
# In "1,000" the comma sets off thousands, in "0,4" it is the decimal one of the continent.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")

_ANOTHER_DRUG = re.compile(
    r"\s(?:[/+&]|(?:and|with)\b)\s*"
    r"(?!ml\b|millilit|sodium chloride|saline|glucose|dextrose|water|diluent|solvent|needle)[a-z]",
    re.IGNORECASE,
)


def lists_several(name: str) -> bool:
    """Whether a product's name lists more than one drug ("A 300 mg / B 0.5 mg", "A and B")."""
    return bool(_ANOTHER_DRUG.search(name))


@remembered
def strengths_in(name: str, ingredients: tuple[str, ...]) -> dict[str, Strength]:
    """The strength of each of `ingredients` that the product's name gives, in micrograms.

    In a name that lists several ingredients ("A 0.8 MG / B 0.115 MG", "A 200 mg and B 0.35 mg") each takes the
    strength beside it; a strength that cannot be told apart is left out.
    """
    found: dict[str, Strength] = {}
    parts = [part for part in _BETWEEN.split(name) if part]
    for ingredient in ingredients:
        own = _NAMES.get(ingredient, _COBALAMIN)
        part = parts[0] if len(parts) == 1 else next((each for each in parts if own.search(each)), None)
        strength = _strength(part, own) if part else None
        if strength and (len(ingredients) == 1 or len(parts) > 1):
            found[ingredient] = strength
    return found


def _strength(text: str, own: re.Pattern[str]) -> Strength | None:
    """The one strength in a text; of several that differ, the one behind the ingredient's name."""
    every = [_read(match) for match in _STRENGTH.finditer(text)]
    if not every:
        return None
    if all(each == every[0] for each in every):
        return every[0]
    named = own.search(text)
    behind = _STRENGTH.search(text, named.end()) if named else None
    # "Ferrograd Folic 325mg/350microgram" does not say which is whose.
    return _read(behind) if behind and not _AND_ANOTHER.match(text, behind.end()) else None


def _read(match: re.Match[str]) -> Strength | None:
    number = _number(match["number"])
    if number is None:
        return None
    unit = match["unit"].lower()
    factor = _MCG.get(unit) or (Decimal(1000) if unit.startswith("milligram") else Decimal(1))
    if not match["per"]:
        return Strength(number * factor)
    volume = _number(match["volume"] or "1")
    if volume is None:
        return None
    if match["per"].lower() == "l":
        volume *= 1000
    return Strength(number * factor, volume) if volume else None


def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text.replace(",", "" if _THOUSANDS.fullmatch(text) else "."))
    except InvalidOperation:
        return None
    return found if found <= _LARGEST else None
