"""Every address of the app, by every method, with anything: answered or refused with a reason, never a fault."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp

from cards.library import load
from service.app import create_app
from service.cds_hooks.as_if import AS_IF
from service.cds_hooks.outcome import OperationOutcome
from service.clients.file import read_clients
from service.endpoints import health
from service.settings import Settings
from service.store.configured import opened
from tests.ehr_identity import PUBLIC_URL, Signer, client_toml
from tests.junk import FEEDBACK, ORDER, at, paths, spoiled
from tests.service.calls import SIGN, TODAY, Json, authorization, order_sign, with_context
from tests.serving import client_of

pytestmark = pytest.mark.anyio

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
KINDS = ("open", "for operators", "registered clients")
# What may stand where an address names something.
NAMES = {
    "id": ("b12-order-sign", "b12-patient-view", "unknown", "%00", "..", "%2e%2e%2f", "b12-order-sign%20", "%C3%A9"),
    "topic": ("buttock-injection-site", "unknown", "%ff", "..%2f..", "%00"),
    "path": ("app.css", "missing", "", "..", "../__init__.py", "..%2f..%2fapp.py", "%00", "a" * 5_000, "app.css/x"),
}
QUERIES = ("", "?x", "?weeks=9e9&client=%00", "?weeks=&client=%ff", "?scenario=unknown", "?rule=unknown", "?%zz=%")
STRANGE = [
    (b"content-type", b"application/json"),
    (b"cookie", b'b12_operator="\\"; x=\x01; b12_operator=9.\xff'),
    (b"authorization", b"Bearer \xe9"),
    (b"if-modified-since", b"yesterday"),
    (b"range", b"bytes=9-1,x"),
]
BODIES: tuple[bytes, ...] = (
    b"", b"{", b"null", b"[]", b"{}", b"1e999", b"\xff\xfe", b"token=%ff&token", b"[" * 9_000, b'{"hook": {}}',
)  # fmt: skip
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    "",
    "x",
    "\x00\u0301",
    [],
    [[]],
    ["x"],
    {},
    {"x": {}},
    [None, {}],
)
DRAFTS = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "MedicationRequest", "id": "1"}}]}
REQUEST = {
    **with_context(draftOrders=DRAFTS, selections=["MedicationRequest/1"]),
    "prefetch": {"medications": {"resourceType": "Bundle", "total": 0}},
    "fhirServer": "https://ehr.example.org/fhir",
    "fhirAuthorization": authorization(patient="pat-1"),
    "extension": {AS_IF: {"today": "2026-11-30", "profile": "uk", "thresholds": {"b12_deficient_below": 145}}},
}
# A call that is answered with 200, for each address that takes JSON.
CALLS: dict[str, Json] = {
    SIGN: REQUEST,
    f"{SIGN}/feedback": FEEDBACK,
    "/sandbox/screen": {"request": REQUEST},
    "/sandbox/field": {"request": REQUEST, "draft": 0, "field": "dose", "value": "1"},
    "/sandbox/accept": {
        "request": REQUEST,
        "hook": "order-sign",
        "suggestion": {
            "label": "x",
            "actions": [
                {"type": "create", "description": "x", "resource": ORDER},
                {"type": "update", "resource": {**ORDER, "id": "1"}},
                {"type": "delete", "resourceId": "MedicationRequest/1"},
            ],
        },
    },
    "/sandbox/answer": {
        "request": REQUEST,
        "response": {
            "cards": [
                {
                    "uuid": "1",
                    "summary": "x",
                    "indicator": "info",
                    "detail": "x",
                    "source": {"label": "x", "url": "https://x", "topic": {"code": "x"}},
                    "links": [{"label": "x", "url": "https://x", "type": "absolute"}],
                    "suggestions": [{"label": "x", "uuid": "x", "isRecommended": True, "actions": []}],
                    "overrideReasons": [{"code": "x", "system": "x", "display": "x"}],
                }
            ]
        },
    },
}


@asynccontextmanager
async def app_of(kind: str, folder: Path) -> AsyncIterator[ASGIApp]:
    """An app with a store: open to all and with a sandbox, the same with a token for operators, or for clients."""
    known = kind == "registered clients"
    settings = Settings(
        open=not known,
        data_dir=folder,
        operator_token=None if kind == "open" else SecretStr("an operator's token"),
        public_url=PUBLIC_URL if known else None,
    )
    file = folder / "clients.toml"
    file.write_text(client_toml(Signer()), encoding="utf-8")
    clients = partial(read_clients, file, settings, load()) if known else None
    async with opened(settings).running() as store:
        yield create_app(settings, lambda: TODAY, clients=clients, replay=store, ledger=store)


def routes(app: object) -> Iterator[BaseRoute]:
    """The routes of an app, which stand inside its rings."""
    if isinstance(app, Router):
        yield from app.routes
    for ring in ("_app", "_router", "router", "default"):
        if inner := getattr(app, ring, None):
            yield from routes(inner)


@cache
def addresses(app: ASGIApp) -> tuple[str, ...]:
    """An address for each route, or several where it names something."""
    found = ["/unknown", "/cds-services/b12-order-sign/unknown", "/docs"]
    for route in routes(app):
        assert isinstance(route, (Route, Mount)), route
        form = route.path_format if isinstance(route, Route) else f"{route.path}/{{path}}"
        named = [name for name in NAMES if f"{{{name}}}" in form]
        found += [form.replace(f"{{{name}}}", value) for name in named for value in NAMES[name]] or [form]
    return tuple(dict.fromkeys(found))


def wrong_with(answer: httpx.Response) -> str | None:
    """What is wrong with an answer of whatever kind."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    if "access-control-allow-origin" not in answer.headers and answer.headers.get("vary") != "origin":
        return "no CORS header"
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    if answer.status_code < 400 or is_page or answer.request.method == "HEAD":
        return None
    try:
        OperationOutcome.model_validate_json(answer.content)
    except ValidationError:
        return f"status {answer.status_code} without an OperationOutcome: {answer.content[:80]!r}"
    return None


