"""Which FHIR server may be asked: an address that a call names counts only inside the base URLs of its client."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
# What may follow a base URL, such as a tenant: plain segments, none of which is "." or "..".
_BELOW = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")


def permitted(address: str, base_urls: Iterable[str]) -> str | None:
    """The address without trailing slash when it is, or lies below, one of the base URLs; else None.

    What is given back is made of the base URL as it was configured, not of what the caller wrote.
    """
    origin, path = _split(address)
    if origin is None:
        return None
    for base in base_urls:
        base_origin, base_path = _split(base)
        if origin != base_origin or not path.startswith(base_path):
            continue
        below = path[len(base_path) :]
        if _BELOW.fullmatch(below):
            return base.rstrip("/") + below
    return None


def next_page(link: str, page: str) -> str | None:
    """The address of the next page that a page links to; None unless it stands on the same origin."""
    try:
        address = urljoin(page, link)
    except ValueError:
        return None
    origin, _ = _split(address, with_query=True)
    if origin is None or origin != _split(page, with_query=True)[0] or not address.isascii():
        return None
    return None if re.search(r"[\x00-\x20\x7f]", address) else address.partition("#")[0]


def _split(address: str, *, with_query: bool = False) -> tuple[tuple[str, str, int] | None, str]:
    """The origin of an address and its path without trailing slash; no origin for what is no plain web address."""
    try:
        parts = urlsplit(address)
        origin = _origin(parts)
    except ValueError:
        return None, ""
    if not with_query and ("?" in address or "#" in address):
        return None, ""
    return origin, parts.path.rstrip("/")


def _origin(parts: SplitResult) -> tuple[str, str, int] | None:
    """Scheme, host and port. Raises `ValueError` for a port that is none."""
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
