"""What is counted, for Prometheus: plain functions that the rooms call, and the page that is scraped.

Every label holds one of our own words or a status, never what a caller sent. With several workers each process counts
into files of a folder named by `PROMETHEUS_MULTIPROC_DIR`, and whichever is asked adds all of them up.
"""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Read by prometheus-client when it is imported: it must stand in the environment before a worker starts.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_BOUNDS_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.5, 5.0)
_registry = CollectorRegistry()


def _counter(name: str, what: str, *labels: str) -> Counter:
    return Counter(name, what, labels, namespace="b12_cds", registry=_registry)


_calls = _counter("calls", "Answers to hook calls.", "hook", "status")
_cards = _counter("cards", "Cards of rules: live ones were shown, silent ones only recorded.", "topic", "level", "mode")
_not_evaluated = _counter("not_evaluated", "Rules that could not be evaluated.", "reason")
_faults = _counter("faults", "Faults of our own that cost a part of an answer.", "part")
_unrecognised_codes = _counter("unrecognised_codes", "Drug codes that no value set knows.")
_feedback = _counter("feedback", "Feedback entries that were stored.", "outcome")
_authentication_failures = _counter("authentication_failures", "Calls that were refused with 401.", "category")
_rate_limited = _counter("rate_limited", "Calls that were refused with 429.")
_replay_fallbacks = _counter("replay_fallbacks", "Replay checks that this process made alone, without the store.")
_fhir_fetches = _counter("fhir_fetches", "Fetches from FHIR servers, by HTTP status or by what kept them.", "status")
_store_drops = _counter("store_drops", "Records that were not stored because the store was down or slow.", "record")
_seconds = Histogram(
    "call_seconds",
    "How long hook calls took to answer.",
    ("hook",),
    namespace="b12_cds",
    registry=_registry,
    buckets=_BOUNDS_SECONDS,
)
_fetching_seconds = Histogram(
    "fhir_fetching_seconds",
    "How long calls waited for FHIR servers.",
    namespace="b12_cds",
    registry=_registry,
    buckets=_BOUNDS_SECONDS,
)


@cache
def _one(counter: Counter, *labels: str) -> Counter:
    """The counter of these label values: finding it anew would cost more than counting."""
    return counter.labels(*labels)


@cache
def _one_timer(histogram: Histogram, *labels: str) -> Histogram:
    return histogram.labels(*labels)


@cache
def _status(status: int) -> str:
    return str(status)


def call_answered(hook: str, status: int, seconds: float) -> None:
    """A hook call was answered; `hook` is one of ours."""
    _one(_calls, hook, _status(status)).inc()
    _one_timer(_seconds, hook).observe(seconds)


def card_made(topic: str, level: str, *, silent: bool = False) -> None:
    """A card of a rule was shown, or only recorded."""
    _one(_cards, topic, level, "silent" if silent else "live").inc()


def not_evaluated(reason: str) -> None:
    """A rule could not be evaluated."""
    _one(_not_evaluated, reason).inc()


def fault(part: str) -> None:
    """Something of our own failed and cost a part of an answer; `part` is our word for where."""
    _one(_faults, part).inc()


def unrecognised_codes(number: int) -> None:
    """So many codes of drugs in one call are in no value set."""
    _unrecognised_codes.inc(number)


def feedback_received(outcome: str) -> None:
    """A feedback entry was stored: `accepted` or `overridden`."""
    _one(_feedback, outcome).inc()


def authentication_failed(category: str) -> None:
    """A call was refused with 401; `category` is our word for why."""
    _one(_authentication_failures, category).inc()


def rate_limited() -> None:
    """A call was refused with 429."""
    _rate_limited.inc()


def replay_checked_alone() -> None:
    """The store did not answer in time: a token's replay was looked up in this process only."""
    _replay_fallbacks.inc()


def fhir_fetched(status: str) -> None:
    """A FHIR server was asked; the HTTP status, or our word for what kept an answer from being used."""
    _one(_fhir_fetches, status).inc()


def fhir_waited(seconds: float) -> None:
    """A call waited so long for all that it fetched."""
    _fetching_seconds.observe(seconds)


def store_dropped(record: str, number: int = 1) -> None:
    """Records of a kind were not stored, because the store was down or slow."""
    _one(_store_drops, record).inc(number)


def page() -> bytes:
    """All counts in Prometheus' text format, summed over the workers."""
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest(_registry)
    summed = CollectorRegistry()
    MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
    return generate_latest(summed)


def count(name: str, **labels: str) -> float:
    """What this process has counted under a name such as `b12_cds_calls_total`; 0 when nothing."""
    return _registry.get_sample_value(name, labels) or 0.0
