"""The client: connections that stay open, each sending the same bytes again once it is answered."""

from __future__ import annotations

import asyncio
import gc
import re
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from tests.bench.servers import HOST

_GRACE_SECONDS = 60.0
_OK = b"HTTP/1.1 200 "
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class AnswerWrong(Exception):
    """A server answered something else than 200 with a length, hung up, or fell silent."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured: answering times in seconds, and how long the round took, also in seconds."""

    times: list[float]
    elapsed: float

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return len(self.times) / self.elapsed


def request_bytes(path: str, body: bytes) -> bytes:
    """The request as it goes over the wire, written once for the whole benchmark."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\naccept: application/json\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def measure(port: int, request: bytes, concurrency: int, seconds: float) -> Round:
    """One round: `concurrency` connections for `seconds`, and for as long as the last answers then take.

    Raises `AnswerWrong`.
    """
    # A collection in the client would count as the server's time.
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=_event_loop) as runner:
            return runner.run(_round(port, request, concurrency, seconds))
    finally:
        gc.enable()


def _event_loop() -> asyncio.AbstractEventLoop:
    """The fastest there is: uvloop does not exist for every system."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _round(port: int, request: bytes, concurrency: int, seconds: float) -> Round:
    loop = asyncio.get_running_loop()
    connections = []
    try:
        for _ in range(concurrency):
            _, connection = await loop.create_connection(lambda: _Connection(request), HOST, port)
            connections.append(connection)
        started = perf_counter()
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            await asyncio.gather(*(each.send_until(started + seconds) for each in connections))
        elapsed = perf_counter() - started
    except TimeoutError:
        raise AnswerWrong(f"no answer within {_GRACE_SECONDS:.0f} seconds") from None
    except OSError as fault:
        raise AnswerWrong(f"the connection failed: {fault}") from None
    finally:
        for each in connections:
            each.close()
    return Round([time for each in connections for time in each.times], elapsed)


class _Connection(asyncio.Protocol):
    """One connection; `times` are the seconds from each request's first byte to its answer's last."""

    def __init__(self, request: bytes) -> None:
        self.times: list[float] = []
        self._request = request
        self._received = bytearray()
        self._expected = 0
        self._sent = 0.0
        self._deadline = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send_until(self, deadline: float) -> asyncio.Future[None]:
        """Starts sending; what is given back is done with the first answer after `deadline`, or wrong."""
        self._deadline = deadline
        self._send()
        return self._done

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._expected:
            head = self._received.find(_END_OF_HEAD)
            if head < 0:
                return
            length = _LENGTH.search(self._received, 0, head)
            if length is None or not self._received.startswith(_OK):
                status = self._received.partition(b"\r\n")[0].decode("ascii", errors="replace")
                self._fail(f"answered {status!r}")
                return
            self._expected = head + len(_END_OF_HEAD) + int(length[1])
        if len(self._received) < self._expected:
            return
        now = perf_counter()
        self.times.append(now - self._sent)
        if now < self._deadline:
            self._send()
        elif not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")

    def _send(self) -> None:
        self._received.clear()
        self._expected = 0
        self._sent = perf_counter()
        self._transport.write(self._request)

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(AnswerWrong(why))
