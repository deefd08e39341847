"""POST /cds-services/{id}: a hook call comes in as bytes, is checked, and its answer goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from service.bookkeeping import Bookkeeping
from service.cds_hooks.as_if import AS_IF
from service.cds_hooks.outcome import IssueCode
from service.cds_hooks.request import CDSRequest
from service.clientele import Answers, Caller
from service.endpoints import body
from service.endpoints.answers import NO_STORE, Refused, send_json, send_wrong_method
from service.endpoints.client_auth import Door
from service.endpoints.faults import FAULT_BODY, log_fault
from service.endpoints.observed import count
from service.operations.faults import noted
from service.operations.logs import about_call
from service.rehearsal import Rehearsals, Scene, WrongScene
from service.respond import NOTHING_TO_SAY, Answer, HookCall, PrefetchIncomplete, Service
from service.store.ledger import REHEARSED

_ALLOWED = "POST, OPTIONS"
_PATIENT_PREFIX = "Patient/"
_LARGE_BYTES = 20_000
_WHAT_IS_WRONG = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
    "not_an_id": "must be the id of a Patient",
    "another_patient": "must be the patient of context.patientId",
    "not_a_bundle": "must be Bundle",
}


class Hooks:
    """The endpoint of all services, as an ASGI app on a route with `id` in its path.

    `door` knows who calls; `books` writes down what is answered; `today` says which day it is in a time zone;
    `rehearsals`: a sandbox is there to call.
    """

    def __init__(
        self,
        door: Door,
        books: Bookkeeping,
        max_body_bytes: int,
        today: Callable[[ZoneInfo], date],
        rehearsals: Rehearsals | None = None,
    ) -> None:
        self._door = door
        self._books = books
        self._max_body_bytes = max_body_bytes
        self._today = today
        self._rehearsals = rehearsals
        self._answered: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a call, or says why not."""
        service = self._door.clientele.services.get(scope["path_params"]["id"])
        if service is not None and scope["method"] != "POST":
            await send_wrong_method(send, scope["method"], _ALLOWED)
            return
        try:
            if service is None:
                raise Refused(404, "not-found", "There is no service of this id; see /cds-services.")
            caller = await self._door.enter(scope["headers"], (f"/cds-services/{service.id}",))
            packed = body.check_headers(scope["headers"], self._max_body_bytes)
            raw = await body.read(receive, self._max_body_bytes, packed=packed)
            status, answer = await self._answer(caller, service, raw)
        except Refused as refused:
            await send_json(send, refused.status, refused.body, (NO_STORE, *refused.headers))
            return
        except body.CallerGone:
            return
        await send_json(send, status, answer, (NO_STORE,))

    async def _answer(self, caller: Caller, service: Service, raw: bytes) -> tuple[int, bytes]:
        document = body.json_object(raw)
        if len(raw) > _LARGE_BYTES:
            # To take apart thousands of objects takes a tenth of the time of a call: it can wait for the answer. Only
            # one waits, or the memory of many calls would add up.
            self._answered = document
            asyncio.get_running_loop().call_soon(self._let_go)
        request = envelope(document)
        about_call(request.hook_instance)
        call = hook_call(service, request)
        responder, today, name, books = self._setting(caller, document)
        own = responder.services.get(service.id)
        try:
            # Where every rule of a service is switched off for this client, others may still have it.
            answer = NOTHING_TO_SAY if own is None else await responder.respond(own, call, today)
            answer = await _entered(answer, books, name, call)
            return 200, orjson.dumps(answer.body())
        except PrefetchIncomplete as incomplete:
            _enter_refusal(incomplete, books, name, call)
            raise _incomplete(incomplete.keys) from None
        except Exception as fault:
            if body.is_nested_too_deep(document):
                raise Refused(400, "structure", "The body is nested too deep.") from None
            log_fault(fault, request.hook_instance)
            return 500, FAULT_BODY

    def _let_go(self) -> None:
        self._answered = None

    def _setting(self, caller: Caller, document: dict[str, Any]) -> _Setting:
        """Who answers, for which day, and in whose name it is written down.

        In the sandbox a request may ask for its own; it is about nobody, so no override of it is remembered.
        """
        extension, today = document.get("extension"), self._today(caller.client.zone)
        if self._rehearsals is None or not self._rehearsals.asked_for(extension):
            return _Setting(caller.responder, today, caller.client.name, self._books)
        responder, its_day = scene(self._rehearsals, extension, today)
        return _Setting(responder, its_day, REHEARSED, self._books.without_memory())


async def _entered(answer: Answer, books: Bookkeeping, client: str, call: HookCall) -> Answer:
    """The answer to send, written down and counted; where that fails, what is known of the patient is still said."""
    try:
        answer = await books.enter(client, call, answer)
    except Exception as fault:
        noted("store", fault, call.hook)
    try:
        count(answer)
    except Exception as fault:
        noted("metrics", fault, call.hook)
    return answer


