"""The work that follows a look: what is meant is taken up bit by bit, counted, and ends.

Which items are meant stands in the database; each becomes a row of an invoice or a member, and
those are worked on like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.database import db
from portal.models import InvoiceSync, MemberSync, Space, State, Task, TaskItem
from portal.models.invoice import IN_WORK
from portal.services import tasks
from portal.services.tasks import TaskView


@dataclass(frozen=True)
class Progress:
    """How far a task's work got; `states` are those of the rows that were taken up so far."""

    task: TaskView
    states: Mapping[State, int]

    @property
    def synced(self) -> int:
        return self.states.get(State.SYNCED, 0)

    @property
    def mismatched(self) -> int:
        return self.states.get(State.MISMATCHED, 0)

    @property
    def failed(self) -> int:
        return self.states.get(State.FAILED, 0)

    @property
    def skipped(self) -> int:
        return self.states.get(State.SKIPPED, 0)

    @property
    def working(self) -> int:
        return sum(self.states.get(state, 0) for state in IN_WORK)

    @property
    def finished(self) -> int:
        return sum(self.states.values()) - self.working


def nothing(_task: Task) -> None:
    """Do nothing before the work begins."""


@dataclass(frozen=True)
class TaskWork:
    """The work of one kind of task.

    `row` and `remote_id` are what an item becomes and by which name it is found there; `meant`
    says which items are taken up, `chunk` of them at once: a pause stops all others.
    """

    kind: str
    row: type[InvoiceSync] | type[MemberSync]
    remote_id: InstrumentedAttribute[str]
    meant: ColumnElement[bool]
    chunk: int
    before: Callable[[Task], None] = nothing
    """What is looked at once more when the work begins; may commit."""

    def to_do(self, task: Task) -> int:
        """Return how many items are meant, taken up or not."""
        count = select(func.count()).where(*tasks.items_of(task), self.meant)
        return db.session.scalar(count) or 0

    def start(self, space: Space, task: Task) -> bool:
        """Begin with the work; False when it was begun or dropped before. Commits and wakes."""
        self.before(task)
        return tasks.start_work(task, space, total=self.to_do(task))

    def go_on(self, space: Space, task: Task, *, actor: str) -> bool:
        """Let a paused task go on; its rest time is measured anew. Commits and wakes."""
        done = self.progress(space, task).finished
        return tasks.go_on(task, space, actor=actor, done=done)

    def progress(self, space: Space, task: Task) -> Progress:
        """Return how far a task got, counted in one statement."""
        counted: Sequence[Any] = db.session.execute(
            select(self.row.state, func.count())
            .join(
                TaskItem,
                (TaskItem.remote_id == self.remote_id)
                & (TaskItem.space_id == space.id)
                & (TaskItem.task_id == task.id)
                & TaskItem.taken_at.is_not(None)
                & self.meant,
            )
            .where(self.row.space_id == space.id)
            .group_by(self.row.state)
        ).all()
        states = {State(state): count for state, count in counted}
        done = sum(count for state, count in states.items() if state not in IN_WORK)
        shown = tasks.view(task, space, done=done if task.phase == "work" else None)
        return Progress(task=shown, states=states)

    def running(self, space: Space, *, locked: bool = False) -> Task | None:
        """Return the task whose work runs, on demand with its row locked: then a pause waits."""
        query = select(Task).where(
            Task.space_id == space.id,
            Task.kind == self.kind,
            Task.phase == "work",
            Task.state == "running",
        )
        if locked:
            query = query.with_for_update()
        return db.session.scalar(query.execution_options(populate_existing=True))

    def coming(self, task: Task) -> Sequence[TaskItem]:
        """Return the items that are taken up next; empty when all are."""
        return db.session.scalars(
            select(TaskItem)
            .where(*tasks.items_of(task), TaskItem.taken_at.is_(None), self.meant)
            .order_by(TaskItem.place)
            .limit(self.chunk)
        ).all()
