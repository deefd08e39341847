"""What callers may send over the wire: offers of other protocols, bodies in pieces, paths that lead elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from service.commands.protocol import HttpOnly
from service.commands.serve import SECONDS_OF_SILENCE, configuration
from service.settings import Settings
from tests.service.calls import SIGN, order_sign
from tests.service.test_serve import served

CALL = json.dumps(order_sign()).encode()
H2C = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
OFFERS: dict[str, dict[str, str]] = {
    "h2c": H2C,
    "h2c in another order": dict(reversed(H2C.items())),
    "h2c that wants to go on": {**H2C, "Connection": "keep-alive, upgrade , http2-settings"},
    "a websocket": {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    },
    "TLS": {"Upgrade": "TLS/1.0", "Connection": "Upgrade"},
    "nobody knows what": {"Connection": "Upgrade", "Upgrade": "foo/2, bar"},
    "nothing, in Connection alone": {"Connection": "Upgrade"},
    "something, but not in Connection": {"Upgrade": "h2c"},
}
EACH_OFFER = pytest.mark.parametrize("offer", OFFERS.values(), ids=list(OFFERS))


class Answer(NamedTuple):
    """The status of an answer, its headers by their names in small letters, its body."""

    status: int
    headers: dict[str, str]
    content: bytes


class Caller:
    """A connection on which bytes are sent as they are."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        """Sends each piece at once."""
        for piece in pieces:
            self._socket.sendall(piece)

    def read(self) -> Answer:
        """The next answer."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self._file.read(int(headers.get("content-length", 0))))

    def has_hung_up(self) -> bool:
        """Whether nothing more will come."""
        return self._file.read() == b""

    def close(self) -> None:
        """Hangs up."""
        self._file.close()
        self._socket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that is open to all."""
    with served() as (address, _):
        yield int(address.rpartition(":")[2])


@contextmanager
def connected(port: int) -> Iterator[Caller]:
    """A connection."""
    caller = Caller(port)
    try:
        yield caller
    finally:
        caller.close()


def head(line: str, *headers: dict[str, str]) -> bytes:
    """The head of a request."""
    lines = [f"{name}: {value}" for each in ({"Host": "b12.example.org"}, *headers) for name, value in each.items()]
    return "\r\n".join([line, *lines, "", ""]).encode()


def post(*headers: dict[str, str], path: str = SIGN, body: bytes = CALL) -> bytes:
    """A call with its body."""
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(f"POST {path} HTTP/1.1", *headers, length) + body


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


# --- over a socket ----------------------------------------------------------------------------------------------------


@EACH_OFFER
def test_a_call_that_offers_another_protocol_is_answered_like_any_other(port: int, offer: dict[str, str]) -> None:
    with connected(port) as ehr:
        for _ in range(2):
            ehr.send(post(offer))
            answer = ehr.read()
            assert (answer.status, json.loads(answer.content)) == (200, {"cards": []})
            assert "upgrade" not in answer.headers
        ehr.send(head("GET /cds-services HTTP/1.1", offer), post())
        discovered, afterwards = ehr.read(), ehr.read()

    assert len(json.loads(discovered.content)["services"]) == 3
    assert afterwards.status == 200


@EACH_OFFER
def test_its_body_may_come_in_chunks_or_after_leave_to_send_it(port: int, offer: dict[str, str]) -> None:
    in_chunks = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    expecting = {"Content-Type": "application/json", "Content-Length": str(len(CALL)), "Expect": "100-continue"}
    with connected(port) as ehr:
        ehr.send(head(f"POST {SIGN} HTTP/1.1", offer, in_chunks), chunked(CALL, 50), post(offer))
        assert [ehr.read().status, ehr.read().status] == [200, 200]
        ehr.send(head(f"POST {SIGN} HTTP/1.1", offer, expecting))
        assert ehr.read().status == 100
        ehr.send(CALL)
        assert ehr.read().status == 200


@EACH_OFFER
def test_several_calls_may_be_sent_at_once(port: int, offer: dict[str, str]) -> None:
    calls = [post(offer), post(), post(offer, path="/cds-services/unknown"), post(offer, body=b"{"), post()]
    with connected(port) as ehr:
        ehr.send(b"".join(calls))
        assert [ehr.read().status for _ in calls] == [200, 200, 404, 400, 200]


@EACH_OFFER
def test_a_body_over_the_limit_is_refused_as_ever(port: int, offer: dict[str, str]) -> None:
    with connected(port) as ehr:
        ehr.send(post(offer, body=b" " * 6_000_000), post(offer))
        assert [ehr.read().status, ehr.read().status] == [413, 200]


def test_a_caller_who_wants_no_other_call_is_hung_up_on_afterwards(port: int) -> None:
    with connected(port) as ehr:
        ehr.send(post({**H2C, "Connection": "close, Upgrade, HTTP2-Settings"}))
        assert ehr.read().status == 200
        assert ehr.has_hung_up()


@pytest.mark.parametrize(
    "sent",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT b12.example.org:443 HTTP/1.1\r\nHost: b12.example.org\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        head(f"POST {SIGN} HTTP/1.1", H2C, {"Content-Length": "5", "Transfer-Encoding": "chunked"}),
        head(f"POST {SIGN} HTTP/1.1", H2C, {"Content-Length": "-1"}),
        head(f"POST {SIGN} HTTP/1.1", H2C, {"X": "a\r\n folded"}),
        post(H2C).replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length"),
        b"GET /\xff\xfe HTTP/1.1\r\nHost: b12.example.org\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_by_an_outcome(port: int, sent: bytes) -> None:
    with connected(port) as ehr:
        ehr.send(sent)
        answer = ehr.read()
        assert ehr.has_hung_up()

    assert answer.status == 400
    assert json.loads(answer.content)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "way", ["..", "%2e%2e", "..%2f..", "..//..", "//..//..//..", "%2e%2e%2f%2e%2e", "/etc", "%5c..%5c.."]
)
@pytest.mark.parametrize("file", ["pages.py", "web/pages.py", "__init__.py", "passwd", "etc/passwd"])
def test_no_path_leads_out_of_the_static_files(port: int, way: str, file: str) -> None:
    with connected(port) as ehr:
        ehr.send(head(f"GET /static/{way}/{file} HTTP/1.1"), head(f"GET //static//{way}//{file}/ HTTP/1.1"))
        assert [ehr.read().status, ehr.read().status] == [404, 404]


JAVA = """
import java.net.URI;
import java.net.http.*;

