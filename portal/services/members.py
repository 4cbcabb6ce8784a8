"""One member on the way: contact found or made; what follows stands in member_details.py.

POST /Contact is never repeated without looking: sevdesk accepts a used customer number.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from portal.cobot.records import Membership
from portal.core import core
from portal.database import db, utcnow
from portal.errors import NotFound, OutcomeUnknown, Rejected, RemoteError
from portal.models import InvoiceSync, MemberSync, State
from portal.services import locks, member_details, record
from portal.services.edges import Edge
from portal.services.rows import fail, forget_cause, note_row
from portal.services.settling import settle
from portal.services.work import LeaveSpace, Work
from portal.sevdesk.records import Contact
from portal.sync.accounts import fold_name
from portal.sync.causes import Cause
from portal.sync.contacts import (
    AdoptContact,
    contact_draft,
    plan_member,
)

log = structlog.get_logger(__name__)

PARKED_SECONDS = 60
SEND_WITHIN_SECONDS = 30
NUMBER_LOCK_SECONDS = 1
"""Soon enough to come again when another worker is making a contact in the same sevdesk."""


@dataclass
class LostLook:
    """How far one look for a contact whose answer was lost got; `to_read` are ids."""

    by_number: tuple[Contact, ...] | None = None
    to_read: list[str] | None = None


@dataclass
class ParkedMember:
    """What was read of a member: kept in the process while it waits for our own budget of calls,
    so that going on costs no call twice."""

    membership: Membership
    read_at: float
    has_looked: bool = False
    """That no contact of the member's number is to be taken; then `why` says what stood against."""
    why: str | None = None
    look: LostLook | None = None


def sync(work: Work, row: MemberSync) -> None:
    """Bring one member as far as it gets now; whatever happens stands in its row and history.

    Raises LeaveSpace when the space as a whole has to wait, LockLost when it is not ours any more.
    """
    step = "member_read"
    try:
        parked = _read(work, row)
        if parked is None:
            return
        membership = parked.membership
        step = "contact"
        if row.contact_id is None:
            _link(work, row, parked)
        if row.contact_id is None:
            return
        if not row.contact_checked:
            _check(work, row)
        step = "address"
        member_details.complete(work, row, membership)
        step = "number_written"
        if member_details.write_back(work, row, membership):
            step = "note"
            member_details.note_in_feed(work, row)
            _done(work, row)
    except RemoteError as err:
        settle(work, row, err, step)
    else:
        work.failures = 0


def _read(work: Work, row: MemberSync) -> ParkedMember | None:
    key = (row.space_id, f"member:{row.cobot_membership_id}")
    parked: ParkedMember | None = core().parked.get(key)
    if parked is not None and time.monotonic() - parked.read_at < PARKED_SECONDS:
        return parked
    try:
        membership = work.remotes.cobot.membership(row.cobot_membership_id)
    except NotFound as err:
        row.state = State.SKIPPED
        row.cause_code, row.cause_params = "member_deleted", {}
        row.next_try_at = None
        note_row(row, "member_read", "done", error=err)
        work.commit(Edge.SKIPPED)
        return None
    row.person_id = record.name_person(
        row.space_id,
        "memberships",
        row.cobot_membership_id,
        membership.address.company or membership.name,
    )
    if row.contact_id is None:
        row.number_before = membership.customer_number or ""  # read, and there was none
    work.commit(Edge.MEMBER_READ)
    parked = ParkedMember(membership, time.monotonic())
    core().parked[key] = parked
    return parked


def _link(work: Work, row: MemberSync, parked: ParkedMember) -> None:
    """Find the member's contact or make it; without one the row waits."""
    membership = parked.membership
    if row.state in (State.SENDING, State.UNKNOWN):
        if row.state == State.SENDING:
            # A worker died between the commit and the answer.
            row.state = State.UNKNOWN
            work.commit(Edge.UNKNOWN)
        found = _look_for_lost(work, row, parked)
        if found is not None:
            _keep(work, row, found, "found")
        return
    number = (membership.customer_number or "").strip()
    if number and not parked.has_looked:
        hits = work.remotes.sevdesk.find_contacts(number)
        known = [
            (hit, work.remotes.sevdesk.emails_of(hit.id) if len(hits) == 1 else ()) for hit in hits
        ]
        decision = plan_member(membership, known)
        if isinstance(decision, AdoptContact):
            row.was_adopted = True
            _keep(work, row, decision.contact, "adopted")
            return
        parked.why = decision.why
    parked.has_looked = True
    _make(work, row, membership, parked.why)


