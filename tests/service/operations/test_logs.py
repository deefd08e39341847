"""Every log line is one JSON object, belongs to its call and trace, and holds nothing of a patient."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import clear_contextvars

from service.operations import logs, tracing

NAME = "Zephyrine Quillfeather"
TRACE = tracing.Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a logger writes that is set up as the service's own."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    log = logging.getLogger("service.of.the.tests")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield stream
    log.removeHandler(handler)
    clear_contextvars()


def line(written: io.StringIO) -> dict[str, Any]:
    [only] = written.getvalue().splitlines()
    return dict(json.loads(only))


def log(message: str, *values: object, **how: Any) -> None:
    logging.getLogger("service.of.the.tests").warning(message, *values, **how)


def test_a_line_is_one_json_object_with_time_level_logger_and_event(written: io.StringIO) -> None:
    log("%s cards", 2)

    found = line(written)
    assert list(found) == ["time", "level", "logger", "event"]
    assert found["time"].endswith("Z")
    assert (found["level"], found["logger"], found["event"]) == ("warning", "service.of.the.tests", "2 cards")


def test_a_line_belongs_to_its_call_and_its_trace(written: io.StringIO) -> None:
    logs.about_call("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
    with tracing.span("a call", TRACE) as here:
        log("not fetched")

    found = line(written)
    assert found["hookInstance"] == "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    assert found["traceId"] == TRACE.trace_id
    assert here
    assert found["spanId"] == here.span_id != TRACE.span_id


@pytest.mark.parametrize("hook_instance", [NAME, "9434765919 ", "a\nb", "x" * 65, ""])
def test_a_hook_instance_that_is_no_opaque_id_is_not_logged(hook_instance: str, written: io.StringIO) -> None:
    logs.about_call(hook_instance)
    log("not fetched")

    assert line(written)["hookInstance"] == "not a UUID"


def test_a_fault_is_logged_by_its_kind_and_place_and_not_by_what_it_says(written: io.StringIO) -> None:
    try:
        raise KeyError(NAME)
    except KeyError:
        log("failed", exc_info=True)

    found = line(written)
    assert found["fault"].startswith(f"KeyError at {__name__}:")
    assert NAME not in written.getvalue()
    assert "Traceback" not in written.getvalue()


def test_what_is_configured_is_what_the_server_takes() -> None:
    configuration = logs.configuration()

    # Compiles the dictionary without touching the loggers of this process.
    made = logging.config.DictConfigurator(configuration)
    assert isinstance(made.configure_formatter(dict(configuration["formatters"]["lines"])), logging.Formatter)
    # Libraries that log addresses of requests at lower levels are not heard.
    assert configuration["root"]["level"] == "WARNING"
