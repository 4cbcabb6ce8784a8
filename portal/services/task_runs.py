"""What a worker does with the looks of a space: run them, and answer what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from portal.core import core
from portal.crypto import SealBroken
from portal.database import db, utcnow
from portal.errors import (
    BudgetExhausted,
    OutcomeUnknown,
    PermanentError,
    RemoteError,
    TemporaryError,
)
from portal.jobqueue import is_out_of_time
from portal.models import Space, Task
from portal.services import (
    backfill,
    clients,
    mapping,
    member_import,
    month,
    pauses,
    rehearsal,
    rows,
    stopping,
    tasks,
)
from portal.services.locks import task_lock
from portal.services.task_looks import Look, TaskStopped, forget_memory, memory_of

log = structlog.get_logger(__name__)

RUNS: Mapping[str, Callable[[Look], None]] = {
    "mapping": mapping.run,
    "rehearsal": rehearsal.run,
    "members": member_import.run,
    "backfill": backfill.run,
    "month": month.run,
}
MOST_TRIES = 12


def work_on(space_id: int) -> None:
    """Go on with every look of the space. Safe to run twice: a second worker leaves."""
    ids = db.session.scalars(
        select(Task.id)
        .where(Task.space_id == space_id, Task.state == "running", Task.next_try_at.is_not(None))
        .order_by(Task.id)
    ).all()
    db.session.commit()
    for task_id in ids:
        if stopping.requested.is_set():
            return
        with task_lock(task_id) as lock:
            if lock is not None:
                _run(space_id, task_id)


def run_to_end(task: Task) -> Task:
    """Carry a look on in the foreground until it has ended or waits for a person."""
    space_id, task_id = task.space_id, task.id
    while True:
        work_on(space_id)
        found = db.session.get_one(Task, (space_id, task_id), populate_existing=True)
        space = db.session.get_one(Space, space_id, populate_existing=True)
        seen = tasks.view(found, space)
        db.session.commit()
        if seen.state != "running" or found.next_try_at is None:
            return found
        time.sleep(max(0.05, (found.next_try_at - utcnow()).total_seconds()))


def _run(space_id: int, task_id: int) -> None:
    task = db.session.get_one(Task, (space_id, task_id), populate_existing=True)
    space = db.session.get_one(Space, space_id, populate_existing=True)
    if task.state != "running" or task.next_try_at is None:
        db.session.commit()
        return
    if not space.is_connected:
        tasks.cancel(task, space, actor="portal")
        return
    if tasks.view(task, space).state == "paused":
        db.session.commit()
        return
    try:
        remotes = clients.remotes_of(space)
        db.session.commit()
        RUNS[task.kind](Look(task, space, remotes, memory_of(task)))
    except TaskStopped:
        db.session.rollback()
    except SealBroken:
        db.session.rollback()
        tasks.fail(task, "token_unreadable")
    except RemoteError as err:
        db.session.rollback()
        _answer(task, space, err)
    except OperationalError:
        raise
    except Exception as err:
        if is_out_of_time(err):
            raise
        db.session.rollback()
        core().counters.add("portal_faults", "look")
        log.exception("unexpected error", space=space.id, task=task.id, exc_info=err)
        tasks.fail(task, "unexpected")
    else:
        forget_memory(task)


def _answer(task: Task, space: Space, error: RemoteError) -> None:
    db.session.refresh(task)
    db.session.refresh(space)
    if isinstance(error, BudgetExhausted):
        task.next_try_at = utcnow() + timedelta(seconds=error.retry_after_seconds or 0)
        db.session.commit()
    elif isinstance(error, TemporaryError | OutcomeUnknown):
        task.attempts += 1
        if task.attempts > MOST_TRIES:
            tasks.fail(task, "gave_up")
            return
        wait = rows.backoff_seconds(task.attempts)
        if isinstance(error, TemporaryError) and error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
            clients.slow_down(space, error)
        is_sevdesk = error.remote == "sevdesk"
        task.cause_code = "upstream_down" if is_sevdesk else "cobot_unreachable"
        task.next_try_at = utcnow() + timedelta(seconds=wait)
        db.session.commit()
    elif (code := pauses.stop_code(error)) is not None:
        _wait_for_access(task, space, code)
    else:
        log.warning("a look failed", space=space.id, task=task.id, error=str(error))
        is_closed = isinstance(error, PermanentError) and pauses.cause_of(error)
        tasks.fail(task, is_closed or "bad_answer")


def _wait_for_access(task: Task, space: Space, code: str) -> None:
    """Pause the space as the sync does; a pause that only a person ends stays what it is."""
    task.cause_code = code
    if space.is_paused:
        tasks.fail(task, code)
        return
    task.next_try_at = utcnow() + tasks.WAKE_AGAIN
    db.session.commit()
    pauses.pause(space, code)
