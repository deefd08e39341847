"""Which drug a resource is about, in its four forms: codings, words, a contained or bundled Medication, a display."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from cards.dosing import COBALAMINS
from cards.memory import LONGEST_TEXT, TEXTS
from cards.record import Medicine, Route, Strength, UnknownDrug
from cards.strength import lists_several, strengths_in
from cards.terminology import Coded, Terminology
from cards.words import known_form, normalised
from service.fhir.dates import first
from service.fhir.numbers import number

_INJECTION = re.compile(
    r"\binj\w*|ampoules?|\bamps?\b|vials?|pre-?filled|auto-?injector|\bmdv\b|\bij\b|\bshots?\b", re.I
)
_ORAL = re.compile(r"tab(?:let)?s?\b|caps?(?:ule)?s?\b|\boral\b|chewable|lozenge|syrup|gumm(?:y|ies)|\bpills?\b", re.I)
_SUBLINGUAL = re.compile(r"sub-?lingual", re.I)
_NASAL = re.compile(r"nasal", re.I)
_INFUSION = re.compile(r"infusion|intravenous", re.I)
# Of renal vitamins the usual ones; those with 5 mg of folic acid are no multivitamin here.
_MULTIVITAMIN = re.compile(
    r"multi-?\s?vit\w*|pre-?natal|pregnacare|vitamins?\s+(?:and|&)\s+minerals?"
    r"|\bb[ -]?complex\b.{0,12}\bvit(?:amin)?[ -]*c\b.{0,3}folic|nephro-?caps|nephro-?vite|rena-?vite",
    re.I,
)
# A product coded as plain vitamin B12 whose words name another form is that form (RxNorm 11248 covers several).
_FORMS = {
    "hydroxocobalamin": re.compile(r"hydrox[oy]cobalamin|oh-?cbl", re.I),
    "mecobalamin": re.compile(r"me(?:thyl)?cobalamin", re.I),
    "cobamamide": re.compile(r"adenosylcobalamin|cobamamide", re.I),
}
_COMBINATIONS = frozenset({"b12_combination", "folic_acid_combination", "folic_acid_with_b12"})
_CYANOCOBALAMIN = re.compile(r"cyano-?cobalamin", re.I)
_MASS = {"mg": Decimal(1000), "ug": Decimal(1), "mcg": Decimal(1), "g": Decimal(1_000_000), "ng": Decimal("0.001")}
NO_MEDICINE = Medicine(())
# Codes, code systems and names of a drug together.
_LONGEST_DRUG = 3 * LONGEST_TEXT


class Products:
    """Finds the medicine of a resource.

    `beside`: the resources that came with it, searched for a Medication only when one is referred to.
    `unknown` are the drug codes that no value set knows, each once.
    """

    def __init__(self, terminology: Terminology, beside: Callable[[], Mapping[str, dict[str, Any]]]) -> None:
        self._terminology = terminology
        self._beside = beside
        self._bundled: Mapping[str, dict[str, Any]] | None = None
        self._unknown: dict[tuple[str, str], UnknownDrug] = {}

    @property
    def unknown(self) -> tuple[UnknownDrug, ...]:
        """The codes that no value set knows: those whose words name a drug of ours, and those without any words."""
        return tuple(self._unknown.values())

    def of(self, resource: dict[str, Any]) -> Medicine:
        """The medicine of a request, administration, statement or dispense of any FHIR version."""
        concept, product = self._concept(resource)
        codes, words, length = _said(concept, resource)
        # What is longer would fill the memory.
        recognise = _recognised if length <= _LONGEST_DRUG else _recognised.__wrapped__
        found, unknown = recognise(codes, words, self._terminology)
        if unknown:
            self._unknown.setdefault((unknown.system, unknown.code), unknown)
        if not product:
            return found
        strengths = {**found.strengths, **_ingredient_strengths(product, found, self._terminology)}
        return replace(found, strengths=strengths)

    def is_missing(self, resource: dict[str, Any]) -> bool:
        """Whether a resource refers to a drug that did not come with it, without a word about it."""
        named = (resource.get("medicationReference"), resource.get("medication"))
        if not any(isinstance(each, dict) and "reference" in each for each in named):
            return False
        concept, product = self._concept(resource)
        return not concept and not product

    def _concept(self, resource: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The CodeableConcept of the drug, and the Medication resource that it stands in."""
        concept = resource.get("medicationCodeableConcept")
        if concept is None:
            concept = first(resource, "medication", "product")
        reference = resource.get("medicationReference")
        if isinstance(concept, dict) and ("concept" in concept or "reference" in concept):
            # R5 CodeableReference; DSTU2 and STU3 have a plain Reference here in some resources.
            reference = concept.get("reference") if isinstance(concept.get("reference"), dict) else concept
            concept = concept.get("concept")
        if isinstance(concept, dict) and concept:
            return concept, {}
        product = self._referenced(reference, resource)
        code = product.get("code")
        if isinstance(code, dict):
            return code, product
        display = reference.get("display") if isinstance(reference, dict) else None
        return ({"text": display} if isinstance(display, str) else {}), product

    def _referenced(self, reference: Any, resource: dict[str, Any]) -> dict[str, Any]:
        target = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(target, str):
            return {}
        if target.startswith("#"):
            contained = resource.get("contained")
            for each in contained if isinstance(contained, list) else []:
                if isinstance(each, dict) and each.get("id") == target[1:]:
                    return each
            return {}
        if self._bundled is None:
            self._bundled = self._beside()
        return self._bundled.get(target) or self._bundled.get(target.split("/_history")[0].rsplit("/", 1)[-1]) or {}


