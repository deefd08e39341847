"""A token by itself: what is read of it, and the order in which it is checked."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK
from jwt.utils import base64url_decode, base64url_encode

from service.clients import tokens
from service.clients.client import Client
from service.clients.key_set import read_key_set
from service.clients.tokens import NotTrusted, Verified
from service.clients.trust import Trust
from tests.ehr_identity import NOW, PUBLIC_URL, Signer, signed

pytestmark = pytest.mark.anyio

ADDRESS = f"{PUBLIC_URL}/cds-services/b12-order-sign"
GOLDEN = Path(__file__).parents[2] / "real_requests" / "golden-jwt.json"
EHR = Signer()
STRANGER = Signer(key_id="stranger")


class Pinned:
    """The keys that a client gave beforehand."""

    async def key(self, trust: Trust, jku: str | None, key_id: str, algorithm: str) -> PyJWK:
        try:
            return trust.pinned[key_id, algorithm]
        except KeyError:
            raise NotTrusted("unknown-key") from None


def trust(signer: Signer = EHR, **changes: Any) -> Trust:
    client = Client("general", "uk", ZoneInfo("Europe/London"))
    return Trust(client, signer.issuer, **{"pinned": read_key_set(signer.jwks()), **changes})


async def verified(token: str, *trusts: Trust, at: datetime = NOW) -> Verified:
    by_issuer: dict[str, list[Trust]] = {}
    for each in trusts or (trust(),):
        by_issuer.setdefault(each.issuer, []).append(each)
    return await tokens.verify(tokens.read(token.encode()), by_issuer, {ADDRESS}, at, Pinned())


async def refused(token: str, *trusts: Trust, at: datetime = NOW) -> str:
    """The category of the refusal."""
    with pytest.raises(NotTrusted) as why:
        await verified(token, *trusts, at=at)
    return why.value.category


async def test_a_token_of_a_registered_client_names_it() -> None:
    found = await verified(EHR.token(jti="b3f1"))

    assert found.trust.client.name == "general"
    assert found.token.id == "b3f1"
    assert found.usable_until == NOW + timedelta(seconds=300 + 60)


async def test_the_published_example_verifies_within_its_own_life() -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    claims = golden["claims"]
    issued, expires = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    known = Trust(
        Client("example", "uk", ZoneInfo("Europe/London")),
        claims["iss"],
        pinned=read_key_set(golden["jwks"]),
        max_token_life=expires - issued,
    )
    token = tokens.read(golden["jwt"].encode())

    async def check(at: datetime, jwt: tokens.Token = token) -> Verified:
        return await tokens.verify(jwt, {claims["iss"]: [known]}, {claims["aud"]}, at, Pinned())

    assert (await check(issued)).trust is known
    assert (await check(expires - timedelta(seconds=1))).token.tenant == "2ddd6c3a-8e9a-44c6-a305-52111ad302a2"
    with pytest.raises(NotTrusted, match="expired"):
        await check(NOW)
    altered = golden["jwt"][:-1] + ("a" if golden["jwt"][-1] != "a" else "b")
    with pytest.raises(NotTrusted, match="wrong-signature"):
        await check(issued, tokens.read(altered.encode()))


# --- what is no token --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "jti"])
@pytest.mark.parametrize("value", [..., None, "", 7.5, True, [], {}, [""], [7]], ids=repr)
async def test_every_required_claim_must_be_there_and_of_its_kind(claim: str, value: object) -> None:
    fits = claim in ("exp", "iat") and value == 7.5 and value is not True
    if fits:
        value = "7.5"

    claims: dict[str, Any] = {claim: value}
    said = await refused(EHR.token(**claims))

    # An audience of nothing is one that is not ours.
    assert said == ("wrong-audience" if claim == "aud" and value == [] else "malformed-token")


@pytest.mark.parametrize(
    "header",
    [
        {"kid": ...},
        {"kid": ""},
        {"kid": 7},
        {"alg": ...},
        {"alg": None},
        {"typ": ...},
        {"typ": "JOSE"},
        {"typ": "at+jwt"},
        {"jku": 7},
        {"jku": ""},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": True},
    ],
    ids=str,
)
async def test_every_header_must_be_there_and_of_its_kind(header: dict[str, Any]) -> None:
    assert await refused(Signer(header=header).token()) == "malformed-token"


@pytest.mark.parametrize("claim", ["nbf", "tenant"])
async def test_an_optional_claim_must_be_of_its_kind_too(claim: str) -> None:
    claims: dict[str, Any] = {claim: ["x"]}
    assert await refused(EHR.token(**claims)) == "malformed-token"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.e30",
        "e30.e30",
        f"{EHR.token()}.extra",
        EHR.token().replace(".", "!", 1),
        "\u00e9" * 40,
        signed({"typ": "JWT", "alg": "ES384", "kid": "key-1"}, b"[]", EHR.private_key, "ES384"),
        signed({"typ": "JWT", "alg": "ES384", "kid": "key-1"}, b"\xff", EHR.private_key, "ES384"),
        signed({"typ": "JWT", "alg": "ES384", "kid": "key-1"}, b'{"iat": NaN}', EHR.private_key, "ES384"),
        signed({"typ": "JWT", "alg": "ES384", "kid": "key-1"}, b"[" * 9_000, EHR.private_key, "ES384"),
        EHR.token(extra="x" * 20_000),
        EHR.token(jti="x" * 300),
    ],
    ids=range(15),
)
async def test_what_is_no_token_is_refused(text: str) -> None:
    assert await refused(text) == "malformed-token"


# --- algorithms --------------------------------------------------------------------------------------------------


async def test_an_unsigned_token_is_refused() -> None:
    header, payload, _ = Signer(header={"alg": "none"}).token().split(".")

    assert await refused(f"{header}.{payload}.") == "wrong-algorithm"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_public_key_is_no_shared_secret(algorithm: str) -> None:
    signer = Signer(algorithm="RS384")
    secret = signer.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    start = Signer(algorithm="RS384", header={"alg": algorithm}).token().rpartition(".")[0]
    made = hmac.digest(secret, start.encode(), f"sha{algorithm[2:]}")

    assert await refused(f"{start}.{base64url_encode(made).decode()}", trust(signer)) == "wrong-algorithm"


async def test_an_algorithm_that_the_client_is_not_allowed_is_refused() -> None:
    signer = Signer(algorithm="RS256")

    assert await refused(signer.token(), trust(signer)) == "wrong-algorithm"
    assert await verified(signer.token(), trust(signer, algorithms=frozenset({"RS256"})))


async def test_a_key_serves_for_the_algorithm_that_it_names_alone() -> None:
    signer = Signer(algorithm="RS384")
    known = trust(signer, algorithms=frozenset({"RS384", "PS384"}))
    other = Signer(algorithm="PS384", key_id=signer.key_id)

    assert await refused(other.token(), known) == "unknown-key"


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS384", "ES384"])
async def test_every_allowed_algorithm_verifies(algorithm: str) -> None:
    signer = Signer(algorithm=algorithm)

    assert await verified(signer.token(), trust(signer, algorithms=frozenset({algorithm})))


# --- the order of the checks -------------------------------------------------------------------------------------

EARLIER = NOW - timedelta(days=1)
IN_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("unknown-issuer", {"iss": "https://stranger.example"}),
    ("wrong-audience", {"aud": "https://other.example/cds-services/b12-order-sign"}),
    ("expired", {"exp": int(EARLIER.timestamp()) + 300, "iat": int(EARLIER.timestamp())}),
    ("wrong-tenant", {"tenant": "another hospital"}),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
async def test_issuer_audience_time_tenant_and_signature_are_checked_in_this_order(first: int) -> None:
    known = trust(tenants=frozenset({"this hospital"}))
    faults: dict[str, Any] = {"tenant": "this hospital"}
    for _, claims in IN_ORDER[first:]:
        faults.update(claims)

    # Signed with a key that nobody knows: the signature is the last fault.
    assert await refused(STRANGER.token(**faults), known) == IN_ORDER[first][0]


async def test_after_everything_else_the_signature_decides() -> None:
    forged = Signer(key_id="stranger", header={"kid": EHR.key_id}).token()

    assert await refused(forged) == "wrong-signature"


async def test_a_token_altered_by_one_byte_is_refused() -> None:
    header, payload, signature = EHR.token(jti="1").split(".")
    claims = json.loads(base64url_decode(payload)) | {"jti": "2"}
    other = base64url_encode(json.dumps(claims).encode()).decode()

    assert await refused(f"{header}.{other}.{signature}") == "wrong-signature"
    assert await refused(f"{header}.{payload}.{signature[4:]}") == "wrong-signature"
    assert await refused(f"{header}.{payload}.") == "wrong-signature"


# --- audience, tenant, time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", [ADDRESS, [ADDRESS], ["https://other.example", ADDRESS]], ids=str)
async def test_the_audience_is_one_address_or_a_list(audience: object) -> None:
    assert await verified(EHR.token(aud=audience))


@pytest.mark.parametrize(
    "audience",
    [
        f"{ADDRESS}/",
        ADDRESS.replace("/cds-services/", "//cds-services//"),
        f"{PUBLIC_URL}/cds-services//b12-order-sign",
    ],
)
async def test_an_address_that_is_answered_without_its_slashes_is_one_that_a_token_may_be_for(audience: str) -> None:
    assert await verified(EHR.token(aud=audience))


@pytest.mark.parametrize(
    "audience",
    [
        PUBLIC_URL,
        f"{PUBLIC_URL}/cds-services",
        f"{PUBLIC_URL}/cds-services/b12-patient-view",
        f"{ADDRESS}/feedback",
        f"{PUBLIC_URL}/cds-services/b12-order-sign//feedback",
        ADDRESS.replace("https", "http"),
        ADDRESS.upper(),
        ["https://other.example"],
    ],
    ids=str,
)
async def test_a_token_for_another_address_is_refused(audience: object) -> None:
    assert await refused(EHR.token(aud=audience)) == "wrong-audience"


async def test_a_client_may_be_allowed_one_audience_for_all_its_calls() -> None:
    known = trust(audiences=frozenset({PUBLIC_URL}))

    assert await verified(EHR.token(aud=PUBLIC_URL), known)
    assert await refused(EHR.token(aud=f"{PUBLIC_URL}/cds-services"), known) == "wrong-audience"


async def test_clients_of_one_issuer_are_told_apart_by_their_tenants() -> None:
    north, south = (
        trust(tenants=frozenset({place}), max_token_life=timedelta(minutes=minutes))
        for place, minutes in (("north", 60), ("south", 1))
    )

    assert (await verified(EHR.token(tenant="north"), north, south)).trust is north
    assert await refused(EHR.token(tenant="south"), north, south) == "lives-too-long"
    assert await refused(EHR.token(tenant="west"), north, south) == "wrong-tenant"
    assert await refused(EHR.token(), north, south) == "wrong-tenant"


async def test_a_client_without_tenants_may_send_any() -> None:
    assert await verified(EHR.token(tenant="whoever"))


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iat": -300, "exp": 0}, None),
        ({"iat": -300, "exp": -59}, None),
        ({"iat": -300, "exp": -60}, "expired"),
        ({"iat": 60, "exp": 300}, None),
        ({"iat": 61, "exp": 300}, "not-yet-valid"),
        ({"nbf": 60}, None),
        ({"nbf": 61}, "not-yet-valid"),
        ({"nbf": -300}, None),
        ({"iat": 0, "exp": 3600}, None),
        ({"iat": 0, "exp": 3601}, "lives-too-long"),
        ({"iat": -3000, "exp": 601}, "lives-too-long"),
        ({"iat": 0, "exp": 10**18}, "lives-too-long"),
        ({"iat": -(10**300), "exp": 300}, "lives-too-long"),
        ({"iat": 0.25, "exp": 300.75}, None),
    ],
    ids=str,
)
async def test_clocks_may_differ_by_a_minute_and_a_life_has_a_limit(claims: dict[str, float], said: str | None) -> None:
    now = int(NOW.timestamp())
    at: dict[str, Any] = {name: now + seconds for name, seconds in claims.items()}
    token = EHR.token(**at)

    if said is None:
        assert await verified(token)
    else:
        assert await refused(token) == said


async def test_claims_that_are_not_ours_do_not_matter() -> None:
    assert await verified(EHR.token(sub="client-id", azp="x", roles=["a"], nested={"a": 1}))
