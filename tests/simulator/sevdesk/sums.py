"""How sevdesk is assumed to add up a voucher: nobody published it, so it stands in this one
place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Sums:
    """Net, tax and gross of a position or a voucher, in cents' precision."""

    net: Decimal
    tax: Decimal
    gross: Decimal


def to_cents(amount: Decimal) -> Decimal:
    """Return the amount rounded to cents, halves away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def position_sums(amount: Decimal, rate: Decimal, *, is_net: bool) -> Sums:
    """Return the sums of one position, reckoned from its net or from its gross amount.

    Net: tax = net x rate / 100, rounded. Gross: net = gross x 100 / (100 + rate), rounded; tax is
    the rest.
    """
    given = to_cents(amount)
    if is_net:
        tax = to_cents(given * rate / HUNDRED)
        return Sums(given, tax, given + tax)
    net = to_cents(given * HUNDRED / (HUNDRED + rate))
    return Sums(net, given - net, given)


def total(sums: Iterable[Sums]) -> Sums:
    """Return the sums of a voucher: those of its positions added up, nothing rounded again."""
    every = list(sums)
    zero = Decimal("0.00")
    return Sums(
        sum((each.net for each in every), zero),
        sum((each.tax for each in every), zero),
        sum((each.gross for each in every), zero),
    )
