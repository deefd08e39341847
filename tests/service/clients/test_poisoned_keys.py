"""A JWKS address that somebody has poisoned: no key in it forges a call, and the good ones beside it still serve."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from tests.ehr_identity import Signer, client_toml, service_for, signed
from tests.service.calls import SIGN, order_sign

pytestmark = pytest.mark.anyio

JKU = "https://ehr.example.org/jwks"
GOOD = Signer(key_id="good")
RS384 = Signer(key_id="rsa", algorithm="RS384")
EVIL = Signer(key_id="evil")
WEAK = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - that it is breakable is the point
SECRET = base64url_encode(b"a secret that stands on a public page").decode()
WEAK_JWK = {**RSAAlgorithm.to_jwk(WEAK.public_key(), as_dict=True), "kid": "weak", "alg": "RS384"}
Json = dict[str, Any]

POISON: dict[str, Any] = {
    "a shared secret": {"kty": "oct", "kid": "evil", "k": SECRET, "alg": "HS256"},
    "a shared secret that claims to be of a curve": {"kty": "oct", "kid": "evil", "k": SECRET, "alg": "ES384"},
    "a private key": EVIL.jwk(d="AAAA"),
    "no algorithm at all": EVIL.jwk(alg="none"),
    "an RSA key for HMAC": RS384.jwk(kid="evil", alg="HS256"),
    "an RSA key for a curve": RS384.jwk(kid="evil", alg="ES384"),
    "a curve's key for RSA": EVIL.jwk(alg="RS384"),
    "a point that is not on the curve": EVIL.jwk(x=EVIL.jwk()["y"]),
    "another curve": EVIL.jwk(crv="P-521"),
    "a short RSA key": WEAK_JWK,
    "a key for encryption": EVIL.jwk(use="enc"),
    "a key without an id": EVIL.jwk(kid=...),
    "an id that is no text": EVIL.jwk(kid=["evil"]),
    "a kind that is no text": EVIL.jwk(kty={"a": 1}),
    "members that are no text": EVIL.jwk(x=[], y={}, crv=7),
    "no key": None,
    "a number": 7,
}


async def statuses(folder: Path, keys: Any, *tokens: str) -> list[int]:
    """The status of a call with each token, where the client's address publishes these keys."""
    client = client_toml(GOOD, jku=json.dumps([JKU]), algorithms='["ES384", "RS384"]')
    with respx.mock(assert_all_called=False) as network:
        network.get(JKU).mock(return_value=httpx.Response(200, json={"keys": keys}))
        async with service_for(folder, client) as ehr:
            headers = [{"authorization": f"Bearer {token}"} for token in tokens]
            return [(await ehr.post(SIGN, json=order_sign(), headers=each)).status_code for each in headers]


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_a_good_key_serves_beside_a_poisoned_one_which_forges_nothing(poison: Any, tmp_path: Path) -> None:
    for keys in ([poison, GOOD.jwk()], [GOOD.jwk(), poison]):
        assert await statuses(tmp_path, keys, GOOD.token(), EVIL.token()) == [200, 401]


async def test_nobody_signs_with_a_shared_secret_that_is_published(tmp_path: Path) -> None:
    tokens = []
    for algorithm, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        start = Signer(key_id="evil", header={"alg": algorithm}).token().rpartition(".")[0]
        made = hmac.digest(base64url_decode(SECRET), start.encode(), digest)
        tokens.append(f"{start}.{base64url_encode(made).decode()}")

    assert await statuses(tmp_path, [POISON["a shared secret"], GOOD.jwk()], *tokens) == [401, 401, 401]


async def test_nobody_signs_with_nothing_though_a_key_says_that_none_is_its_algorithm(tmp_path: Path) -> None:
    header, payload, _ = Signer(key_id="evil", header={"alg": "none"}).token().split(".")

    assert await statuses(tmp_path, [EVIL.jwk(alg="none")], f"{header}.{payload}.") == [401]


async def test_a_short_rsa_key_signs_nothing(tmp_path: Path) -> None:
    payload = base64url_decode(GOOD.token().split(".")[1])
    token = signed({"typ": "JWT", "alg": "RS384", "kid": "weak"}, payload, WEAK, "RS384")

    assert await statuses(tmp_path, [WEAK_JWK, GOOD.jwk()], token) == [401]


async def test_of_several_keys_with_one_id_the_first_counts(tmp_path: Path) -> None:
    payload = base64url_decode(GOOD.token().split(".")[1])
    forged = signed({"typ": "JWT", "alg": "ES384", "kid": "good"}, payload, EVIL.private_key, "ES384")

    assert await statuses(tmp_path, [GOOD.jwk(), EVIL.jwk(kid="good")], forged, GOOD.token()) == [401, 200]


async def test_an_rsa_key_of_any_size_neither_fails_nor_verifies(tmp_path: Path) -> None:
    huge = base64url_encode(b"\xff" * 20_000).decode()
    keys = [{"kty": "RSA", "kid": "rsa", "alg": "RS384", "n": huge, "e": huge}, GOOD.jwk()]

    assert await statuses(tmp_path, keys, RS384.token(), GOOD.token()) == [401, 200]
