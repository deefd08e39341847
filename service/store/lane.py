"""One thread with one connection to the database, and calls that share a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from service.clients.replay import StoreUnavailable
from service.store.database import kind_of
from service.store.revision import MigrationFailed

_log = logging.getLogger(__name__)
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_SECONDS_BETWEEN_CONNECTING = 0.5
_SECONDS_BETWEEN_WARNINGS = 30.0


class Lane:
    """Runs work on its own connection, in its own thread, one piece after the other.

    A lost connection is opened anew, at most twice a second; work that comes in between is refused at once.
    `prepared` says whether a new connection may be used; it may bring the tables up to date.
    """

    def __init__(self, name: str, engine: Engine, prepared: Callable[[Connection], bool]) -> None:
        self._name = name
        self._engine = engine
        self._prepared = prepared
        self._thread = ThreadPoolExecutor(1, f"store-{name}")
        self._connection: Connection | None = None
        self._connect_not_before = 0.0
        self._warn_not_before = 0.0

    def submit(self, work: Callable[[Connection], _Result]) -> Future[_Result]:
        """Runs `work` in a transaction; the future raises `StoreUnavailable` where that failed."""
        return self._thread.submit(self._run, work)

    def close(self, *, wait: bool) -> None:
        """Ends the thread and its connection; work that has not begun is dropped."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=wait)

    def _run(self, work: Callable[[Connection], _Result]) -> _Result:
        try:
            connection = self._connected()
            with connection.begin():
                return work(connection)
        except (SQLAlchemyError, MigrationFailed, OSError) as fault:
            self._warn(kind_of(fault))
            # A new connection costs little, one in a doubtful state may cost everything that comes after.
            self._disconnect()
            raise StoreUnavailable from None

    def _connected(self) -> Connection:
        if self._connection is None:
            if time.monotonic() < self._connect_not_before:
                raise StoreUnavailable
            self._connect_not_before = time.monotonic() + _SECONDS_BETWEEN_CONNECTING
            connection = self._engine.connect()
            try:
                ready = self._prepared(connection)
                connection.rollback()
            except BaseException:
                connection.close()
                raise
            if not ready:
                connection.close()
                self._warn("its tables are not those of this version; run b12-cds migrate")
                raise StoreUnavailable
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()

    def _warn(self, what: str) -> None:
        """Says what is wrong, not more often than twice a minute: each call meets the same fault."""
        if time.monotonic() >= self._warn_not_before:
            self._warn_not_before = time.monotonic() + _SECONDS_BETWEEN_WARNINGS
            _log.warning("store, %s: %s", self._name, what)


@dataclass(eq=False, slots=True)
class _Batch(Generic[_Item, _Result]):
    """Items that are written together; `outcome` stands from when they are handed to the lane."""

    arrived: asyncio.Future[None]
    items: list[_Item] = field(default_factory=list)
    outcome: Future[Sequence[_Result]] | None = None

    def results(self) -> Sequence[_Result]:
        """What writing came to. Raises `StoreUnavailable` where it failed or is still going on."""
        if self.outcome is None or not self.outcome.done():
            raise StoreUnavailable
        return self.outcome.result()


class Batches(Generic[_Item, _Result]):
    """Items of concurrent calls, written in one transaction: what comes while one is written goes into the next.

    `write` gives one result for each item. Not more than `capacity` items wait.
    """

    def __init__(
        self, lane: Lane, write: Callable[[Connection, Sequence[_Item]], Sequence[_Result]], capacity: int
    ) -> None:
        self._lane = lane
        self._write = write
        self._capacity = capacity
        self._next: _Batch[_Item, _Result] | None = None
        self._sent: _Batch[_Item, _Result] | None = None
        self._sent_at = 0.0

    async def put(self, item: _Item, seconds: float) -> _Result:
        """Writes the item and gives its result. Raises `StoreUnavailable` when that takes longer than `seconds`.

        An item that took too long is written all the same, as soon as the store answers again.
        """
        stuck = self._sent is not None and time.monotonic() > self._sent_at + seconds and not self._is_written()
        batch = self._next or _Batch(asyncio.get_running_loop().create_future())
        self._next = batch
        if len(batch.items) >= self._capacity:
            raise StoreUnavailable
        place = len(batch.items)
        batch.items.append(item)
        if self._sent is None:
            self._send()
        if stuck:
            raise StoreUnavailable
        await asyncio.wait((batch.arrived,), timeout=seconds)
        # A busy event loop learns late of what was written in time: ask, whatever the clock says.
        return batch.results()[place]

    def _is_written(self) -> bool:
        return self._sent is not None and self._sent.outcome is not None and self._sent.outcome.done()

    def _send(self) -> None:
        batch, self._next = self._next, None
        self._sent = batch
        if batch is None:
            return
        self._sent_at = time.monotonic()
        items = batch.items
        outcome = self._lane.submit(lambda connection: self._write(connection, items))
        batch.outcome = outcome
        loop = batch.arrived.get_loop()

        def tell(_: object) -> None:
            # The event loop may have ended while the database was silent.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._arrived, batch)

        outcome.add_done_callback(tell)

    def _arrived(self, batch: _Batch[_Item, _Result]) -> None:
        if not batch.arrived.done():
            batch.arrived.set_result(None)
        if self._sent is batch:
            self._send()
