"""One thread with one connection to the database, and calls that share a transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

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
# The last part of the time that a call may wait: nothing else runs in it.
_GRACE_SECONDS = 0.005


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
        self._began: float | None = None
        self._connect_not_before = 0.0
        self._warn_not_before = 0.0

    def submit(self, work: Callable[[Connection], _Result]) -> Future[_Result]:
        """Runs `work` in a transaction; the future raises `StoreUnavailable` where that failed."""
        return self._thread.submit(self._run, work)

    def is_stuck(self, seconds: float) -> bool:
        """Whether what it works on has taken longer than that: who comes now would wait for nothing."""
        began = self._began
        return began is not None and time.monotonic() > began + seconds

    def close(self, *, wait: bool) -> None:
        """Ends the thread and its connection; work that has not begun is dropped."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=wait)

    def _run(self, work: Callable[[Connection], _Result]) -> _Result:
        self._began = time.monotonic()
        try:
            connection = self._connected()
            with connection.begin():
                return work(connection)
        except (SQLAlchemyError, MigrationFailed, OSError) as fault:
            self._warn(kind_of(fault))
            # A new connection costs little, one in a doubtful state may cost everything that comes after.
            self._disconnect()
            raise StoreUnavailable from None
        finally:
            self._began = None

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


async def answered(future: Future[_Result], seconds: float, floor: float = 0.0) -> _Result:
    """What a lane answers. Raises `StoreUnavailable` when it does not within `seconds`.

    `floor`: for so long nothing else runs, so that an answer that takes less need not wait for its turn.
    """
    if not _done_within(future, floor):
        answer = asyncio.wrap_future(future)
        # A fault is taken from `future`; asyncio would report one that nobody took from `answer`.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait((answer,), timeout=max(0.0, seconds - _GRACE_SECONDS))
        if not _done_within(future, _GRACE_SECONDS):
            answer.cancel()
            raise StoreUnavailable
    return future.result()


def _done_within(future: Future[Any], seconds: float) -> bool:
    """Whether it is done, after a wait in which this thread leaves the interpreter to the others.

    A busy event loop hardly ever does: without this, a lane that needs it a few times comes too late by our own fault.
    """
    if not future.done() and seconds > 0:
        # Its result or its fault is taken later, by whoever asked.
        with suppress(TimeoutError, CancelledError):
            future.exception(seconds)
    return future.done()


@dataclass(eq=False, slots=True)
class _Batch(Generic[_Item, _Result]):
    """Items that are written together; `outcome` stands from when they are handed to the lane."""

    arrived: asyncio.Future[None]
    items: list[_Item] = field(default_factory=list)
    outcome: Future[Sequence[_Result]] | None = None
    given_up: bool = False

    def is_written(self, seconds: float = 0.0) -> bool:
        """Whether it has been written, or has failed; once, and not again, after a wait of so long."""
        if self.outcome is None:
            return False
        patient = seconds if not self.given_up else 0.0
        done = _done_within(self.outcome, patient)
        self.given_up = self.given_up or (patient > 0 and not done)
        return done

    def results(self) -> Sequence[_Result]:
        """What writing came to. Raises `StoreUnavailable` where it failed or is still going on."""
        if self.outcome is None or not self.outcome.done():
            raise StoreUnavailable
        return self.outcome.result()


class Batches(Generic[_Item, _Result]):
    """Items of concurrent calls, written in one transaction: what comes while one is written goes into the next.

    `write` gives one result for each item. Not more than `capacity` items wait. `floor`: see `answered`.
    """

    def __init__(
        self,
        lane: Lane,
        write: Callable[[Connection, Sequence[_Item]], Sequence[_Result]],
        capacity: int,
        floor: float = 0.0,
    ) -> None:
        self._lane = lane
        self._write = write
        self._capacity = capacity
        self._floor = floor
        self._next: _Batch[_Item, _Result] | None = None
        self._sent: _Batch[_Item, _Result] | None = None

    async def put(self, item: _Item, seconds: float) -> _Result:
        """Writes the item and gives its result. Raises `StoreUnavailable` when that takes longer than `seconds`.

        An item that took too long is written all the same, as soon as the store answers again.
        """
        stuck = self._sent is not None and self._lane.is_stuck(seconds)
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
        if not batch.is_written():
            await asyncio.wait((batch.arrived,), timeout=max(0.0, seconds - _GRACE_SECONDS))
            batch.is_written(_GRACE_SECONDS)
        return batch.results()[place]

    def _send(self) -> None:
        while (batch := self._next) is not None:
            self._next, self._sent = None, batch
            batch.outcome = self._lane.submit(partial(self._written, batch.items))
            if not _done_within(batch.outcome, self._floor):
                self._tell(batch, batch.outcome)
                return
            self._close(batch)

    def _written(self, items: Sequence[_Item], connection: Connection) -> Sequence[_Result]:
        return self._write(connection, items)

    def _tell(self, batch: _Batch[_Item, _Result], outcome: Future[Sequence[_Result]]) -> None:
        """Has the event loop told when the batch is written."""
        loop = batch.arrived.get_loop()

        def tell(_: object) -> None:
            # The event loop may have ended while the database was silent.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._arrived, batch)

        outcome.add_done_callback(tell)

    def _arrived(self, batch: _Batch[_Item, _Result]) -> None:
        self._close(batch)
        self._send()

    def _close(self, batch: _Batch[_Item, _Result]) -> None:
        self._sent = None
        if not batch.arrived.done():
            batch.arrived.set_result(None)
