"""Junk over HTTP: whatever is sent gets cards as the standard has them or a reasoned refusal; never a fault."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fhir_server import FhirServer, Said
from tests.junk import Call, feedback_calls, junk_calls, sandbox_calls, spoiled_calls, unreadable_calls, wrong_with
from tests.service.fhir.reading import TODAY
from tests.serving import service_on

# `make soak` sends ten thousand, other ones each time that it is told to; these are the same ones each time.
few = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


async def answer(call: Call) -> tuple[int, bytes]:
    """What the service answers."""
    async with service_on(TODAY) as client:
        answered = await client.post(call.path, content=call.content, headers={"content-type": "application/json"})
    return answered.status_code, answered.content


def check(call: Call) -> None:
    """Fails where the answer is wrong, with what was sent."""
    status, content = anyio.run(answer, call)
    assert wrong_with(call, status, content) is None


@settings(few, max_examples=100)
@given(junk_calls)
def test_junk_under_every_prefetch_key_and_in_every_draft_costs_no_answer(call: Call) -> None:
    check(call)


@settings(few, max_examples=150)
@given(spoiled_calls)
def test_a_call_that_is_spoiled_in_some_places_costs_no_answer(call: Call) -> None:
    check(call)


@few
@given(unreadable_calls)
def test_what_is_no_json_or_no_call_is_refused_with_a_reason(call: Call) -> None:
    check(call)


@few
@given(sandbox_calls)
def test_junk_in_the_sandbox_costs_no_answer(call: Call) -> None:
    check(call)
