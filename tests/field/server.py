"""The service as a caller over a socket sees it: one request, sent in the way that a case names."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
_H2C = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "h2c": _H2C,
    "websocket-upgrade": {"Connection": "Upgrade", "Upgrade": "foo/2"},
    "content-type-fhir": {"Content-Type": "application/fhir+json"},
}


class Server:
    """A running service at `address`. Each request has a connection of its own, as most clients make one."""

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        assert url.hostname is not None
        self._host, self._port = url.hostname, url.port or 80

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, Json]:
        """The status and the JSON of the answer; an empty object where there is none."""
        line = http.client.HTTPConnection(self._host, self._port, timeout=60)
        try:
            line.request(method, path, body, {"Content-Type": "application/json", **headers})
            answer = line.getresponse()
            text = answer.read()
        finally:
            line.close()
        try:
            found = json.loads(text)
        except ValueError:
            return answer.status, {}
        return answer.status, found if isinstance(found, dict) else {}

    def call(self, request: Json, transport: str | None = None) -> tuple[int, Json]:
        """A hook call, sent as `transport` says (None: plainly)."""
        service = f"b12-{request.get('hook')}"
        path = f"/cds-services/{service}"
        if transport == "trailing-slash":
            path += "/"
        elif transport == "double-slash":
            path = f"/cds-services//{service}"
        elif transport == "discovery-slash":
            status, found = self.send("GET", "/cds-services/", None, {})
            if status != http.client.OK or not found.get("services"):
                return status, {}
        body = json.dumps(request).encode()
        if transport == "utf8-bom":
            body = b"\xef\xbb\xbf" + body
        return self.send("POST", path, body, _HEADERS.get(transport or "", {}))
