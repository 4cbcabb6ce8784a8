"""Who pays an invoice: the contact in sevdesk that stands for them, and the member they are."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, table_of, utcnow
from portal.models import DebtorLink, InvoiceSync, MemberSync, State
from portal.services import contact_book, record
from portal.services.edges import Edge
from portal.services.rows import note_row
from portal.services.work import Work
from portal.sync.causes import Cause
from portal.sync.contacts import (
    ContactFound,
    MemberLink,
    NoContact,
    choose_contact,
    contact_of_invoice,
)

LINKS = table_of(DebtorLink)
MEMBER_WAITS = 10
"""So many first tries an invoice lets its member become a contact before it goes on without."""

_LINK = select(LINKS.c.contact_id).where(
    LINKS.c.space_id == bindparam("space"),
    LINKS.c.debtor_kind == bindparam("kind"),
    LINKS.c.debtor_id == bindparam("remote"),
)
_MEMBER = (
    select(MemberSync)
    .where(
        MemberSync.space_id == bindparam("space"),
        MemberSync.cobot_membership_id == bindparam("remote"),
    )
    .execution_options(populate_existing=True)
)


def _member_of(space_id: int, kind: str | None, remote_id: str | None) -> MemberSync | None:
    if kind != "memberships":
        return None
    return db.session.scalar(_MEMBER, {"space": space_id, "remote": remote_id})


def known_of(row: InvoiceSync) -> tuple[str | None, MemberSync | None]:
    """Return the contact that an admin chose for who pays, and the member they are."""
    if row.debtor_kind is None:
        return None, None
    with db.session.no_autoflush:  # what is noted of the invoice is written once, with the commit
        link = db.session.scalar(
            _LINK, {"space": row.space_id, "kind": row.debtor_kind, "remote": row.debtor_id}
        )
        member = _member_of(row.space_id, row.debtor_kind, row.debtor_id)
    return link, member


def link_of(member: MemberSync | None) -> MemberLink | None:
    """Return the member's own contact as the rules take it, None while there is none."""
    if member is None or member.contact_id is None:
        return None
    return MemberLink(member.contact_id, member.number_written, member.number_before)


def waits_for_member(work: Work, row: InvoiceSync, member: MemberSync | None) -> bool:
    """Let a new member become a contact first; a failed write-back of the number holds nobody."""
    is_coming = (
        member is not None
        and member.contact_id is None
        and member.state in (State.WAITING, State.SENDING, State.UNKNOWN)
    )
    if not is_coming or row.member_waits >= MEMBER_WAITS:
        return False
    row.member_waits += 1
    row.next_try_at = utcnow() + timedelta(seconds=core().config.retry_first_seconds)
    row.cause_code, row.cause_params = "member_pending", {}
    record.touch(row)
    note_row(row, "waits_for_member", "later", next_try_at=row.next_try_at)
    work.commit(Edge.WAITS_FOR_MEMBER)
    return True


def contact_of(
    work: Work,
    row: InvoiceSync,
    invoice: Invoice,
    link: str | None,
    member: MemberSync | None,
) -> tuple[str | None, Cause | None]:
    """Return the invoice's contact, or None and why."""
    known = contact_of_invoice(invoice, link, link_of(member))
    if known is not None:
        return known, None
    number = (invoice.customer_number or "").strip()
    found = contact_book.find(work, row, number) if number else ()
    chosen = choose_contact(invoice, found)
    if isinstance(chosen, ContactFound):
        return chosen.contact_id, None
    assert isinstance(chosen, NoContact)
    return None, chosen.cause
