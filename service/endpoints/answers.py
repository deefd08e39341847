"""How an answer is sent: JSON bytes, and a refusal as an OperationOutcome with its status."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.exceptions import HTTPException
from starlette.types import Send

from service.cds_hooks.outcome import IssueCode, operation_outcome

Header = tuple[bytes, bytes]
NO_STORE: Header = (b"cache-control", b"no-store")
_JSON: Header = (b"content-type", b"application/json")


class Refused(Exception):
    """A request that cannot be answered: status, FHIR issue code, why, and the members it is about.

    The text goes to the caller; it never holds a value that was sent.
    """

    def __init__(
        self, status: int, code: IssueCode, text: str, *expression: str, headers: Sequence[Header] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers
        self.body = orjson.dumps(operation_outcome(code, text, expression))


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Sends `body`, which is JSON, as a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_wrong_method(send: Send, method: str, allowed: str) -> None:
    """Answers OPTIONS with the methods that are allowed, and any other method with 405."""
    allow = (b"allow", allowed.encode())
    if method == "OPTIONS":
        await send({"type": "http.response.start", "status": 204, "headers": [allow]})
        await send({"type": "http.response.body", "body": b""})
        return
    refused = Refused(405, "not-supported", f"This address allows {allowed}.")
    await send_json(send, refused.status, refused.body, [allow])


def refused_by_starlette(refused: HTTPException) -> Refused:
    """What one of Starlette's own routes refuses, in the form that every refusal has."""
    allowed = (refused.headers or {}).get("Allow")
    if allowed:
        names = ", ".join(sorted(allowed.split(", ")))
        return Refused(405, "not-supported", f"This address allows {names}.", headers=((b"allow", names.encode()),))
    if refused.status_code in (401, 404):
        # Static files answer 401 for one that this process may not read; nobody could log in to it.
        return Refused(404, "not-found", "There is nothing at this address.")
    return Refused(refused.status_code, "not-supported", "This address does not allow that.")
