"""The human pages: their frame and headers, the rule pages, the static files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from cards.library import Library
from service.web.pages import STATIC, Page, Pages
from service.web.rules import NoSuchRule, RulePages

# No other host, no inline script, no inline style, no frame.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
PAGE_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-cache",
}
RULES = Page("Rules", "/rules")


class HumanPages:
    """What every page needs: the templates with the `menu` of this app's pages, and the headers."""

    def __init__(self, menu: Sequence[Page]) -> None:
        self.templates = Pages(menu)

    async def answer(
        self, request: Request, template: str, model: Callable[[], dict[str, Any]], status: int = 200
    ) -> Response:
        """A page. `model` is called beside the event loop: a rule's page asks its rule about every example patient."""
        here = request.url.path

        def page() -> str:
            return self.templates.html(template, here=here, **model())

        return HTMLResponse(await run_in_threadpool(page), status, PAGE_HEADERS)

    async def missing(self, request: Request, text: str) -> Response:
        """The page that says that there is none."""
        return await self.answer(request, "missing.html", lambda: {"text": text}, 404)


class RuleEndpoints:
    """/rules and /rules/{topic}; with links into the sandbox where there is one."""

    def __init__(self, pages: HumanPages, library: Library, *, sandbox: bool) -> None:
        self._pages = pages
        self._rules = RulePages(library)
        self._sandbox = sandbox

    @property
    def routes(self) -> list[BaseRoute]:
        """What the app mounts."""
        return [Route(RULES.path, self._list), Route(f"{RULES.path}/{{topic}}", self._rule)]

    async def _list(self, request: Request) -> Response:
        return await self._pages.answer(request, "rules.html", lambda: {"rules": self._rules.index()})

    async def _rule(self, request: Request) -> Response:
        def model() -> dict[str, Any]:
            return {"rule": self._rules.page(request.path_params["topic"]), "sandbox": self._sandbox}

        try:
            return await self._pages.answer(request, "rule.html", model)
        except NoSuchRule:
            return await self._pages.missing(request, "There is no rule of this name.")


def static_files() -> Mount:
    """The style sheets and scripts of the pages."""
    return Mount(STATIC, _Static(packages=[("service.web", "static")]))


async def to_the_rules(_: Request) -> Response:
    """Where there is no sandbox, the front page is the list of rules."""
    return RedirectResponse(RULES.path, 303, PAGE_HEADERS)


class _Static(StaticFiles):
    """The static files, each whole or not at all; their addresses change with their content."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers. Files that small are not worth parting, and a wrong `Range` would be refused in plain text."""
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__(scope, receive, send)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file that may be kept for a year, or the word that it has not changed."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["accept-ranges"] = "none"
        return response
