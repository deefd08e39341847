"""Faults of our own that cost a part of an answer and not the whole: counted, and logged by kind and place."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Literal

from service.operations import metrics
from service.operations.logs import place

_log = logging.getLogger(__name__)

Part = Literal["reading", "rule", "merging", "wording", "store", "metrics"]


def noted(part: Part, fault: Exception, name: str = "-") -> None:
    """Counts a fault in a part of the service and logs it; `name` is our own name of what it cost, such as a topic.

    What the fault says stays out, because it may hold patient data.
    """
    # Counting may be what failed.
    with suppress(Exception):
        metrics.fault(part)
    _log.error("fault in %s of %s: %s at %s", part, name, type(fault).__name__, place(fault))
