"""Products of a release become lines of the site's own value sets, kept in the data directory and read at start."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cards.terminology import PRODUCT_COLUMNS, Terminology

_FOLDER = "value_sets"
_FOLIC_ACID = "folic_acid"
_ANTIDOTE = "hydroxocobalamin_antidote_exclude"
_COBALAMINS = frozenset({"cyanocobalamin", "hydroxocobalamin", "mecobalamin", "cobamamide", "b12_form_unknown"})
# Sets that say what else a product of several drugs is; the plain ingredient would say too much.
_WITH_B12, _B12_COMBINATION, _FOLIC_COMBINATION = "folic_acid_with_b12", "b12_combination", "folic_acid_combination"


class WrongRelease(Exception):
    """Files of a release that cannot be used; the message names file and, where it can, line."""


class Product(NamedTuple):
    """A product of a release: its code, its name with the strength, what kind of thing it is, and its ingredients.

    `concepts`: those of its ingredients that the value sets know; `several`: whether it holds others beside.
    """

    code: str
    name: str
    kind: str
    concepts: tuple[str, ...]
    several: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a release: lines written, codes that the value sets had already, and where they disagree."""

    file: Path
    written: int
    known: int
    differing: tuple[str, ...]


def drug_concepts(terminology: Terminology, system: str) -> Mapping[str, tuple[str, ...]]:
    """The drug concepts of every code that the value sets have in one code system (short name)."""
    found: dict[str, tuple[str, ...]] = {}
    for name in terminology.drugs:
        for code in terminology.codes_of(name, system):
            found[code] = (*found.get(code, ()), name)
    return found


def save(products: Iterable[Product], system: str, terminology: Terminology, data_dir: Path, release: str) -> Imported:
    """Writes the products that the value sets do not have to a file of the data directory.

    `system`: short name of the code system; `release`: of what, which names the file. It is replaced as a whole.
    Raises `WrongRelease` when no product holds a drug of the value sets, and `OSError` when the file cannot be written.
    """
    own = drug_concepts(terminology, system)
    rows, known, differing = [], 0, []
    for product in products:
        concepts = concepts_of(product, terminology)
        if not concepts:
            continue
        if product.code in own:
            known += 1
            if _ingredients(own[product.code], terminology) != _ingredients(concepts, terminology):
                differing.append(_difference(product, own[product.code], concepts, terminology))
            continue
        rows.append([system, product.code, product.name, " ".join(concepts), product.kind])
    if not rows and not known:
        raise WrongRelease("no product of this release holds a drug of the value sets")
    path = data_dir / _FOLDER / f"{release}.csv"
    _write(path, rows)
    return Imported(path, len(rows), known, tuple(differing))


def files(data_dir: Path) -> tuple[Path, ...]:
    """The files of a site's own products."""
    return tuple(sorted((data_dir / _FOLDER).glob("*.csv")))


def concepts_of(product: Product, terminology: Terminology) -> tuple[str, ...]:
    """The value sets that a product belongs to."""
    concepts = set(product.concepts)
    if "hydroxocobalamin" in concepts and _ANTIDOTE in terminology.drugs_in_text(product.name):
        return (_ANTIDOTE,)
    if not product.several:
        return tuple(sorted(concepts))
    b12 = concepts & _COBALAMINS
    if b12 and _FOLIC_ACID in concepts:
        concepts = concepts - b12 - {_FOLIC_ACID} | {_WITH_B12}
    elif b12:
        concepts = concepts - b12 | {_B12_COMBINATION}
    elif _FOLIC_ACID in concepts:
        concepts = concepts - {_FOLIC_ACID} | {_FOLIC_COMBINATION}
    return tuple(sorted(concepts))


def _ingredients(concepts: Iterable[str], terminology: Terminology) -> frozenset[str]:
    """What the sets say a product holds; the form of a cobalamin is read from its name and is no difference."""
    found = {each for name in concepts for each in terminology.drug_ingredients(name)}
    return frozenset("cobalamin" if each in _COBALAMINS else each for each in found)


def _difference(product: Product, own: Iterable[str], other: Iterable[str], terminology: Terminology) -> str:
    ours, theirs = (", ".join(map(terminology.title, names)) for names in (own, other))
    return f"{product.code} {product.name}: {ours} in the value sets, {theirs} by this release"


def _write(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PRODUCT_COLUMNS)
        writer.writerows(rows)
    partial.replace(path)
