"""What follows when a member has its contact: address and e-mail, the number back to Cobot, a note.

Each write is tried alone.
"""

from __future__ import annotations

import html
from collections.abc import Callable

from flask_babel import gettext

from portal.cobot.records import Membership
from portal.database import utcnow
from portal.errors import Forbidden, NotFound, OutcomeUnknown, Rejected, RemoteError
from portal.models import MemberSync
from portal.services.edges import Edge
from portal.services.rows import fail, note_row
from portal.services.sentences import language_of
from portal.services.work import Work
from portal.sync.causes import Cause
from portal.sync.contacts import address_draft


def complete(work: Work, row: MemberSync, membership: Membership) -> None:
    """Add address and e-mail to a contact that we made; each is tried alone.

    What sevdesk refuses is only noted. So is an unknown outcome, and a worker that dies over the
    write leaves it: a second address would do more harm than a missing one.
    """
    assert row.contact_id is not None
    contact_id, sevdesk = row.contact_id, work.remotes.sevdesk
    address, email = address_draft(membership), membership.email
    if not row.address_done:
        if address is not None:
            work.need_sevdesk_calls(1)
            row.address_done = True
            work.commit(Edge.ADDRESS_SENDING)
            try:
                _write(row, "address", lambda: sevdesk.add_address(contact_id, address))
            except RemoteError:
                row.address_done = False  # certainly not written
                work.commit(Edge.ADDRESS_LATER)
                raise
        row.address_done = True
        work.commit(Edge.ADDRESS_DONE)
    if not row.email_done:
        if email:
            work.need_sevdesk_calls(1)
            row.email_done = True
            work.commit(Edge.EMAIL_SENDING)
            try:
                _write(row, "email", lambda: sevdesk.add_email(contact_id, email))
            except RemoteError:
                row.email_done = False
                work.commit(Edge.EMAIL_LATER)
                raise
        row.email_done = True
        work.commit(Edge.EMAIL_DONE)


def _write(row: MemberSync, step: str, write: Callable[[], None]) -> None:
    try:
        write()
    except (OutcomeUnknown, Rejected, Forbidden) as err:
        note_row(row, step, "failed", error=err)


def write_back(work: Work, row: MemberSync, membership: Membership) -> bool:
    """Write the contact's number to the Cobot member and read it back; False when it did not hold.

    The number overwrites Cobot's own, as the help page says. A failure never holds an invoice.
    """
    number = row.contact_number
    if number is None or row.number_written == number:
        return True
    if (membership.customer_number or "").strip() != number:
        try:
            work.remotes.cobot.write_customer_number(row.cobot_membership_id, number)
        except (Rejected, NotFound, Forbidden) as err:
            fail(row, Cause("number_not_written", {"number": number}), step="number", error=err)
            work.commit(Edge.FAILED)
            return False
        read_back = work.remotes.cobot.membership(row.cobot_membership_id).customer_number
        if (read_back or "").strip() != number:
            fail(row, Cause("number_not_written", {"number": number}), step="number")
            work.commit(Edge.FAILED)
            return False
    row.number_written = number
    note_row(row, "number_written", "done", number=number, before=row.number_before or None)
    work.commit(Edge.NUMBER_WRITTEN)
    return True


def note_in_feed(work: Work, row: MemberSync) -> None:
    """Say once in Cobot's feed that the member is a sevdesk contact now."""
    if row.note_posted or row.contact_number is None:
        return
    row.note_posted = True
    work.commit(Edge.NOTING)
    with language_of(work.space):
        said = gettext(
            "sevdesk: the member was transferred as a contact, customer number %(number)s.",
            number=row.contact_number,
        )
    try:
        work.remotes.cobot.post_activity(
            html.escape(said, quote=False), None, [row.cobot_membership_id]
        )
    except (OutcomeUnknown, Rejected, NotFound) as err:
        note_row(row, "note", "failed", error=err)
    except Forbidden as err:
        work.space.messages_refused_at = work.space.messages_refused_at or utcnow()
        note_row(row, "note", "failed", error=err)
    else:
        note_row(row, "note", "done")
    work.commit(Edge.NOTED)
