"""Numbers as FHIR JSON sends them, and numbers out of every proportion turned away."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from cards.record import NotUnderstood

# Nothing in medicine is larger or finer; beyond these, arithmetic on calendars and doses would overflow.
_LARGEST = Decimal("1e9")
_FINEST = Decimal("1e-9")
# "20,0" has the comma of the continent; "1,000" may be a thousand or one.
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,9},\d{1,2}|\d{1,9},\d{4,9}|0,\d{1,9})")
_UNREADABLE = NotUnderstood("unreadable")
_OUT_OF_PROPORTION = NotUnderstood("implausible-value")


def number(value: Any) -> Decimal | NotUnderstood | None:
    """A JSON number, or a string that holds one, with a decimal comma too; None when there is nothing.

    Not understood are `implausible-value`: infinities and absurd sizes; `unreadable`: anything else.
    """
    if value is None:
        return None
    # By far the commonest: no need to look further.
    if type(value) is int and -1_000_000_000 <= value <= 1_000_000_000:
        return Decimal(value)
    if type(value) is float and 1e-9 <= abs(value) <= 1e9:
        return Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _UNREADABLE
    text = str(value).strip()
    if not text:
        return None
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        found = Decimal(text)
    except (InvalidOperation, ValueError):
        return _UNREADABLE
    if found.is_nan():
        return _UNREADABLE
    if not found.is_finite() or (found and not _FINEST <= abs(found) <= _LARGEST):
        return _OUT_OF_PROPORTION
    return found


def known_number(value: Any) -> Decimal | None:
    """The number, where one that could not be read is as good as none."""
    found = number(value)
    return found if isinstance(found, Decimal) else None