def medications(resources: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """The Medication resources among others, by id and by the full address they came under."""
    return {
        each["id"]: each
        for each in resources
        if isinstance(each, dict) and each.get("resourceType") == "Medication" and isinstance(each.get("id"), str)
    }


# A code system and code, and whether the code was one: null and numbers are read as words for the look-up.
_Code = tuple[str, str, bool]


def _said(concept: dict[str, Any], resource: dict[str, Any]) -> tuple[tuple[_Code, ...], tuple[str, ...], int]:
    """The codes of a drug, all that is said of it in words, and the length of both."""
    codes: list[_Code] = []
    words = []
    length = 0
    text = concept.get("text")
    if isinstance(text, str) and text:
        text = known_form(text) or normalised(text)
        words.append(text)
        length = len(text)
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else (codings,):
        if isinstance(coding, dict):
            code, display = coding.get("code"), coding.get("display")
            given = isinstance(code, str)
            code, system = str(code), str(coding.get("system"))
            codes.append((system, code, given))
            length += len(system) + len(code)
            if isinstance(display, str) and display and display != text:
                display = known_form(display) or normalised(display)
                words.append(display)
                length += len(display)
    reference = resource.get("medicationReference")
    if isinstance(reference, dict):
        display = reference.get("display")
        if isinstance(display, str) and display and (display := normalised(display)) not in words:
            words.append(display)
            length += len(display)
    return tuple(codes), tuple(words), length


@lru_cache(maxsize=TEXTS)
def _recognised(
    codes: tuple[_Code, ...], words: tuple[str, ...], terminology: Terminology
) -> tuple[Medicine, UnknownDrug | None]:
    """The medicine by the first code that is known, else by its words; and the code that may be a gap."""
    for system, code, _ in codes:
        coded = terminology.find(system, code)
        if coded and coded[0].concept.kind == "drug":
            return _by_code(coded, words, terminology), None
    found = _by_words(words, terminology) if words else NO_MEDICINE
    return found, _gap(codes, words, found, terminology)


def _gap(
    codes: tuple[_Code, ...], words: tuple[str, ...], found: Medicine, terminology: Terminology
) -> UnknownDrug | None:
    """The code that may be a gap of the value sets; one whose words name another drug is none."""
    given = [(system, code) for system, code, is_code in codes if is_code]
    if not given or (words and not found.ingredients):
        return None
    # Of several, the one of a system that the value sets have says most; a local code is no gap of theirs.
    system, code = next((each for each in given if terminology.knows_system(each[0])), given[0])
    return UnknownDrug("" if system == "None" else system, code, found.ingredients)


def _by_code(coded: tuple[Coded, ...], words: tuple[str, ...], terminology: Terminology) -> Medicine:
    """A medicine by its code."""
    ingredients = _ingredients((each.concept.name for each in coded if each.concept.kind == "drug"), terminology)
    named = " | ".join((coded[0].display, *words))
    if ingredients == ("cyanocobalamin",) and not _CYANOCOBALAMIN.search(named):
        other = [form for form, pattern in _FORMS.items() if pattern.search(named)]
        ingredients = (other[0],) if other else ingredients
    elif "cobalamin" in ingredients:
        form = _form_named(named)
        ingredients = tuple(form if each == "cobalamin" and form else each for each in ingredients)
    strengths: dict[str, Strength] = {}
    for name in (*reversed(words), coded[0].display):
        strengths.update(strengths_in(name, ingredients))
    return Medicine(
        ingredients,
        False,
        strengths,
        _form(named, ingredients),
        bool(_MULTIVITAMIN.search(named)),
        combined=any(each.concept.name in _COMBINATIONS for each in coded) or lists_several(named),
    )


def _form_named(words: str) -> str | None:
    """The one form of B12 that the words of a product of no stated form name."""
    named = [form for form, pattern in (*_FORMS.items(), ("cyanocobalamin", _CYANOCOBALAMIN)) if pattern.search(words)]
    return named[0] if len(named) == 1 else None


def _by_words(words: tuple[str, ...], terminology: Terminology) -> Medicine:
    """A medicine by its words; none that we know when they name nothing."""
    named = " | ".join(words)
    concepts = terminology.drugs_in_text(named)
    if not concepts:
        return NO_MEDICINE
    ingredients = _ingredients(concepts, terminology)
    strengths: dict[str, Strength] = {}
    for name in reversed(words):
        strengths.update(strengths_in(name, ingredients))
    return Medicine(
        ingredients,
        True,
        strengths,
        _form(named, ingredients),
        bool(_MULTIVITAMIN.search(named)),
        combined=lists_several(named),
    )


def _ingredients(concepts: Iterable[str], terminology: Terminology) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for name in concepts for each in terminology.drug_ingredients(name)))


