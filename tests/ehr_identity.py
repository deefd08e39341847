"""An EHR that signs its calls: its keys, its tokens, and the service on a given second for the clients of a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cards.library import load
from service.app import create_app
from service.clients.file import read_clients
from service.clients.replay import ReplayGuard
from service.settings import Settings
from tests.serving import client_of

PUBLIC_URL = "https://b12.hospital.example"
ISSUER = "https://ehr.example.org/oauth2"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LIFE_SECONDS = 300
Json = dict[str, Any]


@cache
def _rsa_key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


@cache
def _ec_key(_name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@dataclass(frozen=True)
class Signer:
    """Who signs: an issuer with one key, by the key's id and algorithm."""

    issuer: str = ISSUER
    algorithm: str = "ES384"
    key_id: str = "key-1"
    header: Mapping[str, Any] = field(default_factory=dict)

    @property
    def private_key(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
        """The key that signs, made once in each test process."""
        return _ec_key(self.key_id) if self.algorithm.startswith("ES") else _rsa_key(self.key_id)

    def jwk(self, **changes: Any) -> Json:
        """The public key; members given as `...` are left out."""
        private = self.private_key
        if isinstance(private, rsa.RSAPrivateKey):
            public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        else:
            public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        return _without({**public, "kid": self.key_id, "alg": self.algorithm, "use": "sig", **changes})

    def jwks(self) -> Json:
        """The public key as a JSON Web Key Set."""
        return {"keys": [self.jwk()]}

    def token(self, path: str = "/cds-services/b12-order-sign", at: datetime = NOW, **claims: Any) -> str:
        """A token for one call; claims given as `...` are left out, in `header` likewise."""
        issued = int(at.timestamp())
        said: Json = {
            "iss": self.issuer,
            "aud": PUBLIC_URL + path,
            "iat": issued,
            "exp": issued + LIFE_SECONDS,
            "jti": str(uuid4()),
            **claims,
        }
        header = {"typ": "JWT", "alg": self.algorithm, "kid": self.key_id, **self.header}
        return signed(_without(header), json.dumps(_without(said)).encode(), self.private_key, self.algorithm)

    def headers(self, path: str = "/cds-services/b12-order-sign", at: datetime = NOW, **claims: Any) -> dict[str, str]:
        """The header that carries a token."""
        return {"authorization": f"Bearer {self.token(path, at, **claims)}"}


def signed(header: Json, payload: bytes, key: Any, algorithm: str) -> str:
    """A token with exactly this header, whatever it says; signed with the algorithm given, not the one it names."""
    start = f"{_base64(json.dumps(header).encode())}.{_base64(payload)}"
    made = jwt.get_algorithm_by_name(algorithm)
    return f"{start}.{_base64(made.sign(start.encode(), made.prepare_key(key)))}"


def _base64(content: bytes) -> str:
    return jwt.utils.base64url_encode(content).decode()


def _without(members: Json) -> Json:
    return {name: value for name, value in members.items() if value is not ...}


def client_toml(signer: Signer, name: str = "general", **fields: str) -> str:
    """An entry of clients.toml with the signer's key pinned; `fields` are TOML, later tables under `tables`."""
    tables = fields.pop("tables", "")
    members = {"issuer": json.dumps(signer.issuer), **fields}
    if not {"jku", "key_file", "jwks"} & set(members):
        inner = ", ".join(f"{member} = {json.dumps(value)}" for member, value in signer.jwk().items())
        members["jwks"] = f"{{ keys = [ {{ {inner} }} ] }}"
    return "\n".join([f"[clients.{name}]", *(f"{each} = {value}" for each, value in members.items()), tables, ""])


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


@asynccontextmanager
async def service_for(
    folder: Path,
    *entries: str,
    clock: Clock | None = None,
    replay: ReplayGuard | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A connection to the service for the clients of these entries, at the time of the clock."""
    file = folder / "clients.toml"
    file.write_text("\n".join(entries), encoding="utf-8")
    settings = settings or Settings(public_url=PUBLIC_URL)
    read = partial(read_clients, file, settings, load())
    async with client_of(create_app(settings, clients=read, replay=replay, now=clock or Clock())) as client:
        yield client
