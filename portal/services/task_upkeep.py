"""What upkeep does for the tasks of all spaces."""

from __future__ import annotations

from sqlalchemy import delete, exists, or_, select, update

from portal.core import core
from portal.database import db, utcnow
from portal.models import Space, Task, TaskItem
from portal.models.task import LISTS_MEMBERS
from portal.services.tasks import KEEP_ITEMS, LOOK_WHILE_PAUSED, WAKE_AGAIN
from portal.tenancy import all_spaces


@all_spaces("looks that are due")
def wake_due_in_all_spaces() -> int:
    """Send workers to the looks that are due; return to how many spaces. Commits."""
    now = utcnow()
    if not db.session.scalar(select(Task.id).where(Task.next_try_at <= now).limit(1)):
        db.session.commit()
        return 0
    may = exists().where(
        Space.id == Task.space_id,
        Space.connected_at.is_not(None),
        or_(Space.paused_at.is_(None), Space.pause_code.in_(LOOK_WHILE_PAUSED)),
    )
    due = db.session.scalars(
        update(Task)
        .where(Task.next_try_at <= now, Task.state == "running", may)
        .values(next_try_at=now + WAKE_AGAIN)
        .returning(Task.space_id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.commit()
    for space_id in set(due):
        core().queue.work_on_tasks(space_id)
    return len(set(due))


@all_spaces("items past their time")
def tidy_all_spaces() -> int:
    """Delete the items of tasks that ended some weeks ago: they may name people; return how many.

    Commits. A list of members that nobody went on with for so long has ended as well.
    """
    # In one statement: a list that somebody starts in this moment is not cut off.
    db.session.execute(
        update(Task)
        .where(
            Task.finished_at.is_(None),  # so that the index of the open ones is used
            Task.kind == LISTS_MEMBERS,
            Task.state == "ready",
            Task.created_at < utcnow() - KEEP_ITEMS,
        )
        .values(state="cancelled", next_try_at=None, finished_at=Task.created_at)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    old = select(Task.id).where(Task.finished_at < utcnow() - KEEP_ITEMS)
    gone = db.session.execute(delete(TaskItem).where(TaskItem.task_id.in_(old)))
    db.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]
