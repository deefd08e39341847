"""What short texts mean is remembered across calls: product names and codes come again, and reading them is dear."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

# Bounds of what is kept: names of products and diseases are shorter, and long texts would fill the memory.
TEXTS = 4096
LONGEST_TEXT = 200

_More = ParamSpec("_More")
_Answer = TypeVar("_Answer")


def remembered(function: Callable[Concatenate[str, _More], _Answer]) -> Callable[Concatenate[str, _More], _Answer]:
    """For a pure function of a text: answers about the last `TEXTS` short ones are kept, in memory only."""
    known = cast("Callable[Concatenate[str, _More], _Answer]", lru_cache(maxsize=TEXTS)(function))

    @wraps(function)
    def answer(text: str, /, *more: _More.args, **named: _More.kwargs) -> _Answer:
        return (known if len(text) <= LONGEST_TEXT else function)(text, *more, **named)

    return answer
