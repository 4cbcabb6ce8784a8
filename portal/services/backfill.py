"""Taking over old invoices: a rehearsal with sums, then work that can be paused and cancelled.

Which invoices are meant stands in the database from the look on. A worker takes some up whenever
nothing else of the space is due; from there on they are invoices like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select, update

from portal.database import db, utcnow
from portal.errors import BudgetExhausted, PermanentError
from portal.models import InvoiceSync, Space, State, Task, TaskItem
from portal.models.invoice import IN_WORK
from portal.services import bodies, pauses, record, rehearsal, tasks
from portal.services.rehearsal_outcome import KNOWN
from portal.services.task_looks import Look
from portal.services.tasks import TaskView
from portal.services.work import LeaveSpace, Work

KIND = "backfill"
CHUNK = 10
"""So many are made due at once: a pause stops all others."""


@dataclass(frozen=True)
class Progress:
    """How far a backfill got; the counts are of the invoices taken up so far."""

    task: TaskView
    synced: int
    mismatched: int
    failed: int
    skipped: int
    working: int

    @property
    def finished(self) -> int:
        return self.synced + self.mismatched + self.failed + self.skipped


def prepare(space: Space, from_date: date, to_date: date, *, actor: str) -> Task:
    """Begin with the rehearsal of a window. Commits. Raises TaskOpen while a backfill runs."""
    return tasks.begin(space, KIND, actor=actor, from_date=from_date, to_date=to_date)


def run(look: Look) -> None:
    """Rehearse the window; then a person decides. Raises RemoteError, TaskStopped."""
    outcome = rehearsal.rehearse(look)
    _mark_known(look.task)
    to_do = _to_do(look.task)
    result = {"outcome": outcome.to_json(), "to_do": to_do}
    look.finish(result, then_work=to_do > 0)


def start(space: Space, task: Task) -> bool:
    """Begin with the work; False when it was begun or dropped before. Commits and wakes."""
    _mark_known(task)
    return tasks.start_work(task, space, total=_to_do(task))


def pause(space: Space, task: Task, *, actor: str) -> bool:
    """Take up nothing more until somebody lets it go on. Commits."""
    return tasks.pause(task, space, actor=actor)


def go_on(space: Space, task: Task, *, actor: str) -> bool:
    """Let a paused backfill go on. Commits and wakes."""
    return tasks.go_on(task, space, actor=actor, done=progress(space, task).finished)


def cancel(space: Space, task: Task, *, actor: str) -> bool:
    """End a backfill; what was taken up is finished. Commits."""
    return tasks.cancel(task, space, actor=actor)


def current(space: Space) -> Task | None:
    """Return the backfill that has not ended, else the last one."""
    return tasks.open_task(space, KIND) or tasks.latest(space, KIND)


def progress(space: Space, task: Task) -> Progress:
    """Return how far a backfill got, counted in one statement."""
    counted = db.session.execute(
        select(InvoiceSync.state, func.count())
        .join(
            TaskItem,
            (TaskItem.remote_id == InvoiceSync.cobot_invoice_id)
            & (TaskItem.task_id == task.id)
            & TaskItem.taken_at.is_not(None)
            & (TaskItem.verdict != KNOWN),
        )
        .where(InvoiceSync.space_id == space.id)
        .group_by(InvoiceSync.state)
    )
    states = {State(state): count for state, count in counted}
    finished = sum(count for state, count in states.items() if state not in IN_WORK)
    return Progress(
        task=tasks.view(task, space, done=finished if task.phase == "work" else None),
        synced=states.get(State.SYNCED, 0),
        mismatched=states.get(State.MISMATCHED, 0),
        failed=states.get(State.FAILED, 0),
        skipped=states.get(State.SKIPPED, 0),
        working=sum(states.get(state, 0) for state in IN_WORK),
    )


def take_up(work: Work) -> bool:
    """Make the next invoices of the space's backfill due; False when there are none. Commits.

    Raises LeaveSpace when the list cannot be read now.
    """
    task = db.session.scalar(
        select(Task)
        .where(
            Task.space_id == work.space.id,
            Task.kind == KIND,
            Task.phase == "work",
            Task.state == "running",
        )
        .execution_options(populate_existing=True)
    )
    if task is None:
        db.session.commit()
        return False
    coming = _coming(task)
    if not coming:
        tasks.finish_work(task)
        db.session.commit()
        return False
    db.session.commit()
    _read_bodies(work, task, coming)
    # The task's row first, so that a pause that comes now is seen: nothing more is taken up.
    locked = db.session.scalar(
        select(Task)
        .where(Task.id == task.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if locked is None or locked.state != "running":
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
        code = pauses.cause_of(err)
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


def _coming(task: Task) -> Sequence[TaskItem]:
    return db.session.scalars(
        select(TaskItem)
        .where(TaskItem.task_id == task.id, TaskItem.taken_at.is_(None), TaskItem.verdict != KNOWN)
        .order_by(TaskItem.place)
        .limit(CHUNK)
    ).all()


def _to_do(task: Task) -> int:
    return (
        db.session.scalar(
            select(func.count()).where(TaskItem.task_id == task.id, TaskItem.verdict != KNOWN)
        )
        or 0
    )


def _mark_known(task: Task) -> None:
    """Leave out what has a row here by now, failed ones too: the log repairs those. Commits."""
    rows = select(InvoiceSync.cobot_invoice_id).where(InvoiceSync.space_id == task.space_id)
    db.session.execute(
        update(TaskItem)
        .where(TaskItem.task_id == task.id, TaskItem.remote_id.in_(rows))
        .values(verdict=KNOWN)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
