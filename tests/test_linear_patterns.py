"""No text, however long or odd, keeps a worker: every pattern of the product is linear in the length of what it reads.

Nothing is timed: `ambiguity.superlinear` reads the patterns themselves.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cards
import service
from cards.terminology import Terminology
from tests.ambiguity import superlinear

PACKAGES = (cards, service)
ROOT = Path(__file__).parents[1]


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        yield package
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Spark's is an optional part; what it writes down is found in its source.
            if not each.name.endswith(("__main__", ".spark")):
                yield importlib.import_module(each.name)


def _held(value: Any, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """The compiled patterns that a value holds, however deep, functions and what they close over included."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
        return
    inner: list[Any] = []
    if isinstance(value, dict):
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner += value
    elif callable(value) and hasattr(value, "__closure__"):
        inner += [cell.cell_contents for cell in value.__closure__ or ()]
        inner += [getattr(value, "__wrapped__", None), *(value.__defaults__ or ())]
    elif hasattr(value, "__self__"):
        inner.append(value.__self__)
    elif type(value).__module__.partition(".")[0] in ("cards", "service"):
        inner += vars(value).values() if hasattr(value, "__dict__") else ()
        inner += [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
    for each in inner:
        yield from _held(each, seen)


def _written() -> Iterator[re.Pattern[str]]:
    """The patterns that stand in a call such as `re.search("…", text)`."""
    for package in PACKAGES:
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and isinstance(node.args[0].value, str)
                    and node.func.attr != "escape"
                ):
                    anchored = node.func.attr in ("match", "fullmatch")
                    yield re.compile(("^" if anchored else "") + f"(?:{node.args[0].value})", re.IGNORECASE)


def patterns() -> dict[str, re.Pattern[str]]:
    seen: set[int] = set()
    found = {}
    for module in _modules():
        for name, value in vars(module).items():
            if not name.startswith("__"):
                for each in _held(value, seen):
                    found[f"{each.pattern!r} in {module.__name__}.{name}"] = each
    for each in _held(Terminology.load(), seen):
        found[f"{each.pattern!r} in the value sets"] = each
    for each in _written():
        found[f"{each.pattern!r} in a call"] = each
    return found


PATTERNS = patterns()


def test_the_patterns_of_the_product_are_found() -> None:
    assert len(PATTERNS) > 200
