"""Waking workers through RQ. Redis is a hint: what is due stands in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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
LAST = ":last"
"""Behind the name of a mark: the id of the job that was put in last, until it begins. It stays
longer than the mark, so that a job which waits longer is found in the queue instead of added."""


def is_out_of_time(error: BaseException | None) -> bool:
    """Say whether an exception is the end of a job's time, or was made of it: it may come anywhere,
    and SQLAlchemy wraps what comes while it makes a statement."""
    while error is not None:
        if isinstance(error, BaseTimeoutException):
            return True
        error = error.__cause__ or error.__context__
    return False


class _Wish(NamedTuple):
    """A space that is to be woken; `last` is the id of the job that did not begin yet."""

    space_id: int
    queue: str
    mark: str
    last: bytes | None


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
        return self._put_in(DRAIN_JOB, {space_id: queue})

    def wake_all(self, queues: Mapping[int, str]) -> bool:
        """Ask workers to look at these spaces, each through its queue: a few questions for all.

        As `wake` does: one that waits already is not added, and Redis may be away.
        """
        return not queues or self._put_in(DRAIN_JOB, queues)

    def _put_in(self, job: str, queues: Mapping[int, str]) -> bool:
        marks = [self._mark(space_id, queue, job) for space_id, queue in queues.items()]
        try:
            with self.redis.pipeline(transaction=False) as pipe:
                for mark in marks:
                    pipe.set(mark, "1", nx=True, ex=PENDING_SECONDS)
                    pipe.get(mark + LAST)
                said = pipe.execute()
            asked = zip(queues.items(), marks, said[::2], said[1::2], strict=True)
            new = [_Wish(*place, mark, last) for place, mark, is_new, last in asked if is_new]
            try:
                self._add(job, [wish for wish in new if not self._waits(wish)])
            except BaseException:
                self.redis.delete(*(wish.mark for wish in new))
                raise
        except RedisError as err:
            log.warning("queue is away, upkeep wakes again", spaces=len(queues), error=str(err))
            return False
        return True

    def _waits(self, wish: _Wish) -> bool:
        """Say whether its last job still is in the queue. Only asked where that one did not begin.

        Without a listener each sweep would add one more. It is left where it is: moved to the end
        each minute it would never be reached in a long queue. Neither a fixed id nor a time to
        live would do: RQ deletes the job of an id at its end, also where that one was put in again
        meanwhile; and the id of a job that ran out of time stays in the queue's list.
        """
        if wish.last is None:
            return False
        return self.redis.lpos(self.queue(wish.queue).key, wish.last.decode()) is not None

    def _add(self, job: str, wishes: Sequence[_Wish]) -> None:
        with self.redis.pipeline() as pipe:
            for name in {wish.queue for wish in wishes}:
                here = [wish for wish in wishes if wish.queue == name]
                jobs = [self._job(job, wish.space_id, name) for wish in here]
                made = self.queue(name).enqueue_many(jobs, pipeline=pipe)
                for wish, one in zip(here, made, strict=True):
                    pipe.set(wish.mark + LAST, one.id)
            pipe.execute()

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
        return self._put_in(CATCH_UP_JOB, {space_id: BACKFILL})

    def work_on_tasks(self, space_id: int) -> bool:
        """Ask a worker to go on with the space's looks. Return False when Redis is away."""
        return self._put_in(TASKS_JOB, {space_id: BACKFILL})

    def heal(self, space_id: int) -> bool:
        """Ask a worker whether causes of failures are gone. False when Redis is away."""
        return self._put_in(HEAL_JOB, {space_id: BACKFILL})

    def started(self, space_id: int, *, queue: str = DRAIN, job: str = DRAIN_JOB) -> None:
        """Say that the wake-up left the queue: what comes from now on needs a new one."""
        try:
            mark = self._mark(space_id, queue, job)
            self.redis.delete(mark, mark + LAST)
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