def _make(work: Work, row: MemberSync, membership: Membership, why: str | None) -> None:
    client = work.space.sevdesk_client or ""
    with locks.number_lock(client) as lock:
        if lock is None:
            row.next_try_at = utcnow() + timedelta(seconds=NUMBER_LOCK_SECONDS)
            work.commit(Edge.LATER)
            raise LeaveSpace(row.next_try_at)
        # The number is only computed: what uses it must follow at once.
        work.need_sevdesk_calls(2)
        number = work.remotes.sevdesk.next_customer_number()
        begun = time.monotonic()
        row.state = State.SENDING
        row.sent_number = number
        row.sent_at = utcnow()
        row.looks = 0
        row.next_try_at = _next_look_at(row)
        note_row(row, "contact_sending", "done", number=number, why=why)
        lock.confirm()
        work.commit(Edge.CONTACT_SENDING)
        if time.monotonic() - begun > SEND_WITHIN_SECONDS:
            raise locks.LockLost("stopped for too long before the write")
        try:
            made = work.remotes.sevdesk.create_contact(contact_draft(membership, number))
        except OutcomeUnknown as err:
            row.state = State.UNKNOWN
            row.sent_at = utcnow()  # the looks are counted from the lost answer
            row.next_try_at = _next_look_at(row)
            row.cause_code, row.cause_params = "checking", {}
            note_row(row, "contact", "unknown", error=err, next_try_at=row.next_try_at)
            work.commit(Edge.UNKNOWN)
            return
        except Rejected as err:
            message = {"message": err.message}
            fail(row, Cause("contact_rejected", message), step="contact", error=err)
            work.commit(Edge.FAILED)
            return
        # Kept before the number is read back: should that fail, no second contact is made.
        row.contact_id = made.id
        row.contact_number = made.customer_number
        work.commit(Edge.CONTACT_MADE)


def _check(work: Work, row: MemberSync) -> None:
    """Read a new contact back: a person below an organisation was seen to get another number."""
    assert row.contact_id is not None
    contact = work.remotes.sevdesk.contact(row.contact_id)
    _keep(work, row, contact or Contact(row.contact_id, row.contact_number, ""), "created")


def _look_for_lost(work: Work, row: MemberSync, parked: ParkedMember) -> Contact | None:
    """Look for the contact of a lost answer, by the number sent, then by e-mail and name."""
    assert row.sent_number is not None
    membership = parked.membership
    draft = contact_draft(membership, row.sent_number)
    names = {
        fold_name(draft.organisation or ""),
        fold_name(f"{draft.surename or ''} {draft.familyname or ''}"),
    } - {""}
    # Kept in between: the calls may be more than our budget gives at once.
    look = parked.look = parked.look or LostLook()
    sevdesk = work.remotes.sevdesk
    if look.by_number is None:
        look.by_number = sevdesk.find_contacts(row.sent_number)
    found = next((hit for hit in look.by_number if fold_name(hit.name) in names), None)
    if found is None and membership.email:
        # sevdesk may have given another number than the one we sent.
        if look.to_read is None:
            look.to_read = list(sevdesk.contact_ids_by_email(membership.email))
        while found is None and look.to_read:
            hit = sevdesk.contact(look.to_read[0])
            look.to_read.pop(0)
            if hit is not None and fold_name(hit.name) in names:
                found = hit
    parked.look = None
    if found is not None:
        return found
    row.looks += 1
    if row.looks < len(core().config.looks_seconds):
        row.state = State.UNKNOWN
        row.next_try_at = _next_look_at(row)
        note_row(row, "look", "later", looks=row.looks, next_try_at=row.next_try_at)
    else:
        row.state = State.WAITING
        row.next_try_at = utcnow()
        note_row(row, "look", "done", looks=row.looks, found=0)
    work.commit(Edge.LOOKED)
    return None


def _next_look_at(row: MemberSync) -> datetime:
    waits = core().config.looks_seconds
    assert row.sent_at is not None
    return row.sent_at + timedelta(seconds=waits[min(row.looks, len(waits) - 1)])


def _keep(work: Work, row: MemberSync, contact: Contact, step: str) -> None:
    """Link the member to its contact; invoices that waited for it may go on."""
    row.contact_id = contact.id
    row.contact_number = contact.customer_number
    row.contact_checked = True
    row.state = State.WAITING
    row.next_try_at = utcnow()
    if row.was_adopted:
        row.address_done = row.email_done = True
    forget_cause(row)
    note_row(row, f"contact_{step}", "done", contact=contact.id, number=contact.customer_number)
    db.session.execute(
        update(InvoiceSync)
        .where(
            InvoiceSync.space_id == row.space_id,
            InvoiceSync.debtor_kind == "memberships",
            InvoiceSync.debtor_id == row.cobot_membership_id,
            InvoiceSync.state == State.WAITING,
            InvoiceSync.member_waits > 0,
        )
        .values(next_try_at=utcnow())
        .execution_options(synchronize_session=False)
    )
    work.commit(Edge.CONTACT_LINKED)


def _done(work: Work, row: MemberSync) -> None:
    row.state = State.SYNCED
    row.next_try_at = None
    forget_cause(row)
    core().parked.pop((row.space_id, f"member:{row.cobot_membership_id}"), None)
    work.commit(Edge.MEMBER_DONE)