@pytest.mark.parametrize("kind", KINDS)
async def test_every_address_answers_or_refuses_whatever_is_sent_to_it(kind: str, tmp_path: Path) -> None:
    wrong = set()
    looks = [*((query, b"", []) for query in QUERIES), ("", b"", STRANGE)]
    calls = [("", body, headers) for body in BODIES for headers in ([], STRANGE)]
    async with app_of(kind, tmp_path) as app, client_of(app) as client:
        assert {"/cds-services", "/governance/sign-in", "/openapi.json", "/static/missing", "/healthz"} <= {
            *addresses(app)
        }
        for address in addresses(app):
            for method in METHODS:
                for query, body, headers in looks if method in ("GET", "HEAD") else calls:
                    answer = await client.request(method, address + query, content=body, headers=headers)
                    if said := wrong_with(answer):
                        wrong.add((method, address[:60] + query, body[:20], said))
    assert not wrong


async def test_every_member_of_every_call_may_be_anything(tmp_path: Path) -> None:
    wrong = set()
    async with app_of("open", tmp_path) as app, client_of(app) as client:
        assert {address for address in addresses(app) if address.startswith("/sandbox/")} < set(CALLS)
        for address, call in CALLS.items():
            assert (await client.post(address, json=call)).status_code == 200, address
            for place in paths(call):
                # What the sandbox makes of a request is tried at one of its addresses.
                if place[:1] == ("request",) and len(place) > 3 and address != "/sandbox/answer":
                    continue
                for junk in JUNK:
                    answer = await client.post(address, json=spoiled(call, place, junk))
                    if said := wrong_with(answer):
                        wrong.add((address, place, type(at(call, place)).__name__, repr(junk), said))
    assert not wrong


@pytest.mark.parametrize(
    ("address", "sent", "status"),
    [
        ("/sandbox/accept", {"request": order_sign(), "suggestion": {}, "hook": {}}, 400),
        ("/sandbox/accept", {"request": order_sign(), "suggestion": {}, "hook": "unknown"}, 400),
        ("/sandbox/field", {"request": order_sign(), "draft": {}, "field": "dose", "value": "1"}, 400),
        ("/sandbox/screen", {"request": []}, 400),
        ("/static/missing", {}, 405),
        ("/governance", {}, 405),
    ],
)
async def test_what_an_address_cannot_take_is_refused_by_an_outcome(
    address: str, sent: Json, status: int, tmp_path: Path
) -> None:
    async with app_of("open", tmp_path) as app, client_of(app) as client:
        answer = await client.post(address, json=sent)

    assert answer.status_code == status
    assert wrong_with(answer) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in NAMES["path"] if name not in ("app.css", "..")])
async def test_a_static_file_that_is_not_there_is_not_found(kind: str, name: str, tmp_path: Path) -> None:
    async with app_of(kind, tmp_path) as app, client_of(app) as client:
        answer = await client.get(f"/static/{name}")

    assert answer.status_code == 404
    assert wrong_with(answer) is None


# --- slashes ----------------------------------------------------------------------------------------------------------


def with_slashes(path: str) -> Iterator[str]:
    """The path with slashes that say nothing at its end, at its beginning, and in the place of each one."""
    yield f"{path}/"
    yield f"{path}//"
    yield f"/{path}"
    yield path.replace("/", "///") + "/"


@pytest.mark.parametrize("kind", KINDS)
async def test_slashes_that_say_nothing_change_no_answer(kind: str, tmp_path: Path) -> None:
    async with app_of(kind, tmp_path) as app, client_of(app) as client:
        compared = 0
        for plain in addresses(app):
            if plain in health.ADDRESSES or "." in plain or len(plain) > 100:
                continue
            for method in ("GET", "POST", "DELETE"):
                wanted = await client.request(method, plain, json=CALLS.get(plain))
                for path in with_slashes(plain):
                    # A whole address, or the client would take the first name of `//name` for a host.
                    answer = await client.request(method, f"http://b12.example.org{path}", json=CALLS.get(plain))
                    assert _told(answer) == _told(wanted), path
                    assert not answer.is_redirect or answer.headers["location"] == wanted.headers["location"]
                    compared += 1
    assert compared > 100


@pytest.mark.parametrize("path", [slashed for plain in sorted(health.ADDRESSES) for slashed in with_slashes(plain)])
async def test_what_a_proxy_closes_by_its_name_has_no_other_name(path: str, tmp_path: Path) -> None:
    async with app_of("open", tmp_path) as app, client_of(app) as client:
        answer = await client.get(f"http://b12.example.org{path}")

    assert answer.status_code == 404


def _told(answer: httpx.Response) -> Any:
    """An answer without what is new in each."""
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    told = None if is_page else _UUID.sub(b"", answer.content)
    return answer.status_code, answer.headers.get("allow"), told


_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
