"""Amounts of money: decimals, cents, nothing of locale or formatting."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

# Cobot's own pattern for amounts, with an end to the digits: what is longer is not money, and
# Decimal's default precision would start to round it.
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")


def to_cents(amount: Decimal) -> Decimal:
    """Return the amount rounded half up to cents.

    A half goes away from zero, so that a correction of an invoice is its mirror image to the
    cent: 0.125 gives 0.13 and -0.125 gives -0.13. There is no negative zero.
    """
    return amount.quantize(CENT, rounding=ROUND_HALF_UP) + ZERO


def parse_decimal(text: str) -> Decimal:
    """Return the number that a remote side wrote as text ("261.8", "-100.0", "19").

    Raises ValueError for everything else: exponents, "NaN", thousands separators, a comma, blanks
    inside, more than twelve digits before or after the point.
    Source: Cobot API 2, amounts are strings of the pattern ^-?\\d+(\\.\\d+)?$.
    """
    stripped = text.strip()
    if not _DECIMAL.fullmatch(stripped):
        raise ValueError(f"not a decimal number: {stripped[:40]!r}")
    return Decimal(stripped)
