"""The parts of sevdesk's answers that we use, and the bodies that we send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class BookingAccount:
    """A booking account (Buchungskonto) as ReceiptGuidance offers it."""

    id: int
    """accountDatevId"""
    number: str
    name: str
    rules: Mapping[str, frozenset[int]]
    """Tax rule id -> rates in percent that sevdesk allows with it; unknown rate words are left out."""
    is_revenue: bool = True


@dataclass(frozen=True)
class Contact:
    id: str
    customer_number: str | None
    name: str
    """The organisation's name, or first name and family name."""


@dataclass(frozen=True)
class ContactDraft:
    """A contact to be made: an organisation when `organisation` is filled, else a person."""

    customer_number: str
    organisation: str | None = None
    surename: str | None = None
    """sevdesk's word for the first name."""
    familyname: str | None = None


@dataclass(frozen=True)
class AddressDraft:
    street: str | None
    zip: str | None
    city: str | None
    country_code: str | None
    """ISO 3166 alpha-2, upper case; None where it is not known."""
    name: str | None = None


@dataclass(frozen=True)
class CostCentre:
    id: str
    number: str
    name: str


@dataclass(frozen=True)
class VoucherPosition:
    """One position. `amount` counts as net or gross as the whole voucher says."""

    amount: Decimal
    tax_rate: int
    account_id: int
    comment: str


@dataclass(frozen=True)
class VoucherDraft:
    """A voucher (Beleg) to be made. Exactly one of `contact_id` and `supplier_name` is filled."""

    description: str
    voucher_date: date
    payment_deadline: date
    credit_debit: str
    """"D" for revenue, "C" for expense (sevdesk's letters, against intuition)."""
    tax_rule_id: str
    positions: tuple[VoucherPosition, ...]
    is_net: bool
    status: int = 100
    contact_id: str | None = None
    supplier_name: str | None = None
    cost_centre_id: str | None = None
    filename: str | None = None
    """What uploadTempFile answered."""
    currency: str = "EUR"


@dataclass(frozen=True)
class Voucher:
    """A voucher that stands in sevdesk."""

    id: str
    description: str
    voucher_date: date | None
    credit_debit: str
    status: int
    sum_gross: Decimal
    supplier_id: str | None = None
    supplier_name: str | None = None
    client_id: str | None = None
    """The id in `sevClient`."""
