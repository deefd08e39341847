"""The traffic of the official CDS Hooks Sandbox, byte for byte: preflights, discovery, hooks, feedback, tokens.

It signs with a key that anyone can read, so an open service takes no notice of its tokens.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key

from service.app import create_app
from service.settings import Settings
from service.store.configured import opened
from tests.serving import client_of

pytestmark = pytest.mark.anyio

ORIGIN = "http://127.0.0.1:9003"
HOST = "http://127.0.0.1:8000"
DISCOVERY = f"{HOST}/cds-services"
NOW = datetime(2026, 11, 22, 7, 36, tzinfo=UTC)
RECORDED = Path(__file__).parents[1] / "real_requests"
EXAMPLE: dict[str, Any] = json.loads((RECORDED / "example-order-sign.json").read_text(encoding="utf-8"))
KEY = generate_private_key(SECP384R1())
HOOKS = ("b12-patient-view", "b12-order-select", "b12-order-sign")


def token(url: str) -> str:
    """What it sends with every call."""
    header = {
        "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
        "jku": "https://sandbox.cds-hooks.org/.well-known/jwks.json",
    }
    claims = {
        "iss": "https://sandbox.cds-hooks.org",
        "aud": url,
        "exp": NOW + timedelta(minutes=5),
        "iat": NOW,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, KEY, "ES384", header)


def headers(url: str, *, body: bool) -> dict[str, str]:
    recorded = json.loads((RECORDED / "sandbox-patient-view.json").read_text(encoding="utf-8"))["headers"]
    recorded |= {"authorization": f"Bearer {token(url)}"}
    return recorded if body else {name: value for name, value in recorded.items() if name != "content-type"}


def as_sent(document: Any) -> bytes:
    """The bytes that JavaScript makes of a document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class OfficialSandbox:
    """Calls in the order and the manner of the browser that runs it."""

    def __init__(self, browser: httpx.AsyncClient) -> None:
        self._browser = browser

    async def preflight(self, url: str, method: str) -> httpx.Response:
        asked = "authorization,content-type" if method == "POST" else "authorization"
        return await self._browser.options(
            url,
            headers={
                "origin": ORIGIN,
                "access-control-request-method": method,
                "access-control-request-headers": asked,
                "sec-fetch-mode": "cors",
            },
        )

    async def get(self, url: str) -> httpx.Response:
        await self._allowed(url, "GET")
        return self._readable(await self._browser.get(url, headers=headers(url, body=False)))

    async def post(self, url: str, document: Any) -> httpx.Response:
        await self._allowed(url, "POST")
        return self._readable(await self._browser.post(url, content=as_sent(document), headers=headers(url, body=True)))

    async def _allowed(self, url: str, method: str) -> None:
        """A browser sends nothing to another origin before the preflight allows it."""
        answer = await self.preflight(url, method)
        assert answer.is_success
        assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
        assert method in answer.headers["access-control-allow-methods"]
        allowed = {each.strip() for each in answer.headers["access-control-allow-headers"].split(",")}
        assert {"authorization"} | ({"content-type"} if method == "POST" else set()) <= allowed

    @staticmethod
    def _readable(answer: httpx.Response) -> httpx.Response:
        """A browser hides an answer without this header, and it shows nothing of an answer without a body."""
        assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
        assert answer.content
        return answer


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[OfficialSandbox]:
    """The sandbox, connected to an open service with a store, as `make serve` runs it."""
    settings = Settings(open=True, data_dir=folder)
    store = opened(settings)
    app = create_app(settings, today=lambda: date(2026, 11, 22), now=lambda: NOW, ledger=store)
    async with store.running(), client_of(app) as browser:
        yield OfficialSandbox(browser)


def recorded(name: str, *, prefetch: bool = True) -> dict[str, Any]:
    body = json.loads((RECORDED / f"sandbox-{name}.json").read_text(encoding="utf-8"))["body"]
    return {**body, "prefetch": EXAMPLE["prefetch"]} if prefetch else body


async def test_discovery_with_and_without_a_trailing_slash_lists_services_that_it_can_store(tmp_path: Path) -> None:
    async with connected(tmp_path) as sandbox:
        for url in (DISCOVERY, f"{DISCOVERY}/"):
            answer = await sandbox.get(url)
            assert answer.status_code == httpx.codes.OK
            # It keeps services by address and id: two of one id would be one.
            assert sorted(each["id"] for each in answer.json()["services"]) == sorted(HOOKS)


@pytest.mark.parametrize("service", HOOKS)
async def test_preflights_of_hooks_and_feedback_pass_without_a_token(tmp_path: Path, service: str) -> None:
    async with connected(tmp_path) as sandbox:
        for url in (f"{DISCOVERY}/{service}", f"{DISCOVERY}/{service}/feedback"):
            assert (await sandbox.preflight(url, "POST")).is_success


async def test_the_order_screen_opens_without_a_card_and_without_data(tmp_path: Path) -> None:
    async with connected(tmp_path) as sandbox:
        answer = await sandbox.post(f"{DISCOVERY}/b12-order-select", recorded("order-select-opening", prefetch=False))

    assert (answer.status_code, answer.json()) == (200, {"cards": []})


async def test_the_chart_opens_with_the_card_that_its_data_demand(tmp_path: Path) -> None:
    async with connected(tmp_path) as sandbox:
        answer = await sandbox.post(f"{DISCOVERY}/b12-patient-view", recorded("patient-view"))

    assert [card["source"]["topic"]["code"] for card in answer.json()["cards"]] == ["untreated-deficiency"]


async def test_without_prefetch_the_refusal_can_be_read_by_the_browser(tmp_path: Path) -> None:
    async with connected(tmp_path) as sandbox:
        answer = await sandbox.post(f"{DISCOVERY}/b12-patient-view", recorded("patient-view", prefetch=False))

    assert answer.status_code == httpx.codes.PRECONDITION_FAILED


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
async def test_folic_acid_gets_a_card_whose_suggestions_it_can_apply_and_report(tmp_path: Path, hook: str) -> None:
    url = f"{DISCOVERY}/b12-{hook}"
    async with connected(tmp_path) as sandbox:
        answer = await sandbox.post(url, recorded(f"{hook}-folic-acid"))
        [card] = answer.json()["cards"]
        accepted = {
            "card": card["uuid"],
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}],
            "outcomeTimestamp": "2026-11-22T07:36:06.571Z",
        }
        reason = card["overrideReasons"][0]
        overridden = {
            "card": card["uuid"],
            "outcome": "overridden",
            "overrideReason": {"reason": {"code": reason["code"], "system": reason["system"]}},
            "outcomeTimestamp": "2026-11-22T07:36:09.002Z",
        }
        told = [await sandbox.post(f"{url}/feedback", {"feedback": [each]}) for each in (accepted, overridden)]

    # It replaces the medicine by the first resource that has a text and a code.
    drug = card["suggestions"][0]["actions"][0]["resource"]["medicationCodeableConcept"]
    assert drug["text"] == "Hydroxocobalamin"
    assert drug["coding"][0]["code"]
    assert [(each.status_code, each.json()) for each in told] == [(200, {}), (200, {})]


async def test_a_dismissed_card_is_taken_note_of(tmp_path: Path) -> None:
    dismissed = json.loads((RECORDED / "feedback-dismissed.json").read_text(encoding="utf-8"))
    async with connected(tmp_path) as sandbox:
        answer = await sandbox.post(f"{DISCOVERY}/b12-patient-view/feedback", dismissed)

    assert (answer.status_code, answer.json()) == (200, {})
