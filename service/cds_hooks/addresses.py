"""Which spellings of an address are one."""

from __future__ import annotations

import re

_SLASHES = re.compile("/+")


def plain_path(path: str) -> str:
    """The path without slashes that say nothing: one for several, and none at the end."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"
