"""HTTP/1.1 for callers who would rather speak another protocol: an offer to change it is left alone (RFC 9110, 7.8)."""

from __future__ import annotations

from collections.abc import Iterator

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.endpoints.answers import Header, Refused

# What belongs to the offer alone: the settings of HTTP/2 (RFC 7540, 3.2.1), and the names of both in Connection.
_OF_THE_OFFER = frozenset({b"upgrade", b"http2-settings"})
_NOT_HTTP = Refused(400, "structure", "This is no request of HTTP/1.1.").body
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
    % (len(_NOT_HTTP), _NOT_HTTP)
)


class HttpOnly(HttpToolsProtocol):
    """uvicorn's connection, which answers a request with an `Upgrade` header as if it had none.

    Java's own client sends `Upgrade: h2c` beside each first request over clear text. The parser stops after the head of
    such a request and takes its body for whatever was offered. So another parser is given the head without the offer,
    and goes on from there; requests that offer nothing are read as ever.
    """

    def data_received(self, data: bytes) -> None:
        """Reads what came, which may be a part of a request, or several requests."""
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                data = self._begun_again() + data[stopped.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return
            else:
                return

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP, and hangs up."""
        self.logger.warning(msg)
        self.transport.write(_REFUSAL)
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Whether the head of this request will be read again; until then nothing is answered."""
        return self.scope["method"] != "CONNECT"

    def _begun_again(self) -> bytes:
        """The head of the request as it came otherwise, for a new parser; nothing of CONNECT, which is refused."""
        if not self._should_upgrade():
            return b""
        # The other one is done for where the connection is to be closed after this request.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        line = b" ".join((self.scope["method"].encode(), self.url, b"HTTP/" + self.scope["http_version"].encode()))
        return b"\r\n".join((line, *(name + b": " + value for name, value in self._plain_headers()), b"", b""))

    def _plain_headers(self) -> Iterator[Header]:
        for name, value in self.headers:
            if name == b"connection":
                options = (option.strip() for option in value.split(b","))
                value = b", ".join(option for option in options if option.lower() not in _OF_THE_OFFER)
                if not value:
                    continue
            if name not in _OF_THE_OFFER:
                yield name, value
