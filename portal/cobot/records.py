"""The parts of Cobot's answers that we use. Money is Decimal, made from the strings Cobot sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class Address:
    """A postal address. `country` is an ISO code in API 2, a name or a code in API 1."""

    company: str | None = None
    name: str | None = None
    street: str | None = None
    post_code: str | None = None
    city: str | None = None
    country: str | None = None


@dataclass(frozen=True)
class Tax:
    name: str
    rate: Decimal
    """In percent: 19 means 19 %."""


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


@dataclass(frozen=True)
class Debtor:
    """Whom Cobot bills. `kind` is "memberships", "teams" or "contacts", as Cobot names it."""

    kind: str
    id: str


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
    recipient: Address = Address()
    debtor: Debtor | None = None
    corrected_invoice_id: str | None = None
    paid_status: str | None = None
    pdf_is_final: bool = False
    """True once Cobot has archived the PDF; until then it is rendered anew on every request."""


@dataclass(frozen=True)
class InvoicePage:
    invoices: tuple[Invoice, ...]
    current_page: int
    total_pages: int


@dataclass(frozen=True)
class Membership:
    id: str
    name: str | None
    email: str | None = None
    customer_number: str | None = None
    address: Address = Address()
    confirmed_at: datetime | None = None


@dataclass(frozen=True)
class CobotSpace:
    id: str
    subdomain: str
    name: str
    locale: str | None = None
    country_code: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True)
class CobotUser:
    """A person who signed in, known by `id` (an e-mail address may change)."""

    id: str
    email: str
    spaces: tuple[CobotSpace, ...]
    """The spaces this person administers."""


@dataclass(frozen=True)
class SpaceToken:
    token: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"SpaceToken(scopes={self.scopes!r})"


@dataclass(frozen=True)
class Subscription:
    id: str
    event: str
    callback_url: str
    active: bool
