"""SIGHUP: what was read from files at start is read again, while calls go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType


class Hangup:
    """Notes SIGHUP from its making on, so that a signal during start is not lost.

    For the main thread of a system that has this signal.
    """

    def __init__(self) -> None:
        self._came = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before_loop = False
        self._former = signal.signal(signal.SIGHUP, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is None:
            self._before_loop = True
        else:
            self._loop.call_soon_threadsafe(self._came.set)

    @asynccontextmanager
    async def each_time(self, act: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Calls `act` after each SIGHUP for as long as the context lasts, one at a time."""
        self._loop = asyncio.get_running_loop()
        if self._before_loop:
            self._came.set()
        waiting = asyncio.create_task(self._act(act))
        try:
            yield
        finally:
            waiting.cancel()
            signal.signal(signal.SIGHUP, self._former)

    async def _act(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            await act()
