"""The rules with what a site has added to the value sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cards.library import Library, load
from service.value_sets.products import files


def library_of(data_dir: Path) -> Library:
    """Every rule, with the products that were imported into the data directory.

    Raises `cards.library.RuleError` for a malformed rule, and `cards.terminology.ValueSetError` for a file of products
    that cannot be used.
    """
    library = load()
    imported = files(data_dir)
    return replace(library, terminology=library.terminology.extended(imported)) if imported else library
