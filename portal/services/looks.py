"""Looking for a receipt in sevdesk: before one is made, and after an answer was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from portal.core import core
from portal.database import db, utcnow
from portal.models import InvoiceSync, State, Step
from portal.money import CENT, to_cents
from portal.services import activities, record
from portal.services.edges import Edge
from portal.services.rows import fail, note_row
from portal.services.work import Work
from portal.sevdesk.records import Voucher
from portal.sync.causes import Cause
from portal.sync.plans import EXPENSE, VoucherPlan
from portal.tenancy import all_spaces

BETWEEN_IDS = ", "
"""Stands between the ids of several receipts in the cause `number_taken`."""


def next_look_at(row: InvoiceSync) -> datetime:
    """Return when the next look is due: LOOKS_SECONDS after the answer was lost, or, should a
    worker have died over it, after it was sent."""
    waits = core().config.looks_seconds
    assert row.sent_at is not None
    return row.sent_at + timedelta(seconds=waits[min(row.looks, len(waits) - 1)])


def find(work: Work, row: InvoiceSync, number: str, credit_debit: str) -> Sequence[Voucher]:
    """Return the receipts of this number that belong to no other invoice of the sevdesk client."""
    db.session.commit()
    found = work.remotes.sevdesk.find_vouchers(number, credit_debit)
    if not found:
        return ()
    owned = _owned_in_all_spaces(work.space.sevdesk_client, [hit.id for hit in found], row.id)
    db.session.commit()
    return [hit for hit in found if hit.id not in owned]


@all_spaces("two spaces may share a sevdesk client")
def _owned_in_all_spaces(
    client_id: str | None, voucher_ids: Sequence[str], but_row_id: int
) -> set[str | None]:
    """Return which of these receipts belong to another invoice of the sevdesk client."""
    query = select(InvoiceSync.sevdesk_voucher_id).where(
        InvoiceSync.sevdesk_client == client_id,
        InvoiceSync.sevdesk_voucher_id.in_(voucher_ids),
        InvoiceSync.id != but_row_id,
    )
    return set(db.session.scalars(query))


def is_the_same(voucher: Voucher, plan: VoucherPlan, contact_id: str | None, supplier: str) -> bool:
    """Say whether a receipt is what the plan would make: date, gross and debtor agree."""
    return (
        voucher.voucher_date == plan.invoice_date
        and to_cents(voucher.sum_gross) == to_cents(plan.voucher_gross)
        and _same_debtor(voucher, contact_id, supplier)
    )


def find_earlier(work: Work, row: InvoiceSync, plan: VoucherPlan) -> Sequence[Voucher]:
    """Return what there is of the plan's number already, a correction's on either side: one booked
    the other way has another sum, so it is left to a person."""
    return [hit for side in plan.sides for hit in find(work, row, plan.number, side)]


def number_taken(number: str, found: Sequence[Voucher]) -> Cause:
    """Return why nothing is booked: sevdesk has these receipts of it, with other figures."""
    ids = BETWEEN_IDS.join(hit.id for hit in found)
    return Cause("number_taken", {"id": ids, "number": number})


def look(work: Work, row: InvoiceSync) -> Voucher | None:
    """Look for the receipt of a lost answer; return it when it is there.

    After the last empty look the invoice is due for a new attempt. One with the number and other
    figures is a person's to judge: nothing is booked. Nor where the space has another sevdesk by
    now, in which nothing is to be found.
    """
    assert row.sent_number is not None
    assert row.sent_credit_debit is not None
    if row.sevdesk_client != work.space.sevdesk_client:
        _leave_to_a_person(work, row, Cause("sent_elsewhere", {"number": row.sent_number}))
        return None
    if row.state == State.SENDING:
        # A worker died between the commit and the answer.
        record.set_state(row, State.UNKNOWN)
        row.cause_code, row.cause_params = "checking", {}
        note_row(row, "sent", "unknown")
        work.commit(Edge.UNKNOWN)
    found = find(work, row, row.sent_number, row.sent_credit_debit)
    for hit in found:
        if _is_ours(row, hit):
            return hit
    found = [hit for hit in found if hit.id not in row.beside_voucher_ids]
    if found:
        _leave_to_a_person(work, row, number_taken(row.sent_number, found))
        return None
    row.looks += 1
    if row.looks < len(core().config.looks_seconds):
        row.next_try_at = next_look_at(row)
        record.touch(row)
        note_row(row, "look", "later", looks=row.looks, next_try_at=row.next_try_at)
    else:
        row.next_try_at = utcnow()
        row.step = Step.FETCHED
        row.filename = None
        record.set_state(row, State.WAITING)
        note_row(row, "look", "done", looks=row.looks, found=0)
    work.commit(Edge.LOOKED)
    return None


def _leave_to_a_person(work: Work, row: InvoiceSync, cause: Cause) -> None:
    fail(row, cause, step="look")
    row.step = Step.FETCHED
    work.commit(Edge.FAILED)
    activities.tell(work, row)


def _is_ours(row: InvoiceSync, voucher: Voucher) -> bool:
    """Say whether a receipt is the one whose answer was lost.

    The look before it was sent found none, so a cent a line that sevdesk rounds otherwise does not
    matter (a differing sum is shown afterwards), nor does a name that was changed since.
    """
    gross = row.gross or Decimal(0)
    sent = -gross if row.sent_credit_debit == EXPENSE else gross
    return (
        voucher.id not in row.beside_voucher_ids
        and voucher.voucher_date == row.invoice_date
        and abs(to_cents(voucher.sum_gross) - to_cents(sent)) <= CENT * max(len(row.lines or ()), 1)
        and voucher.supplier_id == row.sent_contact_id
    )


def _same_debtor(voucher: Voucher, contact_id: str | None, supplier: str) -> bool:
    if contact_id is not None:
        return voucher.supplier_id == contact_id
    return voucher.supplier_id is None and (voucher.supplier_name or "").strip() == supplier.strip()
