"""Requests as electronic health records send them, from published reports and trials, with the answer that is due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.field.judging import faults
from tests.field.server import Server
from tests.service.test_serve import served

_FOLDER = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    case for file in sorted((_FOLDER / "cases").glob("*.json")) for case in json.loads(file.read_text("utf-8"))
]
# What is not right yet, each with its reason. The list may only shrink: a case that comes right must leave it.
NOT_YET: dict[str, str] = yaml.safe_load((_FOLDER / "not_yet.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An open server with its sandbox: a case says its own day and profile."""
    with served() as (address, _):
        yield Server(address)


def _marked(case: dict[str, Any]) -> Any:
    reason = NOT_YET.get(case["id"])
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(case, id=f"{case['id']}: {case['why']}", marks=marks)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
def test_the_answer_is_the_one_that_is_due(case: dict[str, Any], server: Server) -> None:
    status, answer = server.call(case["request"], case.get("transport"))

    assert faults(server, case, status, answer, case["expect"]) == []


def test_every_case_that_is_not_right_yet_is_one_of_the_cases() -> None:
    assert NOT_YET.keys() <= {case["id"] for case in CASES}
