"""One invoice on its way: read, decide, find the contact, look; the receipt stands in receipts.py.

Each step may run twice.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from rq.timeouts import BaseTimeoutException

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import AWAY, db, utcnow
from portal.errors import Forbidden, NotFound, RemoteError
from portal.models import InvoiceSync, State
from portal.models.invoice import LISTED
from portal.services import (
    activities,
    bodies,
    debtors,
    invoice_facts,
    looks,
    planning,
    receipts,
    record,
)
from portal.services.debtors import Known
from portal.services.edges import Edge
from portal.services.locks import LockLost
from portal.services.planning import Planned
from portal.services.rows import fail, note_row, skip
from portal.services.settling import settle
from portal.services.work import Parked, Work
from portal.sync.causes import Cause

SHOWN_AFTER_RETRIES = 10
"""A 404 may mean "not yet" or "not just now": it counts once it lasted for so many first retry
steps."""
NOT_SHOWN = "invoice_not_shown"

LEFT_AS_IT_IS = (LockLost, BaseTimeoutException, *AWAY)
"""After these nothing more is written in this turn."""


def sync(work: Work, row: InvoiceSync) -> None:
    """Bring one invoice as far as it gets now; whatever happens stands in its row and history.

    Raises LeaveSpace when the space as a whole has to wait, LockLost when it is not ours any more.
    """
    step = "sync"
    work.in_hand = None
    try:
        if row.state == State.FAILED:
            step = "told"
            activities.tell(work, row)
        elif row.state in (State.SYNCED, State.MISMATCHED):
            step = "told"
            activities.tell_repaired(work, row)
        elif row.sevdesk_voucher_id is not None:
            step = "tag"
            receipts.finish(work, row)
        elif row.state in (State.SENDING, State.UNKNOWN):
            step = "look"
            if (found := looks.look(work, row)) is not None:
                receipts.adopt(work, row, found)
        else:
            _book(work, row)
    except RemoteError as err:
        settle(work, row, err, step)
    else:
        work.failures = 0


def _book(work: Work, row: InvoiceSync) -> None:
    parked = work.parked(row)
    if parked is None:
        invoice = _read(work, row)
        if invoice is None:
            return
        parked = work.park(row, invoice)
    known = invoice_facts.known_of(row, parked.invoice)
    planned = planning.at_hand(work, parked.invoice, known)
    db.session.commit()
    if planned is None:
        invoice_facts.keep(work, row, parked, known)
        planned = planning.decide(work, row, parked.invoice)
        if planned is None:
            return
        known = invoice_facts.known_of(row, parked.invoice)  # time has passed, with calls
        db.session.commit()
    try:
        if not _make_ready(work, row, parked, known, planned):
            return
        invoice_facts.note(row, parked, known, planned, is_sent=True)
        why = partial(planning.why_refused, work, parked.invoice)
        is_there = receipts.send(work, row, planned.plan, parked, why)
    except LEFT_AS_IT_IS:
        raise
    except Exception:
        invoice_facts.keep(work, row, parked, known, planned)
        raise
    if is_there:
        receipts.finish(work, row, no_contact=parked.contact[1] if parked.contact else None)


def _make_ready(
    work: Work, row: InvoiceSync, parked: Parked, known: Known, planned: Planned
) -> bool:
    """Do what comes before the receipt; return False where that ended this turn.

    Nothing here needs to be known to whoever comes after us: it is read and looked for again. So
    it is kept with the permission to send, or else where the invoice goes no further for now.
    """
    keep = partial(invoice_facts.keep, work, row, parked, known, planned)
    if debtors.must_wait(row, known.member):
        keep()
        debtors.wait_for_member(work, row)
        return False
    parked.contact = parked.contact or debtors.contact_of(work, row, parked.invoice, known)
    plan = planned.plan
    if not parked.has_looked:
        if found := looks.find_earlier(work, row, plan):
            keep()
            if receipts.take_what_was_there(work, row, plan, found, parked):
                return False
        parked.has_looked = True
    try:
        receipts.upload(work, row, plan, parked)
    except receipts.NoPdf as missing:
        keep()
        receipts.wait_for_pdf(work, row, missing.error)
        return False
    return True


def _read(work: Work, row: InvoiceSync) -> Invoice | None:
    """Read the invoice; None when that ended the matter."""
    try:
        invoice = bodies.of_backfill(work, row) or work.remotes.cobot.invoice(row.cobot_invoice_id)
    except NotFound as err:
        _not_there(work, row, err)
        return None
    except Forbidden:
        # Either the right to read invoices is gone, or this one belongs to somebody else.
        today = utcnow().date()
        work.remotes.cobot.invoices(work.space.cobot_id, today, today)
        _end(work, row, Cause("not_of_this_space"))
        return None
    if invoice.space_id is not None and invoice.space_id != work.space.cobot_id:
        # Only the id came from the hook: nothing of a foreign invoice may be kept or shown.
        skip(row, Cause("not_of_this_space"))
        work.commit(Edge.SKIPPED)
        return None
    return invoice


def _not_there(work: Work, row: InvoiceSync, error: NotFound) -> None:
    """Come again for an invoice that Cobot does not show; after some minutes it is gone."""
    config = core().config
    now = utcnow()
    if row.cause_code != NOT_SHOWN or row.failing_since is None:
        row.failing_since = now  # what failed before was another matter
    patience = timedelta(seconds=config.retry_first_seconds * SHOWN_AFTER_RETRIES)
    if row.changed_in_cobot != "deleted_invoice" and now - row.failing_since < patience:
        row.next_try_at = now + timedelta(seconds=config.retry_first_seconds)
        row.cause_code, row.cause_params = NOT_SHOWN, {}
        record.touch(row)
        note_row(row, "fetched", "later", error=error, next_try_at=row.next_try_at)
        row.attempts += 1
        work.commit(Edge.SKIPPED)
    else:
        _end(work, row, Cause("invoice_deleted"))


def _end(work: Work, row: InvoiceSync, cause: Cause) -> None:
    """Leave out an invoice that Cobot does not show; one that stands in its list all the same is a
    person's matter."""
    if row.changed_in_cobot != LISTED:
        skip(row, cause)
        work.commit(Edge.SKIPPED)
        return
    fail(row, Cause("invoice_unreadable"), step="fetched")
    work.commit(Edge.FAILED)
    activities.tell(work, row)
