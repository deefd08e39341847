"""What the codes and the words for one drug stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cards.composition import FORMS, forms_listed, ingredients_named, is_multivitamin
from cards.dosing import COBALAMINS
from cards.memory import LONGEST_TEXT, TEXTS
from cards.record import Medicine, Route, Strength, UnknownDrug
from cards.strength import agreed, lists_several, strengths_in
from cards.terminology import Coded, Terminology, is_test_in_text
from cards.words import normalised

_INJECTION = re.compile(
    r"\binj\w*|ampoules?|\bamps?\b|vials?|pre-?filled|auto-?injector|\bmdv\b|\bij\b|\bshots?\b", re.I
)
_ORAL = re.compile(r"tab(?:let)?s?\b|caps?(?:ule)?s?\b|\boral\b|chewable|lozenge|syrup|gumm(?:y|ies)|\bpills?\b", re.I)
_SUBLINGUAL = re.compile(r"sub-?lingual", re.I)
_NASAL = re.compile(r"nasal", re.I)
_INFUSION = re.compile(r"infusion|intravenous", re.I)
_COMBINATIONS = frozenset({"b12_combination", "folic_acid_combination", "folic_acid_with_b12"})
_BARE_B12 = re.compile(r"\bb[ -]?12\b", re.I)
# What RxNorm calls vitamin B12 is cyanocobalamin, unless its words name another form (RxNorm 11248 covers several).
_PLAIN = frozenset({"cyanocobalamin", "cobalamin"})
_FORM_FIRST = ("cyanocobalamin", "cobalamin").index
NO_MEDICINE = Medicine(())
# Codes, code systems and names of a drug together.
_LONGEST_DRUG = 3 * LONGEST_TEXT


class Names(NamedTuple):
    """What is said of one drug: `codes` (system, code, and whether it was sent as one), `words`, `forms` of dose."""

    codes: tuple[tuple[str, str, bool], ...] = ()
    words: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """How many characters there are."""
        length = 0
        for system, code, _ in self.codes:
            length += len(system) + len(code)
        for each in self.words:
            length += len(each)
        for each in self.forms:
            length += len(each)
        return length


class Found(NamedTuple):
    """A drug as its names tell it.

    `gap`: the code that may be a gap of the value sets; `plain`: its B12 is vitamin B12 of no form that is named,
    read as cyanocobalamin where a code says so; `told`: it is known which drug it is, one of ours or another;
    `unplaced`: its words hold B12 and could not be placed.
    """

    medicine: Medicine
    gap: UnknownDrug | None = None
    plain: bool = False
    told: bool = True
    unplaced: bool = False


def recognised(names: Names, terminology: Terminology) -> Found:
    """The drug by those of its codes that are known, else by its words."""
    # What is longer would fill the memory.
    recognise = _recognised if names.length <= _LONGEST_DRUG else _recognised.__wrapped__
    return recognise(names, terminology)


@lru_cache(maxsize=TEXTS)
def _recognised(names: Names, terminology: Terminology) -> Found:
    names = names._replace(words=tuple(dict.fromkeys(map(normalised, names.words))))
    known = [
        (system, each)
        for system, code, _ in names.codes
        for each in terminology.find(system, code)
        if each.concept.kind == "drug"
    ]
    if known:
        return _by_code(known, names, terminology)
    found = _by_words(names, terminology) if names.words else NO_MEDICINE
    return Found(
        found,
        _gap(names, found, terminology),
        plain=found.ingredients != () and "cobalamin" in found.ingredients,
        told=bool(names.words) or any(terminology.is_complete(system) for system, _, given in names.codes if given),
        unplaced=not found.ingredients and any(map(_is_unplaced, names.words)),
    )


def _is_unplaced(words: str) -> bool:
    return bool(_BARE_B12.search(words)) and not is_test_in_text(words)


def _gap(names: Names, found: Medicine, terminology: Terminology) -> UnknownDrug | None:
    """The code that may be a gap of the value sets; one whose words name another drug is none."""
    given = [(system, code) for system, code, is_code in names.codes if is_code]
    if not given or (names.words and not found.ingredients):
        return None
    # Of several, the one of a system that the value sets have says most; a local code is no gap of theirs.
    system, code = next((each for each in given if terminology.knows_system(each[0])), given[0])
    return UnknownDrug(system, code, found.ingredients)


def _by_code(known: list[tuple[str, Coded]], names: Names, terminology: Terminology) -> Found:
    """A medicine by its codes; several codes of one drug add to each other, in whatever order they stand."""
    coded = [each for _, each in known]
    displays = tuple(dict.fromkeys(each.display for each in coded))
    every = (*displays, *names.words)
    ingredients: set[str] = set()
    plain: set[str] = set()
    plain_in: set[str] = set()
    forms_in: set[str] = set()
    for system, each in known:
        own = set(terminology.drug_ingredients(each.concept.name))
        if "cobalamin" in own or ("cyanocobalamin" in own and "cyanocobalamin" not in forms_listed(each.display)):
            plain |= own & _PLAIN
            plain_in.add(system)
            own -= _PLAIN
        if own & FORMS.keys():
            forms_in.add(system)
        ingredients |= own
    named = frozenset().union(*map(forms_listed, every))
    if plain_in & forms_in:
        # Two codes of one system are no translations of each other: vitamin B12 stands beside the other form.
        ingredients |= named | {"cyanocobalamin"}
    elif plain:
        ingredients |= named or (set() if ingredients & FORMS.keys() else {min(plain, key=_FORM_FIRST)})
    elif not ingredients.isdisjoint(named):
        ingredients |= named
    ingredients |= _listed_beside(ingredients, names.words, terminology)
    found = terminology.in_order(ingredients)
    strengths = _strengths(_about(found, names.words, terminology), found)
    strengths.update(_strengths(displays, found))
    b12_alone = found != () and COBALAMINS.issuperset(found)
    several = any(map(lists_several, every))
    combination = any(each.concept.name in _COMBINATIONS for each in coded)
    return Found(
        Medicine(
            found,
            False,
            strengths,
            form_of(every + names.forms, found),
            is_multivitamin(every, found, strengths, terminology),
            combined=several or (combination and not (b12_alone and named)),
        ),
        plain=bool(plain) and not named and not forms_in,
    )


def _about(ingredients: tuple[str, ...], words: Iterable[str], terminology: Terminology) -> tuple[str, ...]:
    """The words that do not name other drugs than these instead of them."""
    wanted = {*ingredients, *(COBALAMINS if not COBALAMINS.isdisjoint(ingredients) else ())}
    return tuple(
        each for each in words if not (named := ingredients_named([each], terminology)) or not wanted.isdisjoint(named)
    )


def _listed_beside(ingredients: set[str], words: Iterable[str], terminology: Terminology) -> set[str]:
    """What a name lists beside the coded ingredients ("A 5 mg / B 1 mg"), where each has a strength of its own."""
    found: set[str] = set()
    forms = ingredients & FORMS.keys()
    for name in words:
        if " / " in name or "+" in name:
            with_strength = set(strengths_in(name, ingredients_named([name], terminology)))
            if forms and "cobalamin" in with_strength:
                with_strength = with_strength - {"cobalamin"} | forms
            if ingredients & with_strength:
                found |= with_strength
    return found


def _by_words(names: Names, terminology: Terminology) -> Medicine:
    """A medicine by its words; none that we know when they name nothing."""
    ingredients = ingredients_named(names.words, terminology)
    if not ingredients:
        return NO_MEDICINE
    strengths = _strengths(names.words, ingredients)
    return Medicine(
        ingredients,
        True,
        strengths,
        form_of(names.words + names.forms, ingredients),
        is_multivitamin(names.words, ingredients, strengths, terminology),
        combined=any(map(lists_several, names.words)),
    )


def _strengths(words: Iterable[str], ingredients: tuple[str, ...]) -> dict[str, Strength]:
    """The strengths that the words give; one on which they contradict each other is not known."""
    said = [strengths_in(name, ingredients) for name in words]
    if len(said) == 1:
        return dict(said[0])
    found = {each: agreed(one[each] for one in said if each in one) for each in ingredients}
    return {name: strength for name, strength in found.items() if strength}


def form_of(words: tuple[str, ...], ingredients: tuple[str, ...]) -> Route | None:
    """How the product is given, by its form; hydroxocobalamin is an injection unless its words say otherwise."""
    said = " | ".join(words)
    if _SUBLINGUAL.search(said):
        return Route.SUBLINGUAL
    if _NASAL.search(said):
        return Route.NASAL
    if _INJECTION.search(said):
        return Route.INJECTION
    if _ORAL.search(said):
        return Route.ORAL
    if _INFUSION.search(said):
        return Route.INTRAVENOUS
    return Route.INJECTION if ingredients[:1] == ("hydroxocobalamin",) else None
