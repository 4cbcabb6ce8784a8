"""Invoices, lines and accounts with sensible defaults; a test states only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from portal.cobot.records import Address, Debtor, Invoice, Line, Membership, Tax
from portal.money import to_cents
from portal.sevdesk.records import BookingAccount, Contact
from portal.sync.vouchers import VoucherSettings

REGULAR = {
    "1": frozenset({0, 7, 19}),
    "4": frozenset({0}),
    "5": frozenset({0}),
    "17": frozenset({0}),
}
SMALL_BUSINESS = {"11": frozenset({0})}


def account(
    name: str = "Desk",
    number: str = "4400",
    id: int = 3631,
    rules: dict[str, frozenset[int]] | None = None,
    *,
    is_revenue: bool = True,
) -> BookingAccount:
    return BookingAccount(id, number, name, REGULAR if rules is None else rules, is_revenue)


def line(
    net: str = "100.0",
    rate: str | None = "19.0",
    accounting_code: str | None = "Desk",
    *,
    gross: str | None = None,
    description: str = "Flex Desk",
    currency: str = "EUR",
    quantity: str = "1.0",
    taxes: Sequence[str] | None = None,
    revenue_account_number: str | None = None,
    paid: bool = False,
) -> Line:
    """A line; its gross is net and tax to the cent unless given. `rate` None means no tax."""
    rates = taxes if taxes is not None else [] if rate is None else [rate]
    computed = to_cents(Decimal(net) * (100 + sum(map(Decimal, rates))) / 100)
    return Line(
        description=description,
        net=Decimal(net),
        gross=Decimal(gross) if gross is not None else computed,
        currency=currency,
        quantity=Decimal(quantity),
        taxes=tuple(Tax("USt", Decimal(found)) for found in rates),
        accounting_code=accounting_code,
        revenue_account_number=revenue_account_number,
        paid=paid,
    )


def invoice(
    *lines: Line,
    gross: str | None = None,
    number: str = "2531-Ljnk-278",
    day: date = date(2025, 2, 28),
    currency: str = "EUR",
    customer_number: str | None = "1005",
    recipient: Address | None = None,
    debtor: Debtor | None = None,
    corrects: str | None = None,
) -> Invoice:
    """An invoice; without lines one of 100.00 net. Its totals are the lines' sums unless given."""
    lines = lines or (line(),)
    return Invoice(
        id="inv-1",
        number=number,
        invoice_date=day,
        lines=lines,
        net=sum((found.net for found in lines), Decimal(0)),
        gross=Decimal(gross) if gross is not None else sum((i.gross for i in lines), Decimal(0)),
        currency=currency,
        space_id="spc-1",
        customer_number=customer_number,
        recipient=recipient or Address(company="XYZ Design"),
        debtor=debtor or Debtor("memberships", "mem-1"),
        corrected_invoice_id=corrects,
    )


def settings(**chosen: object) -> VoucherSettings:
    return VoucherSettings(**chosen)  # type: ignore[arg-type]


def contact(id: str = "501", number: str | None = "1005", name: str = "XYZ Design") -> Contact:
    return Contact(id, number, name)


def membership(
    name: str | None = "Mia Beispiel",
    /,
    *,
    email: str | None = "mia@example.org",
    number: str | None = None,
    **address: str | None,
) -> Membership:
    return Membership("mem-1", name, email, number, Address(**address))
