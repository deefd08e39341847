"""Numbers as FHIR JSON sends them, and numbers out of every proportion turned away."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

# Nothing in medicine is larger or finer; beyond these, arithmetic on calendars and doses would overflow.
_LARGEST = Decimal("1e9")
_FINEST = Decimal("1e-9")


def number(value: Any) -> Decimal | None:
    """A JSON number, or a string that holds one; None for anything else, for infinities and for absurd sizes."""
    if value is None:
        return None
    # By far the commonest: no need to look further.
    if type(value) is int and -1_000_000_000 <= value <= 1_000_000_000:
        return Decimal(value)
    if type(value) is float and 1e-9 <= abs(value) <= 1e9:
        return Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    if not found.is_finite() or (found and not _FINEST <= abs(found) <= _LARGEST):
        return None
    return found


def is_out_of_proportion(value: Any) -> bool:
    """Whether a number was sent that `number` turns away for its size alone."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or number(value) is not None:
        return False
    try:
        return not Decimal(str(value)).is_nan()
    except (InvalidOperation, ValueError):
        return False
