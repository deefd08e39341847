"""The body of a request: from bytes, within limits, to a JSON object."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.types import Receive

from service.endpoints.answers import Header, Refused

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What orjson can write back; FHIR resources stay far below.
_WRITABLE_NESTING = 250
# `deflate` is the format of zlib (RFC 9110, 8.4.1.2), as gzip is one that zlib unpacks.
_PACKED = frozenset({b"gzip", b"x-gzip", b"deflate"})
_ACCEPTED: Header = (b"accept-encoding", b"gzip, deflate")
_EITHER_FORMAT = zlib.MAX_WBITS | 32
# A body packed in blocks is a gzip member for each 64 kB or more; each costs its own start.
_MEMBERS = 256


class CallerGone(Exception):
    """The caller hung up before the request was complete."""


def check_headers(headers: Iterable[Header], limit: int) -> bool:
    """Whether the body comes packed.

    Raises `Refused` for a body announced as something else than JSON, or packed otherwise than by gzip or deflate, once
    (415), or as too large (413).
    """
    packings: list[bytes] = []
    for name, value in headers:
        if name == b"content-type":
            if value != b"application/json" and not _is_json(value):
                raise Refused(415, "not-supported", "The content type must be application/json.")
        elif name == b"content-length":
            if value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        elif name == b"content-encoding":
            packings += value.lower().split(b",")
    if not packings:
        return False
    named = [packing.strip() for packing in packings]
    applied = [packing for packing in named if packing not in (b"", b"identity")]
    if applied and (len(applied) > 1 or applied[0] not in _PACKED):
        text = "The body must be sent as it is, or packed once by gzip or deflate."
        raise Refused(415, "not-supported", text, headers=(_ACCEPTED,))
    return bool(applied)


async def read(receive: Receive, limit: int, *, packed: bool = False) -> bytes:
    """The whole body, unpacked.

    Raises `Refused` (413) as soon as more than `limit` bytes came, or came out of what is packed, `Refused` (400) for
    what cannot be unpacked, `CallerGone` if the caller hung up.
    """
    chunks = []
    came = size = 0
    unpacking = _Unpacking() if packed else None
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        if unpacking is not None:
            came += len(chunk)
            if came > limit:
                raise _too_large(limit)
            # One byte more than may come out shows that too much does; the rest stays packed.
            chunk = unpacking.unpacked(chunk, limit - size + 1, last=not more)
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not more:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises `Refused` (400) for anything else, NaN, infinities, broken UTF-8 and bombs of nesting included.
    """
    try:
        document = orjson.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        raise Refused(400, "structure", "The body is not JSON in UTF-8.") from None
    if not isinstance(document, dict):
        raise Refused(400, "structure", "The body must be a JSON object.")
    return document


def is_nested_too_deep(document: object) -> bool:
    """Whether objects and lists stand inside each other in more levels than any FHIR resource needs."""
    level: list[Any] = [document]
    for _ in range(_WRITABLE_NESTING):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


class _Unpacking:
    """What is in a packed body, which comes in pieces and may be several gzip members one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_EITHER_FORMAT)
        self._members = 1
        self._begun = False

    def unpacked(self, piece: bytes, most: int, *, last: bool) -> bytes:
        """What is in the next piece, `most` bytes of it at most. Raises `Refused` (400)."""
        found = []
        try:
            while piece and most > 0:
                if self._member.eof:
                    self._next_member()
                self._begun = True
                chunk = self._member.decompress(piece, most)
                found.append(chunk)
                most -= len(chunk)
                piece = self._member.unused_data
        except zlib.error:
            raise _not_packed() from None
        if last and most > 0 and self._begun and not self._member.eof:
            raise _not_packed()
        return b"".join(found)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS:
            raise _not_packed()
        self._member = zlib.decompressobj(_EITHER_FORMAT)


def _not_packed() -> Refused:
    return Refused(400, "structure", "The body cannot be unpacked as its content encoding says.")


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def _too_large(limit: int) -> Refused:
    return Refused(413, "too-long", f"The body is larger than the limit of {limit} bytes.")
