"""A pretend FHIR server: searches and reads among given resources, over respx or a real socket, well or badly."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import respx
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

BASE = "https://fhir.example.org/r4"
Resource = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it came; `parameters` from the query of its address or from its form."""

    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The resource type."""
        return next(part for part in self.path.split("/") if part[:1].isupper())


@dataclass(frozen=True)
class Said:
    """One answer; `never`: the server takes the request and does not answer until the caller gives up."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/fhir+json"})
    never: bool = False


Behaviour = Callable[[Asked], Said | None]


def said(resource: Resource, status: int = 200) -> Said:
    """A resource as an answer."""
    return Said(status, json.dumps(resource).encode())


def outcome(code: str = "exception", status: int = 500) -> Said:
    """A refusal as FHIR servers word it."""
    return said({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}, status)


def bundle(*resources: Resource, **members: Any) -> Resource:
    """A page of a search."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": each} for each in resources],
    } | members


class FhirServer:
    """Answers from `resources`; `behaviour` may answer first, and `asked` keeps every request."""

    def __init__(self, resources: list[Resource], behaviour: Behaviour | None = None, base: str = BASE) -> None:
        self.base = base
        self.asked: list[Asked] = []
        self._resources = resources
        self._behaviour = behaviour

    def answer(self, asked: Asked) -> Said:
        """The answer to one request."""
        self.asked.append(asked)
        if self._behaviour and (said_first := self._behaviour(asked)):
            return said_first
        *_, last = asked.path.split("/")
        return self._search(asked) if last in ("_search", asked.kind) else self._read(asked.kind, last)

    def kinds(self) -> list[str]:
        """The resource types that were asked for, in alphabetical order."""
        return sorted(each.kind for each in self.asked)

    def _read(self, kind: str, id_: str) -> Said:
        found = [each for each in self._resources if (each["resourceType"], each.get("id")) == (kind, id_)]
        return said(found[0]) if found else outcome("not-found", 404)

    def _search(self, asked: Asked) -> Said:
        codes = {tuple(each.split("|")) for each in asked.parameters.get("code", "").split(",") if each}
        page, skip = int(asked.parameters["_count"]), int(asked.parameters.get("skip", 0))
        found = [
            each
            for each in self._resources
            if each["resourceType"] == asked.kind
            and _is_of(each, asked.parameters["patient"])
            and (not codes or any((it.get("system"), it.get("code")) in codes for it in each["code"].get("coding", ())))
        ]
        query = "&".join(f"{name}={value}" for name, value in asked.parameters.items() if name not in ("code", "skip"))
        links = [{"relation": "self", "url": f"{self.base}/{asked.kind}?{query}"}]
        if len(found) > skip + page:
            links.append({"relation": "next", "url": f"{self.base}/{asked.kind}?{query}&skip={skip + page}"})
        return said(bundle(*found[skip : skip + page], total=len(found), link=links))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server as an ASGI app."""
        request = Request(scope, receive)
        answer = self.answer(_asked(request.method, str(request.url), dict(request.headers), await request.body()))
        while answer.never and (await receive())["type"] != "http.disconnect":
            pass
        await Response(answer.body, answer.status, answer.headers)(scope, receive, send)

    @contextmanager
    def intercepting(self) -> Iterator[FhirServer]:
        """While this lasts every request of the service goes to this server, whatever its address."""
        with respx.mock(assert_all_called=False) as router:
            router.route().mock(side_effect=self._answer_httpx)
            yield self

    def _answer_httpx(self, request: httpx.Request) -> httpx.Response:
        answer = self.answer(_asked(request.method, str(request.url), request.headers, request.content))
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def _asked(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Asked:
    parts = urlsplit(url)
    return Asked(method, parts.path, headers, dict(parse_qsl(body.decode() if method == "POST" else parts.query)))


def _is_of(resource: Resource, patient_id: str) -> bool:
    subject = resource.get("subject") or resource.get("patient")
    return subject is None or subject.get("reference") == f"Patient/{patient_id}"


@asynccontextmanager
async def listening(server: ASGIApp, host: str = "127.0.0.1", **tls: str) -> AsyncIterator[str]:
    """The base URL, with `host` for the name, of the server on a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http{'s' if tls else ''}://{host}:{listener.getsockname()[1]}/r4"
        if isinstance(server, FhirServer):
            server.base = base
        running = uvicorn.Server(uvicorn.Config(server, log_config=None, lifespan="off", **tls))  # type: ignore[arg-type]
        task = asyncio.create_task(running.serve([listener]))
        try:
            # Connections wait in the socket's queue until the server takes them.
            yield base
        finally:
            running.should_exit = True
            await task
