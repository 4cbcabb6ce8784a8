"""What the row of an invoice and its history say of it: as read in Cobot, who pays, how booked."""

from __future__ import annotations

from functools import partial

from portal.cobot.records import Invoice
from portal.database import db
from portal.models import InvoiceSync, Step
from portal.money import to_cents
from portal.services import debtors, last_writes, receipts, record, space_row
from portal.services.debtors import Known
from portal.services.edges import Edge
from portal.services.planning import Planned
from portal.services.rows import note_row
from portal.services.work import Parked, Work
from portal.sync.vouchers import supplier_name


def known_of(row: InvoiceSync, invoice: Invoice) -> Known:
    """Return what is known of who pays; where Cobot names nobody, of the invoice itself."""
    debtor = invoice.debtor
    if debtor is None:
        return debtors.known_of(row.space_id, "invoices", row.cobot_invoice_id)
    return debtors.known_of(row.space_id, debtor.kind, debtor.id)


def keep(
    work: Work, row: InvoiceSync, parked: Parked, known: Known, planned: Planned | None = None
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
    note(row, parked, known, planned)
    work.commit(Edge.FETCHED)
    parked.is_noted, parked.sequence = True, row.sequence
    if not is_unchanged:
        work.unpark(row.cobot_invoice_id)


def note(
    row: InvoiceSync,
    parked: Parked,
    known: Known,
    planned: Planned | None,
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
            known = known_of(row, parked.invoice)  # somebody wrote in the space since
        _note_facts(row, parked.invoice, known)
    if is_first:
        _note_reading(row, parked)
    if planned is not None:
        row.lines, row.due_date = planned.lines, planned.plan.due_date
    if is_sent:
        receipts.note_upload(row, parked)


def _note_who_pays_anew(row: InvoiceSync, parked: Parked) -> None:
    if not parked.is_noted:
        _note_facts(row, parked.invoice, known_of(row, parked.invoice))


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
