"""Which drug a resource is about: every ingredient of it, from codings, words, a Medication, its ingredients."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from cards.composition import FORMS, is_multivitamin
from cards.dosing import COBALAMINS
from cards.memory import LONGEST_READ, LONGEST_TEXT
from cards.record import Medicine, NotUnderstood, Strength, UnknownDrug
from cards.strength import agreed, strengths_in
from cards.terminology import Terminology
from service.fhir.codes import listed, texts_of
from service.fhir.dates import first
from service.fhir.drug_names import NO_MEDICINE, Found, Names, form_of, recognised
from service.fhir.strengths import read_strength

# A drug that is given by a reference that leads nowhere, an identifier or a local code, without a word about it.
UNRESOLVED = NotUnderstood("unresolved")
# No drug at all, one of a shape that cannot be read, or one whose words hold B12 and could not be placed.
UNREADABLE = NotUnderstood("unreadable")

_MEMBERS = ("medicationCodeableConcept", "medicationReference", "medication")
_ITEM_MEMBERS = ("itemCodeableConcept", "itemReference", "item", "itemMedicationReference", "itemSubstanceReference")
_SOLID = ("Medication", "Substance")
_REFERENCE = re.compile(r"(?:#|urn:|https?://|(?:Medication|Substance)/)\S{1,1024}")
# A Medication may be an ingredient of another; one that is its own ingredient ends here.
_DEEPEST = 3


class _Said(NamedTuple):
    """How a drug is given: as concepts, as references, as resources in its place; `odd`: in a shape nobody can read."""

    concepts: list[dict[str, Any]]
    references: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    odd: bool = False


class _Item(NamedTuple):
    """One ingredient of a Medication resource."""

    found: Found
    words: tuple[str, ...]
    strength: Strength | NotUnderstood | None


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
        self._last: tuple[dict[str, Any], Medicine | NotUnderstood] | None = None

    @property
    def unknown(self) -> tuple[UnknownDrug, ...]:
        """The codes that no value set knows: those whose words name a drug of ours, and those without any words."""
        return tuple(self._unknown.values())

    def read(self, resource: dict[str, Any]) -> Medicine | NotUnderstood:
        """The medicine of a request, administration, statement or dispense of any FHIR version.

        One without ingredients is a drug that no rule is about. Not understood for the reason `unresolved` is one of
        which nothing is told but a reference that leads nowhere, an identifier, or a code of a system of which nobody
        knows what is in it; for the reason `unreadable` one of no readable shape, or whose words hold B12 and cannot
        be placed.
        """
        if self._last and self._last[0] is resource:
            return self._last[1]
        answer = self._read(resource)
        self._last = (resource, answer)
        return answer

    def of(self, resource: dict[str, Any]) -> Medicine:
        """The same, with no ingredients where it was not understood."""
        found = self.read(resource)
        return NO_MEDICINE if isinstance(found, NotUnderstood) else found

    def not_understood(self, resource: dict[str, Any]) -> str | None:
        """Why it cannot be told which drug a resource is about; None when it can."""
        found = self.read(resource)
        return found.reason if isinstance(found, NotUnderstood) else None

    def _read(self, resource: dict[str, Any]) -> Medicine | NotUnderstood:
        concept = resource.get("medicationCodeableConcept")
        if type(concept) is dict and "medicationReference" not in resource and (names := _plain_names(concept)):
            # By far the commonest: nothing more is said of the drug than one concept.
            found = recognised(names, self._terminology)
            if found.gap:
                self._unknown.setdefault((found.gap.system, found.gap.code), found.gap)
            if found.told and not found.unplaced:
                return found.medicine
        said = _fold(resource.get(name) for name in _MEMBERS)
        if not (said.concepts or said.references or said.resources or said.odd):
            said = _fold([resource.get("product")])
        if not (said.concepts or said.references or said.resources):
            return UNREADABLE
        found, items = self._found(said, resource, 0)
        if found.gap:
            self._unknown.setdefault((found.gap.system, found.gap.code), found.gap)
        medicine = found.medicine
        if medicine.ingredients:
            return medicine
        if found.unplaced or any(item.found.unplaced for item in items):
            return UNREADABLE
        if found.told:
            return medicine
        # Of a product without a name the ingredients tell what it is not, when all of them are told.
        if items and all(item.found.told for item in items):
            return medicine
        return UNREADABLE if said.odd else UNRESOLVED

    def _found(self, said: _Said, resource: dict[str, Any], depth: int) -> tuple[Found, list[_Item]]:
        """What concepts, references and resources in their place say of one drug, and its ingredients."""
        if not (said.references or said.resources):
            return recognised(_names(said.concepts), self._terminology), []
        products = said.resources + [
            product for each in said.references if (product := self._referenced(each.get("reference"), resource))
        ]
        names = _names(said.concepts, said.references, products)
        found = recognised(names, self._terminology)
        items = [item for each in products for item in self._items(each, resource, depth)] if depth < _DEEPEST else []
        return (_with_items(found, names, items, self._terminology), items) if items else (found, [])

    def _items(self, product: dict[str, Any], resource: dict[str, Any], depth: int) -> list[_Item]:
        """The active ingredients of a Medication, and what is in it when it is a package."""
        items = []
        for each in _listed(product):
            if each.get("isActive") is False:
                continue
            said = _fold(each.get(name) for name in _ITEM_MEMBERS)
            found, _ = self._found(said, resource, depth + 1)
            items.append(_Item(found, _names(said.concepts, said.references).words, read_strength(each)))
        return items

    def _referenced(self, target: Any, resource: dict[str, Any]) -> dict[str, Any] | None:
        if not isinstance(target, str):
            return None
        if target.startswith("#"):
            for each in listed(resource.get("contained")):
                if isinstance(each, dict) and _id_of(each).lstrip("#") == target[1:]:
                    return each
            return None
        if self._bundled is None:
            self._bundled = self._beside()
        path = target.split("/_history")[0]
        kind, _, bare = path.rpartition("/")
        # An id may be that of a Substance and of a Medication.
        if kind.rpartition("/")[2] == "Substance":
            return self._bundled.get(target) or self._bundled.get(f"Substance/{bare}")
        return self._bundled.get(target) or self._bundled.get(bare)


def medications(resources: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """The Medication resources among others by their id, and the Substances as `Substance/id`."""
    found = {}
    for each in resources:
        if isinstance(each, dict) and each.get("resourceType") in _SOLID and (id_ := _id_of(each)):
            found[id_ if each["resourceType"] == "Medication" else f"Substance/{id_}"] = each
    return found


def _id_of(resource: dict[str, Any]) -> str:
    own = resource.get("id")
    return str(own) if isinstance(own, str | int) and not isinstance(own, bool) else ""


# --- how a drug is given ----------------------------------------------------------------------------------------


def _fold(values: Iterable[Any]) -> _Said:
    """Any shape in which a drug arrives: CodeableConcept, Reference, CodeableReference, plain words, a list of them."""
    concepts: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    resources: list[dict[str, Any]] = []
    odd = False
    left = list(values)
    while left:
        value = left.pop(0)
        if value is None or value == {} or value == "":
            continue
        if isinstance(value, list):
            left[:0] = value
        elif isinstance(value, str):
            (
                references.append({"reference": value})
                if _REFERENCE.fullmatch(value)
                else concepts.append({"text": value})
            )
        elif not isinstance(value, dict):
            odd = True
        elif isinstance(value.get("resourceType"), str):
            resources.append(value)
        elif "concept" in value or isinstance(value.get("reference"), dict):
            left[:0] = [value.get("concept"), value.get("reference")]
        elif "coding" in value or "text" in value:
            concepts.append(value)
        else:
            references.append(value)
    return _Said(concepts, references, resources, odd)


def _listed(product: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a Medication that name what it holds; DSTU2 and STU3 have packages, DSTU2 has a `product`."""
    inner, package = product.get("product"), product.get("package")
    found = listed(product.get("ingredient"))
    if isinstance(inner, dict):
        found = [*found, *listed(inner.get("ingredient"))]
    if isinstance(package, dict):
        # The amount of a package's content is a number of units, no strength.
        content = [each for each in listed(package.get("content")) if isinstance(each, dict)]
        found = [*found, *({**each, "amount": None} for each in content)]
    return [each for each in found if isinstance(each, dict)]


