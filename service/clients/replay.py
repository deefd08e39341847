"""Whether a token was used before: asked of all processes' store, and of this process's memory when that is silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, Protocol

from cachetools import TLRUCache

# shared: the store, and this process's memory when it does not tell in time; strict: no call without the store.
ReplayPolicy = Literal["shared", "strict", "off"]

# Tokens that one process remembers; each costs about 300 bytes. The oldest go first.
_REMEMBERED = 100_000


class StoreUnavailable(Exception):
    """The store could not tell in time."""


class ReplayGuard(Protocol):
    """Remembers which tokens were used, for as long as they could be used again."""

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether no token of this issuer with this `jti` was used before; from now on one was.

        It may be forgotten after `expires`. Raises `StoreUnavailable` when it cannot tell in time.
        """


class ProcessMemory:
    """The tokens that this process has seen, up to a number."""

    def __init__(self, now: Callable[[], datetime], remembered: int = _REMEMBERED) -> None:
        self._seen: TLRUCache[tuple[str, str], float] = TLRUCache(
            remembered, ttu=lambda _key, expires, _now: expires, timer=lambda: now().timestamp()
        )

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether this process sees the token for the first time. Never raises."""
        return self.see(issuer, jti, expires)

    def see(self, issuer: str, jti: str, expires: datetime) -> bool:
        """The same without waiting."""
        if (issuer, jti) in self._seen:
            return False
        self._seen[issuer, jti] = expires.timestamp()
        return True

    def forget(self, issuer: str, jti: str) -> None:
        """As if the token had never been seen: the call that it came with was not served."""
        self._seen.pop((issuer, jti), None)


class Replays:
    """Applies the policy of each client: the memory always takes part, the store where there is one.

    `fell_back` is called each time a call is served although the store did not tell.
    """

    def __init__(
        self,
        store: ReplayGuard | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fell_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._memory = ProcessMemory(now)
        self._fell_back = fell_back

    async def first_use(self, policy: ReplayPolicy, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether the token may be used. Raises `StoreUnavailable` under the policy `strict`."""
        if policy == "off":
            return True
        # What this process has seen itself needs no question, and is known when the store falls silent.
        if not self._memory.see(issuer, jti, expires):
            return False
        if self._store is None:
            return True
        try:
            return await self._store.first_use(issuer, jti, expires)
        except StoreUnavailable:
            if policy == "strict":
                self._memory.forget(issuer, jti)
                raise
            self._fell_back()
            return True
