"""Where the service's time goes: one request many times in this process, under Python's profiler."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from typing import Any

from starlette.types import Message

from tests.bench.load import AnswerWrong
from tests.bench.payloads import Payload

_REQUESTS = 500
_LINES = 30


def print_profile(payload: Payload) -> None:
    """Answers the payload in process and prints the functions that took longest.

    Raises `AnswerWrong`.
    """
    from service.app import from_settings_in_environment

    app = from_settings_in_environment()
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

    async def answer_many() -> None:
        for _ in range(_REQUESTS):
            await app({**scope}, receive, send)

    asyncio.run(answer_many())
    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, answer_many())
    print(f"{payload.name}: {_REQUESTS} requests in this process; profiling makes calls look dear")
    for order in ("cumulative", "tottime"):
        pstats.Stats(profiler).strip_dirs().sort_stats(order).print_stats(_LINES)