public class Call {
    public static void main(String[] given) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (boolean expecting : new boolean[] {false, false, true}) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(given[0]))
                .header("Content-Type", "application/json")
                .expectContinue(expecting)
                .POST(HttpRequest.BodyPublishers.ofString(given[1]))
                .build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }
    }
}
"""


def test_the_client_that_java_brings_along_is_answered(port: int, tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("a JDK is needed to compile the client")
    source = tmp_path / "Call.java"
    source.write_text(JAVA, encoding="utf-8")
    called = subprocess.run(
        ["java", str(source), f"http://127.0.0.1:{port}{SIGN}", CALL.decode()],
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert called.stderr == ""
    assert called.stdout.splitlines() == ['200 HTTP_1_1 {"cards":[]}'] * 3


# --- however it is cut ------------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """A connection in memory: it keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keeps it."""
        self.written += bytes(data)

    def close(self) -> None:
        """Hangs up."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it has been hung up."""
        return self.closed

    def pause_reading(self) -> None:
        """Goes on: what is sent here has been sent."""

    def resume_reading(self) -> None:
        """Goes on."""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = sorted((name.decode(), value.decode()) for name, value in scope["headers"])
    told = json.dumps([scope["method"], scope["path"], scope["query_string"].decode(), headers, body.decode()]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


async def echoed(sent: bytes, cuts: list[int]) -> list[bytes]:
    """What is answered to these bytes when they come in pieces that are cut at these places."""
    config = Config(echo, http=HttpOnly, ws="none", lifespan="off", log_config=None, date_header=False)
    config.load()
    wire = Wire()
    state = ServerState()
    protocol = HttpOnly(config, state, {})
    protocol.connection_made(wire)
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        protocol.data_received(sent[start:end])
        while state.tasks and (protocol.cycle is None or not protocol.cycle.more_body):
            # The next of several calls begins when the one before it ends.
            await asyncio.wait(state.tasks, return_when=asyncio.FIRST_COMPLETED)
    protocol.connection_lost(None)
    return re.findall(rb"\[.*\]", wire.written)


SENT = [
    lambda offer: post(offer),
    lambda offer: head("GET /cds-services?x=1 HTTP/1.1", offer),
    lambda offer: head(f"POST {SIGN} HTTP/1.1", offer, {"Transfer-Encoding": "chunked"}) + chunked(CALL, 70),
    lambda offer: head("OPTIONS * HTTP/1.1", {"X-Empty": "", "X-Latin": "e"}, offer),
]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_a_call_is_the_same_wherever_the_wire_cuts_it_and_whatever_else_it_offers(data: st.DataObject) -> None:
    calls = data.draw(st.lists(st.sampled_from(SENT), min_size=1, max_size=3))
    offers = [data.draw(st.sampled_from(list(OFFERS.values())[:6])) for _ in calls]
    plain = b"".join(call({}) for call in calls)
    sent = b"".join(call(offer) for call, offer in zip(calls, offers, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))

    assert _without_connection(anyio.run(echoed, sent, cuts)) == _without_connection(anyio.run(echoed, plain, []))


def _without_connection(answers: list[bytes]) -> list[object]:
    """The answers; what a caller says of the connection, or of its websocket, is about no call."""
    found: list[object] = []
    for each in answers:
        method, path, query, headers, body = json.loads(each)
        about = ("connection", "sec-websocket-key", "sec-websocket-version")
        found.append((method, path, query, [pair for pair in headers if pair[0] not in about], body))
    assert found
    return found


# --- how it is served -------------------------------------------------------------------------------------------------


def test_a_process_that_starts_slowly_is_waited_for() -> None:
    config = configuration(Settings(open=True), port=0, workers=2)

    # uvicorn's own five seconds were too few for several processes that start on a busy machine.
    assert config.timeout_worker_healthcheck == SECONDS_OF_SILENCE >= 30
    assert config.http is HttpOnly
