"""Bodies that come packed by gzip or deflate: read like others, within the same limit, and never larger in memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest
from starlette.types import Message

from service.endpoints import body
from service.endpoints.answers import Refused
from service.settings import Settings
from tests.junk import FEEDBACK
from tests.service.calls import SIGN, Json, client, issue, order_sign
from tests.service.test_every_address import app_of
from tests.serving import client_of

pytestmark = pytest.mark.anyio

CALL = json.dumps(order_sign()).encode()
LIMIT = 2_000
Pack = Callable[[bytes], bytes]


def members(content: bytes) -> bytes:
    """Several gzip members, as programs write them that pack blocks, an empty one at the end."""
    parts = [content[start : start + 40] for start in range(0, len(content), 40)]
    return b"".join(gzip.compress(part) for part in [*parts, b""])


def with_a_name(content: bytes) -> bytes:
    """A gzip body with the optional members of its header: extra field, file name, comment."""
    whole = gzip.compress(content, mtime=0)
    return whole[:3] + b"\x1c" + whole[4:10] + b"\x02\x00ab" + b"call.json\x00" + b"a call\x00" + whole[10:]


PACKED: list[tuple[str, Pack]] = [
    ("gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip, identity", gzip.compress),
    ("gzip", members),
    ("gzip", with_a_name),
    ("gzip", lambda content: gzip.compress(content, 0)),
    ("deflate", zlib.compress),
]
EACH_PACKED = pytest.mark.parametrize(
    ("coding", "pack"), PACKED, ids=[f"{n} {each[0]}" for n, each in enumerate(PACKED)]
)


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@EACH_PACKED
async def test_a_packed_call_is_answered_in_however_many_pieces_it_comes(coding: str, pack: Pack, size: int) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=in_pieces(pack(CALL), size), headers=headers)

    assert answer.status_code == 200, answer.text


async def test_feedback_and_the_calls_of_the_sandbox_may_be_packed_too(tmp_path: Any) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    sent: dict[str, Json] = {f"{SIGN}/feedback": FEEDBACK, "/sandbox/screen": {"request": order_sign()}}
    async with app_of("open", tmp_path) as app, client_of(app) as ehr:
        for address, call in sent.items():
            answer = await ehr.post(address, content=gzip.compress(json.dumps(call).encode()), headers=headers)
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
@EACH_PACKED
async def test_the_limit_is_that_of_what_comes_out(coding: str, pack: Pack, size: int, status: int) -> None:
    packed = pack(CALL + b" " * (size - len(CALL)))
    headers = {"content-type": "application/json", "content-encoding": coding}
    async with client(settings=Settings(max_body_bytes=max(LIMIT, len(packed)) if status == 200 else LIMIT)) as ehr:
        answer = await ehr.post(SIGN, content=packed, headers=headers)

    assert answer.status_code == status
    if status == 413:
        assert issue(answer)["code"] == "too-long"


def bomb(pack: Pack) -> bytes:
    """A call with fifty million spaces."""
    return pack(CALL + b" " * 50_000_000)


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zlib.compress, lambda content: gzip.compress(gzip.compress(content))],
    ids=["gzip", "deflate", "packed twice"],
)
async def test_a_bomb_is_refused_before_it_takes_memory(pack: Pack) -> None:
    packed = bomb(pack)
    pieces = [packed[start : start + 65_536] for start in range(0, len(packed), 65_536)]
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": place < len(pieces) - 1}
        for place, piece in enumerate(pieces)
    ]

    async def receive() -> Message:
        return messages.pop(0)

    tracemalloc.start()
    try:
        with pytest.raises(Refused) as refused:
            body.json_object(await body.read(receive, 1_000_000, packed=True))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # What is packed twice comes out packed, which is no JSON.
    assert refused.value.status in (413, 400)
    assert peak < 4_000_000


WHOLE = gzip.compress(CALL)
BROKEN: list[tuple[str, bytes]] = [
    ("plain JSON", CALL),
    ("zeros", bytes(100)),
    ("only the magic number", WHOLE[:2]),
    ("only a header", WHOLE[:10]),
    ("cut short", WHOLE[:-9]),
    ("without a part of its check sum", WHOLE[:-2]),
    ("with a wrong check sum", WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:]),
    ("with a wrong length", WHOLE[:-4] + b"\0\0\0\0"),
    ("with something after it", WHOLE + b"and more"),
    ("with half a second member", WHOLE + WHOLE[:20]),
    ("spoiled inside", WHOLE[:20] + b"\xff\xff\xff" + WHOLE[23:]),
    ("thousands of empty members", gzip.compress(b"") * 5_000),
    ("packed twice", gzip.compress(WHOLE)),
    ("nothing", b""),
    ("without a frame", zlib.compress(CALL)[2:-4]),
]


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("sent", [each for _, each in BROKEN], ids=[name for name, _ in BROKEN])
async def test_what_cannot_be_unpacked_is_refused(sent: bytes, size: int) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=in_pieces(sent, size), headers=headers)

    assert answer.status_code == 400
    assert issue(answer)["code"] == "structure"


@pytest.mark.parametrize(
    "codings", [["br"], ["zstd"], ["compress"], ["gzip, gzip"], ["gzip", "deflate"], ["unknown"], ["gzip;q=1"]], ids=str
)
async def test_a_body_packed_otherwise_is_refused_by_what_it_may_be(codings: Sequence[str]) -> None:
    headers = [("content-type", "application/json"), *(("content-encoding", each) for each in codings)]
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=CALL, headers=headers)

    assert answer.status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert "gzip" in issue(answer)["details"]["text"]


@pytest.mark.parametrize("coding", ["", "identity", "Identity", "identity, identity"])
async def test_a_body_said_not_to_be_packed_is_read_as_it_is(coding: str) -> None:
    async with client() as ehr:
        answer = await ehr.post(SIGN, content=CALL, headers={"content-encoding": coding})

    assert answer.status_code == 200
