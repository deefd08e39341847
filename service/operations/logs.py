"""Logs: one JSON object a line, of our own words, of the server's and of its libraries'; text on a terminal.

What a fault says stays out, because it may hold patient data; so does a hookInstance that is no opaque id.
"""

from __future__ import annotations

import re
import sys
import traceback
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from service.operations import tracing

_OPAQUE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OUR_MODULES = ("service.", "cards.")


def configuration() -> dict[str, Any]:
    """For `logging.config.dictConfig`, in each process; libraries are heard from their warnings on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{__name__}.formatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {name: {"level": "INFO"} for name in ("service", "uvicorn")},
    }


def formatter() -> ProcessorFormatter:
    """Writes the records of `logging` as lines."""
    if sys.stderr.isatty():
        render: list[Any] = [structlog.dev.ConsoleRenderer()]
    else:
        render = [_in_order, structlog.processors.JSONRenderer(serializer=_json)]
    return ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            _add_trace,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper("iso", utc=True),
            _fault_without_its_message,
        ],
        processors=[ProcessorFormatter.remove_processors_meta, *render],
    )


def about_call(hook_instance: str) -> None:
    """From here on, what is logged belongs to this call."""
    clear_contextvars()
    bind_contextvars(hookInstance=opaque(hook_instance))


def opaque(hook_instance: str) -> str:
    """A hookInstance as it may be logged."""
    return hook_instance if _OPAQUE_ID.fullmatch(hook_instance) else "not a UUID"


def place(fault: BaseException) -> str:
    """Where a fault arose: the line of our own code that was running, and the line that raised."""
    steps = traceback.walk_tb(fault.__traceback__)
    places = [f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in steps]
    ours = [place for place in places if place.startswith(_OUR_MODULES)]
    return " called from ".join(dict.fromkeys([*places[-1:], *ours[-1:]]))


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    if trace := tracing.current():
        line["traceId"], line["spanId"] = trace.trace_id, trace.span_id
    return line


def _fault_without_its_message(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """The kind of a fault and its place, in place of a traceback with its message."""
    found: Any = line.pop("exc_info", None)
    record = line.get("_record")
    if record is not None:
        # The formatter would write the traceback itself.
        record.exc_info = record.exc_text = None
    if found is True:
        found = sys.exc_info()
    fault = found[1] if isinstance(found, tuple) and isinstance(found[2], TracebackType) else found
    if isinstance(fault, BaseException):
        line["fault"] = f"{type(fault).__name__} at {place(fault)}"
    return line


def _in_order(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """The members that every line has go first."""
    first = {"time": line.pop("timestamp", None), "level": line.pop("level", None), "logger": line.pop("logger", None)}
    return {**first, **line}


def _json(line: EventDict, **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()
