"""A real browser and a real server for it; what loads from elsewhere or fails in the page fails the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.server import CHROMIUM, browser, served


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the service."""
    with served(tmp_path_factory.mktemp("site")) as address:
        yield address


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. It has an event loop running in this thread, beside which no asynchronous test can run."""
    if not CHROMIUM.exists():
        absent = f"{CHROMIUM} is not there: what people see cannot be looked at"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    with browser() as running:
        yield running


class Visitor:
    """Opens pages, and knows what each of them asked for and complained of."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.site = site
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._browser = browser
        self._contexts: list[Page] = []

    def open(
        self, path: str, *, width: int = 1280, height: int = 900, scheme: str = "light", scripts: bool = True
    ) -> Page:
        """A page in a window of its own."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: self._look_at(request.url))
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self._contexts.append(page)
        page.goto(self.site + path)
        return page

    def close(self) -> None:
        """Closes all windows."""
        for page in self._contexts:
            page.context.close()

    def _look_at(self, url: str) -> None:
        if not url.startswith(self.site):
            self.elsewhere.append(urlsplit(url).netloc or url)


@pytest.fixture
def visitor(chromium: Browser, site: str) -> Iterator[Visitor]:
    """Someone at the browser; the test fails when a page loads from elsewhere or complains."""
    someone = Visitor(chromium, site)
    yield someone
    someone.close()
    assert someone.elsewhere == []
    # The status of an answer that the test is about, such as a refusal, is logged by the browser as an error.
    assert [each for each in someone.complaints if "the server responded with a status of 4" not in each] == []
