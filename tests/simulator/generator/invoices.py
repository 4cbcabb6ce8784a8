"""Invoices of a space."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from faker import Faker

from tests.simulator.generator.charts import Chart, Product, written
from tests.simulator.generator.people import People, invoice_address

FIRST_DAY, DAYS = date(2026, 1, 1), 300
MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]


@dataclass
class Draft:
    """An invoice in the making."""

    month: str
    items: list[dict[str, Any]] = field(default_factory=list)
    debtor: dict[str, str] | None = None
    customer_number: str | None = None
    address: dict[str, Any] | None = None
    corrects_one: bool = False
    total: dict[str, Any] | None = None


@dataclass
class Maker:
    """Makes the lines and debtors of one space's invoices."""

    fake: Faker
    rng: random.Random
    chart: Chart
    people: People

    def line(self, product: Product, *, code: str | None = None, sign: int = 1) -> dict[str, Any]:
        """Return a line of the product, with its own accounting code unless another is given."""
        name = self.chart.name_of(product.account)
        net = Decimal(self.rng.randint(*product.cents)) / 100 * sign
        taxes = [{"name": "USt", "rate": f"{product.rate}.0"}] if product.rate else []
        return {
            "description": product.description,
            "quantity": self.rng.choice(("1.0", "1.0", "1.0", "2.0", "3.0", "0.5", "1.25")),
            "accountingCode": written(self.rng, product.account, name) if code is None else code,
            "paid": False,
            "amount": {"net": f"{net:.2f}", "currency": "EUR", "taxes": taxes},
        }

    def ordinary(self, month: str) -> Draft:
        """Return an invoice to a member with one to four lines of what the space sells."""
        draft = Draft(month)
        for _ in range(self.rng.choice((1, 1, 2, 2, 3, 4))):
            draft.items.append(self.line(self.rng.choice(self.chart.products)))
            draft.items[-1]["description"] += f", {month}"
        self.to_member(draft, self.rng.randrange(len(self.people.memberships) or 1))
        return draft

    def to_member(self, draft: Draft, index: int) -> None:
        if index < len(self.people.memberships):
            member = self.people.memberships[index]
            draft.debtor = {"type": "memberships", "id": member["id"]}
            draft.customer_number = member["customer_number"]
        else:
            self.to_nobody(draft)

    def to_nobody(self, draft: Draft) -> None:
        draft.debtor, draft.customer_number = None, None
        draft.address = invoice_address(self.fake, self.rng)


Kinds = dict[str, tuple[int, Callable[[Maker, Draft], None]]]
"""By name: how often, and what makes an ordinary invoice one of this kind."""


def make_invoices(maker: Maker, space: int, count: int, kinds: Kinds) -> list[dict[str, Any]]:
    """Return the space's invoices in the order of their dates and numbers.

    With three invoices or more for each kind, every kind is there.
    """
    rng = maker.rng
    names = list(kinds)
    chosen = list(names) if count >= 3 * len(names) else []
    weights = [kinds[name][0] for name in names]
    chosen += rng.choices(names, weights, k=count - len(chosen))
    rng.shuffle(chosen)
    days = sorted(rng.randrange(DAYS) for _ in chosen)
    made: list[dict[str, Any]] = []
    for index, (kind, day) in enumerate(zip(chosen, days, strict=True)):
        at = FIRST_DAY + timedelta(days=day)
        draft = maker.ordinary(MONTHS[at.month - 1])
        kinds[kind][1](maker, draft)
        made.append(_invoice(draft, f"inv-{space}-{index}", f"{at:%Y}-{index + 1:04d}", at, made))
    return made


def _invoice(
    draft: Draft, invoice_id: str, number: str, at: date, before: list[dict[str, Any]]
) -> dict[str, Any]:
    invoice: dict[str, Any] = {
        "id": invoice_id,
        "number": number,
        "invoiceDate": at.isoformat(),
        "customerNumber": draft.customer_number,
        "items": draft.items,
    }
    if draft.debtor is not None:
        invoice["debitor"] = draft.debtor
    if draft.address is not None:
        invoice["recipientAddress"] = draft.address
    if draft.corrects_one and before:
        invoice["correctedInvoice"] = before[-1]["id"]
    if draft.total is not None:
        invoice["totalAmount"] = draft.total
    return invoice
