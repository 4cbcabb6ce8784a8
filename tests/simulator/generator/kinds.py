"""The kinds of invoices: ordinary ones, and all that have something special or end otherwise."""

from __future__ import annotations

from decimal import Decimal

from tests.simulator.generator.amounts import line_amounts, lines_total
from tests.simulator.generator.invoices import Draft, Kinds, Maker
from tests.simulator.generator.people import SHARED_NUMBER_MEMBER


def _ordinary(maker: Maker, draft: Draft) -> None:
    """Leave the invoice as it is."""


def _discount(maker: Maker, draft: Draft) -> None:
    first = draft.items[0]
    cut = -(line_amounts(first).net * Decimal("0.1")).quantize(Decimal("0.01"))
    draft.items.append(
        {
            **first,
            "description": "Rabatt 10 %",
            "quantity": "1.0",
            "amount": {**first["amount"], "net": f"{cut:.2f}"},
        }
    )


def _paid_line(maker: Maker, draft: Draft) -> None:
    draft.items[0]["paid"] = True


def _priced_in_gross(maker: Maker, draft: Draft) -> None:
    """Take prices as people see them: with tax, the net amount a fraction of cents.

    The quantity is where the gross of a line is no longer what its net gives.
    """
    for item in draft.items:
        taxes = item["amount"]["taxes"]
        rate = Decimal(taxes[0]["rate"]) if taxes else Decimal(0)
        gross = Decimal(maker.rng.choice(("5.00", "9.90", "12.50", "29.90", "49.00")))
        net = (gross * 100 / (100 + rate)).quantize(Decimal("0.00001"))
        item["quantity"] = maker.rng.choice(("1.0", "3.0", "7.0"))
        item["amount"] |= {"net": str(net), "gross": str(gross)}


def _untaxed(maker: Maker, draft: Draft) -> None:
    draft.items = [maker.line(maker.rng.choice(maker.chart.untaxed)) for _ in draft.items]


def _mixed_rates(maker: Maker, draft: Draft) -> None:
    wanted = {product.rate: product for product in maker.chart.products}
    draft.items = [maker.line(product) for product in wanted.values()]
    draft.items.append(maker.line(maker.chart.untaxed[0]))


def _team(maker: Maker, draft: Draft) -> None:
    if maker.people.teams:
        team = maker.rng.choice(maker.people.teams)
        draft.debtor = {"type": "teams", "id": team["id"]}
        draft.customer_number = team["customerNumber"]


def _guest(maker: Maker, draft: Draft) -> None:
    if maker.people.guests:
        draft.debtor = {"type": "contacts", "id": maker.rng.choice(maker.people.guests)["id"]}
        draft.customer_number = None


def _without_debtor(maker: Maker, draft: Draft) -> None:
    maker.to_nobody(draft)


def _number_of_nobody(maker: Maker, draft: Draft) -> None:
    draft.customer_number = str(maker.rng.randrange(700_000, 800_000))


def _shared_number(maker: Maker, draft: Draft) -> None:
    maker.to_member(draft, SHARED_NUMBER_MEMBER)


def _correction(maker: Maker, draft: Draft) -> None:
    draft.corrects_one = True
    for item in draft.items:
        item["description"] = f"Korrektur: {item['description']}"
        item["amount"]["net"] = f"-{item['amount']['net']}"


def _negative(maker: Maker, draft: Draft) -> None:
    """Turn it into a correction that names no invoice."""
    _correction(maker, draft)
    draft.corrects_one = False


def _no_code(maker: Maker, draft: Draft) -> None:
    maker.rng.choice(draft.items)["accountingCode"] = maker.rng.choice((None, "", "  "))


def _revenue_account(maker: Maker, draft: Draft) -> None:
    """Leave out the accounting code where Cobot's own revenue account names the number."""
    product = maker.chart.products[0]
    item = maker.line(product)
    item["accountingCode"] = None
    item["revenueAccount"] = {"name": "Erlöse", "number": product.account}
    draft.items = [item]


def _unknown_code(maker: Maker, draft: Draft) -> None:
    codes = ("Parkplätze", "8400", "Bar", "Miete", "Mitgliedschaft")
    maker.rng.choice(draft.items)["accountingCode"] = maker.rng.choice(codes)


def _ambiguous_code(maker: Maker, draft: Draft) -> None:
    draft.items[-1]["accountingCode"] = maker.chart.twin_name


def _zero_total(maker: Maker, draft: Draft) -> None:
    for item in draft.items:
        item["amount"]["net"] = "0.0"


def _balanced(maker: Maker, draft: Draft) -> None:
    """Make lines that cancel each other: the total is 0.00, but there is something to book."""
    first = maker.line(maker.chart.products[0])
    net = Decimal(first["amount"]["net"])
    back = {**first, "amount": {**first["amount"], "net": f"{-net:.2f}"}}
    draft.items = [first, {**back, "description": "Kulanz"}]


def _foreign_currency(maker: Maker, draft: Draft) -> None:
    currency = maker.rng.choice(("CHF", "USD", "GBP"))
    for item in draft.items:
        item["amount"]["currency"] = currency


def _odd_rate(maker: Maker, draft: Draft) -> None:
    rate = maker.rng.choice(("5.0", "16.0", "20.0"))
    draft.items[0]["amount"]["taxes"] = [{"name": "USt", "rate": rate}]


def _two_taxes(maker: Maker, draft: Draft) -> None:
    taxes = [{"name": "USt", "rate": "19.0"}, {"name": "Kurtaxe", "rate": "2.0"}]
    draft.items[0]["amount"]["taxes"] = taxes


def _taxed(maker: Maker, draft: Draft) -> None:
    draft.items[0]["amount"]["taxes"] = [{"name": "USt", "rate": "19.0"}]


def _narrow_account(maker: Maker, draft: Draft) -> None:
    draft.items.append(maker.line(maker.chart.narrow))


def _wrong_total(maker: Maker, draft: Draft) -> None:
    """Plant a total that is one cent beside what the lines give."""
    total = lines_total(draft.items)
    cent = Decimal(maker.rng.choice(("0.01", "-0.01")))
    draft.total = {"net": f"{total.net:.2f}", "gross": f"{total.gross + cent:.2f}"}


_COMMON: Kinds = {
    "discount": (4, _discount),
    "paid_line": (3, _paid_line),
    "priced_in_gross": (5, _priced_in_gross),
    "team": (5, _team),
    "guest": (3, _guest),
    "without_debtor": (2, _without_debtor),
    "number_of_nobody": (3, _number_of_nobody),
    "shared_number": (1, _shared_number),
    "correction": (3, _correction),
    "negative": (1, _negative),
    "no_code": (2, _no_code),
    "revenue_account": (1, _revenue_account),
    "unknown_code": (3, _unknown_code),
    "ambiguous_code": (1, _ambiguous_code),
    "zero_total": (1, _zero_total),
    "balanced": (1, _balanced),
    "foreign_currency": (1, _foreign_currency),
    "odd_rate": (1, _odd_rate),
    "two_taxes": (1, _two_taxes),
    "narrow_account": (1, _narrow_account),
    "wrong_total": (1, _wrong_total),
}
REGULAR_KINDS: Kinds = {
    "ordinary": (50, _ordinary),
    "mixed_rates": (8, _mixed_rates),
    "untaxed": (3, _untaxed),
    **_COMMON,
}
SMALL_BUSINESS_KINDS: Kinds = {"ordinary": (58, _ordinary), "taxed": (2, _taxed), **_COMMON}
