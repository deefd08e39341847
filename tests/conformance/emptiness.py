"""Finds what may not leave the service: null, empty strings, empty lists and empty objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def empty_members(message: Any, path: str = "") -> Iterator[str]:
    """The paths of all empty values in a message; the lists `cards` and `services` may be empty.

    The resource of an update is not looked into: it is the EHR's own, and goes back as it came.
    """
    if message is None or message in ("", {}) or (message == [] and path not in (".cards", ".services")):
        yield path
    elif isinstance(message, dict):
        for name, member in message.items():
            if not (name == "resource" and message.get("type") == "update"):
                yield from empty_members(member, f"{path}.{name}")
    elif isinstance(message, list):
        for number, member in enumerate(message):
            yield from empty_members(member, f"{path}[{number}]")
