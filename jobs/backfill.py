"""Checks, rehearsals, imports and backfills of a space, and healing what can be healed."""

from __future__ import annotations

from jobs.context import job_context
from portal.core import core
from portal.jobqueue import HEAL_JOB, TASKS_JOB
from portal.services import heal as healing
from portal.services import task_runs
from portal.tenancy import in_space


def work_on_tasks(space_id: int, queue: str) -> None:
    """Go on with the space's looks. Safe to run twice: each task has a lock."""
    with job_context(), in_space(space_id):
        core().queue.started(space_id, queue=queue, job=TASKS_JOB)
        task_runs.work_on(space_id)


def heal(space_id: int, queue: str) -> None:
    """Try again what failed for a cause that is gone. Safe to run twice."""
    with job_context(), in_space(space_id):
        core().queue.started(space_id, queue=queue, job=HEAL_JOB)
        healing.heal_itself(space_id)
