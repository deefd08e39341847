"""/governance over HTTP: who may see it, what it says, and what it says when the store is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from cards.library import load
from service.app import create_app
from service.demo.board import half_a_year
from service.settings import Settings
from service.store import care
from service.store.ledger import NoLedger
from service.store.store import Store, Where
from tests.service.calls import Listener
from tests.serving import client_of

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
TOKEN = "an operator's token, long enough"  # noqa: S105 - of this test only


class Clock:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


@asynccontextmanager
async def visitor(
    ledger: Any = None, clock: Clock | None = None, base: str = "http://b12.example.org", **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that visits a service with these settings."""
    settings = {"operator_token": TOKEN, "open": True, **settings}
    app = create_app(Settings(**settings), responder=Listener(), ledger=ledger or NoLedger(), now=clock or Clock())
    async with client_of(app) as client:
        client.base_url = httpx.URL(base)
        yield client


@pytest.fixture(scope="module")
def half_year(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """A store with demo data."""
    url = URL.create("sqlite", database=str(tmp_path_factory.mktemp("demo") / "b12-cds.sqlite"))
    care.fill(url, *half_a_year(load(), NOW))
    return url


def by_token(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# --- who may see it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/governance", "/governance/cards.csv", "/governance?weeks=26"])
async def test_without_the_token_there_are_no_numbers_but_a_form(path: str, half_year: URL) -> None:
    async with Store(Where(half_year)).running() as store, visitor(store) as browser:
        for headers in ({}, by_token("wrong"), by_token(""), {"authorization": f"Basic {TOKEN}"}):
            answer = await browser.get(path, headers=headers)
            assert answer.status_code == 401
            assert 'action="/governance/sign-in"' in answer.text
            assert "general-hospital" not in answer.text


async def test_the_token_opens_it_by_header(half_year: URL) -> None:
    async with Store(Where(half_year)).running() as store, visitor(store) as browser:
        answer = await browser.get("/governance", headers=by_token())

    assert answer.status_code == 200
    assert "general-hospital" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_signing_in_lasts_some_hours_and_ends_by_signing_out(half_year: URL) -> None:
    clock = Clock()
    async with Store(Where(half_year)).running() as store, visitor(store, clock) as browser:
        signed_in = await browser.post("/governance/sign-in", data={"token": TOKEN})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/governance")
        assert (await browser.get("/governance")).status_code == 200
        clock.now = NOW + timedelta(hours=7, minutes=59)
        assert (await browser.get("/governance")).status_code == 200
        clock.now = NOW + timedelta(hours=8, seconds=1)
        assert (await browser.get("/governance")).status_code == 401
        clock.now = NOW
        assert (await browser.post("/governance/sign-out")).status_code == 303
        assert (await browser.get("/governance")).status_code == 401


async def test_the_cookie_is_out_of_reach_and_does_not_hold_the_token() -> None:
    async with visitor(public_url="https://b12.example.org") as browser:
        cookie = (await browser.post("/governance/sign-in", data={"token": TOKEN})).headers["set-cookie"]

    assert {"HttpOnly", "SameSite=strict", "Path=/governance", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie


async def test_a_wrong_token_is_told_and_no_cookie_is_given() -> None:
    async with visitor() as browser:
        for form in ({"token": "wrong"}, {"token": ""}, {}, {"token": "x" * 10_000}, {"token": "\udcff"}):
            sent = "&".join(f"{name}={value.encode('utf-8', 'surrogateescape').hex()}" for name, value in form.items())
            answer = await browser.post("/governance/sign-in", content=sent)
            assert answer.status_code == 401
            assert "That is not the operator token." in answer.text
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "cookie", ["", "1", "99999999999.", "99999999999.00", ".", "x.y", "99999999999." + "0" * 64, "é.ü", '"', "a=b; ;"]
)
async def test_a_forged_cookie_opens_nothing(cookie: str) -> None:
    async with visitor() as browser:
        answer = await browser.get("/governance", headers=[(b"cookie", f"b12_operator={cookie}".encode())])

    assert answer.status_code == 401


async def test_a_cookie_of_another_token_opens_nothing() -> None:
    async with visitor(operator_token="another operator's token") as browser:  # noqa: S106
        signed_in = await browser.post("/governance/sign-in", content="token=another+operator%27s+token")
    async with visitor() as browser:
        answer = await browser.get("/governance", headers={"cookie": signed_in.headers["set-cookie"].split(";")[0]})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"open": True, "host": "127.0.0.1"}, 200),
        ({"open": True, "host": "0.0.0.0", "allow_open": True}, 403),  # noqa: S104
        ({"open": False, "host": "127.0.0.1"}, 403),
    ],
)
async def test_without_a_token_it_is_open_where_everything_is_and_only_this_machine_comes(
    settings: dict[str, Any], status: int, half_year: URL
) -> None:
    async with (
        Store(Where(half_year)).running() as store,
        visitor(store, operator_token=None, **settings) as browser,
    ):
        answer = await browser.get("/governance")
        signed_in = await browser.post("/governance/sign-in", data={"token": ""})

    assert answer.status_code == status
    assert ("B12_CDS_OPERATOR_TOKEN" in answer.text) == (status == 403)
    assert "set-cookie" not in signed_in.headers


