"""Dataclasses that the type checker holds frozen, without the price of a guard at each construction."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["fact"]

if TYPE_CHECKING:
    from dataclasses import dataclass as fact
else:

    def fact(**options: Any) -> Any:
        """`dataclass(frozen=True, ...)` for facts that a call makes by the hundred.

        At run time nothing guards the members, which makes a fact three times as fast to build; mypy, which runs on
        all of the code, refuses any assignment. Equality and hash are those of a frozen dataclass.
        """
        return dataclasses.dataclass(**{**options, "frozen": False, "unsafe_hash": options["frozen"]})
