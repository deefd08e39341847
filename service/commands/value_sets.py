"""b12-cds value-sets and rules --valuesets: a site's own products in, the value sets as FHIR out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from cards.terminology import Terminology
from service.fhir.value_sets import value_sets
from service.value_sets import dmd, rxnorm
from service.value_sets.products import Imported, save


def import_rxnorm(conso: Path, rel: Path, data_dir: Path) -> str:
    """Imports the products of an RxNorm release; what came of it, in words.

    Raises `service.value_sets.products.WrongRelease`, and `OSError` when the data directory cannot be written to.
    """
    terminology = Terminology.load()
    return _told(save(rxnorm.products(conso, rel, terminology), rxnorm.SYSTEM, terminology, data_dir, rxnorm.RELEASE))


def import_dmd(folder: Path, data_dir: Path) -> str:
    """Imports the products of an unpacked dm+d release; what came of it, in words. Raises as `import_rxnorm`."""
    terminology = Terminology.load()
    return _told(save(dmd.products(folder, terminology), dmd.SYSTEM, terminology, data_dir, dmd.RELEASE))


def export(folder: Path) -> str:
    """Writes each value set as a FHIR R4 ValueSet into `folder`; what came of it, in words. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for resource in value_sets(Terminology.load(), version("b12-cds")):
        text = json.dumps(resource, indent=2, ensure_ascii=False)
        (folder / f"ValueSet-{resource['id']}.json").write_text(text + "\n", encoding="utf-8")
        number += 1
    return f"{number} value sets written to {folder}\n"


def _told(imported: Imported) -> str:
    return "".join(f"{line}\n" for line in _lines(imported))


def _lines(imported: Imported) -> Iterator[str]:
    yield f"{imported.written} products written to {imported.file}"
    yield f"{imported.known} are in the value sets already and stay as they are"
    if imported.differing:
        yield "of these, this release says other things; the value sets hold:"
        yield from (f"  {each}" for each in imported.differing)
    yield "They count from the next start of the service on."
