"""The sandbox's scenarios: on whatever day the service runs, each is answered as its own day demands."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from cards.library import load
from cards.vignettes import all_files
from service.cds_hooks.as_if import AS_IF
from service.demo import scenarios
from service.demo.scenarios import OFFICIAL, START, NoSuchScenario, Scenario
from service.rehearsal import has_sandbox
from service.settings import Settings
from tests.expected_answers import check
from tests.serving import service_on

pytestmark = pytest.mark.anyio

ANOTHER_DAY = date(2031, 2, 28)
RECORDED = Path(__file__).parents[1] / "real_requests"


def sent(scenario: Scenario) -> dict[str, Any]:
    return dict(scenario.request)


@pytest.mark.parametrize("topic", sorted(load().folders))
async def test_every_vignette_is_answered_in_the_sandbox_as_in_its_file(topic: str) -> None:
    file = all_files()[topic]

    async with service_on(ANOTHER_DAY) as ehr:
        for place, vignette in enumerate(file.vignettes, start=1):
            scenario = scenarios.scenario(f"{topic}/{place}", load())
            answer = await ehr.post(f"/cds-services/b12-{scenario.summary.hook}", json=sent(scenario))
            check(answer, topic, file, vignette)


@pytest.mark.parametrize("group", [START, OFFICIAL])
async def test_the_first_card_of_other_scenarios_is_as_loud_as_their_list_says(group: str) -> None:
    async with service_on(ANOTHER_DAY) as ehr:
        for summary in scenarios.summaries(group, load()):
            answer = await ehr.post(
                f"/cds-services/b12-{summary.hook}", json=sent(scenarios.scenario(summary.id, load()))
            )
            cards = answer.json()["cards"]
            assert (cards[0]["indicator"] if cards else "silent") == summary.level, summary.name


def test_the_calls_of_the_official_sandbox_are_those_that_were_recorded() -> None:
    names = {summary.id.removeprefix("official/") for summary in scenarios.summaries(OFFICIAL, load())}
    recorded = {path.stem.removeprefix("sandbox-"): path for path in RECORDED.glob("sandbox-*.json")}

    assert names == {name for name in recorded if not name.startswith("feedback")}
    for name in names:
        request = sent(scenarios.scenario(f"official/{name}", load()))
        del request["prefetch"], request["extension"]
        assert request == json.loads(recorded[name].read_text(encoding="utf-8"))["body"]


@pytest.mark.parametrize("id_", ["", "start", "start/0", "start/99", "start/²", "no-such-rule/1", "official/nothing"])
def test_an_unknown_scenario_is_refused(id_: str) -> None:
    with pytest.raises(NoSuchScenario):
        scenarios.scenario(id_, load())


# --- the extension that asks for a day ---------------------------------------------------------------------------


async def asked(scene: object, *, sandbox: bool = True) -> httpx.Response:
    """The answer to the first critical example, when it asks for this scene."""
    request = sent(scenarios.scenario("start/1", load()))
    request["extension"] = {AS_IF: scene}
    async with service_on(ANOTHER_DAY, sandbox=sandbox) as ehr:
        return await ehr.post("/cds-services/b12-order-sign", json=request)


async def test_a_request_may_ask_for_a_day_a_profile_and_thresholds_of_its_own() -> None:
    answer = await asked({"today": "2026-11-23", "profile": "us", "thresholds": {"folate_mcg_day": 5000}})

    assert answer.json() == {"cards": []}


async def test_without_a_sandbox_no_request_chooses_its_day() -> None:
    on_its_day = await asked({"today": "2026-11-23"})
    without = await asked({"today": "2026-11-23"}, sandbox=False)

    assert "16 Nov 2026" in on_its_day.json()["cards"][0]["summary"]
    assert without.status_code == httpx.codes.OK
    assert all("16 Nov 2026" not in card["summary"] for card in without.json()["cards"])


@pytest.mark.parametrize(
    ("scene", "named"),
    [
        ({"today": "tomorrow"}, "today"),
        ({"profile": "fr"}, "profile"),
        ({"thresholds": {"no_such_threshold": 1}}, "thresholds"),
        ({"weather": "fine"}, "weather"),
        ("2026-11-23", "extension"),
    ],
)
async def test_a_scene_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(scene: object, named: str) -> None:
    answer = await asked(scene)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    [issue] = answer.json()["issue"]
    assert issue["expression"] == ["extension.urn:b12-cds:as-if"]
    assert named in issue["details"]["text"]


@pytest.mark.parametrize(
    ("host", "asked_for", "there"),
    [
        ("127.0.0.1", None, True),
        ("localhost", None, True),
        ("198.51.100.7", None, False),
        ("127.0.0.1", False, False),
        ("198.51.100.7", True, True),
    ],
)
def test_where_others_can_call_there_is_a_sandbox_only_when_it_is_asked_for(
    host: str, asked_for: bool | None, there: bool
) -> None:
    assert has_sandbox(Settings(host=host, sandbox=asked_for)) is there
