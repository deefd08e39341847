"""/governance: the view of those who decide about the rules, its CSV, and how an operator comes in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cards.library import Library
from service.clients.replay import StoreUnavailable
from service.endpoints import body
from service.endpoints.answers import Refused
from service.endpoints.operator import Operators
from service.endpoints.pages import PAGE_HEADERS, HumanPages
from service.store import governance as numbers
from service.store.governance import Asked
from service.store.ledger import Ledger
from service.web import governance as words
from service.web.pages import Page

GOVERNANCE = Page("Governance", "/governance")
_HEADERS = {**PAGE_HEADERS, "cache-control": "no-store"}
_RETRY = {"retry-after": "5"}
_LONGEST_FORM = 4_000


class GovernanceEndpoints:
    """The page at /governance and what belongs to it; `today` says which day it is."""

    def __init__(
        self, pages: HumanPages, library: Library, ledger: Ledger, operators: Operators, today: Callable[[], date]
    ) -> None:
        self._pages = pages
        self._library = library
        self._ledger = ledger
        self._operators = operators
        self._today = today

    @property
    def routes(self) -> list[BaseRoute]:
        """What the app mounts."""
        return [
            Route(GOVERNANCE.path, self._page),
            Route(f"{GOVERNANCE.path}/cards.csv", self._csv),
            Route(f"{GOVERNANCE.path}/sign-in", self._sign_in, methods=["POST"]),
            Route(f"{GOVERNANCE.path}/sign-out", self._sign_out, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        if not self._operators.knows(request):
            return await self._door(request, 401)
        today = self._today()
        asked = self._asked(request, today)
        try:
            report = await self._ledger.read(partial(numbers.report, asked=asked))
        except StoreUnavailable:
            return await self._away(request)

        def model() -> dict[str, Any]:
            page = words.page(report, self._library, today)
            return {"page": page, "words": words, "operators": self._operators, "query": request.url.query}

        return _not_kept(await self._pages.answer(request, "governance.html", model))

    async def _csv(self, request: Request) -> Response:
        if not self._operators.knows(request):
            return await self._door(request, 401)
        asked = self._asked(request, self._today())
        try:
            rows = await self._ledger.read(partial(numbers.rows, asked=asked))
        except StoreUnavailable:
            return await self._away(request)
        name = f"b12-cds-{asked.first:%Y-%m-%d}-{asked.weeks}-weeks.csv"
        headers = {**_HEADERS, "content-disposition": f'attachment; filename="{name}"'}
        return Response(words.as_csv(rows), headers=headers, media_type="text/csv; charset=utf-8")

    async def _sign_in(self, request: Request) -> Response:
        try:
            sent = parse_qs((await body.read(request.receive, _LONGEST_FORM)).decode("utf-8", "replace"))
        except (Refused, body.CallerGone):
            sent = {}
        response = RedirectResponse(GOVERNANCE.path, 303, _HEADERS)
        if self._operators.admit(sent.get("token", [""])[0], response):
            return response
        return await self._door(request, 401, wrong=True)

    async def _sign_out(self, _: Request) -> Response:
        response = RedirectResponse(GOVERNANCE.path, 303, _HEADERS)
        self._operators.forget(response)
        return response

    async def _door(self, request: Request, status: int, *, wrong: bool = False) -> Response:
        """The page that asks for the token, or says that there is none."""
        if not self._operators.can_come_in:
            status = 403
        model = {"operators": self._operators, "wrong": wrong}
        return _not_kept(await self._pages.answer(request, "operator.html", lambda: model, status))

    async def _away(self, request: Request) -> Response:
        """The page that says that the store does not answer."""
        response = await self._pages.answer(request, "store_away.html", dict, 503)
        response.headers.update(_RETRY)
        return _not_kept(response)

    def _asked(self, request: Request, today: date) -> Asked:
        """The period and the client of the query; what is no choice of the page is as if it were not there."""
        sent = request.query_params
        weeks = sent.get("weeks", "")
        chosen = int(weeks) if weeks in {str(period) for period in words.PERIODS} else words.DEFAULT_WEEKS
        return words.asked_for(today, chosen, sent.get("client") or None)


def _not_kept(response: Response) -> Response:
    response.headers["cache-control"] = "no-store"
    return response
