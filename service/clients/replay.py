"""Whether a token was used before: what a store of used tokens promises."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class StoreUnavailable(Exception):
    """The store did not answer in time, or not at all."""


class ReplayGuard(Protocol):
    """Remembers the ids of tokens until they expire, for all processes."""

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether this id of this issuer was never seen before; from now on it was.

        Raises `StoreUnavailable` when that cannot be told within 20 ms.
        """
