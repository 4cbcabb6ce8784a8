"""One invoice on its way: read, decide, find the contact, look; the receipt stands in receipts.py.

Each step may run twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from rq.timeouts import BaseTimeoutException

from portal.cobot.records import Invoice
from portal.core import core
from portal.database import AWAY, db, utcnow
from portal.errors import Forbidden, NotFound, RemoteError
from portal.models import InvoiceSync, State, Step
from portal.money import to_cents
from portal.services import (
    activities,
    bodies,
    charts,
    debtors,
    last_writes,
    looks,
    receipts,
    record,
    space_row,
)
from portal.services.debtors import Known
from portal.services.edges import Edge
from portal.services.locks import LockLost
from portal.services.rows import fail, note_row
from portal.services.settings_of import voucher_settings
from portal.services.work import Parked, Work
from portal.sync.causes import Cause
from portal.sync.lines import line_facts
from portal.sync.plans import NotBookable, Skip, VoucherPlan
from portal.sync.vouchers import plan_voucher, supplier_name

log = structlog.get_logger(__name__)

READABLE_AFTER_RETRIES = 10
"""A 404 soon after the announcement may mean "not yet": for so many first retry steps."""

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
        work.settle(row, err, step)
    else:
        work.failures = 0


def _book(work: Work, row: InvoiceSync) -> None:
    parked = work.parked(row)
    if parked is None:
        invoice = _read(work, row)
        if invoice is None:
            return
        parked = work.park(row, invoice)
    known = _known_of(row, parked.invoice)
    planned = _plan_at_hand(work, parked.invoice, known)
    db.session.commit()
    if planned is None:
        _keep(work, row, parked, known)
        planned = _plan(work, row, parked.invoice)
        if planned is None:
            return
        known = _known_of(row, parked.invoice)  # time has passed, with calls
        db.session.commit()
    try:
        if not _make_ready(work, row, parked, known, planned):
            return
        _note(row, parked, known, planned, is_sent=True)
        why = partial(_why_refused, work, parked.invoice)
        is_there = receipts.send(work, row, planned.plan, parked, why)
    except LEFT_AS_IT_IS:
        raise
    except Exception:
        _keep(work, row, parked, known, planned)
        raise
    if is_there:
        receipts.finish(work, row, no_contact=parked.contact[1] if parked.contact else None)


def _make_ready(
    work: Work, row: InvoiceSync, parked: Parked, known: Known, planned: _Planned
) -> bool:
    """Do what comes before the receipt; return False where that ended this turn.

    Nothing here needs to be known to whoever comes after us: it is read and looked for again. So
    it is kept with the permission to send, or else where the invoice goes no further for now.
    """
    keep = partial(_keep, work, row, parked, known, planned)
    if debtors.must_wait(row, known.member):
        keep()
        debtors.wait_for_member(work, row)
        return False
    parked.contact = parked.contact or debtors.contact_of(work, row, parked.invoice, known)
    plan = planned.plan
    if not parked.has_looked:
        if found := looks.find(work, row, plan.number, plan.credit_debit):
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


def _keep(
    work: Work, row: InvoiceSync, parked: Parked, known: Known, planned: _Planned | None = None
) -> None:
    """Keep what was read by itself: the invoice goes no further for now, and people see it.

    Not where the space was disconnected meanwhile.
    """
    if parked.is_noted:
        return
    db.session.rollback()
    if space_row.take(row.space_id).connected_at is None:
        db.session.rollback()
        return
    db.session.refresh(row)
    # An edit in Cobot or a retry that came meanwhile asks anew.
    is_unchanged = row.sequence == parked.sequence
    _note(row, parked, known, planned)
    work.commit(Edge.FETCHED)
    parked.is_noted, parked.sequence = True, row.sequence
    if not is_unchanged:
        work.unpark(row.cobot_invoice_id)


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
        _skip(row, Cause("not_of_this_space"))
        work.commit(Edge.SKIPPED)
        return None
    if invoice.space_id is not None and invoice.space_id != work.space.cobot_id:
        # Only the id came from the hook: nothing of a foreign invoice may be kept or shown.
        _skip(row, Cause("not_of_this_space"))
        work.commit(Edge.SKIPPED)
        return None
    return invoice


def _known_of(row: InvoiceSync, invoice: Invoice) -> Known:
    """Return what is known of who pays; where Cobot names nobody, of the invoice itself."""
    debtor = invoice.debtor
    if debtor is None:
        return debtors.known_of(row.space_id, "invoices", row.cobot_invoice_id)
    return debtors.known_of(row.space_id, debtor.kind, debtor.id)


def _note(
    row: InvoiceSync,
    parked: Parked,
    known: Known,
    planned: _Planned | None,
    *,
    is_sent: bool = False,
) -> None:
    """Note what was read and planned, and what was uploaded where the receipt is sent next.

    The caller commits.
    """
    if is_sent and (parked.is_noted or known.is_called(supplier_name(parked.invoice))):
        space_row.write_late(row.space_id, after=known.number)
        last_writes.if_overtaken(partial(_note_who_pays_anew, row, parked))
    is_first = not parked.is_noted and row.step == Step.NONE
    lines = int(is_first) + (1 + int(parked.uploaded is not None) if is_sent else 0)
    # Before the name, as who blanks it does.
    number = space_row.write(row.space_id, ahead=lines)
    if not parked.is_noted:
        if number > known.number + 1:
            known = _known_of(row, parked.invoice)  # somebody wrote in the space since
        _note_facts(row, parked.invoice, known)
    if is_first:
        _note_reading(row, parked)
    if planned is not None:
        row.lines, row.due_date = planned.lines, planned.plan.due_date
    if is_sent:
        receipts.note_upload(row, parked)


def _note_who_pays_anew(row: InvoiceSync, parked: Parked) -> None:
    if not parked.is_noted:
        _note_facts(row, parked.invoice, _known_of(row, parked.invoice))


def _note_facts(row: InvoiceSync, invoice: Invoice, known: Known) -> None:
    debtor = invoice.debtor
    name = supplier_name(invoice)
    if known.is_called(name):
        row.person_id = known.person_id
    else:
        row.person_id = record.name_person(
            row.space_id,
            debtor.kind if debtor else "invoices",
            debtor.id if debtor else row.cobot_invoice_id,
            name,
        )
    if row.changed_in_cobot != "deleted_invoice":
        row.changed_in_cobot = None  # this is what it was changed to
    row.number = invoice.number
    row.invoice_date = invoice.invoice_date
    row.customer_number = invoice.customer_number
    row.gross = to_cents(invoice.gross)
    row.currency = invoice.currency
    row.debtor_kind = debtor.kind if debtor else None
    row.debtor_id = debtor.id if debtor else None
    record.touch(row)


def _note_reading(row: InvoiceSync, parked: Parked) -> None:
    invoice = parked.invoice
    row.step = Step.FETCHED
    note_row(
        row,
        "fetched",
        "done",
        at=parked.read_at,
        called=parked.calls,
        number=invoice.number,
        gross=str(invoice.gross),
        currency=invoice.currency,
        customer_number=invoice.customer_number,
        lines=len(invoice.lines),
    )


def _not_there(work: Work, row: InvoiceSync, error: NotFound) -> None:
    config = core().config
    age = utcnow() - row.announced_at
    patience = timedelta(seconds=config.retry_first_seconds * READABLE_AFTER_RETRIES)
    if row.changed_in_cobot != "deleted_invoice" and row.number is None and age < patience:
        row.next_try_at = utcnow() + timedelta(seconds=config.retry_first_seconds)
        row.cause_code = "cobot_unreachable"
        record.touch(row)
        note_row(row, "fetched", "later", error=error, next_try_at=row.next_try_at)
        row.attempts += 1
    else:
        _skip(row, Cause("invoice_deleted"))
    work.commit(Edge.SKIPPED)


@dataclass(frozen=True)
class _Planned:
    """How an invoice is booked, and its positions as the log shows them."""

    plan: VoucherPlan
    lines: list[Any]


def _plan_at_hand(work: Work, invoice: Invoice, known: Known) -> _Planned | None:
    """Decide how the invoice is booked where all that takes is at hand, as in all but a few.

    None where something must be asked or said first: then `_plan` decides.
    """
    chart = charts.at_hand(work.space, known.chart)
    if chart is None or not chart.has_cost_centre:
        return None
    plan = plan_voucher(invoice, chart.index, voucher_settings(work.space))
    if not isinstance(plan, VoucherPlan):
        return None
    return _Planned(plan, line_facts(invoice, chart.index))


def _plan(work: Work, row: InvoiceSync, invoice: Invoice) -> _Planned | None:
    """Decide how the invoice is booked; None when it is not, and that is committed."""
    space = work.space
    settings = voucher_settings(space)
    index = charts.index_of(space, work.remotes)
    plan = plan_voucher(invoice, index, settings)
    if isinstance(plan, NotBookable) and charts.may_heal(space, plan.cause.code):
        # The account may have been made a moment ago: do not call it missing by an old chart.
        index = charts.index_of(space, work.remotes, younger_than=charts.READ_ANEW_AFTER)
        plan = plan_voucher(invoice, index, settings)
    if isinstance(plan, VoucherPlan) and (cause := _cost_centre_missing(work)):
        plan = NotBookable((cause,))
    row.lines = line_facts(invoice, index)
    if isinstance(plan, VoucherPlan):
        row.due_date = plan.due_date
        return _Planned(plan, row.lines)
    if isinstance(plan, Skip):
        _skip(row, plan.cause)
        work.commit(Edge.SKIPPED)
        return None
    fail(row, plan.cause, step="planned", causes=plan.causes)
    work.commit(Edge.FAILED)
    activities.tell(work, row)
    return None


def _why_refused(work: Work, invoice: Invoice) -> Cause | None:
    """Return why the invoice cannot be booked by accounts and cost centre as they are now, None if
    it can."""
    charts.doubt(work.space)
    db.session.commit()
    index = charts.index_of(work.space, work.remotes)
    plan = plan_voucher(invoice, index, voucher_settings(work.space))
    return plan.cause if isinstance(plan, NotBookable) else _cost_centre_missing(work)


def _cost_centre_missing(work: Work) -> Cause | None:
    if charts.has_cost_centre(work.space, work.remotes):
        return None
    return Cause("cost_centre_missing", {"number": work.space.cost_centre_number or ""})


def _skip(row: InvoiceSync, cause: Cause) -> None:
    row.cause_code = cause.code
    row.cause_params = dict(cause.params)
    row.next_try_at = None
    row.finished_at = utcnow()
    record.set_state(row, State.SKIPPED)
    note_row(row, "skipped", "done", cause=cause.code)
