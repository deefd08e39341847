"""Numbers of FHIR JSON keep every digit that was sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.record import NotUnderstood
from service.fhir.numbers import number


@given(st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False, width=64)))
def test_a_number_is_read_digit_by_digit_or_turned_away_for_its_size(sent: float) -> None:
    exactly = Decimal(str(sent))
    in_proportion = exactly == 0 or Decimal("1e-9") <= abs(exactly) <= Decimal("1e9")

    read = number(sent)

    assert isinstance(read, Decimal) == in_proportion
    if isinstance(read, Decimal):
        assert (read, str(read)) == (exactly, str(exactly))


@pytest.mark.parametrize(
    "sent", [True, False, [], {}, "much", "NaN", float("nan"), "1,000", "1.000,5", "½", "5 mg", "<5"]
)
def test_what_cannot_be_read_as_a_number_is_not_taken_for_nothing(sent: object) -> None:
    assert number(sent) == NotUnderstood("unreadable")


@pytest.mark.parametrize("sent", [float("inf"), float("-inf"), "Infinity", "1e99", 1e300, "1e-40"])
def test_a_number_out_of_every_proportion_is_said_to_be(sent: object) -> None:
    assert number(sent) == NotUnderstood("implausible-value")


@pytest.mark.parametrize("sent", [None, "", "  "])
def test_nothing_is_no_number(sent: object) -> None:
    assert number(sent) is None


@pytest.mark.parametrize(
    ("sent", "read"), [("20,0", "20.0"), ("0,115", "0.115"), (" 5 ", "5"), ("-0,5", "-0.5"), ("1e3", "1e3")]
)
def test_a_decimal_comma_and_blanks_are_read(sent: str, read: str) -> None:
    assert number(sent) == Decimal(read)
