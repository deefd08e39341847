"""Hook calls as an EHR makes them, and a service that knows no rule but remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx

from cards.rule import Hook
from service.app import create_app
from service.respond import Answer, HookCall, Service
from service.settings import Settings

SIGN = "/cds-services/b12-order-sign"
SELECT = "/cds-services/b12-order-select"
VIEW = "/cds-services/b12-patient-view"
TODAY = date(2026, 11, 22)
Json = dict[str, Any]


class Given(Answer):
    """An answer that is sent as it was given."""

    def __init__(self, body: Json) -> None:
        super().__init__()
        object.__setattr__(self, "given", body)

    def body(self) -> Json:
        """What was given."""
        given: Json = object.__getattribute__(self, "given")
        return given


class Listener:
    """Answers every call in the same way, by calling `answer`, and keeps what it was asked."""

    def __init__(self, answer: Callable[[], Json] = lambda: {"cards": []}) -> None:
        self.services = {f"b12-{hook}": _service(hook) for hook in Hook}
        self.heard: list[HookCall] = []
        self.days: list[date] = []
        self._answer = answer

    async def respond(self, service: Service, call: HookCall, today: date) -> Answer:
        """The answer, whatever the service."""
        assert service.hook == call.hook
        self.heard.append(call)
        self.days.append(today)
        return Given(self._answer())


def _service(hook: Hook) -> Service:
    return Service(
        id=f"b12-{hook}",
        hook=hook,
        title=f"Title of {hook}",
        description=f"Description of {hook}",
        usage_requirements="",
        prefetch={},
        extension={},
        rules=(),
    )


def client(listener: Listener | None = None, settings: Settings | None = None) -> httpx.AsyncClient:
    """An EHR connected to a service that uses `listener` for its answers."""
    app = create_app(settings or Settings(), today=lambda: TODAY, responder=listener or Listener())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://b12.example")


def order_sign(**changes: object) -> Json:
    """A valid call of order-sign without drafts; members given are replaced, or left out where `...`."""
    call: Json = {
        "hook": "order-sign",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {
            "userId": "Practitioner/prac-1",
            "patientId": "pat-1",
            "draftOrders": {"resourceType": "Bundle", "type": "collection"},
        },
    }
    return _changed(call, changes)


def with_context(**changes: object) -> Json:
    """The call of `order_sign` with members of its context replaced or, where given as `...`, left out."""
    return order_sign(context=_changed(order_sign()["context"], changes))


def _changed(members: Json, changes: Json) -> Json:
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def authorization(**changes: object) -> Json:
    """What an EHR sends so that a service may read from its FHIR server."""
    members: Json = {
        "access_token": "token-marked-secret",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/Patient.read user/Observation.read",
        "subject": "b12-cds",
    }
    return _changed(members, changes)


def issue(answer: httpx.Response, origin: str | None = "*") -> Json:
    """The one issue of a refusal, which is checked to be an OperationOutcome that pages of `origin` may read."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("access-control-allow-origin") == origin
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    [only] = body["issue"]
    assert only["severity"] == "error"
    assert only["details"]["text"]
    return dict(only)
