"""Every way to start a worker runs our jobs, and every job that is named exists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from datetime import timedelta
from unittest.mock import Mock

import pytest
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.registry import FailedJobRegistry
from rq.utils import import_attribute

from jobs.worker import StayingWorker
from portal import cli, jobqueue
from portal.config import Config
from portal.core import core
from portal.services import health, queues, upkeep
from tests.conftest import ROOT

RQ = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--quiet"]


def environment(config: Config) -> dict[str, str]:
    """Return the test's settings as a process gets them."""
    found = {"PATH": os.environ["PATH"], "FLASK_SKIP_DOTENV": "1", "FLASK_APP": "wsgi"}
    for name, value in config.model_dump().items():
        if name in {"secret_key", "database_url", "redis_url", "cobot_client_secret"}:
            found[name.upper()] = value.get_secret_value()
        elif name in {"cobot_client_id", "public_url"}:
            found[name.upper()] = value
    found["TOKEN_KEYS"] = ",".join(key.get_secret_value() for key in config.token_keys)
    return found


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ([sys.executable, "-m", "flask", "rq", "worker", "drain", "--burst"], {}),
        ([*RQ, "--serializer", "json", "drain"], {}),
        ([*RQ, "drain"], {"RQ_WORKER_CLASS": "jobs.worker.StayingWorker"}),
    ],
    ids=["flask rq worker", "rq worker with its own class", "rq worker with ours"],
)
def test_a_worker_started_in_any_way_runs_our_jobs(
    core_app: Flask, command: list[str], more: dict[str, str]
) -> None:
    queue = core().queue
    queue.redis.flushdb()
    assert queue.wake(1)
    assert queue.wake(1)
    assert queue.queue("drain").count == 1
    env = environment(core().config)
    subprocess.run(
        command,
        cwd=ROOT,
        env={**env, "RQ_REDIS_URL": env["REDIS_URL"], "PYTHONPATH": str(ROOT), **more},
        check=True,
        timeout=60,
    )
    assert queue.queue("drain").count == 0
    assert len(FailedJobRegistry(queue=queue.queue("drain"))) == 0
    # The mark is gone: the next hook wakes again.
    assert queue.redis.get("portal:wake:drain:1") is None


@pytest.mark.parametrize(
    "name",
    [
        jobqueue.DRAIN_JOB,
        jobqueue.CATCH_UP_JOB,
        jobqueue.TASKS_JOB,
        jobqueue.HEAL_JOB,
        cli.WORKER_CLASS,
    ],
)
def test_every_dotted_name_leads_to_something(name: str) -> None:
    assert callable(import_attribute(name))


def test_a_wake_up_while_the_queue_is_away_is_no_error(core_app: Flask) -> None:
    away = jobqueue.JobQueue("unix:///nowhere/queue.sock")
    assert away.wake(1) is False
    assert not away.is_reachable()


def test_many_spaces_are_woken_as_one_is(core_app: Flask) -> None:
    queue = core().queue
    queue.redis.flushdb()
    queue.wake(1)
    assert queue.wake_all({1: "drain", 2: "drain", 3: "backfill", 4: "interactive"})
    assert queue.wake_all({2: "drain", 3: "backfill"})
    assert queue.wake_all({})
    put_in = {
        name: sorted(job.args for job in queue.queue(name).get_jobs()) for name in jobqueue.QUEUES
    }
    assert put_in == {
        "drain": [[1, "drain"], [2, "drain"]],
        "backfill": [[3, "backfill"]],
        "interactive": [[4, "interactive"]],
    }
    [one, other] = sorted(queue.queue("drain").get_jobs(), key=lambda job: job.args)
    for name in ("func_name", "timeout", "result_ttl", "failure_ttl", "meta", "origin"):
        assert getattr(one, name) == getattr(other, name), name


def test_the_mark_of_a_lost_wake_up_is_gone_when_the_space_is_woken_again(core_app: Flask) -> None:
    # Alarms are kept to the moment: a mark that lasts as long would eat the second one as well.
    queue = core().queue
    queue.redis.flushdb()
    assert queue.wake_all({1: "drain"})
    assert queue.wake(2)
    for space_id in (1, 2):
        left = timedelta(milliseconds=queue.redis.pttl(f"portal:wake:drain:{space_id}"))
        assert left < upkeep.WAKE_AGAIN - timedelta(seconds=5)