def _enter_refusal(incomplete: PrefetchIncomplete, books: Bookkeeping, client: str, call: HookCall) -> None:
    """Writes a refusal down; where that fails, the caller still hears what is missing."""
    try:
        books.refused(client, call, incomplete.lacking)
    except Exception as fault:
        noted("store", fault, call.hook)


class _Setting(NamedTuple):
    responder: Answers
    today: date
    client: str
    books: Bookkeeping


def scene(rehearsals: Rehearsals, extension: Any, today: date) -> Scene:
    """The scene that a request of the sandbox asks for. Raises `Refused` (400)."""
    try:
        return rehearsals.scene(extension, today)
    except WrongScene as wrong:
        place = f"extension.{AS_IF}"
        raise Refused(400, "value", f"{place}: {wrong}.", place) from None


def envelope(document: dict[str, Any]) -> CDSRequest:
    """The request with its members checked. Raises `Refused` (400) naming those that are wrong."""
    try:
        return CDSRequest.model_validate(document)
    except ValidationError as wrong:
        faults = wrong.errors(include_url=False, include_context=False, include_input=False)
    raise _wrong({".".join(map(str, fault["loc"])): fault["type"] for fault in faults})


def hook_call(service: Service, request: CDSRequest) -> HookCall:
    """The call that the request makes. Raises `Refused` (400) where it does not fit the service or itself."""
    if request.hook != service.hook:
        raise Refused(400, "value", f"hook is not that of this service, which is {service.hook}.", "hook")
    authorization = request.fhir_authorization
    if authorization is not None and not request.fhir_server:
        raise _wrong({"fhirServer": "missing"})
    context = request.context
    patient_id = _bare_id(context)
    if authorization is not None and authorization.patient is not None:
        _check_same_patient(authorization.patient, patient_id)
    if service.hook.about_orders:
        _check_drafts(context)
    return HookCall(
        hook=request.hook,
        patient_id=patient_id,
        user_id=_text(context, "userId"),
        encounter_id=_text(context, "encounterId"),
        draft_orders=context.get("draftOrders"),
        selections=context.get("selections"),
        prefetch=request.prefetch,
        fhir_server=request.fhir_server or None,
        fhir_token=authorization.access_token if authorization is not None and authorization.complete else None,
    )


def _bare_id(context: Mapping[str, Any]) -> str:
    """The patient's id; some EHRs send it as a reference."""
    text = _text(context, "patientId")
    if text is None:
        raise _wrong({"context.patientId": "missing"})
    bare = text.removeprefix(_PATIENT_PREFIX)
    if not bare.strip() or "/" in bare:
        raise _wrong({"context.patientId": "not_an_id"})
    return bare


def _check_same_patient(authorized: str, patient_id: str) -> None:
    """Raises `Refused` when leave to read was given for another patient: data of two patients never mix."""
    if authorized.removeprefix(_PATIENT_PREFIX) != patient_id:
        raise _wrong({"fhirAuthorization.patient": "another_patient"})


def _check_drafts(context: Mapping[str, Any]) -> None:
    """Raises `Refused` for drafts that are no Bundle: read as none, they would pass unchecked."""
    drafts = context.get("draftOrders")
    if drafts is None:
        raise _wrong({"context.draftOrders": "missing"})
    if not isinstance(drafts, dict):
        raise _wrong({"context.draftOrders": "dict_type"})
    if drafts.get("resourceType", "Bundle") != "Bundle":
        raise _wrong({"context.draftOrders.resourceType": "not_a_bundle"})
    entries = drafts.get("entry")
    if entries is not None and not isinstance(entries, list):
        raise _wrong({"context.draftOrders.entry": "list_type"})


def _text(context: Mapping[str, Any], name: str) -> str | None:
    value = context.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong({f"context.{name}": "string_type"})
    return value


def _wrong(faults: Mapping[str, str]) -> Refused:
    """The refusal of a request for what is wrong with each of the members named."""
    code: IssueCode = "required" if set(faults.values()) == {"missing"} else "structure"
    texts = (f"{member} {_WHAT_IS_WRONG.get(fault, 'has the wrong form')}" for member, fault in faults.items())
    return Refused(400, code, f"{'; '.join(texts)}.", *faults)


def _incomplete(keys: Sequence[str]) -> Refused:
    """The refusal of a call that came without data that every rule about it requires."""
    names = [f"prefetch.{key}" for key in keys]
    text = f"Required data are absent: {', '.join(names)}. Where a query finds nothing, send null."
    return Refused(412, "required", text, *names)
