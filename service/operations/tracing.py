"""W3C trace context: which trace a call belongs to, for logs and onward calls; spans only where they are collected.

A span holds the names of hooks and FHIR resource types, statuses and times: nothing of a patient.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

HEADER = "traceparent"
# Version, trace id, span id, flags; a later version may add members (W3C Trace Context, section 3.2).
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")

_LENGTH_OF_VERSION_00 = 55
_SERVICE = "b12-cds"


class Trace(NamedTuple):
    """The trace that a call belongs to, the span it is part of, and the flags (01: recorded)."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """As the header `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
_exporting: list[Tracer] = []


def current() -> Trace | None:
    """The trace of the call that is being answered."""
    return _current.get()


def read(header: str) -> Trace | None:
    """The trace that a header names; None for one that does not follow the standard."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (header.startswith("00") and len(header) != _LENGTH_OF_VERSION_00):
        return None
    return Trace(*found.groups())


@contextmanager
def span(name: str, parent: Trace | None = None, *, client: bool = False) -> Iterator[Trace | None]:
    """Within, what is done belongs to a new span `name`, of the caller's trace or of the one that is current.

    `client`: a request that goes out. Without any trace, and where none are collected, nothing happens.
    """
    above = parent or _current.get()
    if _exporting:
        with _recorded(name, above, client=client) as trace:
            yield trace
        return
    if above is None:
        yield None
        return
    here = above._replace(span_id=secrets.token_hex(8))
    token = _current.set(here)
    try:
        yield here
    finally:
        _current.reset(token)


def note(name: str, value: str | int) -> None:
    """Writes a word of ours, or a number, on the current span where spans are collected."""
    if _exporting:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attribute(name, value)


def collecting() -> bool:
    """Whether spans are made for calls that belong to no trace, too."""
    return bool(_exporting)


def installed() -> bool:
    """Whether spans can be exported: the extra `tracing` is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def export_to(endpoint: str) -> Callable[[], None]:
    """From now on spans go to an OTLP collector, such as http://collector:4318.

    Gives what ends that, after it has sent the last ones, for which it waits. Needs to be `installed`.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return collect(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))


def collect(processor: SpanProcessor) -> Callable[[], None]:
    """From now on spans go to `processor`; gives what ends that."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource({"service.name": _SERVICE}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer(_SERVICE)
    _exporting.append(tracer)

    def stop() -> None:
        _exporting.remove(tracer)
        provider.shutdown()

    return stop


@contextmanager
def _recorded(name: str, above: Trace | None, *, client: bool) -> Iterator[Trace]:
    """A span that goes to the collector. A fault inside leaves its kind there, not its message."""
    from opentelemetry import trace as api

    within = None
    if above is not None:
        flags = api.TraceFlags(int(above.flags, 16))
        remote = api.SpanContext(int(above.trace_id, 16), int(above.span_id, 16), is_remote=True, trace_flags=flags)
        within = api.set_span_in_context(api.NonRecordingSpan(remote))
    kind = api.SpanKind.CLIENT if client else api.SpanKind.SERVER
    with _exporting[-1].start_as_current_span(
        name, within, kind, record_exception=False, set_status_on_exception=False
    ) as recorded:
        known = recorded.get_span_context()
        here = Trace(f"{known.trace_id:032x}", f"{known.span_id:016x}", f"{known.trace_flags:02x}")
        token = _current.set(here)
        try:
            yield here
        except Exception as fault:
            recorded.set_status(api.StatusCode.ERROR, type(fault).__name__)
            raise
        finally:
            _current.reset(token)
