"""The token of a call: read once, then checked in the order of the standard's best practice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, cast

import orjson
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from service.cds_hooks.addresses import plain_path
from service.clients.trust import Trust

LEEWAY = timedelta(seconds=60)
# Larger ones are no tokens; reading them would be work that anyone could ask for.
_LONGEST_TOKEN_BYTES = 16_384
_LONGEST_ID = 256

Category = Literal[
    "no-token",
    "malformed-token",
    "unknown-issuer",
    "wrong-audience",
    "expired",
    "not-yet-valid",
    "lives-too-long",
    "wrong-tenant",
    "wrong-algorithm",
    "unlisted-jku",
    "unknown-key",
    "keys-unavailable",
    "wrong-signature",
    "replayed",
]


class NotTrusted(Exception):
    """A call whose caller is not known: of which kind, and what its token claims, which nobody has verified."""

    def __init__(self, category: Category, token: Token | None = None) -> None:
        super().__init__(category)
        self.category = category
        self.token = token


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says; nothing of it is true before its signature is verified. Times in seconds since 1970."""

    algorithm: str
    key_id: str
    jku: str | None
    issuer: str
    audience: Sequence[str]
    issued: float
    expires: float
    not_before: float
    id: str
    tenant: str | None
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that a registered client signed for this service, within its life."""

    trust: Trust
    token: Token

    @property
    def usable_until(self) -> datetime:
        """When the token can no longer be used."""
        return datetime.fromtimestamp(self.token.expires, UTC) + LEEWAY


class Keys(Protocol):
    """Whoever knows the public keys of clients; `service.clients.keys.PublishedKeys` does."""

    async def key(self, trust: Trust, jku: str | None, key_id: str, algorithm: str) -> PyJWK:
        """The key that a token names. Raises `NotTrusted`."""


_jws = PyJWS()


def read(text: bytes) -> Token:
    """The token in `text`. Raises `NotTrusted` for anything that the standard does not call one."""
    if len(text) > _LONGEST_TOKEN_BYTES:
        raise NotTrusted("malformed-token")
    try:
        # Decoding is the larger part of the cost of a token, so it is done once, before anything is verified.
        parts = _jws.decode_complete(text, options={"verify_signature": False})
        claims = orjson.loads(parts["payload"])
    except (PyJWTError, orjson.JSONDecodeError):
        raise NotTrusted("malformed-token") from None
    header: dict[str, Any] = parts["header"]
    if header.get("typ") != "JWT" or "b64" in header or not isinstance(claims, dict):
        raise NotTrusted("malformed-token")
    audience = claims.get("aud")
    issued = _seconds(claims.get("iat"))
    return Token(
        algorithm=_text(header.get("alg")),
        key_id=_text(header.get("kid")),
        jku=_optional_text(header.get("jku")),
        issuer=_text(claims.get("iss")),
        audience=[_text(each) for each in audience] if isinstance(audience, list) else [_text(audience)],
        issued=issued,
        expires=_seconds(claims.get("exp")),
        not_before=_seconds(claims["nbf"]) if claims.get("nbf") is not None else issued,
        id=_id(claims.get("jti")),
        tenant=_optional_text(claims.get("tenant")),
        signed=text.rpartition(b".")[0],
        signature=cast("bytes", parts["signature"]),
    )


async def verify(
    token: Token, trusts: Mapping[str, Sequence[Trust]], addresses: Collection[str], now: datetime, keys: Keys
) -> Verified:
    """Who signed the token.

    `trusts`: the registered clients by issuer; `addresses`: those of which the token must be for one.
    Checks issuer, audience, time, tenant, signature, in this order. Raises `NotTrusted`, naming the first that fails.
    """
    candidates = trusts.get(token.issuer)
    if not candidates:
        raise NotTrusted("unknown-issuer", token)
    candidates = [each for each in candidates if _is_for(token, addresses, each)]
    if not candidates:
        raise NotTrusted("wrong-audience", token)
    _check_time(token, now.timestamp())
    trust = next((each for each in candidates if not each.tenants or token.tenant in each.tenants), None)
    if trust is None:
        raise NotTrusted("wrong-tenant", token)
    if token.expires - token.issued > trust.max_token_life.total_seconds():
        raise NotTrusted("lives-too-long", token)
    if token.algorithm not in trust.algorithms:
        raise NotTrusted("wrong-algorithm", token)
    try:
        key = await keys.key(trust, token.jku, token.key_id, token.algorithm)
    except NotTrusted as not_trusted:
        raise NotTrusted(not_trusted.category, token) from None
    # The key is bound to its algorithm: a token that names another one has found no key.
    if not key.Algorithm.verify(token.signed, key.key, token.signature):
        raise NotTrusted("wrong-signature", token)
    return Verified(trust, token)


def _is_for(token: Token, addresses: Collection[str], trust: Trust) -> bool:
    return any(each in addresses or each in trust.audiences or _plain(each) in addresses for each in token.audience)


def _plain(address: str) -> str:
    """The address as it is answered: without slashes that say nothing."""
    scheme, mark, rest = address.partition("://")
    return scheme + mark + plain_path(rest)


def _check_time(token: Token, now: float) -> None:
    leeway = LEEWAY.total_seconds()
    if token.expires <= now - leeway:
        raise NotTrusted("expired", token)
    if max(token.issued, token.not_before) > now + leeway:
        raise NotTrusted("not-yet-valid", token)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise NotTrusted("malformed-token")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _id(value: object) -> str:
    text = _text(value)
    if len(text) > _LONGEST_ID:
        raise NotTrusted("malformed-token")
    return text


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotTrusted("malformed-token")
    return float(value)