# --- what it says ------------------------------------------------------------------------------------------------


async def test_the_demo_data_show_what_a_board_should_find(half_year: URL) -> None:
    async with Store(Where(half_year)).running() as store, visitor(store) as browser:
        text = (await browser.get("/governance", headers=by_token())).text

    for flag in ("Hardly accepted", "Often inaccurate", "Volume changed", "Silent"):
        assert f"</svg>{flag}</span>" in text
    for topic in ("b12-monitoring", "cobalamin-allergy", "duplicate-cobalamin", "leber-cyanocobalamin"):
        assert f'href="/rules/{topic}"' in text
    assert "Nothing stands out" not in text


async def test_one_client_and_a_longer_period_may_be_chosen(half_year: URL) -> None:
    async with Store(Where(half_year)).running() as store, visitor(store) as browser:
        page = await browser.get("/governance?weeks=26&client=north-clinic", headers=by_token())
        sheet = await browser.get("/governance/cards.csv?weeks=26&client=north-clinic", headers=by_token())
        strange = await browser.get("/governance?weeks=1000&client=nobody", headers=by_token())

    assert '<option value="26" selected>' in page.text
    assert 'href="/governance/cards.csv?weeks=26&amp;client=north-clinic"' in page.text
    lines = sheet.text.splitlines()
    assert len(lines) > 100
    assert {line.split(",")[1] for line in lines[1:]} == {"north-clinic"}
    assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
    assert "b12-cds-2026-06-01-26-weeks.csv" in sheet.headers["content-disposition"]
    assert (strange.status_code, "No card was written down" in strange.text) == (200, True)


async def test_the_page_is_light(half_year: URL) -> None:
    async with Store(Where(half_year)).running() as store, visitor(store) as browser:
        page = await browser.get("/governance?weeks=26", headers=by_token())
        addresses = [part.split('"')[0] for part in page.text.split('<link rel="stylesheet" href="')[1:]]
        sheets = [await browser.get(address) for address in addresses]

    assert len(page.content) + sum(len(sheet.content) for sheet in sheets) < 150_000


async def test_when_the_store_is_away_the_page_says_so() -> None:
    async with visitor() as browser:
        for path in ("/governance", "/governance/cards.csv"):
            answer = await browser.get(path, headers=by_token())
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "The store does not answer" in answer.text


async def test_demo_data_are_the_same_for_the_same_moment_and_never_mix_with_records(
    half_year: URL, tmp_path: Path
) -> None:
    assert half_a_year(load(), NOW) == half_a_year(load(), NOW)
    with pytest.raises(care.StoreFailed, match="holds records already"):
        care.fill(half_year, *half_a_year(load(), NOW))
