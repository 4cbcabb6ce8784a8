"""Repairing receipts without a contact: who it may be, the link for later ones, another look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from portal.database import db, insert_or_update, utcnow
from portal.errors import NotFound, RemoteError, TemporaryError
from portal.models import DebtorLink, InvoiceSync, PersonName, Space, State
from portal.services import clients, lost_receipts, patience, record
from portal.services.rows import forget_cause
from portal.sevdesk.client import SevdeskClient
from portal.sevdesk.records import Contact
from portal.sync.accounts import fold_name
from portal.sync.contacts import NO_CONTACT

PATIENCE_SECONDS = 5
MOST = 10
WITH_EMAILS = 4
BOOKED = (State.SYNCED, State.MISMATCHED)
REASONS = ("number", "email", "name", "asked")


@dataclass(frozen=True)
class Candidate:
    """A contact that may be meant, and by what it was found: one of REASONS.

    `emails` are asked for the first few alone: each costs a call.
    """

    id: str
    customer_number: str | None
    name: str
    why: str
    emails: tuple[str, ...] = ()


@dataclass(frozen=True)
class Looked:
    """What another look at a receipt showed: "contact" (so it is synced), "no_contact", or "gone".

    "elsewhere": the receipt stands in another sevdesk client; "not_booked": there is none.
    """

    outcome: str
    contact_id: str | None = None


def candidates(space: Space, invoice: InvoiceSync, query: str = "") -> list[Candidate]:
    """Search sevdesk for the contact of an invoice: by number, e-mail and name, or by what a
    person typed. Raises RemoteError where sevdesk is away."""
    person = db.session.scalar(
        select(PersonName.name).where(
            PersonName.space_id == space.id, PersonName.id == invoice.person_id
        )
    )
    number = (invoice.customer_number or "").strip()
    kind, debtor_id = invoice.debtor_kind, invoice.debtor_id
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    cobot = clients.cobot_of(space)
    db.session.commit()
    found: dict[str, Candidate] = {}

    def take(contacts: Sequence[Contact], why: str) -> None:
        for contact in contacts:
            candidate = Candidate(contact.id, contact.customer_number, contact.name, why)
            found.setdefault(contact.id, candidate)

    asked = query.strip()
    if asked:
        take(sevdesk.find_contacts(asked), "number")
        if "@" in asked:
            take(sevdesk.find_contacts_by_email(asked), "email")
        take(sevdesk.find_contacts_by_name(asked), "asked")
        return _with_emails(sevdesk, list(found.values())[:MOST])
    if number:
        take(sevdesk.find_contacts(number), "number")
    if kind == "memberships" and debtor_id:
        try:
            email = cobot.membership(debtor_id).email
        except NotFound:
            email = None
        if email:
            take(sevdesk.find_contacts_by_email(email), "email")
    if person:
        take(sevdesk.find_contacts_by_name(person), "name")
        last = fold_name(person).rpartition(" ")[2]
        if not any(one.why == "name" for one in found.values()) and len(last) > 2:
            take(sevdesk.find_contacts_by_name(last), "name")
    return _with_emails(sevdesk, list(found.values())[:MOST])


def link(space: Space, invoice: InvoiceSync, contact_id: str, *, actor: str) -> bool:
    """Book all later invoices of this debtor on a contact; False where that cannot be. Commits.

    Not for an invoice without debtor, nor to a contact that sevdesk does not have. The receipt
    that exists stays as it is: the contact is put on it in sevdesk. Raises RemoteError.
    """
    kind, debtor_id = invoice.debtor_kind, invoice.debtor_id
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    db.session.commit()
    if kind is None or debtor_id is None:
        return False
    contact = sevdesk.contact(contact_id)
    if contact is None:
        return False
    db.session.execute(
        insert_or_update(
            DebtorLink,
            {
                "space_id": space.id,
                "debtor_kind": kind,
                "debtor_id": debtor_id,
                "contact_id": contact.id,
                "created_at": utcnow(),
            },
            unique=("space_id", "debtor_kind", "debtor_id"),
            change={"contact_id": contact.id},
        )
    )
    record.note(space.id, "debtor_linked", "done", invoice=invoice, actor=actor, contact=contact.id)
    record.touch(invoice)
    db.session.commit()
    return True


def unlink(space: Space, invoice: InvoiceSync, *, actor: str) -> bool:
    """Let the customer number decide again for this debtor. Commits."""
    found = link_of(space, invoice)
    if found is None:
        db.session.rollback()
        return False
    db.session.delete(found)
    record.note(
        space.id, "debtor_unlinked", "done", invoice=invoice, actor=actor, contact=found.contact_id
    )
    record.touch(invoice)
    db.session.commit()
    return True


def link_of(space: Space, invoice: InvoiceSync) -> DebtorLink | None:
    """Return the contact that somebody chose for the invoice's debtor."""
    return db.session.scalar(
        select(DebtorLink).where(
            DebtorLink.space_id == space.id,
            DebtorLink.debtor_kind == invoice.debtor_kind,
            DebtorLink.debtor_id == invoice.debtor_id,
        )
    )


