"""The month's comparison for the tax adviser: Cobot's invoices, our rows, sevdesk's receipts.

"Cobot = sevdesk" is said only when both sides were read to their ends and agree to the cent.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from sqlalchemy import delete, func, select

from portal.cobot.records import Invoice
from portal.database import db
from portal.errors import NotFound
from portal.models import InvoiceSync, Space, Task
from portal.services import lost_receipts, record, rehearsal, tasks
from portal.services.month_compare import compare
from portal.services.month_report import MonthReport, from_plain, to_plain
from portal.services.task_looks import Look
from portal.sevdesk.records import Voucher

KIND = "month"
MONTHS = 13
"""So many are listed without having been compared."""


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


def latest(space: Space, year: int, month: int, *, state: str | None = None) -> Task | None:
    """Return the newest comparison of a month, on demand only of one state."""
    query = select(Task).where(
        Task.space_id == space.id, Task.kind == KIND, Task.from_date == date(year, month, 1)
    )
    if state is not None:
        query = query.where(Task.state == state)
    return db.session.scalar(
        query.order_by(Task.id.desc()).limit(1).execution_options(populate_existing=True)
    )


@dataclass(frozen=True)
class MonthRow:
    """A month in the list. `report` is of `done`, the newest comparison that came to its end."""

    first: date
    is_running: bool
    done: Task | None
    report: MonthReport | None


def months_of(space: Space, today: date) -> list[MonthRow]:
    """Return the last MONTHS months, and older ones that were compared, the newest first."""
    found = db.session.scalars(
        select(Task).where(Task.space_id == space.id, Task.kind == KIND).order_by(Task.id)
    ).all()
    done = {task.from_date: task for task in found if task.state == "done"}
    running = {task.from_date for task in found if task.finished_at is None}
    count = today.year * 12 + today.month - 1
    months = {date(at // 12, at % 12 + 1, 1) for at in range(count, count - MONTHS, -1)}
    months |= {first for first in (*done, *running) if first is not None}
    return [
        MonthRow(first, first in running, task, report_of(task) if task else None)
        for first in sorted(months, reverse=True)
        for task in (done.get(first),)
    ]


def changed_since(space: Space, task: Task) -> int:
    """Return how many invoices of the month have ended in another way since it was compared."""
    count = select(func.count()).where(
        InvoiceSync.space_id == space.id,
        InvoiceSync.invoice_date >= task.from_date,
        InvoiceSync.invoice_date <= task.to_date,
        InvoiceSync.finished_at > task.finished_at,
    )
    return db.session.scalar(count) or 0


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
    vouchers, unowned = _vouchers(look, first, last)
    listed = {invoice.id for invoice in invoices} | set(unreadable)
    # Another sevdesk client's receipts cannot be seen with this token: they are not asked for.
    booked = {
        cobot_id: row.sevdesk_voucher_id
        for cobot_id, row in rows.items()
        if row.sevdesk_voucher_id is not None and row.sevdesk_client == space.sevdesk_client
    }
    # Whose receipt the month's list does not show is asked for: moved to another day, or gone.
    # Whose invoice Cobot's list does not show is asked for, too.
    lost = [voucher_id for voucher_id in booked.values() if voucher_id not in vouchers]
    left = [cobot_id for cobot_id in booked if cobot_id not in listed]
    done, total = len(invoices), len(invoices) + len(lost) + len(left)
    look.tell(done, total)
    for voucher_id in lost:
        voucher = look.once(
            ("voucher", voucher_id), partial(look.remotes.sevdesk.voucher, voucher_id)
        )
        if voucher is not None:
            vouchers[voucher_id] = voucher
        look.tell(done := done + 1, total)
    moved: dict[str, Invoice] = {}
    for cobot_id in left:
        other = look.once(("invoice", cobot_id), partial(_invoice, look, cobot_id))
        if other is not None:
            moved[cobot_id] = other
        look.tell(done := done + 1, total)
    report = compare(
        first, invoices, unreadable, rows, vouchers, moved, unowned,
        sevdesk_client=space.sevdesk_client,
    )  # fmt: skip
    report = replace(report, gaps=_unknown(space, report.gaps))
    gone = {
        rows[cobot_id].id: voucher_id
        for cobot_id, voucher_id in booked.items()
        if voucher_id not in vouchers
    }
    look.stop_if_unwanted()
    lost_receipts.take_back(space, gone, actor=task.actor)
    db.session.commit()
    look.finish({"report": to_plain(report)})
    _keep_only(task, report)


def _keep_only(task: Task, report: MonthReport) -> None:
    """Drop earlier comparisons of this month; that there were some stands in the history."""
    db.session.execute(
        delete(Task).where(
            Task.space_id == task.space_id,
            Task.kind == KIND,
            Task.from_date == task.from_date,
            Task.id < task.id,
        )
    )
    record.note(
        task.space_id,
        "month_compared",
        "done",
        actor=task.actor,
        month=f"{report.year}-{report.month:02d}",
        is_equal=report.is_equal,
        difference=str(report.difference),
    )
    db.session.commit()


def _vouchers(look: Look, first: date, last: date) -> tuple[dict[str, Voucher], list[Voucher]]:
    """Return sevdesk's receipts of these days by id, and those of no invoice that we know."""
    found = look.pages(
        "vouchers", lambda page: look.remotes.sevdesk.vouchers_page(first, last, page)
    )
    owned = rehearsal.owned_in_all_spaces(look.space, [voucher.id for voucher in found])
    db.session.commit()
    by_id = {voucher.id: voucher for voucher in found}
    return by_id, [one for one in by_id.values() if one.id not in owned]


def _unknown(space: Space, numbers: Collection[str]) -> tuple[str, ...]:
    """Return the numbers that no invoice we ever saw has: another month's are not missing, and
    who was deleted is named as that."""
    known: set[str | None] = set()
    wanted = list(numbers)
    for at in range(0, len(wanted), rehearsal.INSERT):
        known.update(
            db.session.scalars(
                select(InvoiceSync.number).where(
                    InvoiceSync.space_id == space.id,
                    InvoiceSync.number.in_(wanted[at : at + rehearsal.INSERT]),
                )
            )
        )
    db.session.commit()
    return tuple(number for number in wanted if number not in known)


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