def _form(words: str, ingredients: tuple[str, ...]) -> Route | None:
    """How the product is given, by its form; hydroxocobalamin is an injection unless its words say otherwise."""
    if _SUBLINGUAL.search(words):
        return Route.SUBLINGUAL
    if _NASAL.search(words):
        return Route.NASAL
    if _INJECTION.search(words):
        return Route.INJECTION
    if _ORAL.search(words):
        return Route.ORAL
    if _INFUSION.search(words):
        return Route.INTRAVENOUS
    return Route.INJECTION if ingredients[:1] == ("hydroxocobalamin",) else None


def _ingredient_strengths(product: dict[str, Any], medicine: Medicine, terminology: Terminology) -> dict[str, Strength]:
    """Strengths that a Medication resource states for its ingredients."""
    found = {}
    inner = product.get("product")  # DSTU2 keeps the ingredients one level down
    listed = first(product if not isinstance(inner, dict) else {**inner, **product}, "ingredient")
    items = listed if isinstance(listed, list) else []
    for item in items:
        if not isinstance(item, dict):
            continue
        strength = _ratio(first(item, "strength", "strengthRatio", "strengthQuantity", "amount"))
        if strength is None:
            continue
        for name in _item_ingredients(item, medicine, terminology, len(items)):
            found[name] = strength
    return found


def _item_ingredients(
    item: dict[str, Any], medicine: Medicine, terminology: Terminology, items: int
) -> tuple[str, ...]:
    concept = first(item, "itemCodeableConcept", "item")
    concept = concept.get("concept", concept) if isinstance(concept, dict) else {}
    names: list[str] = []
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else []:
        if isinstance(coding, dict):
            found = terminology.find(str(coding.get("system")), str(coding.get("code")))
            names += [each.concept.name for each in found if each.concept.kind == "drug"]
    if not names:
        names += terminology.drugs_in_text(" | ".join(_said(concept, {})[1]))
    wanted = tuple(each for each in _ingredients(names, terminology) if each in medicine.ingredients)
    if wanted or items > 1 or names:
        return wanted
    # One ingredient without a name that we know, in a product that we know: it is that one.
    return tuple(each for each in medicine.ingredients if each in COBALAMINS or len(medicine.ingredients) == 1)


def _ratio(value: Any) -> Strength | None:
    if not isinstance(value, dict):
        return None
    numerator = value.get("numerator", value)
    denominator = value.get("denominator")
    mcg = _mass(numerator)
    if mcg is None:
        return None
    per = denominator.get("value") if isinstance(denominator, dict) else None
    units = Decimal(1) if per is None else number(per)
    if units is None or units <= 0:
        return None
    if isinstance(denominator, dict) and str(first(denominator, "code", "unit")).lower() in ("ml", "millilitre"):
        return Strength(mcg, units)
    return Strength(mcg / units)


def _mass(quantity: Any) -> Decimal | None:
    if not isinstance(quantity, dict):
        return None
    value = number(quantity.get("value"))
    unit = _MASS.get(str(first(quantity, "code", "unit")).lower())
    return value * unit if value is not None and unit else None
