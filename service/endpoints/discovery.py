"""GET /cds-services: the services there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from service.endpoints.answers import send_json, send_wrong_method
from service.respond import Service

_ALLOWED = "GET, HEAD, OPTIONS"


def entry(service: Service, version: str) -> dict[str, Any]:
    """What discovery says of one service, without empty members; `version` is that of CDS Hooks."""
    members = {
        "hook": str(service.hook),
        "title": service.title,
        "description": service.description,
        "id": service.id,
        "prefetch": dict(service.prefetch),
        "usageRequirements": service.usage_requirements,
        "version": version,
        "extension": dict(service.extension),
    }
    return {name: value for name, value in members.items() if value}


class Discovery:
    """The discovery endpoint, as an ASGI app; it tells the services that `services` gives at the time."""

    def __init__(self, services: Callable[[], Mapping[str, Service]], version: str) -> None:
        self._services = services
        self._version = version
        self._told: Mapping[str, Service] | None = None
        self._body = b""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Sends the list."""
        if scope["method"] in ("GET", "HEAD"):
            await send_json(send, 200, self._current())
        else:
            await send_wrong_method(send, scope["method"], _ALLOWED)

    def _current(self) -> bytes:
        """The list, written once for as long as the services stay the same."""
        services = self._services()
        if services is not self._told:
            self._body = orjson.dumps({"services": [entry(each, self._version) for each in services.values()]})
            self._told = services
        return self._body
