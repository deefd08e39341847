"""Numbers of FHIR JSON keep every digit that was sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.fhir.numbers import number


@given(st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False, width=64)))
def test_a_number_is_read_digit_by_digit_or_turned_away_for_its_size(sent: float) -> None:
    exactly = Decimal(str(sent))
    in_proportion = exactly == 0 or Decimal("1e-9") <= abs(exactly) <= Decimal("1e9")

    read = number(sent)

    assert (read is not None) == in_proportion
    if read is not None:
        assert (read, str(read)) == (exactly, str(exactly))


@pytest.mark.parametrize("sent", [None, True, False, [], {}, "much", "NaN", float("nan"), float("inf"), "1e99"])
def test_what_is_no_number_is_none(sent: object) -> None:
    assert number(sent) is None
