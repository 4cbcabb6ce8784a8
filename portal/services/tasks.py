"""Checks, rehearsals, imports and backfills: begun by a person, carried on by workers.

All of it stands in the database: closing the page, a restart, an empty queue change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from portal.core import core
from portal.database import db, utcnow
from portal.errors import PortalError
from portal.models import Space, Task, TaskItem
from portal.services import pauses, record

log = structlog.get_logger(__name__)

T = TypeVar("T")

KEEP_ITEMS = timedelta(days=30)
LOOK_WHILE_PAUSED = (pauses.CHECK_FIRST, pauses.BY_HAND)
"""Pauses during which both sides may still be read."""
WAKE_AGAIN = timedelta(seconds=60)
MEASURED_FROM = 5
"""From so many done on the rest time is measured and not guessed."""


class TaskOpen(PortalError):
    """Work of this kind runs already in this space: one at a time."""


@dataclass(frozen=True)
class TaskView:
    """A task as a page shows it.

    `state` is that of the row, but "paused" with `pause_code` while the space as a whole waits;
    `rest_seconds` is None where nothing can be said yet.
    """

    id: int
    kind: str
    phase: str
    state: str
    pause_code: str | None
    total: int
    done: int
    rest_seconds: int | None
    next_try_at: datetime | None
    from_date: date | None
    to_date: date | None
    actor: str
    cause_code: str | None
    created_at: datetime
    finished_at: datetime | None
    result: dict[str, Any]

    @property
    def is_open(self) -> bool:
        return self.finished_at is None


def begin(
    space: Space,
    kind: str,
    *,
    actor: str,
    from_date: date | None = None,
    to_date: date | None = None,
) -> Task:
    """Begin a task with its look; an earlier look of this kind that still runs is dropped. Commits.

    Raises TaskOpen while the work of an earlier one is under way.
    """
    earlier = open_task(space, kind)
    if earlier is not None:
        if earlier.phase == "work":
            db.session.rollback()
            raise TaskOpen(kind)
        finish(earlier, "cancelled")
        db.session.flush()
    task = Task(
        space_id=space.id,
        kind=kind,
        actor=actor,
        from_date=from_date,
        to_date=to_date,
        next_try_at=utcnow(),
    )
    db.session.add(task)
    try:
        db.session.commit()
    except IntegrityError as err:
        db.session.rollback()
        raise TaskOpen(kind) from err
    core().queue.work_on_tasks(space.id)
    return task


def open_task(space: Space, kind: str) -> Task | None:
    """Return the space's task of this kind that has not ended."""
    return db.session.scalar(
        select(Task)
        .where(Task.space_id == space.id, Task.kind == kind, Task.finished_at.is_(None))
        .execution_options(populate_existing=True)
    )


def latest(space: Space, kind: str, *, state: str | None = None) -> Task | None:
    """Return the newest task of this kind, on demand only of one state."""
    query = select(Task).where(Task.space_id == space.id, Task.kind == kind)
    if state is not None:
        query = query.where(Task.state == state)
    return db.session.scalar(
        query.order_by(Task.id.desc()).limit(1).execution_options(populate_existing=True)
    )


def current(space: Space, kind: str) -> Task | None:
    """Return the task of this kind that has not ended, else the last one."""
    return open_task(space, kind) or latest(space, kind)


def is_forgotten(task: Task) -> bool:
    """Say whether a task ended so long ago that its items may be gone."""
    return task.finished_at is not None and task.finished_at < utcnow() - KEEP_ITEMS


def find(space: Space, task_id: int, kind: str) -> Task | None:
    """Return a task of this space."""
    return db.session.scalar(
        select(Task)
        .where(Task.id == task_id, Task.space_id == space.id, Task.kind == kind)
        .execution_options(populate_existing=True)
    )


