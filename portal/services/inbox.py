"""From what Cobot announced to the rows that are worked on."""

from __future__ import annotations

import structlog
from sqlalchemy import select

from portal.database import db, utcnow
from portal.logs import tracing
from portal.models import InboxEvent, InvoiceSync, State
from portal.services import record

log = structlog.get_logger(__name__)

BATCH = 500
SKIPS_THAT_AN_EDIT_ENDS = {"zero_total", "corrections_off"}


def take_in(space_id: int) -> int:
    """Turn the open events of a space into rows that are due; return how many. Commits."""
    events = db.session.scalars(
        select(InboxEvent)
        .where(InboxEvent.space_id == space_id, InboxEvent.handled_at.is_(None))
        .order_by(InboxEvent.id)
        .limit(BATCH)
        .execution_options(populate_existing=True)
    ).all()
    for event in events:
        with tracing(request_id=event.request_id):
            if event.event == "confirmed_membership":
                _add_member(space_id, event)
            else:
                _invoice_event(space_id, event)
            log.info("taken in", space=space_id, event_name=event.event, remote_id=event.remote_id)
        event.handled_at = utcnow()
    db.session.commit()
    return len(events)


def _add_member(space_id: int, event: InboxEvent) -> None:
    member = record.add_member(
        space_id, event.remote_id, announced_at=event.first_seen_at, request_id=event.request_id
    )
    if member is not None:
        record.note(
            space_id,
            "announced",
            "done",
            member=member,
            actor=record.COBOT,
            at=event.first_seen_at,
            event=event.event,
        )


def _invoice_event(space_id: int, event: InboxEvent) -> None:
    invoice = db.session.scalar(
        select(InvoiceSync)
        .where(InvoiceSync.space_id == space_id, InvoiceSync.cobot_invoice_id == event.remote_id)
        .execution_options(populate_existing=True)
    )
    if event.event == "created_invoice":
        if invoice is None:
            invoice = record.add_invoice(
                space_id, event.remote_id, announced_at=event.first_seen_at
            )
            _note(space_id, invoice, event, "announced", "done")
        return
    if invoice is None:
        # Only a new invoice starts a sync; a change of one that we do not have is none of ours.
        return
    # A write that was begun counts too: the receipt, if there is one, is of what stood before.
    is_begun = invoice.state in (State.SENDING, State.UNKNOWN)
    if is_begun or invoice.sevdesk_voucher_id is not None:
        # Edits are not synced (the help page says so), but nobody shall overlook them.
        invoice.changed_in_cobot = event.event
        record.touch(invoice)
        _note(space_id, invoice, event, "changed_in_cobot", "noticed")
    elif _may_change_the_end(invoice, event.event):
        # Nothing is booked yet: the change may be the repair, or the end of the matter.
        invoice.next_try_at = utcnow()
        invoice.request_id = event.request_id
        if event.event == "deleted_invoice":
            invoice.changed_in_cobot = event.event
        record.set_state(invoice, State.WAITING)
        _note(space_id, invoice, event, "changed_in_cobot", "done")
    else:
        _note(space_id, invoice, event, "changed_in_cobot", "noticed")


def _may_change_the_end(invoice: InvoiceSync, event: str) -> bool:
    """Say whether a change in Cobot may repair an invoice without receipt, or end the matter."""
    if invoice.state == State.SKIPPED:
        return event == "updated_invoice" and invoice.cause_code in SKIPS_THAT_AN_EDIT_ENDS
    is_open = invoice.state in (State.WAITING, State.FAILED)
    return is_open and event in {"updated_invoice", "deleted_invoice"}


def _note(space_id: int, invoice: InvoiceSync, event: InboxEvent, step: str, outcome: str) -> None:
    record.note(
        space_id,
        step,
        outcome,
        invoice=invoice,
        actor=record.COBOT,
        at=event.first_seen_at if step == "announced" else event.last_seen_at,
        event=event.event,
    )
