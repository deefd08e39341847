"""WCAG 2.2 AA on every page, light and dark, at every width; everything by keyboard; level by more than colour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor

PAGES = ["/", "/?rule=own", "/?rule=b12-dose-unit", "/rules", "/rules/buttock-injection-site", "/rules/nothing"]
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Dark pages differ from light ones in their colours alone.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WIDTHS = (360, 768, 1280, 1600)


def sign(page: Page) -> None:
    page.get_by_role("button", name="Sign").click()
    expect(page.locator("#status")).not_to_contain_text("Nothing asked")
    expect(page.locator("#status")).not_to_contain_text("Asking")


def into_the_dialog(page: Page) -> None:
    sign(page)
    expect(page.locator("dialog")).to_be_visible()


def back_from_the_dialog(page: Page) -> None:
    into_the_dialog(page)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    for summary in page.locator("details:not([open]) > summary").all():
        if summary.is_visible():
            summary.click()


def after_accepting(page: Page) -> None:
    sign(page)
    page.get_by_role("button", name="Move to the deltoid").click()
    expect(page.locator("#cards")).to_contain_text("nothing to say")


def after_a_refusal(page: Page) -> None:
    page.locator("#request").fill("{")
    page.locator("#send").click()
    expect(page.locator("#refusal")).not_to_be_empty()


def found_wrong(page: Page, scheme: str = "light") -> list[str]:
    rules = COLOURS if scheme == "dark" else WCAG
    report = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}"
        for each in report.response["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_meets_wcag_2_2_aa(visitor: Visitor, path: str, scheme: str) -> None:
    assert found_wrong(visitor.open(path, scheme=scheme), scheme) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("path", "act"),
    [
        ("/", into_the_dialog),
        ("/", back_from_the_dialog),
        ("/?scenario=start/2", after_accepting),
        ("/?rule=own", after_a_refusal),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_the_sandbox_at_work_meets_wcag_2_2_aa(
    visitor: Visitor, path: str, act: Callable[[Page], None], scheme: str
) -> None:
    page = visitor.open(path, scheme=scheme)
    act(page)

    assert found_wrong(page, scheme) == []


def test_what_axe_looks_for_would_be_found(visitor: Visitor) -> None:
    page = visitor.open("/rules")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/icon.svg\">')")

    assert "image-alt" in found_wrong(page)[0]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_at_any_width(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    overflow = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        overflow[width] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overflow == dict.fromkeys(WIDTHS, 0)


def test_the_sandbox_at_work_does_not_scroll_sideways(visitor: Visitor) -> None:
    page = visitor.open("/", width=360)
    back_from_the_dialog(page)
    overflow = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        overflow[width] = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overflow == dict.fromkeys(WIDTHS, 0)


# --- keyboard ----------------------------------------------------------------------------------------------------

FOCUSED = "(() => { const e = document.activeElement; return (e.innerText || e.id || e.tagName).trim(); })()"
OUTLINE = "(() => parseFloat(getComputedStyle(document.activeElement).outlineWidth))()"


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the element with this text has the focus, which must be seen on every way station."""
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINE) >= 2, f"the focus is not seen on {page.evaluate(FOCUSED)}"
        if page.evaluate(FOCUSED).startswith(name):
            return
    raise AssertionError(f"{name} is not reached")


def test_the_main_job_is_done_by_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open("/")

    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "Sign")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    tab_to(page, "Give B12 today")
    page.keyboard.press("Enter")

    expect(page.locator("#changes")).to_contain_text("New draft: Hydroxocobalamin, 1 mg intramuscular, every 2 days")
    expect(page.locator(".draft")).to_have_count(2)


def test_escape_leads_back_to_the_order_and_the_card_stays_in_sight(visitor: Visitor) -> None:
    page = visitor.open("/")
    into_the_dialog(page)

    page.keyboard.press("Escape")

    expect(page.locator("#cards .card.critical")).to_be_visible()


# --- said, not only shown ----------------------------------------------------------------------------------------


def test_the_arrival_of_cards_is_announced(visitor: Visitor) -> None:
    page = visitor.open("/?scenario=start/2")
    status = page.get_by_role("status").filter(has_text="Nothing asked yet")
    expect(status).to_have_count(1)

    sign(page)

    expect(page.locator("#status[role=status]")).to_have_text("1 card: 1 warning.")


def test_every_level_has_a_word_and_a_sign_of_its_own_shape(visitor: Visitor) -> None:
    page = visitor.open("/rules")
    levels = page.locator(".level").all()

    shapes = {level.inner_text().strip(): level.locator("path").get_attribute("d") for level in levels}

    assert set(shapes) == {"Critical", "Warning", "Info"}
    assert len(set(shapes.values())) == len(shapes)


def test_on_paper_there_is_the_rule_and_no_menu(visitor: Visitor) -> None:
    page = visitor.open("/rules/buttock-injection-site")
    page.emulate_media(media="print")

    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".contents")).to_be_hidden()
    expect(page.locator("#thresholds")).to_be_visible()


# --- nothing jumps -----------------------------------------------------------------------------------------------

SHIFT = """() => new Promise((done) => {
  let sum = 0;
  const count = (list) => { for (const each of list.getEntries()) sum += each.hadRecentInput ? 0 : each.value; };
  new PerformanceObserver(count).observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_jumps_when_the_page_opens_and_when_cards_arrive(visitor: Visitor, width: int) -> None:
    page = visitor.open("/?scenario=start/2", width=width)
    # By script: what comes shortly after a click would be excused.
    page.evaluate("document.querySelector('[data-fire=order-sign]').click()")
    expect(page.locator(".card")).to_be_visible()

    assert page.evaluate(SHIFT) < 0.02
