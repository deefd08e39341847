"""What short texts mean is remembered across calls: product names and codes come again, and reading them is dear."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

# Bounds of what is kept: names of products and diseases are shorter, and long texts would fill the memory.
TEXTS = 4096
LONGEST_TEXT = 200
# Nobody writes a longer name or instruction. Of one that is, the rest is not read: patterns take the longer for each
# character the longer a text is, and a text of a million would keep every other call waiting.
LONGEST_READ = 4_000

_More = ParamSpec("_More")
_Answer = TypeVar("_Answer")


def remembered(function: Callable[Concatenate[str, _More], _Answer]) -> Callable[Concatenate[str, _More], _Answer]:
    """For a pure function of a text: answers about the last `TEXTS` short ones are kept, in memory only."""
    known = cast("Callable[Concatenate[str, _More], _Answer]", lru_cache(maxsize=TEXTS)(function))

    @wraps(function)
    def answer(text: str, /, *more: _More.args, **named: _More.kwargs) -> _Answer:
        if len(text) <= LONGEST_TEXT:
            return known(text, *more, **named)
        return function(text[:LONGEST_READ], *more, **named)

    return answer
