"""Cobot's invoices. Money is Decimal, made from the strings Cobot sends; API 2, https://dev.cobot.me.

Totals are Cobot's `totalAmount`: the whole quantity, lines paid before included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from portal.answers import WrongShape, day, decimal, each, mapping, rows, text, text_or_none, whole
from portal.cobot.addresses import Address


@dataclass(frozen=True)
class Tax:
    name: str
    rate: Decimal
    """In percent: 19 means 19 %."""

    @classmethod
    def from_json(cls, tax: Any) -> Tax:
        tax = mapping(tax, "tax")
        return cls(text_or_none(tax.get("name")) or "", decimal(tax.get("rate"), "rate"))


@dataclass(frozen=True)
class Line:
    """One position of an invoice; `net` and `gross` are for the whole quantity (totalAmount)."""

    description: str
    net: Decimal
    gross: Decimal
    currency: str
    quantity: Decimal = Decimal(1)
    taxes: tuple[Tax, ...] = ()
    accounting_code: str | None = None
    revenue_account_number: str | None = None
    paid: bool = False

    @classmethod
    def from_json(cls, item: Any) -> Line:
        item = mapping(item, "item")
        total = mapping(item.get("totalAmount"), "totalAmount")
        account = item.get("revenueAccount")
        return cls(
            description=text_or_none(item.get("description")) or "",
            net=decimal(total.get("net"), "totalAmount.net"),
            gross=decimal(total.get("gross"), "totalAmount.gross"),
            currency=text(total.get("currency"), "totalAmount.currency"),
            quantity=decimal(item.get("quantity", "1"), "quantity"),
            taxes=each(total.get("taxes", []), "totalAmount.taxes", Tax.from_json),
            accounting_code=text_or_none(item.get("accountingCode")),
            revenue_account_number=(
                text_or_none(account.get("number")) if isinstance(account, Mapping) else None
            ),
            paid=item.get("paid") is True,
        )


@dataclass(frozen=True)
class Debtor:
    """Whom Cobot bills. `kind` is "memberships", "teams" or "contacts", as Cobot names it."""

    kind: str
    id: str

    @classmethod
    def from_resource(cls, resource: Mapping[str, Any]) -> Debtor | None:
        """Read `debitor`, else the older copies of it; None for an invoice to a bare address."""
        for name in ("debitor", "membership", "team", "contact"):
            related = _related(resource, name)
            if related is not None:
                return cls(text(related.get("type"), f"{name}.type"), text(related.get("id"), name))
        return None


@dataclass(frozen=True)
class Invoice:
    id: str
    number: str
    invoice_date: date
    lines: tuple[Line, ...]
    net: Decimal
    gross: Decimal
    currency: str
    space_id: str | None = None
    customer_number: str | None = None
    recipient: Address = field(default_factory=Address)
    debtor: Debtor | None = None
    corrected_invoice_id: str | None = None
    paid_status: str | None = None
    pdf_is_final: bool = False
    """True once Cobot has archived the PDF; until then it is rendered anew on every request."""

    @classmethod
    def from_json(cls, reply: Any) -> Invoice:
        """Read the answer to GET /invoices/{id}."""
        return cls.from_resource(mapping(reply, "answer").get("data"))

    @classmethod
    def from_resource(cls, resource: Any) -> Invoice:
        """Read one invoice of API 2, alone or from a list."""
        resource = mapping(resource, "data")
        attributes = mapping(resource.get("attributes"), "attributes")
        total = mapping(attributes.get("totalAmount"), "totalAmount")
        pdf = attributes.get("pdf")
        return cls(
            id=text(resource.get("id"), "id"),
            number=text(attributes.get("number"), "number"),
            invoice_date=day(attributes.get("invoiceDate"), "invoiceDate"),
            lines=each(attributes.get("items"), "items", Line.from_json),
            net=decimal(total.get("net"), "totalAmount.net"),
            gross=decimal(total.get("gross"), "totalAmount.gross"),
            currency=text(total.get("currency"), "totalAmount.currency"),
            space_id=_related_id(resource, "space"),
            customer_number=text_or_none(attributes.get("customerNumber")),
            recipient=Address.from_json(attributes.get("recipientAddress")),
            debtor=Debtor.from_resource(resource),
            corrected_invoice_id=_related_id(resource, "correctedInvoice"),
            paid_status=text_or_none(attributes.get("paidStatus")),
            pdf_is_final=isinstance(pdf, Mapping) and pdf.get("archived") is True,
        )


@dataclass(frozen=True)
class InvoicePage:
    invoices: tuple[Invoice, ...]
    current_page: int
    total_pages: int
    unreadable_ids: tuple[str, ...] = ()
    """Invoices on this page that lack a field we need: one must not hide the other 199."""

    @classmethod
    def from_json(cls, reply: Any) -> InvoicePage:
        """Read the answer to GET /spaces/{spaceId}/invoices."""
        reply = mapping(reply, "answer")
        meta = mapping(reply.get("meta"), "meta")
        invoices, unreadable = [], []
        for row in rows(reply.get("data"), "data"):
            try:
                invoices.append(Invoice.from_resource(row))
            except WrongShape:
                unreadable.append(text(mapping(row, "data").get("id"), "id"))
        return cls(
            invoices=tuple(invoices),
            current_page=whole(meta.get("currentPage"), "meta.currentPage"),
            total_pages=whole(meta.get("totalPages"), "meta.totalPages"),
            unreadable_ids=tuple(unreadable),
        )


def _related(resource: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the `data` of a relationship; None where it is empty, absent or only a link."""
    relationships = resource.get("relationships")
    relationship = relationships.get(name) if isinstance(relationships, Mapping) else None
    related = relationship.get("data") if isinstance(relationship, Mapping) else None
    return related if isinstance(related, Mapping) else None


def _related_id(resource: Mapping[str, Any], name: str) -> str | None:
    related = _related(resource, name)
    return text_or_none(related.get("id")) if related is not None else None
