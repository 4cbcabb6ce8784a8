"""Working through what is due in a space."""

from __future__ import annotations

from jobs.context import job_context
from portal.core import core
from portal.jobqueue import INTERACTIVE
from portal.services.drain import drain, queue_for
from portal.services.patience import of_an_idle_worker
from portal.tenancy import in_space


def drain_space(space_id: int, queue: str) -> None:
    """Work in one space for a while, then go to the end of the queue if more is due.

    The worker for people does only what they wait for and leaves the rest to the others. Safe to
    run twice: a second one finds the lock taken and leaves.
    """
    with job_context(), in_space(space_id):
        core().queue.started(space_id, queue=queue)
        if drain(space_id, only_urgent=queue == INTERACTIVE, waits=of_an_idle_worker(queue)):
            core().queue.wake(space_id, queue=queue_for(space_id))
