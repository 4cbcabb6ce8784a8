"""The reading part of a task: broken off anywhere, it begins again.

What it has read is kept in the process meanwhile, so that a used-up budget costs no call twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import select

from portal.database import db
from portal.errors import PortalError, UnusableAnswer
from portal.models import Space, Task
from portal.services import tasks
from portal.services.clients import Remotes

T = TypeVar("T")

MOST_PAGES = 500
MEMORY_SECONDS = 900
"""What a look has read is not older than this when it ends."""


class TaskStopped(PortalError):
    """Somebody paused or cancelled the task while a worker was on it."""


@dataclass
class Look:
    """The reading part of a task in one worker: every call is made once."""

    task: Task
    space: Space
    remotes: Remotes
    memory: dict[Hashable, Any]

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what was read under this key, reading it now if it was not. Raises TaskStopped."""
        if key not in self.memory:
            self.stop_if_unwanted()
            self.memory[key] = read()
        found: T = self.memory[key]
        return found

    def pages(self, key: str, read: Callable[[int], tuple[Sequence[T], bool]]) -> list[T]:
        """Return all rows of a list that comes in pages from 0; `read` says which is the last.

        Raises UnusableAnswer for a list without an end: half of one must not pass for all of it.
        """
        found: list[T] = []
        for page in range(MOST_PAGES):
            rows, is_last = self.once((key, page), lambda page=page: read(page))  # type: ignore[misc]
            found += rows
            if is_last:
                return found
        raise UnusableAnswer(f"{key}: more than {MOST_PAGES} pages")

    def stop_if_unwanted(self) -> None:
        db.session.commit()
        state = db.session.scalar(
            select(Task.state).where(Task.space_id == self.task.space_id, Task.id == self.task.id)
        )
        db.session.commit()
        if state != "running":
            raise TaskStopped

    def tell(self, done: int, total: int) -> None:
        """Keep how far the look got. Commits."""
        self.task.done, self.task.total = done, total
        db.session.commit()

    def finish(self, result: dict[str, Any], *, then_work: bool = False) -> None:
        """Keep what was found; with `then_work` a person may start the work now. Commits."""
        self.stop_if_unwanted()
        task = self.task
        task.result = result
        task.next_try_at = None
        task.cause_code = None
        task.done = task.total
        if then_work:
            task.state = "ready"
        else:
            tasks.finish(task, "done")
        db.session.commit()


def memory_of(task: Task) -> dict[Hashable, Any]:
    """Return what this process has read for a task and may use again."""
    kept: dict[int, tuple[float, dict[Hashable, Any]]] = current_app.extensions.setdefault(
        "portal_task_memory", {}
    )
    now = time.monotonic()
    for old in [key for key, (at, _) in kept.items() if now - at > MEMORY_SECONDS]:
        del kept[old]
    return kept.setdefault(task.id, (now, {}))[1]


def forget_memory(task: Task) -> None:
    """Drop what was read for a task: it ended."""
    current_app.extensions.get("portal_task_memory", {}).pop(task.id, None)
