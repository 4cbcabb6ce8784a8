from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import CENT, parse_decimal, to_cents


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("0", "0.00"),
        ("261.8", "261.80"),
        ("0.125", "0.13"),
        ("0.135", "0.14"),
        ("0.1249999", "0.12"),
        ("-0.125", "-0.13"),
        ("-0.001", "0.00"),
    ],
)
def test_cents_are_rounded_half_up_and_away_from_zero(amount, cents):
    assert str(to_cents(Decimal(amount))) == cents


@given(st.decimals("-999999", "999999", places=5))
def test_cents_are_never_further_than_half_a_cent_away(amount):
    assert abs(to_cents(amount) - amount) <= CENT / 2
    assert to_cents(-amount) == -to_cents(amount)


@pytest.mark.parametrize("text", ["261.8", "-100.0", "19", "0", " 7.0 ", "0.3333333333"])
def test_decimal_numbers_of_the_remote_sides_are_read_exactly(text):
    assert parse_decimal(text) == Decimal(text.strip())


@pytest.mark.parametrize(
    "text",
    ["", "1,5", "1.", ".5", "1e3", "NaN", "Infinity", "--1", "1 000", "٣", "1.000.000", "9" * 13],
)
def test_what_is_no_plain_decimal_number_is_refused(text):
    with pytest.raises(ValueError, match="not a decimal number"):
        parse_decimal(text)
