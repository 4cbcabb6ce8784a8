"""The invoices of a backfill, read from Cobot's list: 200 in one call instead of one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, timedelta

import structlog
from flask import current_app
from sqlalchemy import select

from portal.cobot.records import Invoice
from portal.database import db, utcnow
from portal.errors import BudgetExhausted, TemporaryError
from portal.models import InboxEvent, InvoiceSync, Task, TaskItem
from portal.services import tasks
from portal.services.work import Work

log = structlog.get_logger(__name__)

AT_ONCE = 150
"""So many are read ahead: less than a page, since invoices we know lie between them."""
MOST_PAGES = 5
KEPT_SECONDS = 600
MOST_KEPT = 2000


def of_backfill(work: Work, row: InvoiceSync) -> Invoice | None:
    """Return the body of an invoice that a backfill took up; None where it is to be asked for.

    Handed out once: a later attempt reads anew. After a restart the list is read again.
    """
    if not row.is_backfill or row.attempts or row.changed_in_cobot or row.invoice_date is None:
        return None
    key = (work.space.id, row.cobot_invoice_id)
    if not has(work, row.cobot_invoice_id):
        task = db.session.scalar(
            select(Task)
            .where(
                Task.space_id == work.space.id,
                Task.kind == "backfill",
                Task.phase == "work",
                Task.finished_at.is_(None),
            )
            .limit(1)
        )
        db.session.commit()
        if task is None:
            return None
        read_ahead(work, task, [row.cobot_invoice_id], row.invoice_date)
    found = _kept().pop(key, None)
    if found is None or _was_edited(work, row.cobot_invoice_id, found[0]):
        return None
    return found[1]


def _was_edited(work: Work, cobot_invoice_id: str, read_at: float) -> bool:
    """Say whether Cobot told of a change since the body was read."""
    since = utcnow() - timedelta(seconds=time.monotonic() - read_at)
    changed = db.session.scalar(
        select(InboxEvent.id)
        .where(
            InboxEvent.space_id == work.space.id,
            InboxEvent.remote_id == cobot_invoice_id,
            InboxEvent.event != "created_invoice",
            InboxEvent.last_seen_at >= since,
        )
        .limit(1)
    )
    db.session.commit()
    return changed is not None


def has(work: Work, cobot_invoice_id: str) -> bool:
    """Say whether the body of an invoice was read a moment ago."""
    found = _kept().get((work.space.id, cobot_invoice_id))
    return found is not None and time.monotonic() - found[0] < KEPT_SECONDS


def read_ahead(work: Work, task: Task, wanted: Sequence[str], first: date) -> None:
    """Read the bodies of the wanted invoices and of those that come after them.

    Raises BudgetExhausted and PermanentError; a list that is not there now costs one call each.
    """
    taken = select(InvoiceSync.cobot_invoice_id).where(
        InvoiceSync.space_id == work.space.id,
        InvoiceSync.is_backfill.is_(True),
        InvoiceSync.next_try_at.is_not(None),
    )
    coming = db.session.execute(
        select(TaskItem.remote_id, TaskItem.day)
        .where(*tasks.items_of(task), TaskItem.taken_at.is_(None), TaskItem.day >= first)
        .order_by(TaskItem.place)
        .limit(AT_ONCE)
    ).all()
    ids = {*wanted, *(remote_id for remote_id, _ in coming), *db.session.scalars(taken)}
    db.session.commit()
    last = max((day for _, day in coming if day is not None), default=first)
    page, pages = 1, 1
    try:
        while page <= min(pages, MOST_PAGES):
            listed = work.remotes.cobot.invoices(work.space.cobot_id, first, last, page)
            pages = listed.total_pages
            _keep(work, [invoice for invoice in listed.invoices if invoice.id in ids])
            page += 1
    except BudgetExhausted:
        if not all(has(work, one) for one in wanted):
            raise
    except TemporaryError as err:
        log.info("the list is not there, invoices are read one by one", error=str(err))


def _keep(work: Work, invoices: Sequence[Invoice]) -> None:
    kept = _kept()
    if len(kept) > MOST_KEPT:
        kept.clear()
    now = time.monotonic()
    for invoice in invoices:
        kept[work.space.id, invoice.id] = (now, invoice)


def _kept() -> dict[tuple[int, str], tuple[float, Invoice]]:
    kept: dict[tuple[int, str], tuple[float, Invoice]] = current_app.extensions.setdefault(
        "portal_bodies", {}
    )
    return kept
