"""Products and their ingredients from the files RXNCONSO.RRF and RXNREL.RRF of an RxNorm release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cards.terminology import Terminology
from service.value_sets.products import Product, WrongRelease, drug_concepts

SYSTEM = "RXNORM"
RELEASE = "rxnorm"
# Columns as NLM's RxNorm technical documentation counts them; a line ends with a separator.
_CONSO_COLUMNS, _REL_COLUMNS = 18, 16
_RXCUI, _SAB, _TTY, _STR = 0, 11, 12, 14
_PART, _WHOLE, _RELA, _REL_SAB = 0, 4, 7, 10
_OWN = "RXNORM"  # names and relations of RxNorm itself, not of the vocabularies that it collects
_INGREDIENT = "IN"
_BRAND = "BN"  # a brand may stand for several products: what is in one of them, its components tell
# Ingredients, clinical and branded drugs, their components, forms, groups and packs: whatever an order may name.
_PRODUCTS = frozenset(
    [
        "IN",
        "PIN",
        "MIN",
        "BN",
        "SCDC",
        "SCDF",
        "SCDFP",
        "SCDG",
        "SCDGP",
        "SCD",
        "GPCK",
        "SBDC",
        "SBDF",
        "SBDFP",
        "SBDG",
        "SBD",
        "BPCK",
    ]
)
# The second concept of a line stands in this relation to the first: the whole to its part.
_TO_PARTS = frozenset(
    {"has_ingredient", "has_ingredients", "has_part", "consists_of", "contains", "form_of", "tradename_of"}
)


class Named(NamedTuple):
    """A concept of the release: its name, and its term type."""

    name: str
    kind: str


def products(conso: Path, rel: Path, terminology: Terminology) -> Iterator[Product]:
    """The products of a release that hold a drug of the value sets.

    Raises `WrongRelease`, naming file and line, for files that are not RXNCONSO.RRF and RXNREL.RRF.
    """
    names = _names(conso)
    parts = _parts(rel, names)
    known = drug_concepts(terminology, SYSTEM)
    whole = _Ingredients(names, parts)
    for code, named in names.items():
        ingredients = whole.of(code)
        concepts = {concept for each in ingredients for concept in known.get(each, ())}
        if concepts:
            yield Product(code, named.name, named.kind, tuple(sorted(concepts)), len(ingredients) > 1)


class _Ingredients:
    """The ingredients of every concept, by the relations to its parts."""

    def __init__(self, names: Mapping[str, Named], parts: Mapping[str, list[str]]) -> None:
        self._names = names
        self._parts = parts
        self._found: dict[str, frozenset[str]] = {}

    def of(self, code: str) -> frozenset[str]:
        """The codes of the ingredients; those of a concept that stands for itself alone is its own."""
        if code not in self._found:
            self._found[code] = frozenset()  # a relation that leads back adds nothing
            if self._names[code].kind == _INGREDIENT:
                self._found[code] = frozenset({code})
            else:
                self._found[code] = frozenset().union(*(self.of(part) for part in self._parts.get(code, ())))
        return self._found[code]


def _names(path: Path) -> dict[str, Named]:
    found = {
        fields[_RXCUI]: Named(fields[_STR], fields[_TTY])
        for fields in _lines(path, _CONSO_COLUMNS)
        if fields[_SAB] == _OWN and fields[_TTY] in _PRODUCTS
    }
    if not found:
        raise WrongRelease(f"{path}: no drug with a name of RxNorm's own (SAB RXNORM) is in it")
    return found


def _parts(path: Path, names: Mapping[str, Named]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fields in _lines(path, _REL_COLUMNS):
        if fields[_RELA] in _TO_PARTS and fields[_REL_SAB] == _OWN:
            part, whole = fields[_PART], fields[_WHOLE]
            if part in names and whole in names and names[part].kind != _BRAND:
                found.setdefault(whole, []).append(part)
    if not found:
        raise WrongRelease(f"{path}: no relation between a drug and its ingredient is in it")
    return found


def _lines(path: Path, columns: int) -> Iterator[list[str]]:
    line = 0
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, start=1):
                fields = text.rstrip("\r\n").split("|")
                if len(fields) != columns + 1:
                    raise WrongRelease(
                        f"{path}, line {line}: {columns} columns, each ended by |, are expected; "
                        f"{len(fields) - 1} are there"
                    )
                yield fields
    except UnicodeDecodeError:
        raise WrongRelease(f"{path}, after line {line}: is not text in UTF-8") from None
    except OSError as fault:
        raise WrongRelease(f"{path}: cannot be read: {fault.strerror}") from None
    if line == 0:
        raise WrongRelease(f"{path}: is empty")