def look_again(space: Space, invoice: InvoiceSync, *, actor: str) -> Looked:
    """Look at the receipt of a booked invoice: one that has a contact by now is synced. Commits.

    One that was deleted is not booked any more (lost_receipts). The tag "mismatch" stays: sevdesk's
    API can only delete a tag as a whole. Raises RemoteError.
    """
    voucher_id = invoice.sevdesk_voucher_id
    if invoice.state not in BOOKED or voucher_id is None:
        db.session.rollback()
        return Looked("not_booked")
    if invoice.sevdesk_client != space.sevdesk_client:
        db.session.rollback()
        return Looked("elsewhere")
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    db.session.commit()
    voucher = sevdesk.voucher(voucher_id)
    db.session.refresh(invoice, with_for_update=True)
    if invoice.state not in BOOKED or invoice.sevdesk_voucher_id != voucher_id:
        db.session.rollback()  # somebody else looked meanwhile
        return Looked("not_booked")
    if voucher is None:
        lost_receipts.take_back(space, {invoice.id: voucher_id}, actor=actor)
        db.session.commit()
        return Looked("gone")
    contact_id = voucher.supplier_id
    record.note(
        space.id,
        "looked_again",
        "done",
        invoice=invoice,
        actor=actor,
        contact=contact_id,
        voucher=voucher.id,
    )
    if invoice.state == State.MISMATCHED and contact_id is not None:
        invoice.is_mismatch = False
        if invoice.cause_code in NO_CONTACT:
            forget_cause(invoice)
        record.set_state(invoice, State.SYNCED)
    else:
        record.touch(invoice)
    db.session.commit()
    return Looked("no_contact" if contact_id is None else "contact", contact_id)


def look_again_at(space: Space, row_ids: Sequence[int], *, actor: str) -> tuple[int, int]:
    """Look at several receipts again; return how many were looked at and how many are synced now.

    Ends early where sevdesk is away or the budget of calls is used up.
    """
    looked = synced = 0
    for row_id in row_ids:
        invoice = db.session.scalar(
            select(InvoiceSync)
            .where(InvoiceSync.id == row_id, InvoiceSync.space_id == space.id)
            .execution_options(populate_existing=True)
        )
        if invoice is None:
            continue
        try:
            result = look_again(space, invoice, actor=actor)
        except RemoteError:
            db.session.rollback()
            break
        looked += 1
        synced += result.outcome == "contact"
    return looked, synced


def _with_emails(sevdesk: SevdeskClient, found: Sequence[Candidate]) -> list[Candidate]:
    """Add the e-mail addresses of the first ones, as far as sevdesk answers now."""
    emails: dict[str, tuple[str, ...]] = {}
    try:
        for one in found[:WITH_EMAILS]:
            emails[one.id] = sevdesk.emails_of(one.id)
    except TemporaryError:
        pass  # number and name tell them apart, too
    return [replace(one, emails=emails.get(one.id, ())) for one in found]
