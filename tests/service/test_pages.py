"""The human pages over HTTP: what they hold, what protects them, what they weigh; they load nothing from elsewhere."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from cards.library import load
from cards.vignettes import ExpectedCard, all_files
from service.app import create_app
from service.demo import scenarios
from service.settings import Settings
from service.web.rules import RulePages
from tests.serving import client_of, service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 25)
HEAVIEST_PAGE = 150_000  # bytes, with its style sheets and scripts
TOPICS = sorted(load().folders)
PAGES = ["/", "/?rule=own", "/?rule=official", "/?scenario=start/4", "/rules", "/rules/nothing", "/rules/nitrous-oxide"]


RULE_PAGES = RulePages(load())


class Tags(HTMLParser):
    """Every start tag of a page with its attributes, and the text inside script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)

    def loaded(self) -> list[str]:
        """What a browser loads with the page."""
        return [
            str(attributes.get("src") or attributes.get("href"))
            for tag, attributes in self.found
            if tag in ("script", "img", "iframe", "source") or (tag == "link" and attributes.get("rel") != "canonical")
        ]


async def get(path: str, *, sandbox: bool = True) -> httpx.Response:
    async with service_on(TODAY, sandbox=sandbox) as browser:
        return await browser.get(path)


async def post(path: str, body: Any) -> httpx.Response:
    async with service_on(TODAY) as browser:
        if isinstance(body, bytes):
            return await browser.post(path, content=body, headers={"content-type": "application/json"})
        return await browser.post(path, json=body)


