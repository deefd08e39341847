"""Calls of the official CDS Hooks Sandbox, as it sent them, and the README's example."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import service_on

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 23)
REQUESTS = Path(__file__).parents[1] / "real_requests"
README = Path(__file__).parents[2] / "README.md"
EXAMPLE: dict[str, Any] = json.loads((REQUESTS / "example-order-sign.json").read_text())
SANDBOX = sorted(path.stem.removeprefix("sandbox-") for path in REQUESTS.glob("sandbox-*.json"))


async def sent(name: str, prefetch: dict[str, Any] | None = None) -> httpx.Response:
    """The service's answer to a recorded call, with `prefetch` when the EHR sends any."""
    call = json.loads((REQUESTS / f"sandbox-{name}.json").read_text())
    body = call["body"] | ({"prefetch": prefetch} if prefetch is not None else {})
    async with service_on(TODAY) as ehr:
        return await ehr.post(f"/cds-services/b12-{body['hook']}", json=body, headers=call["headers"])


def nothing_on_record() -> dict[str, Any]:
    """Every prefetch key of the example, with empty answers."""
    return {key: {"resourceType": "Bundle", "total": 0} for key in EXAMPLE["prefetch"] if key != "patient"}


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    """Topic and indicator of each card."""
    assert answer.status_code == httpx.codes.OK
    return [(card["source"]["topic"]["code"], card["indicator"]) for card in answer.json()["cards"]]


async def test_a_screen_that_opens_needs_no_data_and_gets_no_card() -> None:
    answer = await sent("order-select-opening")

    assert (answer.status_code, answer.content) == (200, b'{"cards":[]}')


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("patient-view", {"medications", "doses"}),
        ("order-select-folic-acid", {"problems", "labs"}),
        ("order-sign-folic-acid", {"problems", "labs"}),
        ("order-sign-cyanocobalamin-tablet", {"medications", "doses"}),
    ],
)
async def test_without_data_the_keys_that_are_needed_are_named(name: str, keys: set[str]) -> None:
    answer = await sent(name)

    assert answer.status_code == httpx.codes.PRECONDITION_FAILED
    [issue] = answer.json()["issue"]
    assert set(issue["expression"]) >= {f"prefetch.{key}" for key in keys}


@pytest.mark.parametrize("name", ["order-select-folic-acid", "order-sign-folic-acid"])
async def test_folic_acid_in_untreated_pernicious_anaemia_interrupts(name: str) -> None:
    assert told(await sent(name, EXAMPLE["prefetch"])) == [("folate-before-b12", "critical")]


@pytest.mark.parametrize("name", SANDBOX)
async def test_a_patient_of_whom_nothing_is_known_gets_no_card(name: str) -> None:
    assert told(await sent(name, nothing_on_record())) == []


@pytest.mark.parametrize("name", SANDBOX)
async def test_the_browser_that_calls_may_read_the_answer(name: str) -> None:
    answer = await sent(name)

    assert answer.headers["access-control-allow-origin"] in ("*", "http://127.0.0.1:9003")


async def test_the_readme_shows_what_the_service_answers() -> None:
    block = re.search(r"```json\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    shown = json.loads(block[1])

    async with service_on(TODAY) as ehr:
        answered = (await ehr.post("/cds-services/b12-order-sign", json=EXAMPLE)).json()

    assert_part_of(shown, answered)


def assert_part_of(shown: Any, answered: Any) -> None:
    """Everything shown stands in the answer, lists in full length."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert_part_of(value, answered[name])
    elif isinstance(shown, list):
        assert len(shown) == len(answered)
        for ours, theirs in zip(shown, answered, strict=True):
            assert_part_of(ours, theirs)
    else:
        assert shown == answered
