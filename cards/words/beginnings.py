"""With which characters a match of a pattern may begin: what says quickly that a text holds none."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_op: Any = importlib.import_module("re._constants")
_LENGTH = 2
_REPEATS = (_op.MAX_REPEAT, _op.MIN_REPEAT)


def beginnings(pattern: re.Pattern[str]) -> frozenset[str]:
    """The first two characters of all that a pattern may match; one where it may match a single character.

    Raises `ValueError` for a pattern that may match nothing, or begin with any character of a wide class.
    """
    found = _of_all(_parser.parse(pattern.pattern))
    if "" in found:
        raise ValueError(f"{pattern.pattern} may match nothing")
    return frozenset(found)


def _of_all(parts: Iterable[tuple[Any, Any]]) -> set[str]:
    found = {""}
    for op, value in parts:
        short = [each for each in found if len(each) < _LENGTH]
        if not short:
            break
        own = _of(op, value)
        found = found.difference(short) | {(each + more)[:_LENGTH] for each in short for more in own}
    return found


def _of(op: Any, value: Any) -> set[str]:
    if op is _op.LITERAL:
        return {chr(value)}
    if op is _op.IN:
        return {char for kind, each in value for char in _in_class(kind, each)}
    if op is _op.BRANCH:
        return {each for branch in value[1] for each in _of_all(branch)}
    if op is _op.SUBPATTERN:
        return _of_all(value[3])
    if op in _REPEATS:
        least, most, parts = value
        once = list(parts)
        found = _of_all(once * min(least, _LENGTH))
        for times in range(least + 1, min(most, _LENGTH) + 1):
            found |= _of_all(once * times)
        return found
    if op in (_op.AT, _op.ASSERT, _op.ASSERT_NOT):
        return {""}
    raise ValueError(f"a pattern may begin with any character: {op}")


def _in_class(kind: Any, value: Any) -> Iterable[str]:
    if kind is _op.LITERAL:
        return (chr(value),)
    if kind is _op.RANGE:
        return map(chr, range(value[0], value[1] + 1))
    if kind is _op.CATEGORY and value is _op.CATEGORY_DIGIT:
        return "0123456789"
    raise ValueError(f"a pattern may begin with any character: {kind}")
