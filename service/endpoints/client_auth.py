"""Who calls: the Authorization header becomes a client, or the call is refused without a word about why."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Protocol

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from service.cds_hooks.outcome import IssueCode
from service.clientele import Caller, Clientele
from service.clients import tokens
from service.clients.replay import Replays, StoreUnavailable
from service.clients.tokens import Category, Keys, NotTrusted, Token, Verified
from service.clients.trust import Trust
from service.endpoints.answers import Header, Refused

_log = logging.getLogger(__name__)
_SCHEME = b"bearer "
_CHALLENGE: Header = (b"www-authenticate", b"Bearer")
# Of what an unverified token claims, only what has the shape of an address or of an opaque id is logged.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._:/-]{1,200}")
_OPAQUE = re.compile(r"[A-Za-z0-9._-]{1,80}")
_SECONDS_UNTIL_THE_STORE_IS_BACK = 2


class Door(Protocol):
    """Whoever lets callers in."""

    clientele: Clientele

    async def enter(self, headers: Iterable[Header], paths: Sequence[str]) -> Caller:
        """Who calls one of `paths`, which are several names of one address.

        Raises `Refused` for a caller who is not known (401), calls too often (429), or cannot be checked now (503).
        """


class OpenDoor:
    """Lets everyone in as the one client there is; a token that is sent is not looked at."""

    def __init__(self, clientele: Clientele) -> None:
        self.clientele = clientele
        [self._caller] = clientele.callers.values()

    async def enter(self, _headers: Iterable[Header], _paths: Sequence[str]) -> Caller:
        """The one client. Never raises."""
        return self._caller


class GuardedDoor:
    """Lets in who proves by a signed token to be a registered client, as often as the client may call.

    `clientele` may be replaced at any time. `public_url` is the address under which clients know the service;
    `refused` is called with the category of each refusal.
    """

    def __init__(
        self,
        clientele: Clientele,
        public_url: str,
        keys: Keys,
        replays: Replays,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        refused: Callable[[Category], None] = lambda _: None,
    ) -> None:
        self.clientele = clientele
        self._public_url = public_url
        self._keys = keys
        self._replays = replays
        self._now = now
        self._refused = refused
        self._rates = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def enter(self, headers: Iterable[Header], paths: Sequence[str]) -> Caller:
        """Who calls, by the token. Raises `Refused`."""
        clientele = self.clientele
        addresses = {self._public_url + path for path in paths}
        try:
            token = tokens.read(_bearer(headers))
            verified = await tokens.verify(token, clientele.trusts, addresses, self._now(), self._keys)
            await self._check_first_use(verified)
        except NotTrusted as not_trusted:
            self._refused(not_trusted.category)
            _log.warning("call refused: %s%s", not_trusted.category, _claims(not_trusted.token))
            raise Refused(401, "login", "The caller is not known.", headers=(_CHALLENGE,)) from None
        self._check_rate(verified.trust)
        return clientele.callers[verified.trust.client.name]

    async def _check_first_use(self, verified: Verified) -> None:
        trust, token = verified.trust, verified.token
        try:
            first = await self._replays.first_use(trust.replay, token.issuer, token.id, verified.usable_until)
        except StoreUnavailable:
            _log.warning("call of %s not served: whether its token was used before cannot be told", trust.client.name)
            raise _later(503, "transient", "Try again.", _SECONDS_UNTIL_THE_STORE_IS_BACK) from None
        if not first:
            raise NotTrusted("replayed", token)

    def _check_rate(self, trust: Trust) -> None:
        if trust.rate is None or self._rates.hit(trust.rate, trust.client.name):
            return
        again = self._rates.get_window_stats(trust.rate, trust.client.name).reset_time
        _log.warning("call of %s refused: more than %s", trust.client.name, trust.rate)
        raise _later(429, "throttled", "Too many calls.", max(1, ceil(again - time.time())))


def _bearer(headers: Iterable[Header]) -> bytes:
    """The token of the request. Raises `NotTrusted` unless there is exactly one."""
    sent = [value for name, value in headers if name == b"authorization"]
    if not sent:
        raise NotTrusted("no-token")
    if len(sent) > 1 or sent[0][: len(_SCHEME)].lower() != _SCHEME:
        raise NotTrusted("malformed-token")
    return sent[0][len(_SCHEME) :].strip()


def _later(status: int, code: IssueCode, text: str, seconds: int) -> Refused:
    return Refused(status, code, text, headers=((b"retry-after", str(seconds).encode()),))


def _claims(token: Token | None) -> str:
    """What helps to find the call in the EHR's own log; nothing that could be more than an address or an id."""
    if token is None:
        return ""
    issuer = token.issuer if _ADDRESS.fullmatch(token.issuer) else "not an address"
    said = f", issuer {issuer}, jti {_opaque(token.id)}"
    return said if token.tenant is None else f"{said}, tenant {_opaque(token.tenant)}"


def _opaque(text: str) -> str:
    return text if _OPAQUE.fullmatch(text) else "not an opaque id"
