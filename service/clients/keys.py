"""The public keys of clients: pinned ones, and those that their JWKS addresses publish, fetched seldom and kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx
import orjson
from jwt import PyJWK

from service.clients.key_set import KeySet, NoUsableKey, read_key_set
from service.clients.tokens import NotTrusted
from service.clients.trust import Trust

_log = logging.getLogger(__name__)
_LARGEST_BYTES = 256 * 1024
# Compressed, a small answer could become a large one.
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long keys are kept and how long is waited for them, in seconds.

    `fresh`: how long fetched keys are used without a question. `stale`: how long after the fetch they still serve
    while their address does not answer. `between`: the least time from one fetch of an address to the next.
    `fetch`: the longest that a fetch may take. `call`: the longest that a call waits for fresh keys when stale ones
    would do.
    """

    fresh: float = 3_600.0
    stale: float = 86_400.0
    between: float = 30.0
    fetch: float = 3.0
    call: float = 0.1


class JwksUnavailable(Exception):
    """An address did not give keys; the message says what it did instead."""


@dataclass(slots=True)
class _Address:
    """What is known of one JWKS address."""

    keys: KeySet = field(default_factory=dict)
    fetched: float = float("-inf")
    asked: float = float("-inf")
    fetching: asyncio.Task[None] | None = None


class PublishedKeys:
    """The keys of every client; one for each process. `clock` counts seconds and never goes back."""

    def __init__(
        self, http: httpx.AsyncClient, patience: Patience | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._patience = patience or Patience()
        self._clock = clock
        self._addresses: dict[str, _Address] = {}

    async def key(self, trust: Trust, jku: str | None, key_id: str, algorithm: str) -> PyJWK:
        """The key that a token of the client names by its `kid`, and by its `jku` if it has one.

        Only addresses of the client's own list are ever asked. Raises `NotTrusted`.
        """
        # Where all keys are pinned a token may say what it likes about an address: nobody looks there.
        if jku is not None and trust.jkus and jku not in trust.jkus:
            raise NotTrusted("unlisted-jku")
        if key := trust.pinned.get((key_id, algorithm)):
            return key
        addresses = trust.jkus if jku is None else tuple(each for each in trust.jkus if each == jku)
        for address in addresses:
            if key := await self._at(address, key_id, algorithm):
                return key
        has_keys = trust.pinned or any(self._usable(self._known(each)) for each in addresses)
        raise NotTrusted("unknown-key" if has_keys else "keys-unavailable")

    def fetch_ahead(self, trusts: Iterable[Trust]) -> None:
        """Begins to fetch the keys that are not known yet, so that no call has to wait for them."""
        for address in {address for trust in trusts for address in trust.jkus}:
            if not self._usable(self._known(address)):
                self._begin(address)

    def usable(self, trust: Trust) -> bool:
        """Whether tokens of the client can be verified now: some key of it is at hand."""
        return bool(trust.pinned) or any(self._usable(self._known(address)) for address in trust.jkus)

    async def close(self) -> None:
        """Ends fetches that are still going on."""
        going_on = [each.fetching for each in self._addresses.values() if each.fetching is not None]
        for fetching in going_on:
            fetching.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)

    async def _at(self, address: str, key_id: str, algorithm: str) -> PyJWK | None:
        known = self._known(address)
        if self._clock() - known.fetched >= self._patience.fresh:
            await self._refresh(address, at_most=self._patience.call if self._usable(known) else None)
        if not self._usable(known):
            return None
        if key := known.keys.get((key_id, algorithm)):
            return key
        # The client may have changed its keys.
        await self._refresh(address, at_most=None)
        return known.keys.get((key_id, algorithm))

    def _known(self, address: str) -> _Address:
        return self._addresses.setdefault(address, _Address())

    def _usable(self, known: _Address) -> bool:
        return self._clock() - known.fetched < self._patience.stale

    async def _refresh(self, address: str, at_most: float | None) -> None:
        """Waits, `at_most` some seconds, for a fetch: the one that is going on, or a new one if it is time for one."""
        if fetching := self._begin(address):
            await asyncio.wait([fetching], timeout=at_most)

    def _begin(self, address: str) -> asyncio.Task[None] | None:
        known = self._known(address)
        if known.fetching is not None and not known.fetching.done():
            return known.fetching
        if self._clock() - known.asked < self._patience.between:
            return None
        known.asked = self._clock()
        known.fetching = asyncio.create_task(self._fetch(address, known))
        return known.fetching

    async def _fetch(self, address: str, known: _Address) -> None:
        try:
            async with asyncio.timeout(self._patience.fetch):
                known.keys = await self._download(address)
                known.fetched = self._clock()
        except (JwksUnavailable, NoUsableKey) as why:
            _log.warning("no keys from %s: %s", address, why)
        except TimeoutError:
            _log.warning("no keys from %s: no answer in time", address)
        except httpx.HTTPError as why:
            _log.warning("no keys from %s: %s", address, type(why).__name__)

    async def _download(self, address: str) -> KeySet:
        """Raises `JwksUnavailable`, `NoUsableKey`, `httpx.HTTPError`."""
        async with self._http.stream("GET", address, headers=_HEADERS, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise JwksUnavailable(f"status {answer.status_code}")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > _LARGEST_BYTES:
                    raise JwksUnavailable("more than 256 KB")
        try:
            return read_key_set(orjson.loads(body))
        except orjson.JSONDecodeError:
            raise JwksUnavailable("not JSON") from None
