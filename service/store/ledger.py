"""What may be written down of a call and of feedback, and what a store of it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from cards.fact import fact
from service.clients.replay import StoreUnavailable

Answer = TypeVar("Answer")
Delivery = Literal["shown", "silent", "quiet"]
EVALUATED = "evaluated"
# The client in whose name rehearsals are written down: their numbers are not those of patients.
REHEARSED = "sandbox page"


@fact(frozen=True, slots=True)
class CardShown:
    """A card and what became of it: `shown`, `silent` (evaluated only) or `quiet` (kept back after an override).

    `memory`: what an override of it is remembered by (`service.store.memory`); None unless that is on.
    """

    card: UUID
    topic: str
    version: int
    level: str
    variant: str
    delivery: Delivery = "shown"
    memory: bytes | None = None


@fact(frozen=True, slots=True)
class Gap:
    """A rule that was not evaluated: why, and which prefetch keys it lacked."""

    topic: str
    reason: str
    data: tuple[str, ...] = ()


@fact(frozen=True, slots=True)
class CallNoted:
    """What is written down of one hook call; nothing of the patient."""

    at: datetime
    client: str
    hook: str
    cards: tuple[CardShown, ...] = ()
    evaluated: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unrecognised_codes: int = 0


@dataclass(frozen=True, slots=True)
class FeedbackNoted:
    """What is kept of one entry of feedback.

    `card`: None when what was sent is no UUID, so that no card of ours can be meant. `suggestions`: how many were
    accepted. `reason`: its code; `own_reason`: whether it is one of our override reasons. `digest`: of the entry as
    it was sent, by which a repetition is known. `comment`: free text, None unless the settings keep it.
    """

    digest: bytes
    client: str
    service: str
    outcome: Literal["accepted", "overridden"]
    outcome_at: datetime
    received: datetime
    card: UUID | None = None
    suggestions: int = 0
    reason: str | None = None
    own_reason: bool = False
    comment: str | None = None


class Ledger(Protocol):
    """Whoever writes down what was shown and what became of it."""

    @property
    def remembers_overrides(self) -> bool:
        """Whether override memory is on."""

    def running(self) -> AbstractAsyncContextManager[object]:
        """Within it the ledger works; at its end everything is written down."""

    def note(self, call: CallNoted, /) -> None:
        """Writes a call down soon; never waits, never fails."""

    async def overridden(self, memories: Iterable[bytes], /) -> frozenset[bytes]:
        """Those of `memories` whose card was overridden within the time that is set.

        Raises `service.clients.replay.StoreUnavailable` when that cannot be told within 20 ms.
        """

    async def keep(self, entries: Sequence[FeedbackNoted], /) -> None:
        """Writes feedback down; it is on the disk when this returns.

        Raises `service.clients.replay.StoreUnavailable`.
        """

    async def read(self, question: Callable[[Connection], Answer], /) -> Answer:
        """The answer to a question of the pages, beside everything else that the store does.

        Raises `service.clients.replay.StoreUnavailable`.
        """


class NoLedger:
    """Writes nothing down, for a service without a store; feedback cannot be kept."""

    remembers_overrides = False

    def running(self) -> AbstractAsyncContextManager[object]:
        """Nothing needs to be opened."""
        return nullcontext()

    def note(self, _call: CallNoted) -> None:
        """Forgets the call."""

    async def overridden(self, _memories: Iterable[bytes]) -> frozenset[bytes]:
        """Nothing is known to have been overridden."""
        return frozenset()

    async def keep(self, _entries: Sequence[FeedbackNoted]) -> None:
        """Raises `service.clients.replay.StoreUnavailable`."""
        raise StoreUnavailable

    async def read(self, _question: Callable[[Connection], Answer]) -> Answer:
        """Raises `service.clients.replay.StoreUnavailable`."""
        raise StoreUnavailable
