"""Leaving invoices out on purpose: with a reason, by a person, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal.core import core
from portal.database import db, utcnow
from portal.models import InvoiceSync, Space, State, Step
from portal.services import record, retry
from portal.services.locks import space_lock
from portal.sync.causes import Cause

DISMISSED = "dismissed"
LONGEST_REASON = 200
SKIPPABLE = (State.FAILED, State.WAITING)
NOT_SENT = (Step.NONE, Step.FETCHED, Step.UPLOADED)


@dataclass(frozen=True)
class SkipResult:
    """How many invoices were changed, and how many could not be (booked, or being worked on)."""

    changed: int
    left: int


def can_skip(
    state: str, step: str, voucher_id: str | None, *, among: Sequence[State] = SKIPPABLE
) -> bool:
    """Say whether an invoice may be left out: nothing of it was ever sent, or all of it is gone."""
    return state in among and step in NOT_SENT and voucher_id is None


def skip(space: Space, cobot_invoice_ids: Sequence[str], reason: str, *, actor: str) -> SkipResult:
    """Leave invoices out, with a reason that log, history and CSV show. Commits.

    Only what failed, or waits and was never sent; one that a worker has in hand stays as it is.
    Raises ValueError without a reason.
    """
    said = " ".join(reason.split())[:LONGEST_REASON]
    if not said:
        raise ValueError("a reason is needed")
    space_id = space.id
    # The lock belongs to a connection, and must not wait for what is begun on another.
    db.session.commit()
    with space_lock(space_id) as lock:
        # While a worker is in the space, one of the waiting ones may be just going out.
        states = (State.FAILED,) if lock is None else SKIPPABLE
        rows = [
            row
            for row in _rows(space, cobot_invoice_ids)
            if can_skip(row.state, row.step, row.sevdesk_voucher_id, among=states)
        ]
        for row in rows:
            cause = Cause("dismissed", {"reason": said})
            row.cause_code, row.cause_params = cause.code, dict(cause.params)
            row.next_try_at = None
            row.failing_since = None
            row.finished_at = utcnow()
            record.set_state(row, State.SKIPPED)
            record.note(
                space.id,
                "skipped",
                "done",
                invoice=row,
                actor=actor,
                cause=DISMISSED,
                params=dict(cause.params),
            )
        if lock is not None:
            lock.confirm()
        db.session.commit()
    return SkipResult(len(rows), len(set(cobot_invoice_ids)) - len(rows))


def undo(space: Space, cobot_invoice_ids: Sequence[str], *, actor: str) -> SkipResult:
    """Take up again what a person left out. Commits and wakes."""
    rows = [row for row in _rows(space, cobot_invoice_ids) if was_dismissed(row)]
    for row in rows:
        take_up(row, actor)
    if rows:
        space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return SkipResult(len(rows), len(set(cobot_invoice_ids)) - len(rows))


def was_dismissed(row: InvoiceSync) -> bool:
    """Say whether a person left this invoice out."""
    return row.state == State.SKIPPED and row.cause_code == DISMISSED


def take_up(row: InvoiceSync, actor: str) -> None:
    """Make an invoice due that a person had left out. The caller commits."""
    record.note(row.space_id, "skip_undone", "done", invoice=row, actor=actor)
    row.cause_code, row.cause_params = None, {}
    row.finished_at = None
    retry.make_due(row, actor)


def _rows(space: Space, cobot_invoice_ids: Sequence[str]) -> Sequence[InvoiceSync]:
    return db.session.scalars(
        select(InvoiceSync)
        .where(
            InvoiceSync.space_id == space.id,
            InvoiceSync.cobot_invoice_id.in_(list(cobot_invoice_ids)),
        )
        .order_by(InvoiceSync.id)
        .execution_options(populate_existing=True)
    ).all()
