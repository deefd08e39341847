"""What a product's name lists: its parts, the forms of B12 among them, and whether it is a multivitamin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from cards.memory import remembered
from cards.record import Strength
from cards.terminology import Terminology

# The forms of B12 that have a name of their own.
FORMS = {
    "hydroxocobalamin": re.compile(
        r"hydrox[oy][- ]?cobalamin|aquacobalamin|oh-?cbl|neo[- ]?cytamen|cobalin[- ]?h|b[- ]?12a", re.I
    ),
    "cyanocobalamin": re.compile(
        r"cyano-?cobalamin|cn-?cbl|cyanocob12|cytacon|(?<!neo)(?<!neo[- ])cytamen|nascobal", re.I
    ),
    "mecobalamin": re.compile(r"me(?:thyl)?[- ]?cobalamin|mecbl|methyl[- ]?b ?12", re.I),
    "cobamamide": re.compile(r"adenosyl[- ]?cobalamin|cobamamide|dibencozide", re.I),
}
PLAIN_B12 = re.compile(
    r"\b(?:vit(?:amin)?s?\.?[ -]?)?b[ -]?12(?!\w)|(?<![a-z])(?<![a-z][ -])cobalamin|cyano-?cobalamin", re.I
)

_MASS = r"(?:mg|mcg|ug|µg|μg|ng|g|milligrams?|micrograms?|unt|iu|units?)"
_BETWEEN = re.compile(
    r"\s/\s|\s?\+\s?|;\s?|\s(?:and|with|&)\s"
    # Without blanks a slash sets ingredients apart behind a strength: "A 1mg/B 0.5mg", never "1mg/ml".
    rf"|(?<=\d) ?{_MASS}/(?=[a-z]{{3}}|b[- ]?\d)"
    r"(?!ml|millilit|mg|mcg|tab|cap|amp|vial|dose|unit|spray|actuation|day|drop|sachet)",
    re.I,
)
_COMMA = re.compile(r",\s")
_HAS_STRENGTH = re.compile(rf"\d ?{_MASS}\b", re.I)
_LISTED = re.compile(r"[a-z]{3}", re.I)

# A name without any separator ("Ascorbic acidNiacinVitamin B12") has them where a capital follows a small letter.
_JOINED = re.compile(r"(?<=[a-z0-9A])(?=[A-Z][a-z]{4})")
_OTHER_VITAMINS = 4
# A usual multivitamin or prenatal holds at most that much folic acid; renal vitamins with 5 mg of it are treatment.
_FOLATE_OF_A_MULTIVITAMIN = Decimal(1000)
_NAMED_MULTIVITAMIN = re.compile(
    r"multi-?\s?vit\w*|pre-?natal|pregnacare|vitamins?\s+(?:and|&)\s+minerals?"
    r"|\bb[ -]?complex\b.{0,12}\bvit(?:amin)?[ -]*c\b.{0,3}folic|nephro-?caps|nephro-?vite|rena-?vite",
    re.I,
)


@remembered
def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name that lists ingredients; the whole name when it lists none.

    Commas set ingredients apart only where each of them has a strength.
    """
    found = tuple(part for each in _split(name) if (part := each.strip()))
    return tuple(one for part in found for one in _by_comma(part)) if "," in name else found or (name,)


def _by_comma(part: str) -> list[str]:
    pieces = _COMMA.split(part)
    return pieces if all(_HAS_STRENGTH.search(each) and _LISTED.match(each.lstrip("( ")) for each in pieces) else [part]


def _split(name: str) -> list[str]:
    found, start = [], 0
    for match in _BETWEEN.finditer(name):
        # The unit before a slash without blanks belongs to the part that ends.
        end = match.end() - 1 if match.group()[-1] == "/" else match.start()
        found.append(name[start:end])
        start = match.end()
    return [*found, name[start:]]


@remembered
def forms_listed(name: str) -> frozenset[str]:
    """The forms of B12 that a name lists: plain "vitamin B12" in a list with a named form is cyanocobalamin.

    Empty when it names none, or "vitamin B12" alone. A part that names cyanocobalamin beside another form
    ("cyanocobalamin (hydroxocobalamin not in stock)") is cyanocobalamin.
    """
    if not any(pattern.search(name) for pattern in FORMS.values()):
        return frozenset()
    found = set()
    plain = False
    for part in parts_of(name):
        own = {form for form, pattern in FORMS.items() if pattern.search(part)}
        found |= {"cyanocobalamin"} if "cyanocobalamin" in own else own
        plain = plain or (not own and bool(PLAIN_B12.search(part)))
    return frozenset(found | {"cyanocobalamin"} if plain else found)


def ingredients_named(names: Iterable[str], terminology: Terminology) -> tuple[str, ...]:
    """The ingredients that the names of one product list."""
    names = tuple(names)
    concepts = terminology.drugs_in_text(" | ".join(names))
    found = {each for concept in concepts for each in terminology.drug_ingredients(concept)}
    if not found.isdisjoint(FORMS) and any(
        "cyanocobalamin" in (listed := forms_listed(name)) and not listed.isdisjoint(found) for name in names
    ):
        found.add("cyanocobalamin")
    if not found.isdisjoint(FORMS):
        # "Methyl B12" names the form and the vitamin.
        found.discard("cobalamin")
    return terminology.in_order(found)


def is_multivitamin(
    names: Iterable[str], ingredients: Iterable[str], strengths: Mapping[str, Strength], terminology: Terminology
) -> bool:
    """Whether a product is a multivitamin or prenatal: by its name, or folate or B12 with four other vitamins."""
    names = tuple(names)
    if any(_NAMED_MULTIVITAMIN.search(name) for name in names):
        return True
    if not any(each in FORMS or each in _WITH_VITAMINS for each in ingredients):
        return False
    folate = max((strengths[each].mcg for each in _FOLATES if each in strengths), default=Decimal(0))
    if folate > _FOLATE_OF_A_MULTIVITAMIN:
        return False
    vitamins: set[str] = set()
    for name in names:
        vitamins.update(terminology.vitamins_in_text(_JOINED.sub(" / ", name)))
    return len(vitamins) >= _OTHER_VITAMINS


_FOLATES = ("folic_acid", "levomefolate")
_WITH_VITAMINS = frozenset({*_FOLATES, "cobalamin"})
