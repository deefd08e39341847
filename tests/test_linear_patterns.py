"""No text, however long or odd, keeps a worker: every pattern of the product is linear in the length of what it reads.

Nothing is timed: `ambiguity.superlinear` reads the patterns themselves.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

import cards
import service
from cards.terminology import (
    Terminology,
    goes_with_methotrexate,
    is_test_in_text,
    may_inject_b12_in_text,
    names_b12_in_text,
)
from tests.ambiguity import superlinear

PACKAGES = (cards, service)
TraceFunction = Callable[[FrameType, str, Any], Any]
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


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![A-Za-z0-9])(?:\w+prazole)",  # each place in "____" begins an attempt
        r"(?<![a-z])misus\w* (?:of )?n2o",
        r"\s+$",
        r"a.*b",
        r".*x.*y",
        r"\w*\w*x",
        r"\d+\.?\d*x",
        r"(?<!\w)foo(?: \w+)*bar",
        r"foo(?!.*bar)",
        r"a(?:.*b)?",
        r"^\s*\s*x",
        r"(?:a+)+b",
        r"(?:a|a)*b",
        r"^(?:a|ab|b)*c",
    ],
)
def test_a_pattern_that_is_slow_is_found_out(pattern: str) -> None:
    word = superlinear(re.compile(pattern, re.IGNORECASE))

    assert word


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<!\w)\w+prazole",
        r"\b\w+prazole",
        r"\w{0,30}prazole",
        r"cobalamin\w*",
        r"foo\s*bar",
        r"^\s+x",
        r"(?<!\d)\d+x",
        r"(?<![^\W_])misus[^\W_]* (?:of )?n2o",
        r"\bsupp\w*\b",
        r"foo.{0,20}bar",
        r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]",
        r"[a-z](?:\.[a-z](?![a-z]))+",
    ],
)
def test_a_pattern_that_is_linear_is_not_suspected(pattern: str) -> None:
    assert superlinear(re.compile(pattern)) is None


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_linear(name: str) -> None:
    pattern, anchored = PATTERNS[name]

    assert superlinear(pattern, anchored=anchored) is None


def _steps(read: Callable[[str], object], text: str) -> int:
    """The instructions that Python takes to read a text."""
    taken = 0

    def step(_frame: FrameType, event: str, _value: object) -> TraceFunction:
        nonlocal taken
        taken += event == "opcode"
        return step

    def enter(frame: FrameType, _event: str, _value: object) -> TraceFunction:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        read(text)
    finally:
        sys.settrace(before)
    return taken


TERMINOLOGY = Terminology.load()
READERS: dict[str, Callable[[str], object]] = {
    "conditions": TERMINOLOGY.conditions_in_text,
    "conditions of relatives": TERMINOLOGY.conditions_of_relatives_in_text,
    "drugs": TERMINOLOGY.drugs_in_text,
    "drugs reacted to": TERMINOLOGY.drugs_reacted_to_in_text,
    "allergens": TERMINOLOGY.allergens_in_text,
    "labs": TERMINOLOGY.labs_in_text,
    "procedures": TERMINOLOGY.procedures_in_text,
    "site": TERMINOLOGY.site_in_text,
    "route": TERMINOLOGY.route_in_text,
    "test": is_test_in_text,
    "methotrexate": goes_with_methotrexate,
    "B12": names_b12_in_text,
    "injection": may_inject_b12_in_text,
}
AGAIN_AND_AGAIN = [
    "é", "_", "b12 ", "anaphyla_", "no numb feet, ", "no allergy to b12. ", "? pernicious anaemia ", "poor low ",
    "avoid the buttock, ", "left deltoid ", "not IM, ", "not on methotrexate days ", "no injection, ", "mother: PA. ",
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("part", AGAIN_AND_AGAIN)
def test_twice_the_text_takes_no_more_than_twice_the_steps(reader: str, part: str) -> None:
    read = READERS[reader]
    read(part)
    half, whole = (_steps(read, (part * 4_000)[:length]) for length in (1_500, 3_000))

    # What begins a text may be read once more: a few hundred steps.
    assert whole <= 2.2 * half + 8_000
