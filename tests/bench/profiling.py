"""Where the service's time goes: one request many times in this process, looked at a thousand times a second."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from starlette.types import ASGIApp, Message

from tests.bench.load import AnswerWrong
from tests.bench.payloads import Payload

_WARM_UP_REQUESTS = 50
_SECONDS = 8.0
_SECONDS_BETWEEN_LOOKS = 0.001
_LINES = 40
_PROJECT = f"{Path(__file__).resolve().parents[2]}/"


class _Looks:
    """How often which function was running, and how often it or what it called was."""

    def __init__(self) -> None:
        self.number = 0
        self.itself: Counter[str] = Counter()
        self.with_callees: Counter[str] = Counter()

    def look(self, _signal: int, frame: FrameType | None) -> None:
        """Notes the functions that are running now."""
        self.number += 1
        running = []
        while frame is not None:
            running.append(_name(frame))
            frame = frame.f_back
        if running:
            self.itself[running[0]] += 1
        self.with_callees.update(set(running))


def print_profile(payload: Payload) -> None:
    """Answers the payload in process, without store and server, and prints the functions that took longest.

    A profiler that is told of every call makes calls look dear; this one only looks. Raises `AnswerWrong`.
    """
    from service.app import create_app
    from service.settings import Settings

    if not hasattr(signal, "setitimer"):
        print("profiling needs a system with interval timers")
        return
    looks = _Looks()
    requests, seconds = asyncio.run(_answer_many(create_app(Settings(open=True)), payload, looks))
    each = seconds / requests * 1e6
    print(f"{payload.name}: {requests} requests in this process, {each:.0f} us of processor time each")
    for title, counted in (("itself", looks.itself), ("with all that it calls", looks.with_callees)):
        print(f"\n  us a request, {title}")
        for name, times in counted.most_common(_LINES):
            print(f"  {times / looks.number * each:10.1f}  {name}")


async def _answer_many(app: ASGIApp, payload: Payload, looks: _Looks) -> tuple[int, float]:
    """How many requests were answered, and in how much processor time."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": payload.path,
        "raw_path": payload.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(payload.body)).encode()),
        ],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": payload.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AnswerWrong(f"the service at {payload.name}: status {message['status']}")

    for _ in range(_WARM_UP_REQUESTS):
        await app({**scope}, receive, send)
    requests = 0
    signal.signal(signal.SIGPROF, looks.look)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS_BETWEEN_LOOKS, _SECONDS_BETWEEN_LOOKS)
    began = time.process_time()
    try:
        while time.process_time() < began + _SECONDS:
            await app({**scope}, receive, send)
            # What is let go after an answer is part of its price.
            await asyncio.sleep(0)
            requests += 1
        return requests, time.process_time() - began
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename.removeprefix(_PROJECT).rpartition('site-packages/')[2]} {code.co_qualname}"
