"""Who waits for our own budget of calls, how long, and for whom they make room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, select, update

from jobs.drain import drain_space
from portal.core import core
from portal.database import db, utcnow
from portal.errors import BudgetExhausted
from portal.jobqueue import DRAIN, JobQueue
from portal.models import Budget, InvoiceSync, Lease, Space, State
from portal.services import budgets, connection, patience, stopping
from portal.services.drain import drain
from tests.conftest import as_owner
from tests.services.conftest import (
    Json,
    Remote,
    admin_named,
    announce,
    elsewhere,
    id_of,
    line,
    row_of,
)
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
    assert waits.wait(0.7, 0)
    assert clock.now == pytest.approx(1_000.7)
    assert waits.wait(0.3, 0.7)
    assert not waits.wait(0.1, 1.0), "a moment for one call, however often another one was faster"


def test_a_worker_does_not_wait_for_a_budget_of_minutes(core_app: Flask, clock: Clock) -> None:
    assert not patience.of_an_idle_worker(DRAIN).wait(1.1, 0)
    assert clock.now == 1_000.0


def test_a_worker_makes_room_at_once_for_another_space(core_app: Flask, clock: Clock) -> None:
    waits = patience.of_an_idle_worker(DRAIN)
    clock.at_each_sleep = lambda: core().queue.wake(77) and None
    assert not waits.wait(1.0, 0)
    assert clock.now < 1_000.1
    assert not waits.wait(1.0, 0), "nor does it begin to wait"


def test_a_worker_that_is_to_end_does_not_wait(core_app: Flask, clock: Clock) -> None:
    clock.at_each_sleep = stopping.requested.set
    assert not patience.of_an_idle_worker(DRAIN).wait(1.0, 0)
    assert clock.now < 1_000.1


def test_without_the_queue_nobody_knows_who_waits_so_nobody_stays(
    core_app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = JobQueue("unix:///nowhere.sock")
    object.__setattr__(core(), "queue", away)
    assert not patience.of_an_idle_worker(DRAIN).wait(1.0, 0)
    assert clock.now == 1_000.0


def test_only_the_waiting_counts_and_not_a_database_that_is_slow(
    core_app: Flask, clock: Clock
) -> None:
    tries: list[float] = []

    def ask() -> None:
        tries.append(clock.now)
        clock.now += 0.3  # until the database has answered
        if len(tries) == 1:
            raise BudgetExhausted("our own limit of calls", retry_after_seconds=0.9)

    assert patience.patiently(patience.of_an_idle_worker(DRAIN), ask)


def test_a_person_waits_so_long_in_all(clock: Clock) -> None:
    waits = patience.of_a_person(2.0)
    assert waits.wait(1.5, 0)
    assert not waits.wait(0.6, 0)
    assert waits.wait(0.5, 0)


@pytest.fixture
def passing(alpha: Space, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A clock by which budgets go as well; they are whole, however long connecting took."""
    db.session.execute(delete(Budget))
    db.session.commit()
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:

        def sleep(seconds: float) -> None:
            traveller.shift(seconds)
            clock.sleep(seconds)

        monkeypatch.setattr(patience.time, "sleep", sleep)
        yield clock


def state() -> str:
    """Return how far the only invoice is, as others see it."""
    return str(elsewhere(lambda: db.session.scalar(select(InvoiceSync.state))))


def announced(remote: Remote, space: Space) -> Json:
    """Have a new invoice announced, and nobody else in the queue."""
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(space, "created_invoice", id_of(made))
    core().queue.redis.flushall()
    return made


# By five a second the receipt itself is what has to wait, by two its tag: each is the next call
# after accounts, cost centre, contact, look and PDF, or after the receipt.
RECEIPT_WAITS = {"sevdesk_calls_per_second": 5}
TAG_WAITS = {"sevdesk_calls_per_second": 2}


@pytest.mark.parametrize("settings", [RECEIPT_WAITS, TAG_WAITS])
def test_nothing_waits_between_the_permission_to_send_and_the_sending(
    remote: Remote, alpha: Space, passing: Clock, settings: dict[str, object]
) -> None:
    waited: list[tuple[str, int]] = []
    passing.at_each_sleep = lambda: waited.append((state(), len(remote.sevdesk()["vouchers"])))
    before = remote.mark()
    made = announced(remote, alpha)
    drain_space(alpha.id, DRAIN)
    assert row_of(made).state == State.SYNCED
    assert waited
    assert ("sending", 0) not in waited
    calls = remote.calls(before)
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize(("settings", "receipts"), [(RECEIPT_WAITS, 0), (TAG_WAITS, 1)])
def test_a_space_that_is_left_during_the_wait_is_written_to_no_more(
    remote: Remote,
    alpha: Space,
    passing: Clock,
    settings: dict[str, object],
    receipts: int,
) -> None:
    left: list[int] = []

    def leave() -> None:
        has_pdf = any("upload" in call for call in remote.calls(before))
        if not left and has_pdf and len(remote.sevdesk()["vouchers"]) == receipts:
            left.append(remote.mark())
            elsewhere(disconnect)

    def disconnect() -> None:
        space = db.session.get_one(Space, space_id)
        connection.disconnect(space, admin=admin_named("owner"))

    space_id, before = alpha.id, remote.mark()
    announced(remote, alpha)
    passing.at_each_sleep = leave
    drain_space(space_id, DRAIN)
    assert left
    assert [one for one in remote.calls(left[0]) if one.startswith("sevdesk POST")] == []
    assert len(remote.sevdesk()["vouchers"]) == receipts


@pytest.mark.parametrize("settings", [RECEIPT_WAITS])
def test_a_worker_that_loses_its_lock_during_the_wait_books_nothing(
    remote: Remote, alpha: Space, passing: Clock, settings: dict[str, object]
) -> None:
    taken: list[bool] = []
    at_once = patience.Patience(lambda asked, _waited: patience.time.sleep(asked) is None)

    def take_over() -> None:
        if not taken:
            taken.append(True)
            elsewhere(by_another)

    def by_another() -> None:
        if db.engine.dialect.name == "postgresql":
            as_owner(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        else:
            db.session.execute(update(Lease).values(owner=None, expires_at=None))
            db.session.commit()
        db.session.execute(update(InvoiceSync).values(next_try_at=utcnow()))
        db.session.commit()
        drain(space_id, waits=at_once)

    space_id = alpha.id
    made = announced(remote, alpha)
    passing.at_each_sleep = take_over
    drain_space(space_id, DRAIN)
    assert taken
    assert len(remote.sevdesk()["vouchers"]) == 1
    assert row_of(made).state == State.SYNCED


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 3}])
def test_an_idle_worker_books_an_invoice_in_one_go_and_within_the_budget(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    before = remote.mark()
    made = announced(remote, alpha)
    drain_space(alpha.id, DRAIN)
    assert row_of(made).state == State.SYNCED
    calls = remote.calls(before)
    assert len(calls) == len(set(calls))
    assert budgets.sevdesk_limit().calls == 3
