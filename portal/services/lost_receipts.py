"""Receipts that somebody deleted in sevdesk: found by a look, made anew only when a person asks.

Before anything new is made the old receipt is looked for by its id, then, as for every invoice, by
its number: nothing is booked twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import select

from portal.core import core
from portal.database import db, utcnow
from portal.jobqueue import INTERACTIVE
from portal.models import InvoiceSync, Space, State, Step
from portal.money import to_cents
from portal.services import clients, patience, record, retry
from portal.services.rows import forget_cause
from portal.sevdesk.records import Voucher
from portal.sync.causes import Cause

GONE = "receipt_deleted"
PATIENCE_SECONDS = 5


class Anew(StrEnum):
    """What became of the wish to make a receipt anew."""

    BEGUN = "begun"
    STILL_THERE = "still_there"
    NOTHING = "nothing"


def take_back(
    space: Space, gone: Mapping[int, str], *, actor: str, is_to_tell: bool = False
) -> int:
    """Call invoices not booked whose receipt sevdesk does not have any more; return how many.

    `gone` maps our row ids to the receipts that were looked for. Receipts of another sevdesk client
    are left alone: this token cannot see them. A message is posted in Cobot only where nobody
    looked (`is_to_tell`): whoever did reads it here. The caller commits.
    """
    rows = db.session.scalars(
        select(InvoiceSync)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.id.in_(list(gone)),
            InvoiceSync.state.in_((State.SYNCED, State.MISMATCHED)),
            InvoiceSync.sevdesk_client == space.sevdesk_client,
        )
        .order_by(InvoiceSync.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    count = 0
    for row in rows:
        voucher_id = gone[row.id]
        if row.sevdesk_voucher_id != voucher_id:
            continue
        cause = Cause("receipt_deleted", {"id": voucher_id})
        row.cause_code, row.cause_params = cause.code, dict(cause.params)
        row.sevdesk_voucher_id = None
        row.sevdesk_gross = None
        row.has_import_tag = row.has_mismatch_tag = False
        row.was_adopted = False
        row.step = Step.FETCHED
        row.next_try_at = utcnow() if is_to_tell else None
        row.tell_attempts = 0
        row.finished_at = utcnow()
        record.set_state(row, State.FAILED)
        record.note(
            space.id,
            "receipt_gone",
            "failed",
            invoice=row,
            actor=actor,
            cause=cause.code,
            params=dict(cause.params),
        )
        count += 1
    return count


def make_anew(space: Space, cobot_invoice_id: str, *, actor: str) -> Anew:
    """Book an invoice again whose receipt was deleted. Commits and wakes. Raises RemoteError.

    Where the old receipt is there after all it is taken back and nothing is made. Else the invoice
    goes its usual way, which looks for a receipt of its number before it makes one.
    """
    row = _lost(space, cobot_invoice_id)
    if row is None or not space.is_connected:
        db.session.rollback()
        return Anew.NOTHING
    voucher_id = str(row.cause_params["id"])
    # In another sevdesk client there is nothing to look for.
    is_here = row.sevdesk_client == space.sevdesk_client
    sevdesk = clients.sevdesk_of(space, patience.of_a_person(PATIENCE_SECONDS))
    db.session.commit()
    voucher = sevdesk.voucher(voucher_id) if is_here else None
    row = _lost(space, cobot_invoice_id)
    if row is None or row.cause_params["id"] != voucher_id:
        db.session.rollback()  # somebody else pressed meanwhile
        return Anew.NOTHING
    if voucher is not None:
        _put_back(row, voucher, actor)
        db.session.commit()
        return Anew.STILL_THERE
    record.note(space.id, "made_anew", "done", invoice=row, actor=actor, before=voucher_id)
    forget_cause(row)
    retry.make_due(row, actor, is_urgent=True)
    space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id, queue=INTERACTIVE)
    return Anew.BEGUN


def _lost(space: Space, cobot_invoice_id: str) -> InvoiceSync | None:
    return db.session.scalar(
        select(InvoiceSync)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.cobot_invoice_id == cobot_invoice_id,
            InvoiceSync.state == State.FAILED,
            InvoiceSync.cause_code == GONE,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _put_back(row: InvoiceSync, voucher: Voucher, actor: str) -> None:
    row.sevdesk_voucher_id = voucher.id
    row.sevdesk_gross = to_cents(voucher.sum_gross)
    row.is_mismatch = voucher.supplier_id is None
    row.has_import_tag, row.has_mismatch_tag = True, row.is_mismatch
    row.step = Step.TAGGED
    row.finished_at = utcnow()
    forget_cause(row)
    if row.is_mismatch:
        cause = Cause("contact_missing", {"number": row.customer_number or "–"})
        row.cause_code, row.cause_params = cause.code, dict(cause.params)
    record.set_state(row, State.MISMATCHED if row.is_mismatch else State.SYNCED)
    record.note(row.space_id, "found", "done", invoice=row, actor=actor, voucher=voucher.id)
