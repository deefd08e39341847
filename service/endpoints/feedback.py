"""POST /cds-services/{id}/feedback: what became of cards, answered once it is on the disk."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from service.cds_hooks.feedback import CDSFeedback, FeedbackEntry, ReasonCoding
from service.cds_hooks.outcome import IssueCode
from service.clients.replay import StoreUnavailable
from service.endpoints import body
from service.endpoints.answers import NO_STORE, Header, Refused, send_json, send_wrong_method
from service.endpoints.client_auth import Door
from service.operations import metrics
from service.present import OVERRIDE_SYSTEM
from service.store.ledger import FeedbackNoted, Ledger

_ALLOWED = "POST, OPTIONS"
_DONE = b"{}"
_RETRY_AFTER: Header = (b"retry-after", b"5")
# A code is a short word: anything else might be a sentence about a patient.
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}|[0-9]{1,4}", re.ASCII)
_UNLISTED = "unlisted"
_WHAT_IS_WRONG = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "model_type": "must be an object",
    "literal_error": "must be accepted or overridden",
    "not_a_moment": "must be a date and time with its zone, such as 2026-11-25T09:30:00Z",
    "no_reason": "must hold reason or userComment",
    "nothing_accepted": "is accepted and needs acceptedSuggestions",
}


class Feedback:
    """The feedback endpoint of all services, as an ASGI app on a route with `id` in its path.

    `comment_characters`: how much of a clinician's comment is kept; 0: nothing.
    """

    def __init__(
        self,
        door: Door,
        ledger: Ledger,
        max_body_bytes: int,
        now: Callable[[], datetime],
        comment_characters: int = 0,
    ) -> None:
        self._door = door
        self._ledger = ledger
        self._max_body_bytes = max_body_bytes
        self._now = now
        self._comment_characters = comment_characters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes feedback, or says why not."""
        service = scope["path_params"]["id"]
        known = service in self._door.clientele.services
        if known and scope["method"] != "POST":
            await send_wrong_method(send, scope["method"], _ALLOWED)
            return
        try:
            if not known:
                raise Refused(404, "not-found", "There is no service of this id; see /cds-services.")
            # Some EHRs make the token for the service, others for the address that they call.
            paths = (f"/cds-services/{service}/feedback", f"/cds-services/{service}")
            caller = await self._door.enter(scope["headers"], paths)
            packed = body.check_headers(scope["headers"], self._max_body_bytes)
            raw = await body.read(receive, self._max_body_bytes, packed=packed)
            await self._keep(caller.client.name, service, entries(body.json_object(raw)))
            await send_json(send, 200, _DONE, (NO_STORE,))
        except StoreUnavailable:
            refused = Refused(503, "transient", "Feedback cannot be stored now; please send it again.")
            await send_json(send, refused.status, refused.body, (NO_STORE, _RETRY_AFTER))
        except Refused as refused:
            await send_json(send, refused.status, refused.body, (NO_STORE, *refused.headers))
        except body.CallerGone:
            return

    async def _keep(self, client: str, service: str, given: CDSFeedback) -> None:
        received = self._now()
        noted = [self._noted(client, service, entry, received) for entry in given.feedback]
        if noted:
            await self._ledger.keep(noted)
        for entry in noted:
            metrics.feedback_received(entry.outcome)

    def _noted(self, client: str, service: str, entry: FeedbackEntry, received: datetime) -> FeedbackNoted:
        why = entry.override_reason
        comment = (why.user_comment or "") if why else ""
        code, own = _reason(why.reason if why else None)
        return FeedbackNoted(
            digest=_digest(client, service, entry),
            client=client,
            service=service,
            outcome=entry.outcome,
            outcome_at=entry.outcome_timestamp,
            received=received,
            card=_uuid(entry.card),
            suggestions=len(entry.accepted_suggestions or ()),
            reason=code,
            own_reason=own,
            comment=comment[: self._comment_characters].strip() or None,
        )


def entries(document: dict[str, Any]) -> CDSFeedback:
    """The feedback with its members checked. Raises `Refused` (400) naming those that are wrong."""
    try:
        return CDSFeedback.model_validate(document)
    except ValidationError as wrong:
        faults = wrong.errors(include_url=False, include_context=False, include_input=False)
    code: IssueCode = "required" if {fault["type"] for fault in faults} == {"missing"} else "structure"
    texts = {_member(fault["loc"]): _WHAT_IS_WRONG.get(fault["type"], "has the wrong form") for fault in faults}
    raise Refused(400, code, "; ".join(f"{member} {text}" for member, text in texts.items()) + ".", *texts)


def _member(location: tuple[int | str, ...]) -> str:
    """The place of a member as FHIRPath writes it: `feedback[0].card`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")


def _uuid(card: str) -> UUID | None:
    try:
        return UUID(card)
    except ValueError:
        return None


def _reason(reason: ReasonCoding | None) -> tuple[str | None, bool]:
    """The code that is kept, and whether it is one of ours."""
    if reason is None:
        return None, False
    own = reason.system == OVERRIDE_SYSTEM
    return (reason.code, own) if _CODE.fullmatch(reason.code) else (_UNLISTED, False)


def _digest(client: str, service: str, entry: FeedbackEntry) -> bytes:
    """What tells a repetition from another entry; the comment is no part of what is kept."""
    told = entry.model_dump(mode="json", exclude={"override_reason": {"user_comment"}})
    return hashlib.sha256(orjson.dumps([client, service, told], option=orjson.OPT_SORT_KEYS)).digest()
