"""A FHIR server to fetch from: the chart of the 20-resource request, each type after a time of its own."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from starlette.types import Receive, Scope, Send

from tests.bench.payloads import Resource, payloads

SLOWEST = "Observation"
_SLOWEST_SECONDS = 0.06
_OTHERS_SECONDS = 0.02
BASE_PATH = "/r4"


def _chart() -> dict[str, bytes]:
    """The answer about each resource type."""
    today = datetime.now().astimezone().date()
    [payload] = [each for each in payloads(today) if each.name == "order-sign-20"]
    prefetched: dict[str, Resource] = payload.request["prefetch"]
    answers = {}
    for value in prefetched.values():
        entries = value.get("entry", [])
        kind = entries[0]["resource"]["resourceType"] if entries else value["resourceType"]
        answers[kind] = json.dumps(value).encode()
    return answers


_NOTHING = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0}).encode()
_ANSWERS = _chart()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers searches and reads; the discovery address only says that the server is up."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    kind = scope["path"].removeprefix(f"{BASE_PATH}/").partition("/")[0]
    if scope["path"].startswith(BASE_PATH):
        await asyncio.sleep(_SLOWEST_SECONDS if kind == SLOWEST else _OTHERS_SECONDS)
    body = _ANSWERS.get(kind, _NOTHING)
    headers = [(b"content-type", b"application/fhir+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
