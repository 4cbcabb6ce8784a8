"""The worker class: runs jobs in its own process, so that connections are used again."""

from __future__ import annotations

from typing import Any

from rq import SimpleWorker

from portal.services import stopping


class StayingWorker(SimpleWorker):
    """A worker without a fork per job, reading JSON.

    A drain does many calls to two hosts; a new process for each would set up TLS anew every time.
    What a crash of the process leaves behind, upkeep finds in the database. Jobs are JSON, since a
    worker that unpickles would turn write access to Redis into running code.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{**more, "serializer": "json"})
        # Plain `rq worker QUEUE` hands in queues that would unpickle.
        for queue in self.queues:
            queue.serializer = self.serializer

    def request_stop(self, signum: Any, frame: Any) -> None:
        """End warm: the remote call at hand is finished and kept, nothing new is begun."""
        stopping.requested.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]
