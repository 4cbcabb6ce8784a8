"""Waking workers through RQ. Redis is a hint: what is due stands in the database."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.queue import EnqueueData
from rq.timeouts import BaseTimeoutException

from portal.logs import request_id

log = structlog.get_logger(__name__)

INTERACTIVE = "interactive"
DRAIN = "drain"
BACKFILL = "backfill"
QUEUES = (INTERACTIVE, DRAIN, BACKFILL)
"""Each worker listens to exactly one of them: only then RQ moves a job without a gap."""

DRAIN_JOB = "jobs.drain.drain_space"
CATCH_UP_JOB = "jobs.upkeep.catch_up"
TASKS_JOB = "jobs.backfill.work_on_tasks"
HEAL_JOB = "jobs.backfill.heal"
"""Jobs are named by their dotted path: portal never imports jobs."""
DRAIN_SECONDS = 5
"""How long one drain works before it makes room for another space."""
JOB_TIMEOUT_SECONDS = 600
"""Longer than a drain and the slowest remote call together."""
PENDING_SECONDS = 50
"""For so long a wake-up that is in the queue stands for all further ones. Less than the minute
after which upkeep wakes a space again: else the mark of a lost one would keep that one away."""


def is_out_of_time(error: BaseException | None) -> bool:
    """Say whether an exception is the end of a job's time, or was made of it: it may come anywhere,
    and SQLAlchemy wraps what comes while it makes a statement."""
    while error is not None:
        if isinstance(error, BaseTimeoutException):
            return True
        error = error.__cause__ or error.__context__
    return False


class JobQueue:
    """Puts wake-ups into Redis; a Redis that is away is logged and otherwise ignored."""

    def __init__(self, redis_url: str) -> None:
        # Short limits: a hook must answer although Redis hangs.
        self.redis = Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=2)

    def queue(self, name: str) -> Queue:
        return Queue(name, connection=self.redis, serializer="json")

    def wake(self, space_id: int, *, queue: str = DRAIN) -> bool:
        """Ask a worker to look at this space. Return False when Redis is away.

        A wake-up that already waits in the queue is not added a second time.
        """
        return self._enqueue(DRAIN_JOB, space_id, queue)

    def wake_all(self, queues: Mapping[int, str]) -> bool:
        """Ask workers to look at these spaces, each through its queue: two questions for all.

        As `wake` does: one that waits already is not added, and Redis may be away.
        """
        if not queues:
            return True
        marks = [self._mark(space_id, queue, DRAIN_JOB) for space_id, queue in queues.items()]
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                for mark in marks:
                    pipe.set(mark, "1", nx=True, ex=PENDING_SECONDS)
                is_new = pipe.execute()
            try:
                with self.redis.pipeline() as pipe:
                    new = [one for one, is_so in zip(queues.items(), is_new, strict=True) if is_so]
                    for name in {queue for _, queue in new}:
                        jobs = [self._job(DRAIN_JOB, one, name) for one, at in new if at == name]
                        self.queue(name).enqueue_many(jobs, pipeline=pipe)
                    pipe.execute()
            except BaseException:
                made = [mark for mark, is_so in zip(marks, is_new, strict=True) if is_so]
                self.redis.delete(*made)
                raise
        except RedisError as err:
            log.warning("queue is away, the spaces are woken again", error=str(err))
            return False
        return True

    @staticmethod
    def _job(job: str, space_id: int, queue: str) -> EnqueueData:
        return Queue.prepare_data(
            job,
            (space_id, queue),
            timeout=JOB_TIMEOUT_SECONDS,
            result_ttl=0,
            failure_ttl=86_400,
            meta={"request_id": request_id()},
        )

    def catch_up(self, space_id: int) -> bool:
        """Ask a worker to compare the space with Cobot's list. Return False when Redis is away."""
        return self._enqueue(CATCH_UP_JOB, space_id, BACKFILL)

    def work_on_tasks(self, space_id: int) -> bool:
        """Ask a worker to go on with the space's looks. Return False when Redis is away."""
        return self._enqueue(TASKS_JOB, space_id, BACKFILL)

    def heal(self, space_id: int) -> bool:
        """Ask a worker whether causes of failures are gone. False when Redis is away."""
        return self._enqueue(HEAL_JOB, space_id, BACKFILL)

    def _enqueue(self, job: str, space_id: int, queue: str) -> bool:
        try:
            mark = self._mark(space_id, queue, job)
            if not self.redis.set(mark, "1", nx=True, ex=PENDING_SECONDS):
                return True
            try:
                self.queue(queue).enqueue_many([self._job(job, space_id, queue)])
            except BaseException:
                self.redis.delete(mark)
                raise
        except RedisError as err:
            log.warning("queue is away, upkeep will wake the space", space=space_id, error=str(err))
            return False
        return True

    def started(self, space_id: int, *, queue: str = DRAIN, job: str = DRAIN_JOB) -> None:
        """Say that the wake-up left the queue: what comes from now on needs a new one."""
        try:
            self.redis.delete(self._mark(space_id, queue, job))
        except RedisError as err:
            log.warning("queue is away", space=space_id, error=str(err))

    def is_empty(self, name: str) -> bool:
        """Say whether no job waits in this queue; False while Redis is away."""
        try:
            return self.queue(name).count == 0
        except RedisError:
            return False

    def is_reachable(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    @staticmethod
    def _mark(space_id: int, queue: str, job: str) -> str:
        kind = "" if job == DRAIN_JOB else f"{job.rpartition('.')[2]}:"
        return f"portal:wake:{kind}{queue}:{space_id}"
