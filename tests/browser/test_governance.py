"""The governance page in a browser: WCAG 2.2 AA, any width, by keyboard, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from cards.library import load
from service.demo.board import half_a_year
from service.settings import Settings
from service.store import care
from service.store.configured import address
from tests.browser.conftest import Visitor
from tests.browser.server import served
from tests.browser.test_accessibility import WIDTHS, found_wrong

PAGE = "/governance"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an open service with demo data."""
    folder = tmp_path_factory.mktemp("board")
    care.fill(address(Settings(data_dir=folder)), *half_a_year(load(), datetime.now(UTC)))
    with served(folder) as site:
        yield site


@pytest.fixture
def member(chromium: Browser, board: str) -> Iterator[Visitor]:
    """A member of the board at the browser."""
    someone = Visitor(chromium, board)
    yield someone
    someone.close()
    assert someone.elsewhere == []
    assert someone.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_meets_wcag_2_2_aa(member: Visitor, scheme: str) -> None:
    page = member.open(PAGE, scheme=scheme)
    page.locator("details > summary").first.click()

    assert found_wrong(page, scheme) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_every_width(member: Visitor, width: int) -> None:
    page = member.open(PAGE, width=width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_is_there_without_scripts_and_by_keyboard(member: Visitor) -> None:
    page = member.open(PAGE, scripts=False)
    page.get_by_label("Client", exact=True).focus()
    page.keyboard.press("g")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url("**/governance?weeks=13&client=general-hospital")
    expect(page.locator("h1 + .lead")).to_contain_text("general-hospital")
    expect(page.get_by_role("heading", name="Week by week")).to_be_visible()
    summary = page.locator("details > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details table").first).to_be_visible()
