"""The store of one process: what is shown goes to it in batches, feedback at once; it never holds up a card."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import SQLAlchemyError

from service.clients.replay import StoreUnavailable
from service.operations import metrics
from service.store.database import Use, checkpoint, engine, kind_of
from service.store.lane import Batches, Lane, answered
from service.store.ledger import CallNoted, FeedbackNoted
from service.store.revision import is_ready
from service.store.rows import (
    TokenUse,
    delete_expired_tokens,
    milliseconds,
    overridden_since,
    write_calls,
    write_feedback,
    write_token_uses,
)
from service.store.tables import DAY_MS

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_SECONDS_TO_START = 3.0
_SECONDS_TO_END = 5.0
_SECONDS_TO_BE_READY = 1.0
_SECONDS_BETWEEN_FLUSHES = 0.2
_SECONDS_AFTER_A_FAILED_FLUSH = 1.0
_SECONDS_BETWEEN_CHORES = 2.0
_TOKEN_SHARE = 0.6
# SQLite answers in less time than a turn of the event loop takes.
_FLOOR_SECONDS = 0.002
_TOKENS_WAITING = 2_000
_FEEDBACK_WAITING = 2_000
# A longer transaction would make the calls wait that ask whether a token was used. Each card is a row of its own;
# calls without one are only counted.
_CARDS_AT_ONCE = 200
_CALLS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Where:
    """Which database, and whether the service may bring its tables up to date by itself."""

    url: URL
    may_migrate: bool = True


class Store:
    """A `Ledger` and a `ReplayGuard` over one database, between `start` and `stop`.

    `quiet_days`: for how long an override is remembered, 0: not at all. `patience`, `feedback_patience`: how long a
    hook call and a feedback call wait for the store, in seconds. `calls_waiting`: how many calls may wait to be
    written down.
    """

    def __init__(
        self,
        where: Where,
        quiet_days: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: float = 0.020,
        feedback_patience: float = 3.0,
        calls_waiting: int = 20_000,
    ) -> None:
        self._where = where
        self._quiet_ms = quiet_days * DAY_MS
        self._clock = clock
        # One call may ask both.
        self._token_patience = patience if not quiet_days else patience * _TOKEN_SHARE
        self._memory_patience = patience * (1 - _TOKEN_SHARE)
        self._feedback_patience = feedback_patience
        self._calls_waiting = calls_waiting
        self._quick = Lane("cards", engine(where.url, Use.QUICK), self._prepared)
        self._durable = Lane("feedback", engine(where.url, Use.DURABLE), self._prepared)
        self._floor = _FLOOR_SECONDS if where.url.get_backend_name() == "sqlite" else 0.0
        self._tokens = Batches(self._quick, write_token_uses, _TOKENS_WAITING, self._floor)
        self._feedback = Batches(self._durable, write_feedback, _FEEDBACK_WAITING)
        self._calls: deque[CallNoted] = deque()
        self._flushing = asyncio.Lock()
        self._flush_later: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def remembers_overrides(self) -> bool:
        """Whether override memory is on."""
        return self._quiet_ms > 0

    # --- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Opens the connections and begins the chores. A database that is away is tried again with each use."""
        if self._where.url.get_backend_name() == "sqlite" and self._where.url.database:
            with suppress(OSError):
                Path(self._where.url.database).parent.mkdir(parents=True, exist_ok=True)
        # The first use of a connection takes longer than a card may wait.
        for lane in (self._quick, self._durable):
            with suppress(StoreUnavailable):
                await answered(lane.submit(_ping), _SECONDS_TO_START)
        self._do(self._chores())

    async def stop(self) -> None:
        """Writes down what still waits, for a few seconds at most, and closes the connections."""
        for task in self._tasks:
            task.cancel()
        if self._flush_later:
            self._flush_later.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_END):
                await self.flush()
        if self._calls:
            metrics.store_dropped("call", len(self._calls))
        answers = await self.reachable()
        self._quick.close(wait=answers)
        self._durable.close(wait=answers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Store]:
        """The store, started, and stopped at the end."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def reachable(self) -> bool:
        """Whether the database answers."""
        try:
            await answered(self._durable.submit(_ping), _SECONDS_TO_BE_READY)
        except StoreUnavailable:
            return False
        return True

    def _prepared(self, connection: Connection) -> bool:
        """Whether the tables can be worked with; brings them up to date when that may be."""
        if is_ready(connection):
            return True
        if not self._where.may_migrate:
            return False
        connection.rollback()
        # Loaded only where there is something to migrate: it takes memory for as long as the process lives.
        from service.store.migrate import migrate

        migrate(self._where.url)
        return True

    # --- tokens --------------------------------------------------------------------------------------------------

    async def first_use(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether this token id of this issuer was never seen before, in any process; from now on it was.

        Raises `StoreUnavailable` when that cannot be told within 20 ms; the use is then written down later.
        """
        digest = hashlib.sha256(f"{len(issuer)}:{issuer}{jti}".encode("utf-8", "surrogatepass")).digest()
        return await self._tokens.put(TokenUse(digest, milliseconds(expires)), self._token_patience)

    # --- cards ---------------------------------------------------------------------------------------------------

    def note(self, call: CallNoted) -> None:
        """Writes a call down within a fraction of a second; the oldest are given up when too many wait."""
        if len(self._calls) >= self._calls_waiting:
            self._calls.popleft()
            metrics.store_dropped("call")
        self._calls.append(call)
        self._flush_in(_SECONDS_BETWEEN_FLUSHES)

    async def overridden(self, memories: Iterable[bytes]) -> frozenset[bytes]:
        """Those of `memories` whose card was overridden within the days that are set.

        Raises `StoreUnavailable` when that cannot be told within 20 ms.
        """
        wanted = tuple(memories)
        if not wanted or not self._quiet_ms:
            return frozenset()
        if self._quick.is_stuck(self._memory_patience):
            raise StoreUnavailable
        since = milliseconds(self._clock()) - self._quiet_ms
        found = self._quick.submit(lambda connection: overridden_since(connection, wanted, since))
        return await answered(found, self._memory_patience, self._floor)

    async def flush(self) -> None:
        """Writes down every call that waits; leaves them waiting where the store does not answer."""
        async with self._flushing:
            while self._calls:
                some = self._next_calls()
                written = False
                try:
                    await asyncio.wrap_future(self._quick.submit(partial(write_calls, calls=some)))
                    written = True
                except StoreUnavailable:
                    return
                finally:
                    if not written:
                        self._calls.extendleft(reversed(some))

    def _next_calls(self) -> list[CallNoted]:
        """Takes the calls that have waited longest, as many as one short transaction writes down."""
        some: list[CallNoted] = []
        cards = 0
        while self._calls and cards < _CARDS_AT_ONCE and len(some) < _CALLS_AT_ONCE:
            call = self._calls.popleft()
            cards += len(call.cards)
            some.append(call)
        return some

    def _flush_in(self, seconds: float) -> None:
        if self._flush_later is None:
            self._flush_later = asyncio.get_running_loop().call_later(seconds, lambda: self._do(self._flush_now()))

    async def _flush_now(self) -> None:
        self._flush_later = None
        await self.flush()
        if self._calls:
            self._flush_in(_SECONDS_AFTER_A_FAILED_FLUSH)

    # --- feedback ------------------------------------------------------------------------------------------------

    async def keep(self, entries: Sequence[FeedbackNoted]) -> None:
        """Writes feedback down; it is on the disk when this returns. Raises `StoreUnavailable`."""
        await self._feedback.put(entries, self._feedback_patience)

    # --- pages ---------------------------------------------------------------------------------------------------

    async def read(self, question: Callable[[Connection], _T]) -> _T:
        """The answer to a question of the pages, beside everything else. Raises `StoreUnavailable`."""
        return await asyncio.to_thread(self._read, question)

    def _read(self, question: Callable[[Connection], _T]) -> _T:
        try:
            with engine(self._where.url, Use.READING).begin() as connection:
                return question(connection)
        except (SQLAlchemyError, OSError) as fault:
            _log.warning("store, pages: %s", kind_of(fault))
            raise StoreUnavailable from None

    # --- chores --------------------------------------------------------------------------------------------------

    async def _chores(self) -> None:
        """Forgets tokens that have expired, and moves what was written into the main file of SQLite."""
        while True:
            now = milliseconds(self._clock())
            with suppress(StoreUnavailable):
                await asyncio.wrap_future(self._durable.submit(partial(delete_expired_tokens, now_ms=now)))
                await asyncio.to_thread(checkpoint, self._where.url)
            await asyncio.sleep(_SECONDS_BETWEEN_CHORES)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ping(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
