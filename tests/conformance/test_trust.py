"""Trusting clients, requirement by requirement; tests/service/clients/ has each fault of a token and of its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from tests.ehr_identity import NOW, PUBLIC_URL, Signer, client_toml, service_for
from tests.service.calls import SIGN, VIEW, order_sign

pytestmark = pytest.mark.anyio

JKU = "https://ehr.example.org/jwks"
EHR = Signer()
PAGE = "https://ehr.example.org"


async def status(folder: Path, headers: dict[str, str], signer: Signer = EHR, path: str = SIGN, **fields: str) -> int:
    """The status that a call with these headers gets, where the signer is a client with these fields."""
    async with service_for(folder, client_toml(signer, **fields)) as ehr:
        return (await ehr.post(path, json=order_sign(), headers=headers)).status_code


@pytest.mark.req(177, 178)
async def test_every_call_that_could_expose_data_is_authenticated(tmp_path: Path) -> None:
    """The token stands in the Authorization header of every call, as a bearer token; without it there is no answer."""
    assert await status(tmp_path, {}) == 401
    assert await status(tmp_path, EHR.headers()) == 200
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        elsewhere = await ehr.post(f"{SIGN}?access_token={EHR.token()}", json=order_sign())
    assert elsewhere.status_code == 401


@pytest.mark.req(181, 182, 183)
async def test_the_header_says_algorithm_key_and_type(tmp_path: Path) -> None:
    """`alg`, `kid` and `typ` are required; `typ` is JWT."""
    for header in ({"alg": ...}, {"kid": ...}, {"typ": ...}, {"typ": "at+jwt"}):
        assert await status(tmp_path, Signer(header=header).headers()) == 401


@pytest.mark.req(184, 185, 186, 199)
async def test_without_an_address_of_keys_they_were_exchanged_beforehand(tmp_path: Path) -> None:
    """`jku` is optional; the key of a token without it is one that the client handed over."""
    assert await status(tmp_path, EHR.headers()) == 200


@pytest.mark.req(187, 188, 190, 191, 192)
@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "jti"])
async def test_the_payload_says_who_for_whom_until_when_since_when_and_which(claim: str, tmp_path: Path) -> None:
    """`iss`, `aud`, `exp`, `iat` and `jti` are required."""
    without: dict[str, Any] = {claim: ...}
    assert await status(tmp_path, EHR.headers(**without)) == 401


@pytest.mark.req(189, 196)
async def test_the_audience_is_the_address_that_is_called(tmp_path: Path) -> None:
    """`aud` is, or holds, the address of the service as its operator configured it, whatever the Host header says."""
    address = f"{PUBLIC_URL}{SIGN}"
    assert await status(tmp_path, EHR.headers(aud=address)) == 200
    assert await status(tmp_path, EHR.headers(aud=["https://other.example", address])) == 200
    assert await status(tmp_path, EHR.headers(aud=f"http://b12.example.org{SIGN}")) == 401
    assert await status(tmp_path, EHR.headers(VIEW)) == 401
    assert await status(tmp_path, {"host": "evil.example", **EHR.headers(aud=f"https://evil.example{SIGN}")}) == 401


@pytest.mark.req(190, 191)
async def test_a_token_has_a_life(tmp_path: Path) -> None:
    """`exp` and `iat` are seconds since 1970; a token serves between them, with a minute for clocks that differ."""
    now = int(NOW.timestamp())
    assert await status(tmp_path, EHR.headers(iat=now - 300, exp=now - 61)) == 401
    assert await status(tmp_path, EHR.headers(iat=now - 300, exp=now - 30)) == 200
    assert await status(tmp_path, EHR.headers(iat=now + 90, exp=now + 300)) == 401


@pytest.mark.req(192)
async def test_a_token_is_not_used_twice(tmp_path: Path) -> None:
    """`jti` guards against replay: the second call with a token is refused."""
    headers = EHR.headers()
    async with service_for(tmp_path, client_toml(EHR)) as ehr:
        statuses = [(await ehr.post(SIGN, json=order_sign(), headers=headers)).status_code for _ in range(2)]
    assert statuses == [200, 401]


@pytest.mark.req(193, 194)
async def test_a_tenant_is_optional_and_an_agreed_one_is_required(tmp_path: Path) -> None:
    """`tenant` may tell apart the sites of one EHR, with values agreed beforehand."""
    assert await status(tmp_path, EHR.headers()) == 200
    assert await status(tmp_path, EHR.headers(tenant="north")) == 200
    assert await status(tmp_path, EHR.headers(tenant="north"), tenants='["north"]') == 200
    assert await status(tmp_path, EHR.headers(tenant="south"), tenants='["north"]') == 401


@pytest.mark.req(195)
async def test_issuers_and_addresses_of_keys_are_on_a_list(tmp_path: Path) -> None:
    """Only registered issuers are trusted, and only their own addresses are asked for keys: no other request leaves."""
    stranger = Signer(issuer="https://stranger.example", header={"jku": "https://stranger.example/jwks"})
    lured = Signer(header={"jku": "https://stranger.example/jwks"})
    with respx.mock(assert_all_called=False) as network:
        anything = network.route().mock(return_value=httpx.Response(200, json=EHR.jwks()))
        assert await status(tmp_path, stranger.headers(), jku=f'["{JKU}"]') == 401
        assert await status(tmp_path, lured.headers(), jku=f'["{JKU}"]') == 401
    assert not anything.called


@pytest.mark.req(184, 185, 186)
async def test_keys_are_fetched_from_the_address_of_the_client(tmp_path: Path) -> None:
    """`jku` is where the client publishes its keys as a JSON Web Key Set."""
    with respx.mock() as network:
        fetched = network.get(JKU).mock(return_value=httpx.Response(200, content=json.dumps(EHR.jwks())))
        assert await status(tmp_path, Signer(header={"jku": JKU}).headers(), jku=f'["{JKU}"]') == 200
    assert fetched.call_count == 1


@pytest.mark.req(201, 202, 203)
async def test_neither_unsigned_tokens_nor_shared_secrets_are_accepted(tmp_path: Path) -> None:
    """The algorithms `none` and HMAC are never accepted; tests/service/clients/test_tokens.py forges such tokens."""
    for algorithm in ("none", "HS256", "HS384", "HS512"):
        assert await status(tmp_path, Signer(header={"alg": algorithm}).headers()) == 401


@pytest.mark.req(205)
@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
async def test_the_recommended_algorithms_are_accepted(algorithm: str, tmp_path: Path) -> None:
    """ES384 and RS384 are recommended, and accepted unless the client is allowed others."""
    signer = Signer(algorithm=algorithm)
    assert await status(tmp_path, signer.headers(), signer) == 200


@pytest.mark.req(208)
async def test_a_browser_may_ask_without_a_token_whether_it_may_call(tmp_path: Path) -> None:
    """CORS is supported for discovery, services and feedback; the preflight comes without the token."""
    asks = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    async with service_for(tmp_path, client_toml(EHR, cors_origins=f'["{PAGE}"]')) as ehr:
        for path in ("/cds-services", SIGN, f"{SIGN}/feedback"):
            answer = await ehr.options(path, headers=asks)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, PAGE)
