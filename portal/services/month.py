"""The month's comparison for the tax adviser: Cobot's invoices, our rows, sevdesk's receipts.

"Cobot = sevdesk" is said only when both sides were read to their ends and agree to the cent.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from functools import partial

from sqlalchemy import select

from portal.cobot.records import Invoice
from portal.database import db
from portal.errors import NotFound
from portal.models import InvoiceSync, Space, State, Task
from portal.services import lost_receipts, rehearsal, tasks
from portal.services.month_report import MonthReport, compare, from_plain, to_plain
from portal.services.task_looks import Look

KIND = "month"
BOOKED = (State.SYNCED, State.MISMATCHED)


def start(space: Space, year: int, month: int, *, actor: str) -> Task:
    """Begin to compare a month. Commits and wakes a worker."""
    first, last = days_of(year, month)
    return tasks.begin(space, KIND, actor=actor, from_date=first, to_date=last)


def days_of(year: int, month: int) -> tuple[date, date]:
    """Return the first and the last day of a month."""
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def report_of(task: Task) -> MonthReport | None:
    """Return the finished report; None before its end."""
    plain = task.result.get("report")
    return from_plain(plain) if plain is not None else None


def latest(space: Space, year: int, month: int) -> Task | None:
    """Return the newest comparison of a month, running or done."""
    first, _ = days_of(year, month)
    return db.session.scalar(
        select(Task)
        .where(Task.space_id == space.id, Task.kind == KIND, Task.from_date == first)
        .order_by(Task.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def run(look: Look) -> None:
    """Read both sides and compare; whose receipt is gone is not called booked any more.

    Raises RemoteError, TaskStopped.
    """
    task, space = look.task, look.space
    assert task.from_date is not None
    assert task.to_date is not None
    first, last = task.from_date, task.to_date
    invoices, unreadable = rehearsal.read_invoices(look, first, last)
    look.tell(0, len(invoices))
    rows = _rows(space, first, last, [invoice.id for invoice in invoices])
    found = look.pages(
        "vouchers", lambda page: look.remotes.sevdesk.vouchers_page(first, last, page)
    )
    vouchers = {voucher.id: voucher for voucher in found}
    # Whose receipt the month's list does not show is asked for: moved to another day, or gone.
    for row in rows.values():
        lost = row.sevdesk_voucher_id
        if lost is not None and lost not in vouchers:
            voucher = look.once(("voucher", lost), partial(look.remotes.sevdesk.voucher, lost))
            if voucher is not None:
                vouchers[lost] = voucher
    moved: dict[str, Invoice] = {}
    listed = {invoice.id for invoice in invoices} | set(unreadable)
    for cobot_id, row in rows.items():
        if row.sevdesk_voucher_id is not None and cobot_id not in listed:
            other = look.once(("invoice", cobot_id), partial(_invoice, look, cobot_id))
            if other is not None:
                moved[cobot_id] = other
    report = compare(first, invoices, unreadable, rows, vouchers, moved)
    gone = {
        row.id: row.sevdesk_voucher_id
        for row in rows.values()
        if row.sevdesk_voucher_id is not None and row.sevdesk_voucher_id not in vouchers
    }
    look.stop_if_unwanted()
    lost_receipts.take_back(space, gone, actor=task.actor)
    db.session.commit()
    look.finish({"report": to_plain(report)})


def _invoice(look: Look, cobot_id: str) -> Invoice | None:
    try:
        return look.remotes.cobot.invoice(cobot_id)
    except NotFound:
        return None


def _rows(
    space: Space, first: date, last: date, cobot_ids: Sequence[str]
) -> dict[str, InvoiceSync]:
    """Return our rows of the month, and those of its invoices that we know under another date."""
    found = list(
        db.session.scalars(
            select(InvoiceSync)
            .where(
                InvoiceSync.space_id == space.id,
                InvoiceSync.invoice_date >= first,
                InvoiceSync.invoice_date <= last,
            )
            .execution_options(populate_existing=True)
        )
    )
    for at in range(0, len(cobot_ids), rehearsal.INSERT):
        some = cobot_ids[at : at + rehearsal.INSERT]
        found += db.session.scalars(
            select(InvoiceSync).where(
                InvoiceSync.space_id == space.id, InvoiceSync.cobot_invoice_id.in_(some)
            )
        )
    db.session.commit()
    return {row.cobot_invoice_id: row for row in found}
