"""What Cobot makes of a line: unit amount times quantity, tax rounded half up to cents per line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Amounts:
    """Net and gross in cents' precision."""

    net: Decimal
    gross: Decimal


def cents(amount: Decimal) -> Decimal:
    """Return the amount rounded half up to cents; there is no negative zero."""
    return amount.quantize(CENT, ROUND_HALF_UP) + Decimal("0.00")


def rates_of(item: dict[str, Any]) -> list[Decimal]:
    """Return the rate of each tax on the line; none means 0 %."""
    return [Decimal(tax["rate"]) for tax in item["amount"].get("taxes", [])]


def line_amounts(item: dict[str, Any]) -> Amounts:
    """Return the totals of a line.

    Where the unit's gross is given, it is multiplied like the net; else each tax is reckoned from
    the line's net. Totals given with the line win.
    """
    amount, quantity = item["amount"], Decimal(item.get("quantity", "1.0"))
    net = cents(Decimal(amount["net"]) * quantity)
    if "gross" in amount:
        gross = cents(Decimal(amount["gross"]) * quantity)
    else:
        gross = net + sum((cents(net * rate / 100) for rate in rates_of(item)), Decimal(0))
    given = item.get("totalAmount") or {}
    return Amounts(cents(Decimal(given.get("net", net))), cents(Decimal(given.get("gross", gross))))


def lines_total(items: Iterable[dict[str, Any]]) -> Amounts:
    """Return the sums of the lines' totals."""
    amounts = [line_amounts(item) for item in items]
    zero = Decimal("0.00")
    return Amounts(
        sum((each.net for each in amounts), zero), sum((each.gross for each in amounts), zero)
    )


def invoice_gross(invoice: dict[str, Any]) -> Decimal:
    """Return the invoice's gross total: the one given, else that of its lines."""
    given = (invoice.get("totalAmount") or {}).get("gross")
    return lines_total(invoice["items"]).gross if given is None else cents(Decimal(given))
