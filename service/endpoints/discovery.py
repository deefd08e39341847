"""GET /cds-services: the services there are, told once and for all at start."""

from __future__ import annotations

from collections.abc import Iterable
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
    """The discovery endpoint, as an ASGI app."""

    def __init__(self, services: Iterable[Service], version: str) -> None:
        self._body = orjson.dumps({"services": [entry(service, version) for service in services]})

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Sends the list."""
        if scope["method"] in ("GET", "HEAD"):
            await send_json(send, 200, self._body)
        else:
            await send_wrong_method(send, scope["method"], _ALLOWED)
