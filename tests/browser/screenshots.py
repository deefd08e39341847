"""make screenshots: the two pictures of the README, of one fixed patient."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.server import browser, served

FOLDER = Path(__file__).parents[2] / "service" / "web" / "screenshots"
SIZE_LIMIT = 150_000  # bytes of one picture
_WIDTH, _HEIGHT = 1400, 900
# A picture is as wide as a README shows it.
_SCALE = 0.65


def main() -> None:
    """Writes the pictures. Raises `ValueError` for one that is too large."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as site, browser() as chromium:
        page = chromium.new_page(
            viewport={"width": _WIDTH, "height": _HEIGHT}, device_scale_factor=_SCALE, color_scheme="light"
        )
        _write("sandbox.png", _sandbox(page, site))
        _write("rule.png", _rule(page, site))


def _sandbox(page: Page, site: str) -> bytes:
    """The sandbox after an injection into the buttock was signed."""
    page.goto(f"{site}/?scenario=start/2")
    page.get_by_role("button", name="Sign").click()
    expect(page.locator(".card")).to_be_visible()
    # From the draft order down to the card, between what can be chosen and what each rule said.
    page.locator(".drafts").evaluate("each => each.scrollIntoView()")
    return page.screenshot()


def _rule(page: Page, site: str) -> bytes:
    page.goto(f"{site}/rules/buttock-injection-site#when")
    return page.screenshot()


def _write(name: str, picture: bytes) -> None:
    if len(picture) > SIZE_LIMIT:
        raise ValueError(f"{name} has {len(picture)} bytes, the limit is {SIZE_LIMIT}")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_bytes(picture)


if __name__ == "__main__":
    main()
