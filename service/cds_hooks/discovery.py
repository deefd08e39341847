"""What a service says of itself at GET /cds-services."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from service.cds_hooks.wire import Extension, Message, Text


class CDSService(Message):
    """One entry of the list."""

    hook: Text
    title: Text | None = None
    description: Text
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]+$")]
    prefetch: Annotated[dict[str, Text], Field(min_length=1)] | None = None
    usage_requirements: Text | None = None
    version: Text | None = None
    extension: Extension = None


class CDSServices(Message):
    """The whole answer."""

    services: list[CDSService]
