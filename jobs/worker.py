"""The worker class: runs jobs in its own process, so that connections are used again."""

from __future__ import annotations

from typing import Any

from redis.client import Pipeline
from rq import SimpleWorker, worker_registration
from rq.utils import now

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

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say that the worker lives, anew who it is where Redis was emptied meanwhile.

        RQ says that at the birth only: all living workers would be invisible until they are
        restarted. Its `register_birth` refuses a name whose key is there, and the first heartbeat
        after the emptying makes one.
        """
        # By the field: a heartbeat, or a change of state, alone makes a key as well.
        if self.birth_date is not None and not self.connection.hexists(self.key, "queues"):
            self.last_heartbeat = now()
            with self.connection.pipeline() as own:
                own.hset(self.key, mapping={**self.serialize(), "state": self.get_state()})
                own.expire(self.key, timeout or self.worker_ttl + 60)
                worker_registration.register(self, own)
                own.execute()
        super().heartbeat(timeout, pipeline)

    def request_stop(self, signum: Any, frame: Any) -> None:
        """End warm: the remote call at hand is finished and kept, nothing new is begun."""
        stopping.requested.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]