def items_of(task: Task) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that an item belongs to a task."""
    return (TaskItem.space_id == task.space_id, TaskItem.task_id == task.id)


def items(
    task: Task, *, verdicts: Sequence[str] | None = None, after: int = 0, limit: int = 200
) -> Sequence[TaskItem]:
    """Return the items of a task in order, from behind a place on."""
    query = select(TaskItem).where(*items_of(task), TaskItem.place > after)
    if verdicts is not None:
        query = query.where(TaskItem.verdict.in_(verdicts))
    return db.session.scalars(query.order_by(TaskItem.place).limit(limit)).all()


def view(task: Task, space: Space, *, done: int | None = None) -> TaskView:
    """Return the task as a page shows it; `done` where it is counted elsewhere."""
    done = task.done if done is None else done
    waits = task.state == "running" and not _may_go_on(task, space)
    return TaskView(
        id=task.id,
        kind=task.kind,
        phase=task.phase,
        state="paused" if waits else task.state,
        pause_code=space.pause_code if waits else None,
        total=task.total,
        done=done,
        rest_seconds=None if waits or task.state != "running" else rest_seconds(task, done),
        next_try_at=task.next_try_at,
        from_date=task.from_date,
        to_date=task.to_date,
        actor=task.actor,
        cause_code=task.cause_code,
        created_at=task.created_at,
        finished_at=task.finished_at,
        result=task.result,
    )


def rest_seconds(task: Task, done: int) -> int | None:
    """Return about how long the rest takes: measured, at first reckoned from our budgets."""
    rest = task.total - done
    if task.total == 0 or task.phase != "work":
        return None
    since = done - task.clock_done
    if task.clock_at is not None and since >= MEASURED_FROM:
        spent = (utcnow() - task.clock_at).total_seconds()
        return max(1, round(spent / since * rest)) if rest > 0 else 0
    config = core().config
    sevdesk = 4 / config.sevdesk_calls_per_second if config.sevdesk_calls_per_second else 0.3
    cobot = 60 / config.cobot_calls_per_minute if config.cobot_calls_per_minute else 0.1
    return max(1, round(max(sevdesk, cobot) * rest)) if rest > 0 else 0


def start_work(task: Task, space: Space, *, total: int) -> bool:
    """Begin with the work after the look; False when it was begun or ended before. Commits."""
    if task.state != "ready" or not space.is_connected:
        db.session.rollback()
        return False
    task.phase, task.state = "work", "running"
    task.total, task.done = total, 0
    task.clock_at, task.clock_done = utcnow(), 0
    record.note(space.id, f"{task.kind}_started", "done", actor=task.actor, total=total)
    space.wake_at = utcnow()
    db.session.commit()
    core().queue.wake(space.id)
    return True


def pause(task: Task, space: Space, *, actor: str) -> bool:
    """Take up nothing more until somebody lets it go on. Commits."""
    if task.state != "running":
        db.session.rollback()
        return False
    task.state = "paused"
    if task.phase == "work":
        record.note(space.id, f"{task.kind}_paused", "done", actor=actor)
    db.session.commit()
    return True


def go_on(task: Task, space: Space, *, actor: str, done: int = 0) -> bool:
    """Let a paused task go on. Commits and wakes."""
    if task.state != "paused":
        db.session.rollback()
        return False
    task.state = "running"
    task.clock_at, task.clock_done = utcnow(), done
    task.next_try_at = utcnow() if task.phase == "look" else None
    if task.phase == "work":
        record.note(space.id, f"{task.kind}_resumed", "done", actor=actor)
    space.wake_at = utcnow()
    db.session.commit()
    core().queue.work_on_tasks(space.id)
    core().queue.wake(space.id)
    return True


def cancel(task: Task, space: Space, *, actor: str) -> bool:
    """End a task; what was begun is finished, nothing more is taken up. Commits."""
    if task.finished_at is not None:
        db.session.rollback()
        return False
    was_work = task.phase == "work"
    finish(task, "cancelled")
    if was_work:
        record.note(space.id, f"{task.kind}_cancelled", "done", actor=actor)
    db.session.commit()
    return True


def finish_work(task: Task) -> None:
    """Nothing is left to take up. The caller commits."""
    record.note(task.space_id, f"{task.kind}_done", "done", actor=task.actor, total=task.total)
    finish(task, "done")


def finish(task: Task, state: str) -> None:
    """End a task. The caller commits."""
    task.state = state
    task.next_try_at = None
    task.finished_at = utcnow()


def fail(task: Task, code: str) -> None:
    """End a task that cannot go on. Commits."""
    task.cause_code = code
    finish(task, "failed")
    db.session.commit()


HAS_WORK = (Task.finished_at.is_(None), Task.phase == "work", Task.state == "running")


def has_work(space_id: int) -> bool:
    """Say whether an import or a backfill of the space has something that is to be taken up."""
    query = select(Task.id).where(Task.space_id == space_id, *HAS_WORK)
    return db.session.scalar(query.limit(1)) is not None


def _may_go_on(task: Task, space: Space) -> bool:
    if not space.is_connected:
        return False
    if not space.is_paused:
        return True
    return task.phase == "look" and space.pause_code in LOOK_WHILE_PAUSED
