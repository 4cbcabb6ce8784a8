"""The nightly comparison of a space with Cobot's list."""

from __future__ import annotations

from jobs.context import job_context
from portal.core import core
from portal.jobqueue import CATCH_UP_JOB
from portal.services import catchup
from portal.tenancy import in_space


def catch_up(space_id: int, queue: str) -> None:
    """Add what no webhook told us. Safe to run twice: known invoices are left as they are."""
    with job_context(), in_space(space_id):
        core().queue.started(space_id, queue=queue, job=CATCH_UP_JOB)
        catchup.catch_up_if_due(space_id)
