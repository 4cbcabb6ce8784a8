"""Both remote sides in memory, in place of the clients: what they know, and how they answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from portal.cobot.invoices import Debtor, Invoice, InvoicePage, Line, Tax
from portal.cobot.records import Membership, Subscription
from portal.database import utcnow
from portal.errors import (
    Forbidden,
    NotFound,
    OutcomeUnknown,
    Rejected,
    TemporaryError,
    TokenRefused,
    UnusableAnswer,
)
from portal.sevdesk.records import BookingAccount, Contact, ContactDraft, Voucher, VoucherDraft

ANSWERS = (
    *("ok", "ok", "lost before", "lost after", "rejected", "too many", "away", "nonsense"),
    *("token refused", "forbidden"),
)
CODE = "Mitgliedschaft"
ACCOUNT = 3631


@dataclass
class Sides:
    """What both sides know; `answers` are those of the next calls, then all is well."""

    answers: deque[str] = field(default_factory=deque)
    invoices: dict[str, list[Invoice]] = field(default_factory=dict)
    """Each version of an invoice, the present one last."""
    deleted: set[str] = field(default_factory=set)
    members: dict[str, Membership] = field(default_factory=dict)
    vouchers: list[tuple[datetime, Voucher]] = field(default_factory=list)
    drafts: dict[str, VoucherDraft] = field(default_factory=dict)
    """What was sent for each receipt."""
    tags: dict[str, set[str]] = field(default_factory=dict)
    contacts: list[tuple[datetime, Contact]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    """The contact of each address."""
    emails: list[tuple[str, str]] = field(default_factory=list)
    messages: list[tuple[str | None, str]] = field(default_factory=list)
    loses_next_receipt: bool = False
    """The next receipt is made and its answer lost."""
    lag: timedelta = timedelta(0)
    """So young receipts and contacts are not found."""

    def read(self, remote: str) -> None:
        """Answer a read as the next answer says."""
        self._answer(remote, is_write=False)

    def write(self, remote: str) -> bool:
        """Answer a write; return whether its answer is lost after it was done."""
        return self._answer(remote, is_write=True)

    def _answer(self, remote: str, *, is_write: bool) -> bool:
        answer = self.answers.popleft() if self.answers else "ok"
        facts: dict[str, Any] = {"remote": remote, "endpoint": "X /x"}
        if answer == "too many":
            raise TemporaryError("slow down", retry_after_seconds=5, status_code=429, **facts)
        if answer == "away":
            raise TemporaryError("away", status_code=503, **facts)
        if answer == "token refused":
            raise TokenRefused("no", status_code=401, **facts)
        if answer == "forbidden":
            raise Forbidden("no", status_code=403, **facts)
        if answer in {"lost before", "lost after"} and not is_write:
            raise TemporaryError("no answer", **facts)
        if answer == "lost before":
            raise OutcomeUnknown("no answer", **facts)
        if answer == "rejected" and is_write:
            raise Rejected("refused", status_code=422, **facts)
        if answer == "nonsense" and not is_write:
            raise UnusableAnswer("not JSON", **facts)
        return answer == "lost after" or (answer == "nonsense" and is_write)


def lost(remote: str) -> OutcomeUnknown:
    return OutcomeUnknown("no answer", remote=remote, endpoint="X /x")


@dataclass
class FakeCobot:
    sides: Sides
    space_id: str

    def invoice(self, invoice_id: str) -> Invoice:
        self.sides.read("cobot")
        if invoice_id in self.sides.deleted or invoice_id not in self.sides.invoices:
            raise NotFound("gone", remote="cobot", endpoint="GET /invoices/{id}", status_code=404)
        return self.sides.invoices[invoice_id][-1]

    def invoice_pdf(self, invoice_id: str) -> bytes:
        self.sides.read("cobot")
        return f"%PDF {invoice_id}".encode()

    def invoices(self, *_: object) -> InvoicePage:
        self.sides.read("cobot")
        alive = [
            versions[-1]
            for one, versions in self.sides.invoices.items()
            if one not in self.sides.deleted
        ]
        return InvoicePage(tuple(alive), 1, 1)

    def membership(self, membership_id: str) -> Membership:
        self.sides.read("cobot")
        return self.sides.members[membership_id]

    def memberships(self) -> tuple[tuple[Membership, ...], tuple[str, ...]]:
        self.sides.read("cobot")
        return tuple(self.sides.members.values()), ()

    def write_customer_number(self, membership_id: str, number: str) -> None:
        is_lost = self.sides.write("cobot")
        member = self.sides.members[membership_id]
        self.sides.members[membership_id] = replace(member, customer_number=number)
        if is_lost:
            raise lost("cobot")

    def post_activity(self, _message: str, level: str | None, source_ids: list[str]) -> None:
        is_lost = self.sides.write("cobot")
        self.sides.messages += [(level, one) for one in source_ids]
        if is_lost:
            raise lost("cobot")

    def subscriptions(self) -> tuple[Subscription, ...]:
        self.sides.read("cobot")
        return ()

    def subscribe(self, event: str, callback_url: str) -> Subscription:
        return Subscription("s", event, callback_url, active=True)

    def unsubscribe(self, subscription_id: str) -> None:
        """Nothing is kept of subscriptions here."""


@dataclass
class FakeSevdesk:
    sides: Sides
    client_id: str

    def system_version(self) -> str:
        self.sides.read("sevdesk")
        return "2.0"

    def revenue_accounts(self) -> tuple[BookingAccount, ...]:
        self.sides.read("sevdesk")
        rules = {"1": frozenset({0, 7, 19})}
        return (BookingAccount(id=ACCOUNT, number="4400", name=CODE, rules=rules),)

    def find_contacts(self, customer_number: str) -> tuple[Contact, ...]:
        self.sides.read("sevdesk")
        until = utcnow() - self.sides.lag
        return tuple(
            one
            for at, one in self.sides.contacts
            if at <= until and one.customer_number == customer_number
        )

    def contact_ids_by_email(self, email: str) -> tuple[str, ...]:
        self.sides.read("sevdesk")
        return tuple(owner for owner, address in self.sides.emails if address == email)

    def emails_of(self, contact_id: str) -> tuple[str, ...]:
        self.sides.read("sevdesk")
        return tuple(address for owner, address in self.sides.emails if owner == contact_id)

    def contact(self, contact_id: str) -> Contact | None:
        self.sides.read("sevdesk")
        return next((one for _, one in self.sides.contacts if one.id == contact_id), None)

    def next_customer_number(self) -> str:
        self.sides.read("sevdesk")
        return str(2000 + len(self.sides.contacts))

    def create_contact(self, draft: ContactDraft) -> Contact:
        is_lost = self.sides.write("sevdesk")
        name = draft.organisation or f"{draft.surename or ''} {draft.familyname or ''}".strip()
        made = Contact(f"c-{len(self.sides.contacts)}", draft.customer_number, name)
        self.sides.contacts.append((utcnow(), made))
        if is_lost:
            raise lost("sevdesk")
        return made

    def add_address(self, contact_id: str, _address: object) -> None:
        is_lost = self.sides.write("sevdesk")
        self.sides.addresses.append(contact_id)
        if is_lost:
            raise lost("sevdesk")

    def add_email(self, contact_id: str, email: str) -> None:
        is_lost = self.sides.write("sevdesk")
        self.sides.emails.append((contact_id, email))
        if is_lost:
            raise lost("sevdesk")

    def upload(self, _pdf: bytes, name: str) -> str:
        if self.sides.write("sevdesk"):
            raise lost("sevdesk")
        return name

    def save_voucher(self, draft: VoucherDraft) -> Voucher:
        is_lost = self.sides.write("sevdesk")
        net = sum((one.amount for one in draft.positions), Decimal(0))
        made = Voucher(
            id=f"v-{self.client_id}-{len(self.sides.vouchers)}",
            description=draft.description,
            voucher_date=draft.voucher_date,
            credit_debit=draft.credit_debit,
            status=100,
            sum_gross=(net * Decimal("1.19")).quantize(Decimal("0.01")),
            supplier_id=draft.contact_id,
            supplier_name=draft.supplier_name,
        )
        self.sides.vouchers.append((utcnow(), made))
        self.sides.drafts[made.id] = draft
        if is_lost or self.sides.loses_next_receipt:
            self.sides.loses_next_receipt = False
            raise lost("sevdesk")
        return made

    def find_vouchers(self, number: str, credit_debit: str) -> tuple[Voucher, ...]:
        self.sides.read("sevdesk")
        until = utcnow() - self.sides.lag
        return tuple(
            one
            for at, one in self.sides.vouchers
            if at <= until and (one.description, one.credit_debit) == (number, credit_debit)
        )

    def vouchers_page(self, *_: object) -> tuple[tuple[Voucher, ...], bool]:
        self.sides.read("sevdesk")
        return tuple(one for _, one in self.sides.vouchers), True

    def voucher(self, voucher_id: str) -> Voucher | None:
        self.sides.read("sevdesk")
        return next((one for _, one in self.sides.vouchers if one.id == voucher_id), None)

    def tag(self, voucher_id: str, name: str) -> None:
        is_lost = self.sides.write("sevdesk")
        self.sides.tags.setdefault(voucher_id, set()).add(name)
        if is_lost:
            raise lost("sevdesk")


def an_invoice(space_id: str, number: str, euros: int, code: str, debtor: str | None) -> Invoice:
    net, gross = Decimal(euros), (Decimal(euros) * Decimal("1.19")).quantize(Decimal("0.01"))
    taxes = (Tax("USt", Decimal("19.0")),)
    line = Line("Desk", net, gross, "EUR", taxes=taxes, accounting_code=code)
    return Invoice(
        id=f"i-{space_id}-{number}",
        number=number,
        invoice_date=utcnow().date(),
        lines=(line,),
        net=net,
        gross=gross,
        currency="EUR",
        space_id=space_id,
        debtor=Debtor("memberships", debtor) if debtor else None,
    )
