"""Strengths from product names: what one tablet, ampoule or millilitre holds of an ingredient."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from cards.composition import FORMS, PLAIN_B12, parts_of
from cards.memory import remembered
from cards.record import Strength

# No product holds more: what such a number is divided by or into would have no use.
_LARGEST = Decimal(1_000_000_000)
_MASS = r"mill?igram(?:me|o|m)?s?|mi[ck]rogram(?:me|o|m)?s?|microgs?|mcgs?|µg|μg|ug|mgs?|ng|gm|grams?|g"
# A number begins where it begins and has an end: to try each of its digits would take hours for a text of nothing
# else.
_NUMBER = r"\d{1,15}(?:[.,]\d{1,15}){0,4}"
_STRENGTH = re.compile(
    rf"(?P<number>(?:(?<![\w.])\.)?(?<!\d)(?<!\d[.,]){_NUMBER})\s{{0,3}}(?P<unit>{_MASS})\b"
    r"(?:\s{0,3}(?:/|per|in)\s{0,3}(?P<volume>\d+(?:[.,]\d+)?)?\s{0,3}(?P<per>ml|millilit(?:re|er)s?|l)\b)?",
    re.IGNORECASE,
)
# "Folic acid-vit B6-vit B12 2.5-25-2 mg tablet": the names in the order of the numbers. The 12 of "B12-" is none.
_IN_ROW = re.compile(
    rf"(?<![\w.,/-])(?<!\bb )(?P<numbers>{_NUMBER}(?:\s?[-/]\s?{_NUMBER}){{1,30}})\s{{0,3}}-?(?P<unit>{_MASS})\b",
    re.IGNORECASE,
)
# The hyphens of "L-methylfolate" and "B-12" set nothing apart.
_NAMES_IN_ROW = re.compile(r"(?<!\b[lbLB])\s?[-/]\s?")
# Which words of a product name stand for an ingredient, when a name lists several.
_NAMES = {
    "folic_acid": re.compile(r"folic|folate", re.IGNORECASE),
    "levomefolate": re.compile(r"levomefol|methyl ?-?folate|mthf|methyl folic", re.IGNORECASE),
    "metformin": re.compile(r"metformin", re.IGNORECASE),
    "folinic_acid": re.compile(r"folin|leucovorin", re.IGNORECASE),
}
_COBALAMIN = re.compile(r"cobalamin|cobamamide|b[ -]?12", re.IGNORECASE)
_PLAIN = frozenset({"cyanocobalamin", "cobalamin"})

_AND_ANOTHER = re.compile(r"\s*/\s*\d")
# In "1,000" the comma sets off thousands, in "0,4" it is the decimal one of the continent.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
# "1.000" is a thousand on the continent and one elsewhere, where nobody writes a zero behind the last digit.
_EITHER = re.compile(r"[1-9]\d{0,2}\.\d\d0")

_ANOTHER_DRUG = re.compile(
    r"\s(?:[/+&]|(?:and|with)\b)\s*"
    r"(?!ml\b|millilit|sodium chloride|saline|glucose|dextrose|water|diluent|solvent|needle)[a-z]",
    re.IGNORECASE,
)


def lists_several(name: str) -> bool:
    """Whether a product's name lists other drugs beside B12, or beside another one ("A 300 mg / B 0.5 mg", "A and B").

    The forms of B12 in one product are no other drugs to each other.
    """
    if row := _IN_ROW.search(name):
        parts = tuple(_NAMES_IN_ROW.split(name[: row.start()].strip()))
    elif _ANOTHER_DRUG.search(name):
        parts = parts_of(name)
    else:
        return False
    return len(parts) > 1 and not all(_COBALAMIN.search(part) for part in parts)


def mass_unit(word: str) -> Decimal | None:
    """How many micrograms a unit of mass has, by its name or sign; None for what is no unit of mass."""
    unit = word.strip().lower()
    if not _WHOLE_UNIT.fullmatch(unit):
        return None
    if unit.startswith(("mc", "mic", "mik", "u", "µ", "μ")):
        return Decimal(1)
    return Decimal("0.001") if unit == "ng" else Decimal(1000) if unit.startswith("m") else Decimal(1_000_000)


_WHOLE_UNIT = re.compile(_MASS, re.IGNORECASE)


def agreed(strengths: Iterable[Strength]) -> Strength | None:
    """The one strength that several statements about a product give; None when they contradict each other.

    The same concentration is stated for a millilitre or for the whole ampoule: the larger volume is the ampoule's.
    """
    found: Strength | None = None
    for each in strengths:
        if found is None or found == each:
            found = each
        elif found.per_ml and each.per_ml:
            if found.mcg * each.per_ml != each.mcg * found.per_ml:
                return None
            found = max(found, each, key=lambda one: one.per_ml or 0)
        elif found.mcg != each.mcg:
            return None
        else:
            found = found if found.per_ml else each
    return found


@remembered
def strengths_in(name: str, ingredients: tuple[str, ...]) -> dict[str, Strength]:
    """The strength of each of `ingredients` that the product's name gives, in micrograms.

    In a name that lists several ingredients ("A 0.8 MG / B 0.115 MG", "A 200 mg and B 0.35 mg") each takes the
    strength beside it; a strength that cannot be told apart is left out.
    """
    own = {each: _words_for(each, ingredients) for each in ingredients}
    if row := _IN_ROW.search(name):
        return _in_row(name, row, own)
    found: dict[str, Strength] = {}
    parts = parts_of(name)
    for ingredient, words in own.items():
        part = parts[0] if len(parts) == 1 else next((each for each in parts if words.names(each)), None)
        strength = _strength(part, words) if part else None
        if strength and (len(ingredients) == 1 or len(parts) > 1):
            found[ingredient] = strength
    return found


class _Words:
    """What stands for an ingredient in a name: `pattern`, and none of `others`."""

    def __init__(self, pattern: re.Pattern[str], others: tuple[re.Pattern[str], ...] = ()) -> None:
        self.pattern = pattern
        self._others = others

    def names(self, part: str) -> bool:
        return bool(self.pattern.search(part)) and not any(other.search(part) for other in self._others)


def _words_for(ingredient: str, beside: tuple[str, ...]) -> _Words:
    if ingredient in _NAMES:
        return _Words(_NAMES[ingredient])
    forms = [each for each in beside if each in FORMS or each in _PLAIN]
    if len(forms) < 2:
        return _Words(_COBALAMIN)
    if ingredient in _PLAIN:
        return _Words(PLAIN_B12, tuple(pattern for form, pattern in FORMS.items() if form != ingredient))
    return _Words(FORMS.get(ingredient, _COBALAMIN))


def _in_row(name: str, row: re.Match[str], own: dict[str, _Words]) -> dict[str, Strength]:
    """The strengths of names and numbers in a row; none when there are not as many of the one as of the other."""
    names = _NAMES_IN_ROW.split(name[: row.start()].strip())
    numbers = re.split(r"\s?[-/]\s?", row["numbers"])
    factor = mass_unit(row["unit"])
    if len(names) != len(numbers) or factor is None:
        return {}
    found = {}
    for ingredient, words in own.items():
        places = [place for place, each in enumerate(names) if words.names(each)]
        number = _number(numbers[places[0]]) if len(places) == 1 else None
        if number is not None:
            found[ingredient] = Strength(number * factor)
    return found


def _strength(text: str, own: _Words) -> Strength | None:
    """The one strength in a text; of several that differ, the one behind the ingredient's name."""
    every = [_read(match) for match in _STRENGTH.finditer(text)]
    if not every:
        return None
    if all(each == every[0] for each in every):
        return every[0]
    named = own.pattern.search(text)
    behind = _STRENGTH.search(text, named.end()) if named else None
    # "Ferrograd Folic 325mg/350microgram" does not say which is whose.
    return _read(behind) if behind and not _AND_ANOTHER.match(text, behind.end()) else None


def _read(match: re.Match[str]) -> Strength | None:
    number, factor = _number(match["number"]), mass_unit(match["unit"])
    if number is None or factor is None:
        return None
    if not match["per"]:
        return Strength(number * factor)
    volume = _number(match["volume"] or "1")
    if volume is None:
        return None
    if match["per"].lower() == "l":
        volume *= 1000
    return Strength(number * factor, volume) if volume else None


def _number(text: str) -> Decimal | None:
    if _EITHER.fullmatch(text):
        return None
    try:
        found = Decimal(text.replace(",", "" if _THOUSANDS.fullmatch(text) else "."))
    except InvalidOperation:
        return None
    return found if found <= _LARGEST else None
