"""Who waits for our own budget of calls, how long, and for whom they make room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from jobs.drain import drain_space
from portal.core import core
from portal.jobqueue import DRAIN, JobQueue
from portal.models import Space, State
from portal.services import budgets, patience, stopping
from tests.services.conftest import Remote, announce, id_of, line, row_of
from tests.services.test_space import XYZ


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.at_each_sleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.at_each_sleep()

    def read(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    time: Any = SimpleNamespace(sleep=clock.sleep, monotonic=clock.read)
    monkeypatch.setattr(patience, "time", time)
    return clock


@pytest.fixture(autouse=True)
def _nobody_waits_nobody_ends(core_app: Flask) -> Iterator[None]:
    core().queue.redis.flushall()
    yield
    stopping.requested.clear()


def test_a_worker_with_nothing_else_to_do_waits_a_moment(core_app: Flask, clock: Clock) -> None:
    waits = patience.of_an_idle_worker(DRAIN)
    assert waits(0.7)
    assert clock.now == pytest.approx(1_000.7)
    assert waits(0.7), "each wait is one of its own"


def test_a_worker_does_not_wait_for_a_budget_of_minutes(core_app: Flask, clock: Clock) -> None:
    assert not patience.of_an_idle_worker(DRAIN)(1.1)
    assert clock.now == 1_000.0


def test_a_worker_makes_room_at_once_for_another_space(core_app: Flask, clock: Clock) -> None:
    waits = patience.of_an_idle_worker(DRAIN)
    clock.at_each_sleep = lambda: core().queue.wake(77) and None
    assert not waits(1.0)
    assert clock.now < 1_000.1
    assert not waits(1.0), "nor does it begin to wait"


def test_a_worker_that_is_to_end_does_not_wait(core_app: Flask, clock: Clock) -> None:
    clock.at_each_sleep = stopping.requested.set
    assert not patience.of_an_idle_worker(DRAIN)(1.0)
    assert clock.now < 1_000.1


def test_without_the_queue_nobody_knows_who_waits_so_nobody_stays(
    core_app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = JobQueue("unix:///nowhere.sock")
    object.__setattr__(core(), "queue", away)
    assert not patience.of_an_idle_worker(DRAIN)(1.0)
    assert clock.now == 1_000.0


def test_a_person_waits_so_long_in_all(clock: Clock) -> None:
    waits = patience.of_a_person(2.0)
    assert waits(1.5)
    assert not waits(0.6)
    assert waits(0.5)


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 3}])
def test_an_idle_worker_books_an_invoice_in_one_go_and_within_the_budget(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    before = remote.mark()
    announce(alpha, "created_invoice", id_of(made))
    core().queue.redis.flushall()
    drain_space(alpha.id, DRAIN)
    assert row_of(made).state == State.SYNCED
    calls = remote.calls(before)
    assert len(calls) == len(set(calls))
    assert budgets.sevdesk_limit().calls == 3