# --- every page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_forbids_everything_that_it_does_not_need(path: str) -> None:
    page = await get(path)

    policy = dict(rule.strip().split(" ", 1) for rule in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "form-action", "img-src")} == {"'self'"}
    assert (policy["base-uri"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_no_inline_script_or_style_and_loads_from_here_alone(path: str) -> None:
    tags = Tags((await get(path)).text)

    assert tags.inline == []
    assert [
        name for _, attributes in tags.found for name in attributes if name == "style" or name.startswith("on")
    ] == []
    assert [address for address in tags.loaded() if not address.startswith("/static/")] == []


@pytest.mark.parametrize("path", dict.fromkeys([*PAGES, *(f"/rules/{topic}" for topic in TOPICS)]))
async def test_a_page_weighs_little(path: str) -> None:
    async with service_on(TODAY) as browser:
        page = await browser.get(path)
        parts = [await browser.get(address) for address in dict.fromkeys(Tags(page.text).loaded())]
        modules = [await browser.get(f"/static/{name}") for name in re.findall(r"from '\./(\w+\.js)'", _text(parts))]

    assert all(part.status_code == httpx.codes.OK for part in [*parts, *modules])
    assert sum(len(part.content) for part in [page, *parts, *modules]) < HEAVIEST_PAGE


def _text(parts: list[httpx.Response]) -> str:
    return "".join(part.text for part in parts)


async def test_static_files_may_be_kept_because_their_address_changes_with_them() -> None:
    address = next(each for each in Tags((await get("/")).text).loaded() if "app.css" in each)

    assert re.fullmatch(r"/static/app\.css\?v=[0-9a-f]{12}", address)
    assert "immutable" in (await get(address)).headers["cache-control"]


@pytest.mark.parametrize("path", ["/rules/no-such-rule", "/?scenario=nothing/1", "/?rule=nothing"])
async def test_an_unknown_page_says_so_in_the_same_frame(path: str) -> None:
    page = await get(path)

    assert page.status_code == httpx.codes.NOT_FOUND
    assert "<h1>Not found</h1>" in page.text


async def test_what_stands_in_the_address_never_becomes_markup() -> None:
    page = await get("/?scenario=%3Cscript%3Ealert(1)%3C/script%3E")

    assert "<script>alert" not in page.text


async def test_without_a_sandbox_the_front_page_is_the_list_of_rules() -> None:
    front = await get("/", sandbox=False)
    rules = await get("/rules", sandbox=False)
    call = await get("/sandbox/screen", sandbox=False)

    assert (front.status_code, front.headers["location"]) == (303, "/rules")
    assert ">Sandbox<" not in rules.text
    assert "/?scenario=" not in (await get("/rules/folate-before-b12", sandbox=False)).text
    assert call.status_code == httpx.codes.NOT_FOUND


# --- the sandbox -------------------------------------------------------------------------------------------------


async def test_the_chart_and_the_draft_stand_in_the_page_before_any_script_runs() -> None:
    page = (await get("/")).text

    for said in ("67 years", "Pernicious anemia", "131 ng/L", "Folic acid 5mg tablets", "order-sign"):
        assert said in page


@pytest.mark.parametrize("topic", TOPICS)
async def test_every_example_patient_can_be_chosen(topic: str) -> None:
    page = (await get(f"/?rule={topic}")).text

    for summary in scenarios.summaries(topic, load()):
        assert f'href="/?scenario={summary.id}"' in page


async def test_a_changed_field_comes_back_as_a_request_and_a_screen() -> None:
    request = dict(scenarios.scenario("start/2", load()).request)

    answer = await post("/sandbox/field", {"request": request, "draft": 0, "field": "site", "value": "deltoid, left"})

    assert '"deltoid, left"' in answer.json()["text"]
    assert "into the left deltoid" in answer.json()["screen"]


async def test_the_cards_come_back_as_an_ehr_shows_them_with_what_each_rule_said() -> None:
    request = dict(scenarios.scenario("start/1", load()).request)
    response = (await post("/cds-services/b12-order-sign", request)).json()

    shown = (await post("/sandbox/answer", {"request": request, "response": response})).json()

    assert shown["announcement"] == "1 card: 1 critical."
    assert shown["critical"] == 1
    assert "<strong>Why now</strong>" in shown["cards"]
    assert f'data-card="{response["cards"][0]["uuid"]}"' in shown["cards"]
    assert 'href="/rules/folate-before-b12"' in shown["rules"]


async def test_a_card_that_is_not_ours_cannot_bring_markup_into_the_page() -> None:
    card = {
        "uuid": '"><script>alert(1)</script>',
        "summary": "<img src=x onerror=alert(1)>",
        "indicator": "loud",
        "detail": "<script>alert(1)</script>",
        "source": {"label": "<b>", "url": "javascript:alert(1)"},
        "links": [{"label": "here", "url": "data:text/html,x"}],
        "suggestions": [{"uuid": "'\"", "label": "<i>"}],
    }

    shown = (await post("/sandbox/answer", {"request": {}, "response": {"cards": [card]}})).json()["cards"]

    for raw in ("<script", "<img", "<b>", "<i>", "javascript:", "data:text"):
        assert raw not in shown


async def test_what_was_refused_is_told_without_a_card() -> None:
    shown = (await post("/sandbox/answer", {"request": {"hook": "order-sign"}, "response": None})).json()

    assert shown["cards"].strip() == ""
    assert "refused" in shown["rules"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/sandbox/screen", b"not JSON", 400),
        ("/sandbox/screen", {"request": "text"}, 400),
        ("/sandbox/screen", {"request": {"extension": {"urn:b12-cds:as-if": {"today": 5}}}}, 400),
        ("/sandbox/field", {"request": {}, "draft": 0, "field": "dose", "value": "1"}, 400),
        ("/sandbox/field", {"request": {}, "draft": "0", "field": "dose", "value": "1"}, 400),
        ("/sandbox/accept", {"request": {}, "suggestion": {}, "hook": "encounter-start"}, 400),
        ("/sandbox/accept", {"request": {}, "suggestion": [], "hook": "order-sign"}, 400),
        ("/sandbox/answer", b"[" * 600 + b"]" * 600, 400),
        ("/sandbox/answer", b'{"request": ' + b'{"a": ' * 600 + b"1" + b"}" * 600 + b"}", 400),
    ],
)
async def test_what_cannot_be_shown_is_refused_as_an_operation_outcome(path: str, body: Any, status: int) -> None:
    answer = await post(path, body)

    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


# --- the rules ---------------------------------------------------------------------------------------------------


async def test_the_list_names_every_rule() -> None:
    page = (await get("/rules")).text

    assert [topic for topic in TOPICS if f'href="/rules/{topic}"' not in page] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_the_page_of_a_rule_shows_each_of_its_situations_with_a_card_of_its_vignettes(topic: str) -> None:
    page = RULE_PAGES.page(topic)
    expected = {v.expect.summary for v in all_files()[topic].vignettes if isinstance(v.expect, ExpectedCard)}

    assert {each.variant for each in page.examples} == {
        variant.replace("_", " ") for variant in load().folders[topic].definition.levels
    }
    assert {each.card.summary for each in page.examples} <= expected


@pytest.mark.parametrize("topic", TOPICS)
def test_every_silent_example_patient_has_a_reason(topic: str) -> None:
    page = RULE_PAGES.page(topic)
    silent = [v.name for v in all_files()[topic].vignettes if v.expect == "no card"]

    assert sorted(patient.name for each in page.silences for patient in each.patients) == sorted(silent)


async def test_the_page_of_a_rule_holds_what_a_reviewer_signs() -> None:
    page = (await get("/rules/folate-before-b12")).text

    for said in (
        "Folic acid before vitamin B12",
        "awaiting clinical sign-off",
        "400 mcg/day",
        "Folic acid 5 mg tablets, summary of product characteristics",
        "<code>b12-given-elsewhere</code>",
        "Injections are up to date",
        "/?scenario=folate-before-b12/1",
        "LOINC",
    ):
        assert said in page


# --- cards link here ---------------------------------------------------------------------------------------------


async def test_cards_link_to_their_rule_only_when_the_public_address_is_known() -> None:
    request = dict(scenarios.scenario("start/1", load()).request)
    links = []
    for address in (None, "https://b12.example.org"):
        app = create_app(Settings(public_url=address), today=lambda: TODAY)
        async with client_of(app) as ehr:
            answer = await ehr.post("/cds-services/b12-order-sign", json=request)
        [card] = answer.json()["cards"]
        links.append([(link["label"], link["url"]) for link in card["links"]])

    without, with_address = links
    assert "Why this card?" not in dict(without)
    why = ("Why this card?", "https://b12.example.org/rules/folate-before-b12")
    assert with_address == [*without, why]
