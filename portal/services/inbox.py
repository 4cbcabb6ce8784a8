"""From what Cobot announced to the rows that are worked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import bindparam, select

from portal.database import db, utcnow
from portal.logs import tracing
from portal.models import InboxEvent, InvoiceSync, State
from portal.services import record, retry
from portal.services.record import NewInvoice

log = structlog.get_logger(__name__)

BATCH = 100
CREATED = "created_invoice"
_OPEN = (
    select(InboxEvent)
    .where(InboxEvent.space_id == bindparam("space"), InboxEvent.handled_at.is_(None))
    .order_by(InboxEvent.id)
    .limit(BATCH)
    .execution_options(populate_existing=True)
)
"""Made once: it is asked before each invoice."""


def take_in(space_id: int) -> int:
    """Turn the open events of a space into rows that are due; return how many.

    Commits where there were any. A burst costs a few statements, not some for each event.
    """
    events = db.session.scalars(_OPEN, {"space": space_id}).all()
    if not events:
        return 0
    known = _known(space_id, events)
    new = _add_new(space_id, events, known)
    for event in events:
        with tracing(request_id=event.request_id):
            if event.event == "confirmed_membership":
                _add_member(space_id, event)
            elif event.event == CREATED and event.remote_id in new:
                known[event.remote_id] = new[event.remote_id]
                _note(space_id, new[event.remote_id], event, "announced", "done")
            else:
                _invoice_event(space_id, known.get(event.remote_id), event)
            log.info("taken in", space=space_id, event_name=event.event, remote_id=event.remote_id)
        event.handled_at = utcnow()
    db.session.commit()
    return len(events)


def _known(space_id: int, events: Sequence[InboxEvent]) -> dict[str, InvoiceSync]:
    """Return the invoices that the events are about and that we have, by Cobot's id."""
    ids = {event.remote_id for event in events if event.event != "confirmed_membership"}
    if not ids:
        return {}
    rows = db.session.scalars(
        select(InvoiceSync)
        .where(InvoiceSync.space_id == space_id, InvoiceSync.cobot_invoice_id.in_(ids))
        .execution_options(populate_existing=True)
    )
    return {row.cobot_invoice_id: row for row in rows}


def _add_new(
    space_id: int, events: Sequence[InboxEvent], known: Mapping[str, InvoiceSync]
) -> dict[str, InvoiceSync]:
    """Add the rows of all invoices that are announced and that we do not have."""
    announced = [
        NewInvoice(event.remote_id, event.first_seen_at, event.request_id)
        for event in events
        if event.event == CREATED and event.remote_id not in known
    ]
    return {row.cobot_invoice_id: row for row in record.add_invoices(space_id, announced)}


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


def _invoice_event(space_id: int, invoice: InvoiceSync | None, event: InboxEvent) -> None:
    if invoice is None or event.event == CREATED:
        # Only a new invoice starts a sync; a change of one that we do not have is none of ours.
        return
    # A write that was begun counts too: the receipt, if there is one, is of what stood before.
    is_begun = invoice.state in (State.SENDING, State.UNKNOWN)
    is_decided = invoice.state == State.FAILED and invoice.cause_code in retry.NEVER_BY_ITSELF
    if is_begun or is_decided or invoice.sevdesk_voucher_id is not None:
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
        return event == "updated_invoice" and invoice.cause_code in retry.SKIPS_THAT_CHANGE
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