def _plain_names(concept: dict[str, Any]) -> Names | None:
    """The names in a CodeableConcept of the usual shape; None for any other."""
    text, codings = concept.get("text"), concept.get("coding")
    if type(text) is not str or type(codings) is not list or len(text) > LONGEST_TEXT:
        return None
    codes = []
    words = [text]
    for coding in codings:
        if type(coding) is not dict:
            return None
        system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
        if type(system) is not str or type(code) is not str:
            return None
        codes.append((system, code, True))
        if display is not None and display != text:
            if type(display) is not str or len(display) > LONGEST_TEXT or display in words:
                return None
            words.append(display)
    return Names(tuple(codes), tuple(words)) if text else None


def _names(
    concepts: Iterable[dict[str, Any]],
    references: Iterable[dict[str, Any]] = (),
    products: Iterable[dict[str, Any]] = (),
) -> Names:
    """The codes of a drug, and all that is said of it in words."""
    codes: list[tuple[str, str, bool]] = []
    words: list[str] = []
    forms: list[str] = []
    for product in products:
        of_product = _fold([product.get("code")])
        concepts = [*concepts, *of_product.concepts]
        words += _strings(
            [product.get("name"), product.get("brand"), *(each.get("display") for each in of_product.references)]
        )
        inner = product.get("product")
        for holder in (product, inner if isinstance(inner, dict) else {}):
            for form in listed(first(holder, "form", "doseForm")):
                forms += texts_of(form)
    for concept in concepts:
        words += _strings(concept.get("text"))
        for coding in listed(concept.get("coding")):
            if isinstance(coding, dict):
                code, system = coding.get("code"), coding.get("system")
                if code is not None:
                    codes.append((system if isinstance(system, str) else "", str(code), isinstance(code, str)))
                words += _strings(coding.get("display"))
            else:
                words += _strings(coding)
    for reference in references:
        words += _strings(reference.get("display"))
    named = Names(tuple(codes), tuple(dict.fromkeys(words)), tuple(forms))
    if named.length > LONGEST_READ:
        return named._replace(words=tuple(each[:LONGEST_READ] for each in named.words))
    return named