def test_waking_many_while_the_queue_is_away_leaves_no_mark(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = jobqueue.JobQueue("unix:///nowhere/queue.sock")
    assert away.wake_all({1: "drain"}) is False
    queue = core().queue
    queue.redis.flushdb()
    with monkeypatch.context() as patched:
        patched.setattr(Queue, "enqueue_many", Mock(side_effect=RedisError("gone")))
        assert queue.wake_all({1: "drain"}) is False
    assert queue.wake_all({1: "drain"})
    assert queue.queue("drain").count == 1


def test_jobs_hold_ids_only(core_app: Flask) -> None:
    queue = core().queue
    queue.redis.flushdb()
    queue.wake(7)
    connection: Redis = queue.redis
    [job_id] = queue.queue("drain").job_ids
    data = connection.hget(f"rq:job:{job_id}", "data")
    assert data is not None
    assert json.loads(zlib.decompress(data)) == [jobqueue.DRAIN_JOB, None, [7, "drain"], {}]


def pass_a_minute(connection: Redis) -> None:
    """Let the marks of wake-ups end, as they do before upkeep's next sweep."""
    for mark in connection.scan_iter("portal:wake:*"):
        if connection.ttl(mark) > 0:
            connection.delete(mark)


def test_without_a_listener_redis_does_not_grow(core_app: Flask) -> None:
    queue, spaces = core().queue, range(1, 21)
    connection: Redis = queue.redis
    connection.flushdb()
    sizes = []
    for _ in range(5):
        for space_id in spaces:
            assert queue.catch_up(space_id)
            assert queue.heal(space_id)
            assert queue.work_on_tasks(space_id)
            assert queue.wake(space_id, queue="interactive")
        assert queue.wake_all(dict.fromkeys(spaces, "drain"))
        lengths = {name: queue.queue(name).count for name in jobqueue.QUEUES}
        assert lengths == {"interactive": 20, "drain": 20, "backfill": 3 * 20}
        sizes.append(len(list(connection.scan_iter("rq:job:*"))))
        pass_a_minute(connection)
    assert sizes == [5 * 20] * 5


def test_what_waits_keeps_its_place(core_app: Flask) -> None:
    """To be put at the end each minute would mean never to be reached in a long queue."""
    queue = core().queue
    queue.redis.flushdb()
    for space_id in (1, 2, 3):
        queue.wake(space_id)
    before = queue.queue("drain").job_ids
    pass_a_minute(queue.redis)
    queue.wake(1)
    queue.wake_all({2: "drain"})
    assert queue.queue("drain").job_ids == before


@pytest.mark.parametrize("at_once", [False, True])
def test_a_wake_up_that_got_lost_is_put_in_again(core_app: Flask, at_once: bool) -> None:
    queue = core().queue
    queue.redis.flushdb()

    def wake() -> bool:
        return queue.wake_all({1: "drain"}) if at_once else queue.wake(1)

    wake()
    # Taken out by a worker that dies with it: neither the job nor "started" is told to anybody.
    assert queue.redis.lpop("rq:queue:drain")
    pass_a_minute(queue.redis)
    assert wake()
    assert queue.queue("drain").count == 1


def test_a_wake_up_while_the_job_runs_is_put_in(core_app: Flask) -> None:
    """A hook that comes while its space is worked on must not wait for the next minute."""
    queue = core().queue
    queue.redis.flushdb()
    queue.wake(1, queue="interactive")
    assert queue.redis.lpop("rq:queue:interactive")
    queue.started(1, queue="interactive")
    queue.wake(1, queue="interactive")
    assert queue.queue("interactive").count == 1
    queue.started(1, queue="interactive")
    assert list(queue.redis.scan_iter("portal:wake:*")) == []


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_worker_is_seen_again_after_redis_was_emptied(core_app: Flask, in_pipeline: bool) -> None:
    redis_url = core().config.redis_url.get_secret_value()
    # A connection of its own, as a worker has: it makes the time-out of its connection longer.
    connection = Redis.from_url(redis_url)
    connection.flushall()
    worker = StayingWorker(["backfill"], connection=connection)
    worker.register_birth()
    worker.set_state("idle")
    connection.flushall()
    with connection.pipeline() as pipe:
        worker.heartbeat(90, pipeline=pipe if in_pipeline else None)
        pipe.execute()
    [seen] = Worker.all(connection=connection)
    assert (seen.name, seen.queue_names(), seen.pid) == (worker.name, ["backfill"], os.getpid())
    assert seen.get_state() == "idle"
    assert seen.birth_date is not None
    assert 0 < connection.ttl(worker.key) <= 90
    assert {line.name: line.workers for line in queues.lines() or ()} == {
        "interactive": 0,
        "drain": 0,
        "backfill": 1,
    }
    assert health.heartbeats()["worker"] is not None
    assert connection.smembers("rq:workers:backfill") == {worker.key.encode()}
    worker.register_death()
    assert Worker.all(connection=connection) == []
    connection.close()


def test_a_heartbeat_of_a_worker_that_is_known_changes_nothing_else(core_app: Flask) -> None:
    connection = Redis.from_url(core().config.redis_url.get_secret_value())
    connection.flushall()
    worker = StayingWorker(["drain"], connection=connection)
    worker.register_birth()
    before = connection.hgetall(worker.key)
    worker.heartbeat()
    after = connection.hgetall(worker.key)
    assert {**after, b"last_heartbeat": b""} == {**before, b"last_heartbeat": b""}
    worker.register_death()
    connection.close()
