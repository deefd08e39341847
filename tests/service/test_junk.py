"""Junk over HTTP: whatever is sent gets cards as the standard has them or a reasoned refusal; never a fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import anyio
import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from service.app import create_app
from service.settings import Settings
from service.store.ledger import FeedbackNoted, NoLedger
from tests.fhir_server import Asked, FhirServer, Said
from tests.junk import (
    Call,
    feedback_calls,
    junk_answers,
    junk_calls,
    sandbox_calls,
    spoiled_calls,
    unreadable_calls,
    wrong_with,
)
from tests.service.calls import SIGN, VIEW
from tests.service.fhir.reading import TODAY
from tests.service.test_fhir_faults import FOLIC_ACID, order_sign, service
from tests.serving import client_of

# `make soak` sends ten thousand to a real server, other ones each time; these are the same ones each time.
few = settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
JSON = {"content-type": "application/json"}


class Taken(NoLedger):
    """Takes feedback, and forgets it."""

    async def keep(self, _entries: Sequence[FeedbackNoted]) -> None:
        """Forgets it."""


@cache
def app() -> ASGIApp:
    return create_app(Settings(), lambda: TODAY, ledger=Taken())


def check(call: Call) -> None:
    """Fails where the answer is wrong, with what was sent."""

    async def answer() -> httpx.Response:
        async with client_of(app()) as client:
            return await client.post(call.path, content=call.content, headers=JSON)

    answered = anyio.run(answer)
    assert wrong_with(call, answered.status_code, answered.content) is None


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
@given(feedback_calls)
def test_junk_as_feedback_is_taken_or_refused_with_a_reason(call: Call) -> None:
    check(call)


@few
@given(sandbox_calls)
def test_junk_in_the_sandbox_costs_no_answer(call: Call) -> None:
    check(call)


@few
@given(st.lists(junk_answers, min_size=3, max_size=3), st.sampled_from([200, 200, 200, 404, 500]))
def test_junk_from_the_fhir_server_costs_no_answer(answers: list[bytes], status: int) -> None:
    def answer(asked: Asked) -> Said:
        return Said(status, answers[len(asked.kind) % len(answers)])

    call = order_sign({}, hook="patient-view")

    async def asked_and_answered() -> tuple[int, httpx.Response]:
        with FhirServer([], answer).intercepting() as server:
            async with service() as ehr:
                answered = await ehr.post(VIEW, content=json.dumps(call), headers=JSON)
            return len(server.asked), answered

    asked, answered = anyio.run(asked_and_answered)
    assert asked > 0
    assert answered.status_code == httpx.codes.OK
    assert wrong_with(Call(VIEW, b""), answered.status_code, answered.content) is None


def test_of_a_text_that_nobody_would_write_only_the_beginning_is_read() -> None:
    """A pattern that tries again at each character would take hours for a text of a million characters."""
    endless = " 1,000, then to 1-" * 15_000
    call = order_sign(
        {
            **FOLIC_ACID,
            "medicationCodeableConcept": {"text": f"Folic acid 5 mg tablets{endless}"},
            "dosageInstruction": [{"text": f"5 mg once daily{endless}", "patientInstruction": endless}],
            "note": [{"text": endless}],
        }
    )

    check(Call(SIGN, json.dumps(call).encode()))
