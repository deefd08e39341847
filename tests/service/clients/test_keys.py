"""The keys of a client: pinned, or fetched from its own addresses, seldom, within bounds, and kept when those fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx
from jwt import PyJWK

from service.clients.client import Client
from service.clients.key_set import read_key_set
from service.clients.keys import Patience, PublishedKeys
from service.clients.tokens import NotTrusted
from service.clients.trust import Trust
from tests.ehr_identity import ISSUER, Signer

pytestmark = pytest.mark.anyio

JKU = "https://ehr.example.org/jwks"
OTHER = "https://ehr.example.org/old/jwks"
OLD, NEW = Signer(key_id="old"), Signer(key_id="new")
# A fetch may take a twentieth of a second; all other times are the clock's.
PATIENCE = Patience(fresh=3_600, stale=86_400, between=30, fetch=0.05, call=0.01)


class Seconds:
    """A clock that stands still until it is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Kit:
    """The keys of a process, its clock, and one client."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.clock = Seconds()
        self.keys = PublishedKeys(http, PATIENCE, self.clock)
        self.trust = Trust(Client("general", "uk", ZoneInfo("Europe/London")), ISSUER, jkus=(JKU,))

    async def key(self, key_id: str, jku: str | None = JKU, trust: Trust | None = None) -> PyJWK:
        return await self.keys.key(trust or self.trust, jku, key_id, "ES384")

    async def refused(self, key_id: str, jku: str | None = JKU, trust: Trust | None = None) -> str:
        with pytest.raises(NotTrusted) as why:
            await self.key(key_id, jku, trust)
        return why.value.category


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    async with httpx.AsyncClient() as http:
        kit = Kit(http)
        yield kit
        await kit.keys.close()


def jwks(*signers: Signer) -> httpx.Response:
    return httpx.Response(200, json={"keys": [each.jwk() for each in signers]})


@respx.mock
async def test_fetched_keys_serve_for_an_hour(kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))

    assert (await kit.key("old")).key_id == "old"
    kit.clock.now += 3_599
    await kit.key("old")
    assert route.call_count == 1

    kit.clock.now += 1
    await kit.key("old")
    assert route.call_count == 2


@respx.mock
async def test_many_calls_at_once_wait_for_one_fetch(kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))

    found = await asyncio.gather(*(kit.key("old") for _ in range(50)))

    assert {each.key_id for each in found} == {"old"}
    assert route.call_count == 1


@respx.mock
async def test_an_address_that_is_not_the_clients_own_is_never_asked(kit: Kit) -> None:
    everything = respx.route().mock(return_value=jwks(OLD))

    for address in ("https://attacker.example/jwks", f"{JKU}/", f"{JKU}?x", "http://169.254.169.254/", "file:///etc/x"):
        assert await kit.refused("old", address) == "unlisted-jku"
    assert not everything.called


@respx.mock
async def test_a_token_without_an_address_is_checked_with_the_keys_exchanged_beforehand(kit: Kit) -> None:
    everything = respx.route().mock(return_value=jwks(NEW))
    pinned = Trust(kit.trust.client, ISSUER, pinned=read_key_set(OLD.jwks()))

    assert (await kit.key("old", None, pinned)).key_id == "old"
    # Where all keys are pinned, nobody looks at the address that the token names.
    assert (await kit.key("old", "https://sandbox.example/jwks", pinned)).key_id == "old"
    assert await kit.refused("new", JKU, pinned) == "unknown-key"
    assert not everything.called


@respx.mock
async def test_an_address_of_the_client_serves_for_tokens_that_name_none(kit: Kit) -> None:
    respx.get(JKU).mock(return_value=jwks(OLD))

    assert (await kit.key("old", None)).key_id == "old"


@respx.mock
async def test_pinned_keys_do_not_open_the_list_of_addresses(kit: Kit) -> None:
    both = Trust(kit.trust.client, ISSUER, jkus=(JKU,), pinned=read_key_set(OLD.jwks()))

    assert await kit.refused("old", "https://attacker.example/jwks", both) == "unlisted-jku"


@respx.mock
async def test_a_token_is_checked_with_the_keys_of_the_address_that_it_names(kit: Kit) -> None:
    respx.get(JKU).mock(return_value=jwks(NEW))
    respx.get(OTHER).mock(return_value=jwks(OLD))
    two = Trust(kit.trust.client, ISSUER, jkus=(JKU, OTHER))

    assert await kit.refused("old", JKU, two) == "unknown-key"
    assert (await kit.key("old", OTHER, two)).key_id == "old"
    assert (await kit.key("old", None, two)).key_id == "old"


@respx.mock
async def test_a_new_key_is_found_at_once_after_a_rotation(kit: Kit) -> None:
    route = respx.get(JKU).mock(side_effect=[jwks(OLD), jwks(NEW)])
    await kit.key("old")
    kit.clock.now += 30

    assert (await kit.key("new")).key_id == "new"
    assert await kit.refused("old") == "unknown-key"
    assert route.call_count == 2


@respx.mock
async def test_unknown_keys_cannot_make_the_service_ask_again_and_again(kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))
    await kit.key("old")

    for number in range(20):
        assert await kit.refused(f"invented-{number}") == "unknown-key"
    assert route.call_count == 1

    kit.clock.now += 30
    for number in range(20):
        assert await kit.refused(f"invented-{number}") == "unknown-key"
    assert route.call_count == 2


async def never(_: httpx.Request) -> httpx.Response:
    """An address that takes the call and does not answer."""
    await asyncio.Event().wait()
    raise AssertionError


def poisoned() -> dict[str, Any]:
    private = OLD.jwk(d="AAAA")
    return {
        "keys": [
            "text",
            None,
            {"kty": "oct", "kid": "old", "k": "c2VjcmV0"},
            private,
            OLD.jwk(kid=...),
            OLD.jwk(kid=7),
            OLD.jwk(use="enc"),
            OLD.jwk(key_ops=["encrypt"]),
            OLD.jwk(x="AAAA"),
            OLD.jwk(crv="P-256"),
            {"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"},
        ]
    }


FAILURES: dict[str, Any] = {
    "down": httpx.ConnectError("refused"),
    "slow": never,
    "404": httpx.Response(404, json={}),
    "500": httpx.Response(500),
    "401": httpx.Response(401),
    "redirect": httpx.Response(302, headers={"location": "https://attacker.example/jwks"}),
    "html": httpx.Response(200, html="<html>Sign in</html>"),
    "empty": httpx.Response(200),
    "no keys": httpx.Response(200, json={"keys": []}),
    "not keys": httpx.Response(200, json={"keys": {"a": 1}}),
    "a list": httpx.Response(200, json=[]),
    "poisoned": httpx.Response(200, json=poisoned()),
    "endless": httpx.Response(200, content=b" " * 300_000),
    "bottomless": httpx.Response(200, content=b"[" * 200_000),
    "half": httpx.RemoteProtocolError("peer closed connection"),
}


def fails(route: respx.Route, failure: str) -> respx.Route:
    """The route, which fails from now on."""
    answer = FAILURES[failure]
    return route.mock(**{"return_value" if isinstance(answer, httpx.Response) else "side_effect": answer})


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_any_key_nobody_is_trusted_and_the_address_is_not_pressed(
    failure: str, kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    async with respx.mock(assert_all_called=False) as network:
        elsewhere = network.get("https://attacker.example/jwks").mock(return_value=jwks(OLD))
        fails(network.get(JKU), failure)

        assert await kit.refused("old") == "keys-unavailable"
        assert await kit.refused("old") == "keys-unavailable"

    # One fetch, one line.
    assert len([line for line in caplog.messages if line.startswith("no keys from")]) == 1
    assert not elsewhere.called


@pytest.mark.parametrize("failure", FAILURES)
@respx.mock
async def test_keys_that_were_good_serve_on_for_a_day_while_their_address_fails(failure: str, kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))
    await kit.key("old")
    fails(route, failure)

    kit.clock.now += 3_600
    assert (await kit.key("old")).key_id == "old"
    kit.clock.now += 86_400 - 3_600 - 1
    assert (await kit.key("old")).key_id == "old"
    kit.clock.now += 1
    assert await kit.refused("old") == "keys-unavailable"


@respx.mock
async def test_a_slow_address_delays_a_call_only_a_little_when_there_are_keys(kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))
    await kit.key("old")
    answering = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        await answering.wait()
        return jwks(OLD, NEW)

    route.mock(side_effect=slow)
    kit.clock.now += 3_600

    # The call is answered although the address has not answered, which would never happen if it waited.
    assert (await kit.key("old")).key_id == "old"
    answering.set()
    assert (await kit.key("new")).key_id == "new"
    assert route.call_count == 2


@respx.mock
async def test_keys_are_fetched_before_the_first_call(kit: Kit) -> None:
    route = respx.get(JKU).mock(return_value=jwks(OLD))
    assert not kit.keys.usable(kit.trust)

    kit.keys.fetch_ahead([kit.trust, kit.trust])
    kit.keys.fetch_ahead([kit.trust])
    await kit.key("old")

    assert kit.keys.usable(kit.trust)
    assert route.call_count == 1


@respx.mock
async def test_a_failure_is_logged_with_its_address(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    respx.get(JKU).mock(return_value=httpx.Response(503))

    await kit.refused("old")

    assert [record.getMessage() for record in caplog.records if record.name == "service.clients.keys"] == [
        f"no keys from {JKU}: status 503"
    ]