def _strings(value: Any) -> list[str]:
    """The words in a value that should be a string."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    return [each for one in value for each in _strings(one)] if isinstance(value, list) else []


# --- a product and its ingredients ------------------------------------------------------------------------------


def _with_items(head: Found, names: Names, items: list[_Item], terminology: Terminology) -> Found:
    """A product of this name with these ingredients: every one of them counts."""
    drugs = [item.found.medicine for item in items]
    forms, of_item = _forms(head, items)
    others = {each for medicine in (head.medicine, *drugs) for each in medicine.ingredients} - COBALAMINS
    ingredients = terminology.in_order(others | forms)
    if not ingredients:
        return head
    strengths = _strengths(head, names, items, of_item, ingredients)
    words = tuple(dict.fromkeys((*names.words, *(each for item in items for each in item.words))))
    b12_alone = all(medicine.ingredients and COBALAMINS.issuperset(medicine.ingredients) for medicine in drugs)
    medicine = Medicine(
        ingredients,
        head.medicine.by_text if head.medicine.ingredients else all(each.by_text for each in drugs if each.ingredients),
        strengths,
        form_of(words + names.forms, ingredients),
        head.medicine.multivitamin or is_multivitamin(words, ingredients, strengths, terminology),
        combined=head.medicine.combined or (len(items) > 1 and not b12_alone),
    )
    return head._replace(medicine=medicine)


def _forms(head: Found, items: list[_Item]) -> tuple[set[str], dict[int, str]]:
    """The forms of B12 in a product, and the one that each ingredient is which does not say so itself.

    Vitamin B12 beside an ingredient of a named form is cyanocobalamin; by itself it is what the product is called.
    """
    named = {
        each for item in items if not item.found.plain for each in item.found.medicine.ingredients if each in FORMS
    }
    plain = {place: item for place, item in enumerate(items) if item.found.plain}
    own = {each for each in head.medicine.ingredients if each in COBALAMINS}
    if head.plain:
        fallback = own if not (named or plain) else set()
    else:
        fallback = own - ({"cobalamin"} if named or plain else set())
    if not plain:
        return named | fallback, {}
    if named:
        form = "cyanocobalamin"
    elif not head.plain and len(own & FORMS.keys()) == 1:
        (form,) = own & FORMS.keys()
    else:
        read = {each for item in plain.values() for each in item.found.medicine.ingredients} | own
        form = "cyanocobalamin" if "cyanocobalamin" in read else "cobalamin"
    return named | fallback | {form}, dict.fromkeys(plain, form)


def _strengths(
    head: Found, names: Names, items: list[_Item], of_item: Mapping[int, str], ingredients: tuple[str, ...]
) -> dict[str, Strength]:
    """The strengths by the name and by the ingredients; one on which the two contradict each other is not known."""
    said: dict[str, list[Strength]] = {each: [] for each in ingredients}
    unread: set[str] = set()
    for name, strength in _of_head(head, names, items, ingredients).items():
        if name in said:
            said[name].append(strength)
    for place, item in enumerate(items):
        for name in _meant(place, item, items, of_item, ingredients):
            own = item.strength or item.found.medicine.strengths.get(name)
            own = own or next(iter(item.found.medicine.strengths.values()), None)
            if isinstance(own, NotUnderstood):
                unread.add(name)
            elif own:
                said[name].append(own)
    return {
        name: one for name, every in said.items() if (one := agreed(every)) and (name not in unread or len(every) == 1)
    }


def _of_head(head: Found, names: Names, items: list[_Item], ingredients: tuple[str, ...]) -> dict[str, Strength]:
    """The strengths in the product's own name, read anew when its ingredients tell what it is ("Brand 5 mg")."""
    found = dict(head.medicine.strengths)
    if len(ingredients) > 1 or (len(items) == 1 and set(ingredients) != set(head.medicine.ingredients)):
        for name in names.words:
            if len(ingredients) > 1 or not found:
                found.update(strengths_in(name, ingredients))
    return found


def _meant(
    place: int, item: _Item, items: list[_Item], of_item: Mapping[int, str], ingredients: tuple[str, ...]
) -> tuple[str, ...]:
    """The ingredients of the product whose strength an entry states."""
    if place in of_item:
        return (of_item[place],)
    own = tuple(each for each in item.found.medicine.ingredients if each in ingredients)
    if own or len(items) > 1 or item.words:
        return own
    # One ingredient without a name that we know, in a product that we know: it is that one.
    forms = tuple(each for each in ingredients if each in COBALAMINS)
    return ingredients if len(ingredients) == 1 else forms if len(forms) == 1 else ()
