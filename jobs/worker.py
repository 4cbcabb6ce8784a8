"""The worker class: runs jobs in its own process, so that connections are used again."""

from __future__ import annotations

from rq import SimpleWorker


class StayingWorker(SimpleWorker):
    """A worker without a fork per job.

    A drain does many calls to two hosts; a new process for each would set up TLS anew every time.
    What a crash of the process leaves behind, upkeep finds in the database.
    """
