"""How one client proves who it is: its issuer, its keys, and the limits of what its tokens may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, get_args

from limits import RateLimitItem

from service.clients.client import Client
from service.clients.key_set import KeySet
from service.clients.replay import ReplayPolicy

# None with a shared secret: whoever can check such a token could also make one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
RECOMMENDED: tuple[Algorithm, ...] = ("RS384", "ES384")


@dataclass(frozen=True, slots=True)
class Trust:
    """One registered client.

    `jkus`: the addresses of its keys, the only ones that are ever fetched; `pinned`: keys given beforehand.
    `tenants`: the values of the claim `tenant` that are this client's (none: the claim is not looked at).
    `audiences`: accepted besides the address that is called. `rate`: calls in a time, in each process.
    `origins`: web pages that may call with this client's tokens.
    """

    client: Client
    issuer: str
    jkus: tuple[str, ...] = ()
    pinned: KeySet = field(default_factory=dict)
    algorithms: frozenset[str] = frozenset(RECOMMENDED)
    tenants: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    max_token_life: timedelta = timedelta(hours=1)
    replay: ReplayPolicy = "shared"
    rate: RateLimitItem | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clients:
    """Every registered client, in the order of the file."""

    trusts: tuple[Trust, ...]

    @property
    def by_issuer(self) -> Mapping[str, tuple[Trust, ...]]:
        """The clients of each issuer: several only where their tenants tell them apart."""
        issuers = dict.fromkeys(trust.issuer for trust in self.trusts)
        return {issuer: tuple(each for each in self.trusts if each.issuer == issuer) for issuer in issuers}

    @property
    def origins(self) -> frozenset[str]:
        """The web pages that may call."""
        return frozenset(origin for trust in self.trusts for origin in trust.origins)
