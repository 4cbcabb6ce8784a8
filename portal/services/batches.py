"""Trying many invoices again, leaving many out: a preview of the effect, the work, a summary.

What is to be tried stands in the database: closing the page or losing a worker changes nothing.
Leaving out is done at once; the rest can be stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update

from portal.core import core
from portal.database import db, utcnow
from portal.models import Batch, BatchItem, InvoiceSync, Space, State
from portal.models.invoice import IN_WORK
from portal.services import charts, retry, skips
from portal.services.batch_effects import EFFECTS, RETRY, SKIP, TAKE_UP, accounts, effect_of
from portal.services.log import LogFilter, matching

MOST = 5000
"""So many invoices are taken into one batch at the most, the newest first."""
CHUNK = 5
"""So many are made due at once, whenever nothing else is due: the rest can still be stopped."""


@dataclass(frozen=True)
class Progress:
    """How far a batch got; `finished` are those that ended well or not since they were taken up."""

    total: int
    taken: int
    synced: int
    mismatched: int
    failed: int
    working: int
    skipped: int

    @property
    def finished(self) -> int:
        return self.synced + self.mismatched + self.failed + self.skipped


def draft(
    space: Space,
    *,
    actor: str,
    kind: str = RETRY,
    ids: Sequence[int] = (),
    filters: LogFilter | None = None,
) -> Batch:
    """Keep a choice of invoices, by their row ids or by a filter, and what a batch would do.

    Nothing is done yet. An earlier draft of the same person is dropped. Commits.
    """
    found = db.session.execute(_chosen(space, ids, filters)).all()
    causes = {row.cause_code for row in found if row.state == State.FAILED}
    db.session.commit()
    asks_sevdesk = kind == RETRY and causes & charts.CHART_CAUSES
    index = accounts(space) if asks_sevdesk else None
    effects = [(row.id, effect_of(space, kind, row, index)) for row in found]
    db.session.execute(
        delete(Batch).where(
            Batch.space_id == space.id, Batch.state == "draft", Batch.actor == actor
        )
    )
    counts = {name: sum(effect == name for _, effect in effects) for name in EFFECTS}
    batch = Batch(space_id=space.id, kind=kind, actor=actor, chosen=len(found), **counts)
    db.session.add(batch)
    db.session.flush()
    items = [
        {"space_id": space.id, "batch_id": batch.id, "invoice_id": invoice_id}
        for invoice_id, effect in effects
        if effect == "to_try"
    ]
    if items:
        db.session.execute(insert(BatchItem), items)
    db.session.commit()
    return batch


def find(space: Space, batch_id: int) -> Batch | None:
    """Return a batch of this space."""
    return db.session.scalar(
        select(Batch)
        .where(Batch.id == batch_id, Batch.space_id == space.id)
        .execution_options(populate_existing=True)
    )


def open_batch(space: Space) -> Batch | None:
    """Return the batch that is being worked on, the oldest of several."""
    return db.session.scalar(
        select(Batch)
        .where(Batch.space_id == space.id, Batch.state == "running")
        .order_by(Batch.id)
        .limit(1)
    )


def start(space: Space, batch: Batch) -> bool:
    """Begin with a draft; False when it was begun or dropped before. Commits and wakes."""
    is_begun = batch.state != "draft" or batch.kind == SKIP
    if is_begun or not batch.to_try or not space.is_connected:
        db.session.rollback()
        return False
    batch.state = "running"
    batch.started_at = utcnow()
    charts.doubt(space)
    space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return True


def leave_out(space: Space, batch: Batch, reason: str) -> bool:
    """Skip what a draft chose, at once; False when it was done or dropped before. Commits.

    Raises ValueError without a reason.
    """
    if batch.state != "draft" or batch.kind != SKIP or not batch.to_try:
        db.session.rollback()
        return False
    if not reason.strip():
        raise ValueError("a reason is needed")
    ids = db.session.scalars(
        select(InvoiceSync.cobot_invoice_id)
        .join(BatchItem, BatchItem.invoice_id == InvoiceSync.id)
        .where(InvoiceSync.space_id == space.id, *_items_of(batch))
    ).all()
    db.session.execute(update(BatchItem).where(*_items_of(batch)).values(taken_at=utcnow()))
    batch.state = "done"
    batch.started_at = batch.finished_at = utcnow()
    skips.skip(space, ids, reason, actor=batch.actor)
    return True


def cancel(batch: Batch) -> bool:
    """Take up nothing more of a batch; what was begun is finished. Commits."""
    if batch.state not in ("draft", "running"):
        db.session.rollback()
        return False
    batch.state = "cancelled"
    batch.finished_at = utcnow()
    db.session.commit()
    return True


def progress(batch: Batch) -> Progress:
    """Return how far the batch got, in one statement."""
    count = func.count()
    states = {
        State(state): found
        for state, found in db.session.execute(
            select(InvoiceSync.state, count)
            .join(BatchItem, BatchItem.invoice_id == InvoiceSync.id)
            .where(
                InvoiceSync.space_id == batch.space_id,
                *_items_of(batch),
                BatchItem.taken_at.is_not(None),
            )
            .group_by(InvoiceSync.state)
        )
    }
    return Progress(
        total=batch.to_try,
        taken=sum(states.values()),
        synced=states.get(State.SYNCED, 0),
        mismatched=states.get(State.MISMATCHED, 0),
        failed=states.get(State.FAILED, 0),
        working=sum(states.get(state, 0) for state in IN_WORK),
        skipped=states.get(State.SKIPPED, 0),
    )


def is_open(space_id: int) -> bool:
    """Say whether a batch of the space has invoices that are still to be taken up."""
    query = select(Batch.id).where(Batch.space_id == space_id, Batch.state == "running").limit(1)
    return db.session.scalar(query) is not None


def take_up(space_id: int) -> bool:
    """Make the next invoices of the space's oldest batch due; False when there are none. Commits.

    A worker calls this when nothing else is due. What can no longer be tried is passed over.
    """
    batch = db.session.scalar(
        select(Batch)
        .where(Batch.space_id == space_id, Batch.state == "running")
        .order_by(Batch.id)
        .limit(1)
        .with_for_update()
    )
    if batch is None:
        db.session.commit()
        return False
    rows = db.session.scalars(
        select(InvoiceSync)
        .join(BatchItem, BatchItem.invoice_id == InvoiceSync.id)
        .where(
            InvoiceSync.space_id == batch.space_id,
            *_items_of(batch),
            BatchItem.taken_at.is_(None),
        )
        .order_by(InvoiceSync.id)
        .limit(CHUNK)
        .execution_options(populate_existing=True)
    ).all()
    if rows:
        db.session.execute(
            update(BatchItem)
            .where(*_items_of(batch), BatchItem.invoice_id.in_([row.id for row in rows]))
            .values(taken_at=utcnow())
        )
        for row in rows:
            if batch.kind == TAKE_UP and skips.was_dismissed(row):
                skips.take_up(row, batch.actor)
            elif batch.kind == RETRY and retry.can_retry(row):
                retry.make_due(row, batch.actor)
    else:
        batch.state = "done"
        batch.finished_at = utcnow()
    db.session.commit()
    return True


def _items_of(batch: Batch) -> tuple[ColumnElement[bool], ...]:
    return (BatchItem.space_id == batch.space_id, BatchItem.batch_id == batch.id)


def _chosen(space: Space, ids: Sequence[int], filters: LogFilter | None) -> Select[Any]:
    columns = (
        InvoiceSync.id,
        InvoiceSync.state,
        InvoiceSync.cause_code,
        InvoiceSync.attempts,
        InvoiceSync.lines,
        InvoiceSync.step,
        InvoiceSync.sevdesk_voucher_id,
    )
    query = select(*columns).where(*matching(space, filters or LogFilter()))
    if filters is None:
        query = query.where(InvoiceSync.id.in_(list(ids)[:MOST]))
    return query.order_by(InvoiceSync.id.desc()).limit(MOST)
