"""Trying again what a person repaired."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from portal.core import core
from portal.database import db, utcnow
from portal.jobqueue import INTERACTIVE
from portal.logs import request_id
from portal.models import InvoiceSync, Space, State
from portal.services import charts, looks, record

NOT_SHOWN_BEFORE = {"invoice_deleted", "not_of_this_space"}
"""Reasons to skip an invoice that are wrong where Cobot shows it in the space's own list."""
SKIPS_THAT_CHANGE = {"zero_total", "corrections_off"} | NOT_SHOWN_BEFORE
"""Reasons to skip an invoice that may be gone at the next try, or after an edit in Cobot."""


NEVER_BY_ITSELF = {"receipt_deleted", "sent_elsewhere"}
"""Causes of invoices that are booked again by a person's decision alone, whatever Cobot tells."""
DECIDED_ONE_BY_ONE = {"number_taken"} | NEVER_BY_ITSELF
"""Causes that a person judges invoice by invoice: never tried again together with others."""


def retry_invoice(space: Space, cobot_invoice_id: str, *, actor: str) -> bool:
    """Make an invoice due now; return False when there is nothing to try.

    Only what failed, waits, or was skipped for a reason that can change is taken up; an unknown
    outcome keeps the times of its looks, and a receipt is never made a second time.
    """
    invoice = db.session.scalar(
        select(InvoiceSync).where(
            InvoiceSync.space_id == space.id, InvoiceSync.cobot_invoice_id == cobot_invoice_id
        )
    )
    if invoice is None or space.connected_at is None or not can_retry(invoice):
        db.session.rollback()
        return False
    if invoice.cause_code in charts.CHART_CAUSES:
        charts.doubt(space)
    make_due(invoice, actor, is_urgent=True)
    space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id, queue=INTERACTIVE)
    return True


def create_anyway(space: Space, cobot_invoice_id: str, *, beside: str, actor: str) -> bool:
    """Book although sevdesk has receipts of this number with other figures: a person's choice.

    `beside` are the receipts that they read of, as the cause names them. Return False where that is
    not the question, or is another one by now.
    """
    invoice = db.session.scalar(
        select(InvoiceSync).where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.cobot_invoice_id == cobot_invoice_id,
            InvoiceSync.state == State.FAILED,
            InvoiceSync.cause_code == "number_taken",
        )
    )
    is_asked = invoice is not None and invoice.cause_params.get("id") == beside
    if invoice is None or not is_asked or space.connected_at is None:
        db.session.rollback()
        return False
    seen = beside.split(looks.BETWEEN_IDS)
    invoice.beside_voucher_ids = sorted({*invoice.beside_voucher_ids, *seen})
    record.note(space.id, "create_anyway", "done", invoice=invoice, actor=actor)
    db.session.commit()
    return retry_invoice(space, cobot_invoice_id, actor=actor)


def retry_causes(space: Space, causes: Sequence[str], *, actor: str) -> int:
    """Make every failed invoice with one of these causes due now; return how many.

    The caller commits and wakes.
    """
    failed = db.session.scalars(
        select(InvoiceSync)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.state == State.FAILED,
            InvoiceSync.cause_code.in_(causes),
        )
        .order_by(InvoiceSync.id)
    ).all()
    for invoice in failed:
        make_due(invoice, actor)
    if failed:
        space.wake_at = utcnow()
    return len(failed)


def can_retry(invoice: InvoiceSync) -> bool:
    """Say whether pressing "try again" would do anything."""
    if invoice.cause_code == "receipt_deleted":
        return False  # made anew only by lost_receipts, which looks first
    if invoice.state in (State.FAILED, State.WAITING) or invoice.cause_code == "tag_missing":
        return True
    return invoice.state == State.SKIPPED and invoice.cause_code in SKIPS_THAT_CHANGE


def make_due(invoice: InvoiceSync, actor: str, *, is_urgent: bool = False) -> None:
    """Put an invoice back to waiting, due now, and say who asked for it. The caller commits."""
    invoice.next_try_at = utcnow()
    invoice.is_urgent = is_urgent
    invoice.request_id = request_id() or invoice.request_id
    invoice.failing_since = None
    invoice.attempts = 0
    invoice.member_waits = 0
    record.set_state(invoice, State.WAITING)
    record.note(invoice.space_id, "retry", "done", invoice=invoice, actor=actor)
