"""No text, however long or odd, keeps a worker: every pattern of the product is linear in the length of what it reads.

Nothing is timed: `ambiguity.superlinear` reads the patterns themselves.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
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
# A command, scripts of Alembic, and an optional part: what they write down is found in their source.
NOT_FOR_IMPORT = ("__main__", "migrations", "spark")


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        yield package
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if _is_imported(each.name):
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
    elif callable(value) and not isinstance(value, type):
        inner += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
        inner += [getattr(value, name, None) for name in ("__wrapped__", "__self__", "__defaults__")]
    if type(value).__module__.partition(".")[0] in ("cards", "service"):
        inner += vars(value).values() if hasattr(value, "__dict__") else ()
        inner += [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
    for each in inner:
        yield from _held(each, seen)


SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
        path.read_text(encoding="utf-8")
    )
    for package in PACKAGES
    for path in sorted(Path(str(package.__file__)).parent.rglob("*.py"))
}


def _of_re(node: ast.AST) -> str | None:
    """`search` of a call such as `re.search("…", text)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        return node.func.attr if node.func.value.id == "re" and node.args else None
    return None


def _written() -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """The patterns that stand in a call, and whether the call looks at one place of the text only."""
    for module, tree in SOURCES.items():
        for node in ast.walk(tree):
            name = _of_re(node)
            if name is None or name == "escape" or (name == "compile" and _is_imported(module)):
                continue
            first = node.args[0] if isinstance(node, ast.Call) else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield module, re.compile(first.value, re.IGNORECASE), name in ANCHORED


def _is_imported(module: str) -> bool:
    return not any(part in module for part in NOT_FOR_IMPORT)


ANCHORED = ("match", "fullmatch")


def _used_at_one_place() -> set[tuple[str, str]]:
    """Modules and names of patterns that are only ever asked to match at a given place."""
    uses: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for module, tree in SOURCES.items():
        home = {
            alias.asname or alias.name: (str(node.module), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        anchored = {
            id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ANCHORED
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                uses[home.get(node.id, (module, node.id))].add(id(node) in anchored)
    return {name for name, how in uses.items() if how == {True}}


def _all_patterns() -> dict[str, tuple[re.Pattern[str], bool]]:
    """Every pattern of the product, and whether it is looked for at one place only."""
    seen: set[int] = set()
    one_place = _used_at_one_place()
    found: dict[str, tuple[re.Pattern[str], bool]] = {}
    modules = list(_modules())
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and (module.__name__, name) in one_place:
                seen.add(id(value))
                found[f"{module.__name__}.{name}: {value.pattern}"] = value, True
    for module in modules:
        for name, value in vars(module).items():
            if not name.startswith("__"):
                for each in _held(value, seen):
                    found[f"{module.__name__}.{name}: {each.pattern}"] = each, False
    for each in _held(Terminology.load(), seen):
        found[f"value sets: {each.pattern}"] = each, False
    for source, each, anchored in _written():
        found[f"{source}: {each.pattern}"] = each, anchored
    return found


PATTERNS = _all_patterns()


def test_the_patterns_of_the_product_are_found() -> None:
    names = "\n".join(PATTERNS)

    assert len(PATTERNS) > 250
    assert "prazole" in names
    assert "value sets" in names
    assert "anaphyla" in names


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear(name: str) -> None:
    pattern, anchored = PATTERNS[name]

    assert superlinear(pattern, anchored=anchored) is None
