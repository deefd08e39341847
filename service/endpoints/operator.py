"""Who may see the pages for operators: whoever has the operator token, by header or, in a browser, by cookie."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

_COOKIE = "b12_operator"
_LASTS = timedelta(hours=8)
_BEARER = "bearer "


class Operators:
    """Knows operators by `token`. Without one everybody is let in where `free`, and nobody elsewhere.

    The cookie does not hold the token: it is a time and the token's signature of it, which every process can check.
    `path`: where the browser sends it; `secure`: over TLS only.
    """

    def __init__(
        self, token: str | None, now: Callable[[], datetime], path: str, *, free: bool = False, secure: bool = False
    ) -> None:
        self._token = token.encode() if token else None
        self._now = now
        self._path = path
        self._free = free
        self._secure = secure

    @property
    def can_come_in(self) -> bool:
        """Whether anybody may: there is a token, or none is needed."""
        return self._free or self._token is not None

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    def knows(self, request: Request) -> bool:
        """Whether the request comes from an operator."""
        if self._token is None:
            return self._free
        sent = request.headers.get("authorization", "")
        if sent[: len(_BEARER)].lower() == _BEARER and self._is_token(sent[len(_BEARER) :].strip()):
            return True
        return self._is_current(_cookie(request))

    def admit(self, token: str, response: Response) -> bool:
        """Whether this is the token; then the browser that gets `response` is known for some hours."""
        if self._token is None or not self._is_token(token):
            return False
        expires = str(int((self._now() + _LASTS).timestamp()))
        response.set_cookie(
            _COOKIE,
            f"{expires}.{self._signature(expires)}",
            max_age=int(_LASTS.total_seconds()),
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return True

    def forget(self, response: Response) -> None:
        """The browser that gets `response` is not known any more."""
        response.delete_cookie(_COOKIE, path=self._path, secure=self._secure, httponly=True, samesite="strict")

    def _is_token(self, sent: str) -> bool:
        return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), self._token or b"")

    def _is_current(self, cookie: str) -> bool:
        expires, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), self._signature(expires).encode()):
            return False
        # Only what we have signed gets here.
        return int(expires) > self._now().timestamp()

    def _signature(self, expires: str) -> str:
        said = f"operator until {expires}".encode("utf-8", "surrogateescape")
        return hmac.new(self._token or b"", said, "sha256").hexdigest()


def _cookie(request: Request) -> str:
    """The cookie's value, empty where there is none."""
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
