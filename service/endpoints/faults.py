"""A fault of our own: what is logged of it, and what the caller is told."""

from __future__ import annotations

import logging

import orjson

from service.cds_hooks.outcome import operation_outcome
from service.operations.logs import opaque, place

_log = logging.getLogger(__name__)

FAULT_BODY = orjson.dumps(
    operation_outcome("exception", "The service failed; nothing was checked, which does not mean all clear.")
)


def log_fault(fault: Exception, hook_instance: str | None) -> None:
    """Logs the kind of a fault and where it arose.

    Its message stays out, because it may hold patient data; so does a hookInstance that is no opaque id.
    """
    instance = "none" if hook_instance is None else opaque(hook_instance)
    _log.error("fault in hookInstance %s: %s at %s", instance, type(fault).__name__, place(fault))
