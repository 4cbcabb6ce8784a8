"""Sums of a Cobot invoice, in decimals from end to end.

A line's total is its unit amount times the quantity; tax and gross are rounded half up to cents
per line; the document's totals are sums of its lines. What a world gives wins over all of it.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from tests.simulator.checks import Json

CENT = Decimal("0.01")


def cents(number: Decimal) -> Decimal:
    """Round half up (away from zero) to cents."""
    return number.quantize(CENT, rounding=ROUND_HALF_UP)


def show(number: Decimal) -> str:
    """Return the decimal string as Cobot writes it: no exponent, at least one decimal."""
    text = f"{number:f}"
    if "." not in text:
        return f"{text}.0"
    whole, decimals = text.split(".")
    decimals = decimals.rstrip("0") or "0"
    return f"{whole}.{decimals}" if whole != "-0" or decimals != "0" else "0.0"


def priced(net: Decimal, gross: Decimal | None, currency: str, taxes: Iterable[Json]) -> Json:
    """Return a price; without a given gross it is net plus each tax, rounded half up to cents."""
    shown: list[Json] = []
    tax_total = Decimal(0)
    for tax in taxes:
        amount = cents(net * Decimal(tax["rate"]) / 100)
        if gross is not None and not shown:
            amount = gross - net
        shown.append({"name": tax["name"], "rate": tax["rate"], "amount": show(amount)})
        tax_total += amount
    whole = gross if gross is not None else cents(net + tax_total)
    return {"net": show(net), "gross": show(whole), "currency": currency, "taxes": shown}


def line_total(amount: Json, quantity: str, *, gross_given: bool) -> Json:
    """Return a line's totalAmount from its unit amount.

    Where the unit's gross was given (spaces that price in gross), gross is multiplied too and the
    tax is the difference.
    """
    times = Decimal(quantity)
    net = cents(Decimal(amount["net"]) * times)
    gross = cents(Decimal(amount["gross"]) * times) if gross_given else None
    return priced(net, gross, amount["currency"], amount["taxes"])


def document_total(lines: Iterable[Json]) -> Json:
    """Return the sum of the lines' totals; taxes of the same name and rate are added up."""
    net = gross = Decimal(0)
    currency = "EUR"
    taxes: dict[tuple[str, str], Decimal] = {}
    for position, line in enumerate(lines):
        total = line["totalAmount"]
        if position == 0:
            currency = total["currency"]
        net += Decimal(total["net"])
        gross += Decimal(total["gross"])
        for tax in total["taxes"]:
            key = (tax["name"], tax["rate"])
            taxes[key] = taxes.get(key, Decimal(0)) + Decimal(tax["amount"])
    shown = [
        {"name": name, "rate": rate, "amount": show(sum_)} for (name, rate), sum_ in taxes.items()
    ]
    return {"net": show(net), "gross": show(gross), "currency": currency, "taxes": shown}
