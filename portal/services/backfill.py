"""Taking over old invoices: a rehearsal with sums, then work that can be paused and cancelled.

Which invoices are meant stands in the database from the look on. A worker takes some up whenever
nothing else of the space is due; from there on they are invoices like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import select, update

from portal.database import db, utcnow
from portal.errors import BudgetExhausted, PermanentError
from portal.models import InvoiceSync, Space, Task, TaskItem
from portal.services import bodies, pauses, record, rehearsal, tasks
from portal.services.rehearsal_outcome import KNOWN
from portal.services.task_looks import Look
from portal.services.task_work import TaskWork
from portal.services.work import LeaveSpace, Work

KIND = "backfill"


def prepare(space: Space, from_date: date, to_date: date, *, actor: str) -> Task:
    """Begin with the rehearsal of a window. Commits. Raises TaskOpen while a backfill runs."""
    return tasks.begin(space, KIND, actor=actor, from_date=from_date, to_date=to_date)


def run(look: Look) -> None:
    """Rehearse the window; then a person decides. Raises RemoteError, TaskStopped."""
    outcome = rehearsal.rehearse(look, judged_again=())
    to_do = WORK.to_do(look.task)
    result = {"outcome": outcome.to_json(), "to_do": to_do}
    look.finish(result, then_work=to_do > 0)


def take_up(work: Work) -> bool:
    """Make the next invoices of the space's backfill due; False when there are none. Commits.

    Raises LeaveSpace when the list cannot be read now.
    """
    task = WORK.running(work.space)
    if task is None:
        db.session.commit()
        return False
    coming = WORK.coming(task)
    if not coming:
        tasks.finish_work(task)
        db.session.commit()
        return False
    db.session.commit()
    _read_bodies(work, task, coming)
    # The task's row first, so that a pause that comes now is seen: nothing more is taken up.
    running = WORK.running(work.space, locked=True)
    if running is None or running.id != task.id:
        db.session.commit()
        return False
    for item in coming:
        _take(work.space, task, item)
    work.lock.confirm()
    db.session.commit()
    return True


def _read_bodies(work: Work, task: Task, coming: Sequence[TaskItem]) -> None:
    wanted = [
        item for item in coming if item.day is not None and not bodies.has(work, item.remote_id)
    ]
    if not wanted:
        return
    days = [item.day for item in wanted if item.day is not None]
    try:
        bodies.read_ahead(work, task, [item.remote_id for item in wanted], min(days))
    except BudgetExhausted as err:
        until = utcnow() + timedelta(seconds=err.retry_after_seconds or 1)
        raise LeaveSpace(until) from err
    except PermanentError as err:
        code = pauses.stop_code(err)
        if code is None:
            return  # each invoice is then asked for by itself, and says what is wrong with it
        pauses.pause(work.space, code)
        raise LeaveSpace(utcnow() + pauses.PROBE_EVERY) from err


def _take(space: Space, task: Task, item: TaskItem) -> None:
    """Add the row of one invoice; one that a webhook brought meanwhile is left as it is."""
    item.taken_at = utcnow()
    known = db.session.scalar(
        select(InvoiceSync.id).where(
            InvoiceSync.space_id == space.id, InvoiceSync.cobot_invoice_id == item.remote_id
        )
    )
    if known is not None:
        return
    row = record.add_invoice(space.id, item.remote_id, announced_at=utcnow())
    row.is_backfill = True
    row.invoice_date = item.day
    record.note(
        space.id, "announced", "done", invoice=row, actor=task.actor, event="backfill", task=task.id
    )


def _mark_known(task: Task) -> None:
    """Leave out what has a row here by now, failed ones too: the log repairs those. Commits."""
    rows = select(InvoiceSync.cobot_invoice_id).where(InvoiceSync.space_id == task.space_id)
    db.session.execute(
        update(TaskItem)
        .where(*tasks.items_of(task), TaskItem.remote_id.in_(rows))
        .values(verdict=KNOWN)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


WORK = TaskWork(
    kind=KIND,
    row=InvoiceSync,
    remote_id=InvoiceSync.cobot_invoice_id,
    meant=TaskItem.verdict != KNOWN,
    chunk=10,
    before=_mark_known,
)
