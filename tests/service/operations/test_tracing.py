"""A call belongs to the trace of whoever makes it; spans are collected only where that is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.operations import tracing
from tests.fhir_server import FhirServer, listening
from tests.service.calls import SIGN, authorization
from tests.service.test_fhir_faults import B12_96, FOLIC_ACID, PATIENT_ID, order_sign, service

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
OF_ANOTHER_FORM = ["", "00", HEADER[:-1], HEADER + "-more", HEADER.upper(), f" {HEADER}", HEADER.replace("-", "_")]
OF_NO_TRACE = [
    HEADER.replace("00-", "ff-", 1),
    HEADER.replace(TRACE_ID, "0" * 32),
    HEADER.replace("b7ad6b7169203331", "0" * 16),
]


def test_a_header_that_follows_the_standard_is_read() -> None:
    assert tracing.read(HEADER) == tracing.Trace(TRACE_ID, "b7ad6b7169203331", "01")
    assert tracing.read(HEADER.replace("00-", "cc-", 1) + "-more")


@pytest.mark.parametrize("header", [*OF_ANOTHER_FORM, *OF_NO_TRACE])
def test_any_other_header_is_no_trace(header: str) -> None:
    assert tracing.read(header) is None


def test_without_a_trace_there_is_no_span() -> None:
    with tracing.span("a call") as here:
        assert here is None
        assert tracing.current() is None


@pytest.fixture
def collected() -> Iterator[InMemorySpanExporter]:
    """The spans that are collected while the test runs."""
    exporter = InMemorySpanExporter()
    stop = tracing.collect(SimpleSpanProcessor(exporter))
    yield exporter
    stop()
    assert not tracing.collecting()


@pytest.mark.anyio
@pytest.mark.parametrize("header", [HEADER, None])
async def test_a_hook_call_and_its_fetches_are_spans_of_one_trace(
    header: str | None, collected: InMemorySpanExporter
) -> None:
    server = FhirServer([B12_96])
    with server.intercepting():
        async with service() as ehr:
            await ehr.post(SIGN, json=order_sign(FOLIC_ACID), headers={"traceparent": header} if header else {})

    spans = collected.get_finished_spans()
    [call] = [span for span in spans if span.name == "hook order-sign"]
    fetches = [span for span in spans if span.name.startswith("FHIR ")]
    assert {trace_of(span) for span in spans} == {trace_of(call)}
    assert (trace_of(call) == TRACE_ID) is (header is not None)
    assert {span.name.removeprefix("FHIR ") for span in fetches} == set(server.kinds())
    assert {span.parent.span_id for span in fetches if span.parent} == {identity(call)}
    # What the FHIR server was told is where its own spans belong.
    told = {tracing.read(asked.headers["traceparent"]) for asked in server.asked}
    assert {trace.span_id for trace in told if trace} == {f"{identity(span):016x}" for span in fetches}
    assert {span.attributes["http.response.status_code"] for span in spans if span.attributes} == {200, 404}
    said = "".join(span.to_json() for span in spans)
    assert PATIENT_ID not in said
    assert authorization()["access_token"] not in said
    assert "fhir.example.org" not in said


class Collector:
    """Keeps what is exported to it."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes everything."""
        request = Request(scope, receive)
        self.received.append((request.url.path, await request.body()))
        await Response()(scope, receive, send)


@pytest.mark.anyio
async def test_the_last_spans_reach_the_collector_before_the_service_has_ended() -> None:
    collector = Collector()
    async with listening(collector) as base:
        stop = tracing.export_to(base.removesuffix("/r4"))
        with tracing.span("hook order-sign"):
            tracing.note("http.response.status_code", 200)
        await asyncio.to_thread(stop)

    [(path, exported)] = collector.received
    assert path == "/v1/traces"
    assert b"hook order-sign" in exported
    assert b"b12-cds" in exported


def trace_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context
    return f"{context.trace_id:032x}"


def identity(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context
    return context.span_id
