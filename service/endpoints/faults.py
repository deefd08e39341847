"""A fault of our own: what is logged of it, and what the caller is told."""

from __future__ import annotations

import logging
import re
import traceback

import orjson

from service.cds_hooks.outcome import operation_outcome

_log = logging.getLogger(__name__)
_OPAQUE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OUR_MODULES = ("service.", "cards.")

FAULT_BODY = orjson.dumps(
    operation_outcome("exception", "The service failed; nothing was checked, which does not mean all clear.")
)


def log_fault(fault: Exception, hook_instance: str | None) -> None:
    """Logs the kind of a fault and where it arose.

    Its message stays out, because it may hold patient data; so does a hookInstance that is no opaque id.
    """
    if hook_instance is None:
        instance = "none"
    else:
        instance = hook_instance if _OPAQUE_ID.fullmatch(hook_instance) else "not a UUID"
    _log.error("fault in hookInstance %s: %s at %s", instance, type(fault).__name__, _place(fault))


def _place(fault: Exception) -> str:
    """The line of our own code that was running, and the line that raised."""
    steps = traceback.walk_tb(fault.__traceback__)
    places = [f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in steps]
    ours = [place for place in places if place.startswith(_OUR_MODULES)]
    return " called from ".join(dict.fromkeys([*places[-1:], *ours[-1:]]))
