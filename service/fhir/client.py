"""Asks FHIR servers over HTTP: one request out, one whole answer in. The only room that knows the HTTP library.

It uses httpcore, what httpx is made of: httpx gives no say in where a connection goes, keeps cookies from one patient's
call to the next, and its pool takes longer to find a connection than a server on the same network to answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpcore

from service.fhir.network import AddressNotAllowed, CheckedNetwork, Resolve, resolved

_PORTS = {"http": 80, "https": 443}
_CONNECTIONS = 100
_IDLE_PER_SERVER = 32
# Below what servers and firewalls between commonly allow, so that a connection is seldom found dead.
_IDLE_SECONDS = 20.0


class Answer(NamedTuple):
    """An answer that came whole."""

    status: int
    body: bytes


class Unanswered(Exception):
    """No answer that can be used; `why` is one of our own words and holds nothing of the request."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _Server(NamedTuple):
    """What a connection belongs to: one that may lead to a private network is not shared with those that may not."""

    scheme: str
    host: str
    port: int
    private: bool


class FhirClient:
    """The connections of one process to FHIR servers. Follows no redirect and keeps no cookie.

    `max_bytes`: of one answer. `resolve`: the addresses of a name. `tls`: whose certificates are trusted (default: the
    system's authorities, among which a hospital puts its own; `SSL_CERT_FILE` names others).
    """

    def __init__(self, max_bytes: int, resolve: Resolve = resolved, tls: ssl.SSLContext | None = None) -> None:
        self._max_bytes = max_bytes
        self._networks = {private: CheckedNetwork(private=private, resolve=resolve) for private in (False, True)}
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[_Server, list[httpcore.AsyncHTTPConnection]] = defaultdict(list)
        self._turns = asyncio.Semaphore(_CONNECTIONS)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, private: bool = False
    ) -> Answer:
        """The answer to one request; `private` is whether the server may stand in a private network.

        Raises `Unanswered`. Whoever asks sets the time limit by cancelling.
        """
        parts = urlsplit(url)
        server = _Server(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme], private)
        request = _request(method, server, parts, headers, body)
        async with self._turns:
            try:
                if (idle := await self._found_idle(server)) is not None:
                    try:
                        return await self._exchange(server, idle, request)
                    except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                        # The server may have closed it while it was idle: a new one tells.
                        pass
                return await self._exchange(server, self._opened(server), request)
            except AddressNotAllowed:
                raise Unanswered("address-not-allowed") from None
            except httpcore.NetworkError:
                raise Unanswered("unreachable") from None
            except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
                raise Unanswered("malformed") from None

    async def close(self) -> None:
        """Closes the connections that are not in use."""
        for connections in self._idle.values():
            for connection in connections:
                await connection.aclose()
        self._idle.clear()

    async def _exchange(
        self, server: _Server, connection: httpcore.AsyncHTTPConnection, request: httpcore.Request
    ) -> Answer:
        try:
            response = await connection.handle_async_request(request)
            answer = Answer(response.status, await self._body(response))
            await response.aclose()
        except BaseException:
            await connection.aclose()
            raise
        idle = self._idle[server]
        if connection.is_idle() and len(idle) < _IDLE_PER_SERVER:
            idle.append(connection)
        else:
            await connection.aclose()
        return answer

    async def _body(self, response: httpcore.Response) -> bytes:
        """The body, which was asked for without compression: what unpacks to a thousand times its size is none."""
        for name, value in response.headers:
            if name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise Unanswered("malformed")
        chunks = []
        size = 0
        async for chunk in response.aiter_stream():
            size += len(chunk)
            if size > self._max_bytes:
                raise Unanswered("too-large")
            chunks.append(chunk)
        return b"".join(chunks)

    async def _found_idle(self, server: _Server) -> httpcore.AsyncHTTPConnection | None:
        idle = self._idle.get(server)
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _opened(self, server: _Server) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            httpcore.Origin(server.scheme.encode(), server.host.encode("idna"), server.port),
            ssl_context=self._tls,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=self._networks[server.private],
        )


def _request(
    method: str, server: _Server, parts: SplitResult, headers: Mapping[str, str], body: bytes
) -> httpcore.Request:
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    host = f"[{server.host}]" if ":" in server.host else server.host.encode("idna").decode()
    lines = {
        "host": host if server.port == _PORTS[server.scheme] else f"{host}:{server.port}",
        "accept-encoding": "identity",
        **headers,
    }
    if body:
        lines["content-length"] = str(len(body))
    return httpcore.Request(
        method,
        httpcore.URL(scheme=server.scheme, host=server.host.encode("idna"), port=server.port, target=target.encode()),
        headers=[(name.encode(), value.encode()) for name, value in lines.items()],
        content=body,
    )
