"""What operators ask: is it alive, is it ready, what has it counted; and who may ask."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.routing import Router

from service.app import create_app
from service.endpoints.health import Check, Health
from service.settings import Settings
from tests.service.calls import TODAY, issue
from tests.serving import client_of

pytestmark = pytest.mark.anyio

TOKEN = "an operator's token"  # noqa: S105 - an example
ELSEWHERE = ("203.0.113.9", 4711)


async def fine() -> None:
    return None


async def empty() -> str:
    return "no rules"


async def broken() -> str | None:
    raise ConnectionError("password of the database")


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


def health(needed: dict[str, Check], watched: dict[str, Check] | None = None) -> httpx.AsyncClient:
    return client_of(Router(Health(needed, watched or {}, seconds=0.01).routes))


def service(settings: Settings, caller: tuple[str, int] = ("127.0.0.1", 1)) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings, lambda: TODAY), client=caller)
    return httpx.AsyncClient(transport=transport, base_url="http://b12.example.org")


async def test_a_process_that_answers_is_alive_whatever_else_fails() -> None:
    async with health({"rules": broken}) as operator:
        answer = await operator.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_the_service_is_ready_when_its_rules_are_loaded() -> None:
    async with service(Settings()) as operator:
        answer = await operator.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": {"rules": "ready"}})


@pytest.mark.parametrize(("check", "why"), [(empty, "no rules"), (broken, "failed"), (hanging, "late")])
async def test_a_part_that_is_needed_and_not_there_makes_the_service_not_ready(
    check: Check, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with health({"rules": fine, "keys": check}) as operator:
        answer = await operator.get("/readyz")

    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.json() == {"status": "not ready", "checks": {"rules": "ready", "keys": why}}
    assert "password" not in caplog.text + answer.text


async def test_a_part_without_which_calls_are_answered_is_reported_and_no_more() -> None:
    async with health({"rules": fine}, {"store": broken}) as operator:
        answer = await operator.get("/readyz")

    assert answer.status_code == httpx.codes.OK
    assert answer.json() == {"status": "ready", "checks": {"store": "failed", "rules": "ready"}}


async def test_metrics_without_a_token_are_for_this_machine_only() -> None:
    async with service(Settings()) as here, service(Settings(), ELSEWHERE) as elsewhere:
        own, others = await here.get("/metrics"), await elsewhere.get("/metrics")

    assert own.headers["content-type"].startswith("text/plain; version=")
    assert "b12_cds_unrecognised_codes_total" in own.text
    assert (others.status_code, issue(others)["code"]) == (404, "not-found")


@pytest.mark.parametrize("sent", [None, "", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"])
async def test_with_an_operator_token_metrics_ask_everyone_for_it(sent: str | None) -> None:
    settings = Settings.model_validate({"operator_token": TOKEN})
    async with service(settings) as here, service(settings, ELSEWHERE) as elsewhere:
        refused = await here.get("/metrics", headers={} if sent is None else {"authorization": sent})
        answered = await elsewhere.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})

    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "b12_cds" not in refused.text
    assert answered.status_code == httpx.codes.OK


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
async def test_the_addresses_of_operators_are_only_looked_at(address: str) -> None:
    async with service(Settings()) as operator:
        posted = await operator.post(address)

    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
