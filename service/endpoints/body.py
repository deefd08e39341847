"""The body of a request: from bytes, within limits, to a JSON object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.types import Receive

from service.endpoints.answers import Header, Refused

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What orjson can write back; FHIR resources stay far below.
_WRITABLE_NESTING = 250


class CallerGone(Exception):
    """The caller hung up before the request was complete."""


def check_headers(headers: Iterable[Header], limit: int) -> None:
    """Raises `Refused` for a body announced as something else than JSON (415) or as too large (413)."""
    for name, value in headers:
        if name == b"content-type":
            if value != b"application/json" and not _is_json(value):
                raise Refused(415, "not-supported", "The content type must be application/json.")
        elif name == b"content-length":
            if value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Refused(415, "not-supported", "The body must be sent without a content encoding.")


async def read(receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises `Refused` (413) as soon as more than `limit` bytes came, `CallerGone` if the caller hung up.
    """
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
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


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json"))


def _too_large(limit: int) -> Refused:
    return Refused(413, "too-long", f"The body is larger than the limit of {limit} bytes.")
