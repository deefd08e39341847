"""Warm calls into the app of whichever tree is on the path, in this process: what `tests.bench.instructions` counts.

Run by its path with a way of counting and, on standard input, the requests. Nothing but the service is imported, so
that the same measurement can be made of any other version of it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import service.app
from service.settings import Settings
from service.store.configured import opened

_TREE = f"{Path(service.app.__file__).resolve().parents[1]}/"
# How often a call is made before it is counted: Python 3.11 fits its instructions to the types that it has met.
_WARM_UP = 20
# The same call is told of several times; another task of the loop may have had its turn in one of them.
_TOLD = 5
_ROUND_SECONDS = 1.0

App = Callable[..., Any]


class AnswerWrong(Exception):
    """The app answered with another status than 200, or with cards where none are due, or without where some are."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and how many calls of it are counted at once."""

    name: str
    path: str
    body: bytes
    calls: int
    silent: bool


async def _answer(app: App, request: Request, times: int) -> None:
    """Answers the request so many times, and lets go of what was made for it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(request.body)).encode()),
        ],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AnswerWrong(f"{request.name}: status {message['status']}")
        if message["type"] == "http.response.body" and (b'"cards":[]' in message["body"]) is not request.silent:
            raise AnswerWrong(f"{request.name}: {message['body'][:200]!r}")

    for _ in range(times):
        await app({**scope}, receive, send)
        await asyncio.sleep(0)


def instructions(requests: list[Request], day: date) -> dict[str, list[int]]:
    """For each request the ids of two processes, of which the second has answered it twice as often.

    For a run under valgrind, which writes down what each process has executed.
    """
    app = service.app.create_app(Settings(open=True), lambda: day)
    found = {}
    for request in requests:
        asyncio.run(_answer(app, request, min(_WARM_UP, 2 * request.calls)))
        gc.collect()
        gc.disable()
        found[request.name] = [_in_a_fork(app, request, times) for times in (request.calls, 2 * request.calls)]
        gc.enable()
    return found


def _in_a_fork(app: App, request: Request, times: int) -> int:
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            raise AnswerWrong(request.name)
        return child
    status = 1
    try:
        asyncio.run(_answer(app, request, times))
        status = 0
    finally:
        os._exit(status)


def seconds(requests: list[Request], day: date) -> dict[str, float]:
    """For each request the processor seconds of one call."""
    app = service.app.create_app(Settings(open=True), lambda: day)
    gc.collect()
    gc.freeze()
    gc.disable()
    found = {}
    for request in requests:
        asyncio.run(_answer(app, request, _WARM_UP))
        calls, began = 0, time.process_time()
        while (used := time.process_time() - began) < _ROUND_SECONDS:
            asyncio.run(_answer(app, request, request.calls))
            calls += request.calls
        found[request.name] = used / calls
    return found


def calls(requests: list[Request], day: date) -> dict[str, dict[str, int]]:
    """For each request the Python calls of one, with a store: how many, of how many functions, of how many of ours."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(open=True, data_dir=Path(folder))
        app = service.app.create_app(settings, lambda: day, ledger=opened(settings))
        return asyncio.run(_told(app, requests))


async def _told(app: App, requests: list[Request]) -> dict[str, dict[str, int]]:
    found = {}
    async with _alive(app):
        for request in requests:
            await _answer(app, request, _WARM_UP)
            found[request.name] = min(
                [await _told_of_one(app, request) for _ in range(_TOLD)], key=lambda it: it["calls"]
            )
    return found


async def _told_of_one(app: App, request: Request) -> dict[str, int]:
    met: list[CodeType] = []

    def tell(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename != __file__:
            met.append(frame.f_code)

    sys.setprofile(tell)
    try:
        await _answer(app, request, 1)
    finally:
        sys.setprofile(None)
    functions = set(met)
    ours = sum(each.co_filename.startswith(_TREE) for each in functions)
    return {"calls": len(met), "functions": len(functions), "own_functions": ours}


@asynccontextmanager
async def _alive(app: App) -> AsyncIterator[None]:
    """The app, started, and stopped at the end."""
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, from_app.put))
    for event in ("startup", "shutdown"):
        await to_app.put({"type": f"lifespan.{event}"})
        said = await from_app.get()
        if said["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(said.get("message", event))
        if event == "startup":
            try:
                yield
            except BaseException:
                running.cancel()
                raise
    await running


def main(way: str) -> None:
    """Counts in the way of this name, and prints what was found as JSON."""
    asked = json.load(sys.stdin)
    requests = [Request(**{**each, "body": each["body"].encode()}) for each in asked["requests"]]
    ways: dict[str, Callable[[list[Request], date], object]] = {
        "instructions": instructions,
        "seconds": seconds,
        "calls": calls,
    }
    found = ways[way](requests, date.fromisoformat(asked["day"]))
    print(json.dumps({"tree": _TREE, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1])
