"""Who pays an invoice: the contact in sevdesk that stands for them, and the member they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, select

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import db, table_of, utcnow
from portal.models import DebtorLink, InvoiceSync, MemberSync, PersonName, Space, State
from portal.models.invoice import IN_WORK
from portal.services import charts, contact_book, record
from portal.services.edges import Edge
from portal.services.rows import note_row
from portal.services.work import Work
from portal.sync import contacts
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

_SPACES = table_of(Space)
_MEMBERS = table_of(MemberSync)
_PEOPLE = table_of(PersonName)
_KNOWN = charts.beside(
    select(
        _MEMBERS.c.id,
        _MEMBERS.c.state,
        _MEMBERS.c.contact_id,
        _MEMBERS.c.number_written,
        _MEMBERS.c.number_before,
        LINKS.c.contact_id,
        _PEOPLE.c.id,
        _PEOPLE.c.name,
        _PEOPLE.c.erased_at,
        _SPACES.c.sequence,
    )
    .select_from(_SPACES)
    .outerjoin(
        LINKS,
        and_(
            LINKS.c.space_id == bindparam("space"),
            LINKS.c.debtor_kind == bindparam("kind"),
            LINKS.c.debtor_id == bindparam("remote"),
        ),
    )
    .outerjoin(
        _PEOPLE,
        and_(
            _PEOPLE.c.space_id == bindparam("space"),
            _PEOPLE.c.kind == bindparam("kind"),
            _PEOPLE.c.remote_id == bindparam("remote"),
        ),
    )
    .outerjoin(
        _MEMBERS,
        and_(
            _MEMBERS.c.space_id == bindparam("space"),
            _MEMBERS.c.cobot_membership_id == bindparam("member"),
        ),
    )
    .where(_SPACES.c.id == bindparam("space"))
)
"""Made once: it is asked for each invoice, all that is known in one statement."""


@dataclass(frozen=True)
class Member:
    """The member who pays an invoice, as far as its way goes by them."""

    state: State
    contact_id: str | None
    number_written: str | None
    number_before: str | None


@dataclass(frozen=True)
class Known:
    """What is known of who pays an invoice."""

    member: Member | None
    link: str | None
    """The contact that an admin chose for them."""
    person_id: int | None
    name: str | None
    name_erased_at: datetime | None
    number: int
    """The space's count of writes: all of this holds as long as it stays (`space_row`)."""
    chart: Sequence[Any]
    """What is kept of the space's chart (`charts.at_hand`)."""

    def is_called(self, name: str | None) -> bool:
        """Say whether this name needs no writing: it stands there, or was erased for good."""
        is_there = self.person_id is not None
        return is_there and (self.name_erased_at is not None or self.name == name)


def known_of(space_id: int, kind: str, remote_id: str) -> Known:
    """Return what is known of a debtor, by the words that Cobot names them with, and the space's
    chart beside."""
    with db.session.no_autoflush:  # what is noted of the invoice is written once, with the commit
        found = db.session.execute(
            _KNOWN,
            {
                "space": space_id,
                "kind": kind,
                "remote": remote_id,
                "member": remote_id if kind == "memberships" else None,
            },
        )
    rows = found.all()
    member_id, *of_member = rows[0][:5]
    link, person_id, name, erased_at, number = rows[0][5:10]
    member = Member(*of_member) if member_id is not None else None
    return Known(member, link, person_id, name, erased_at, number, chart=rows)


def link_of(member: MemberSync | Member | None) -> MemberLink | None:
    """Return the member's own contact as the rules take it, None while there is none."""
    if member is None or member.contact_id is None:
        return None
    return MemberLink(member.contact_id, member.number_written, member.number_before)


def needs_name(invoice: Invoice, member: MemberSync | Member | None) -> bool:
    """Say whether the number alone does not show whose contact it is: the member has none yet."""
    if member is None or member.contact_id is not None:
        return False
    return contacts.needs_name(invoice, member.number_before)


def must_wait(row: InvoiceSync, member: Member | None) -> bool:
    """Say whether a new member becomes a contact first; a failed write-back of the number holds
    nobody."""
    is_coming = member is not None and member.contact_id is None and member.state in IN_WORK
    return is_coming and row.member_waits < MEMBER_WAITS


def wait_for_member(work: Work, row: InvoiceSync) -> None:
    """Let the member go first."""
    row.member_waits += 1
    row.next_try_at = utcnow() + timedelta(seconds=core().config.retry_first_seconds)
    row.cause_code, row.cause_params = "member_pending", {}
    record.touch(row)
    note_row(row, "waits_for_member", "later", next_try_at=row.next_try_at)
    work.commit(Edge.WAITS_FOR_MEMBER)


def contact_of(
    work: Work, row: InvoiceSync, invoice: Invoice, who: Known
) -> tuple[str | None, Cause | None]:
    """Return the invoice's contact, or None and why."""
    known = contact_of_invoice(invoice, who.link, link_of(who.member))
    if known is not None:
        return known, None
    number = (invoice.customer_number or "").strip()
    found = contact_book.find(work, row, number) if number else ()
    chosen = choose_contact(invoice, found, needs_name=needs_name(invoice, who.member))
    if isinstance(chosen, ContactFound):
        return chosen.contact_id, None
    assert isinstance(chosen, NoContact)
    return None, chosen.cause
