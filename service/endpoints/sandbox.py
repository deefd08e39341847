"""The sandbox: its page, and the calls that its script makes beside those of an EHR."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cards.library import Library
from cards.rule import Hook
from service.demo.orders import WrongEdit, accepted, with_field
from service.demo.scenarios import START, NoSuchScenario
from service.endpoints import body
from service.endpoints.answers import Refused
from service.endpoints.hooks import envelope, hook_call, scene
from service.endpoints.pages import HumanPages
from service.explain import Explanation, explain
from service.rehearsal import Rehearsals, Scene
from service.settings import Settings
from service.web import answer, sandbox
from service.web.pages import Page

SANDBOX = Page("Sandbox", "/")
_Call = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class SandboxEndpoints:
    """The page at / and the calls under /sandbox."""

    def __init__(
        self,
        pages: HumanPages,
        library: Library,
        settings: Settings,
        today: Callable[[], date],
        rehearsals: Rehearsals,
    ) -> None:
        self._pages = pages
        self._library = library
        self._settings = settings
        self._today = today
        self._rehearsals = rehearsals

    @property
    def routes(self) -> list[BaseRoute]:
        """What the app mounts."""
        limit = self._settings.max_body_bytes
        calls = {
            "screen": _beside(self._screen),
            "field": _beside(self._field),
            "accept": _beside(self._accept),
            "answer": self._answer,
        }
        return [
            Route(SANDBOX.path, self._page),
            *(Route(f"/sandbox/{name}", _json_call(call, limit), methods=["POST"]) for name, call in calls.items()),
        ]

    async def _page(self, request: Request) -> Response:
        query = request.query_params

        def model() -> dict[str, Any]:
            chosen = query.get("scenario") or self._first(query.get("rule"))
            page = sandbox.sandbox_page(chosen, self._library, self._settings.zone, self._today())
            return {"page": page, "screen": page.screen, "words": sandbox}

        try:
            return await self._pages.answer(request, "sandbox.html", model)
        except NoSuchScenario:
            return await self._pages.missing(request, "There is no scenario of this name.")

    def _first(self, topic: str | None) -> str:
        if topic == sandbox.OWN:
            return sandbox.OWN
        return sandbox.first_of(topic or START, self._library)

    def _screen(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The screen of a request."""
        request = _request_in(sent)
        return {"screen": self._screen_html(request)}

    def _field(self, sent: dict[str, Any]) -> dict[str, Any]:
        """A request with one field of one draft changed, and its screen."""
        place, field, value = sent.get("draft"), sent.get("field"), sent.get("value")
        if not isinstance(place, int) or not isinstance(field, str) or not isinstance(value, str):
            raise Refused(400, "structure", "draft, field and value are required.", "draft", "field", "value")
        try:
            request = with_field(_request_in(sent), place, field, value)
        except WrongEdit as wrong:
            raise Refused(400, "value", str(wrong), "value") from None
        return {"text": sandbox.in_full(request), "screen": self._screen_html(request)}

    def _accept(self, sent: dict[str, Any]) -> dict[str, Any]:
        """A request after a suggestion was accepted, what is different, and its screen."""
        request, suggestion, hook = _request_in(sent), sent.get("suggestion"), sent.get("hook")
        if not isinstance(suggestion, dict) or not isinstance(hook, str) or hook not in set(Hook):
            raise Refused(400, "structure", "suggestion and hook are required.", "suggestion", "hook")
        today = self._scene(request).today
        after = accepted(request, suggestion, Hook(hook), self._library.terminology, self._settings.zone, today)
        return {
            "text": sandbox.in_full(after.request),
            "screen": self._screen_html(after.request),
            "changes": list(after.changes),
        }

    async def _answer(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The cards of an answer as HTML, and what each rule said to the request."""
        request, response = _request_in(sent), sent.get("response")
        told = await self._explanation(request)
        return await run_in_threadpool(self._answer_html, response, told)

    def _answer_html(self, response: Any, told: Explanation | None) -> dict[str, Any]:
        shown = answer.cards(response) if isinstance(response, dict) else []
        html = self._pages.templates.html
        return {
            "cards": html("cards.html", cards=shown),
            "rules": html("rules_said.html", said=answer.said(told) if told else None),
            "announcement": answer.announcement(shown, told),
            "critical": sum(each.level == "critical" for each in shown),
        }

    async def _explanation(self, request: dict[str, Any]) -> Explanation | None:
        """What each rule says to the request; None for one that the service refuses for its form."""
        try:
            parsed = envelope(request)
            responder, today = self._scene(request)
            service = next((each for each in responder.services.values() if each.hook == parsed.hook), None)
            if service is None:
                return None
            return await explain(responder, service, hook_call(service, parsed), self._library, today)
        except Refused:
            return None

    def _screen_html(self, request: dict[str, Any]) -> str:
        responder, today = self._scene(request)
        shown = sandbox.screen(request, self._library, self._settings.zone, today, responder.profile)
        return self._pages.templates.html("screen.html", screen=shown, words=sandbox)

    def _scene(self, request: dict[str, Any]) -> Scene:
        return scene(self._rehearsals, request.get("extension"), self._today())


def _beside(call: Callable[[dict[str, Any]], dict[str, Any]]) -> _Call:
    """The call, made beside the event loop: charts of hundreds of resources take their time."""

    async def beside(sent: dict[str, Any]) -> dict[str, Any]:
        return await run_in_threadpool(call, sent)

    return beside


def _json_call(call: _Call, max_body_bytes: int) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that takes and gives JSON; what it refuses is an OperationOutcome."""

    async def endpoint(request: Request) -> Response:
        try:
            packed = body.check_headers(request.scope["headers"], max_body_bytes)
            sent = body.json_object(await body.read(request.receive, max_body_bytes, packed=packed))
            if body.is_nested_too_deep(sent):
                raise Refused(400, "structure", "The body is nested too deep.")
            content, status = orjson.dumps(await call(sent)), 200
        except Refused as refused:
            content, status = refused.body, refused.status
        except body.CallerGone:
            content, status = b"", 400
        return Response(content, status, media_type="application/json", headers={"cache-control": "no-store"})

    return endpoint


def _request_in(sent: dict[str, Any]) -> dict[str, Any]:
    """The hook call that the sandbox's script sends along. Raises `Refused`."""
    request = sent.get("request")
    if not isinstance(request, dict):
        raise Refused(400, "structure", "request must be a JSON object.", "request")
    return request
