"""Upkeep goes on whatever fails: the alarms of all spaces hang on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy.exc import InternalError, OperationalError

from portal.cli import register_commands
from portal.core import core
from portal.database import db, utcnow
from portal.models import Space
from portal.services import housekeeping, retention, task_upkeep, upkeep
from tests.services.conftest import Remote

READ_ONLY = InternalError("UPDATE space", {}, Exception("read-only transaction"))
"""What psycopg says after a failover to a server that only reads: no OperationalError."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long upkeep slept after each round."""
    slept: list[float] = []
    monkeypatch.setattr(upkeep.time, "sleep", slept.append)
    return slept


def rounds(number: int) -> Callable[[], bool]:
    """Ask upkeep to stop after so many rounds."""
    left = iter(range(number))
    return lambda: next(left, None) is None


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


def faults() -> float:
    return (core().counters.read() or {}).get(("portal_faults", "upkeep"), 0)


def due(space: Space) -> None:
    space.wake_at = utcnow() - timedelta(seconds=1)
    db.session.commit()


@pytest.mark.parametrize("error", [READ_ONLY, ValueError("a fault of ours")])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (upkeep, "sweep_all_spaces"),
        (housekeeping, "let_old_things_of_all_spaces_go"),
        (task_upkeep, "wake_due_in_all_spaces"),
        (upkeep, "seconds_to_alarm_of_all_spaces"),
    ],
)
def test_alarms_go_off_whatever_else_fails(
    remote: Remote,
    alpha: Space,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    error: Exception,
) -> None:
    before = faults()
    monkeypatch.setattr(module, name, failing(error))
    woken: list[int] = []
    before_it = upkeep.tick_all_spaces

    def tick() -> int:
        woken.append(before_it())
        return woken[-1]

    monkeypatch.setattr(upkeep, "tick_all_spaces", tick)
    due(alpha)
    upkeep.run(rounds(3))
    assert woken == [1, 0, 0]
    assert faults() > before
    assert len(pauses) == 3


def test_a_tick_that_failed_is_made_up_for(
    remote: Remote, alpha: Space, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    tick, errors = upkeep.tick_all_spaces, [READ_ONLY, ValueError("a fault of ours")]
    woken: list[int] = []

    def at_last() -> int:
        if errors:
            raise errors.pop()
        woken.append(tick())
        return woken[-1]

    monkeypatch.setattr(upkeep, "tick_all_spaces", at_last)
    due(alpha)
    upkeep.run(rounds(3))
    assert woken == [1]
    assert pauses[:2] == [upkeep.AFTER_FAULT_SECONDS] * 2
    assert pauses[2] <= upkeep.TICK_SECONDS


def test_alarms_come_before_everything_that_may_take_long(
    remote: Remote, alpha: Space, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for module, name in (
        (upkeep, "tick_all_spaces"),
        (upkeep, "sweep_all_spaces"),
        (housekeeping, "let_old_things_of_all_spaces_go"),
    ):
        monkeypatch.setattr(module, name, lambda name=name: done.append(name) or {})
    upkeep.run(rounds(1))
    assert done == ["tick_all_spaces", "sweep_all_spaces", "let_old_things_of_all_spaces_go"]


def test_with_everything_failing_it_rests_and_ends_when_it_is_told(
    remote: Remote, alpha: Space, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (READ_ONLY, OperationalError("SELECT", {}, Exception("gone"))):
        for module, name in (
            (upkeep, "tick_all_spaces"),
            (upkeep, "sweep_all_spaces"),
            (upkeep, "seconds_to_alarm_of_all_spaces"),
            (task_upkeep, "wake_due_in_all_spaces"),
            (housekeeping, "let_old_things_of_all_spaces_go"),
        ):
            monkeypatch.setattr(module, name, failing(error))
        upkeep.run(rounds(2))
    assert pauses == [upkeep.AFTER_FAULT_SECONDS] * 4


def test_what_ends_the_process_is_not_kept(
    remote: Remote, alpha: Space, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        raise SystemExit(0)

    monkeypatch.setattr(upkeep, "tick_all_spaces", end)
    with pytest.raises(SystemExit):
        upkeep.run(rounds(2))


def test_a_space_that_cannot_be_tidied_holds_up_no_other(
    core_app: Flask,
    remote: Remote,
    alpha: Space,
    beta: Space,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, tidied, deleted = faults(), [], []

    def prune(space: Space, _until: object) -> int:
        if space.subdomain == "alpha":
            raise READ_ONLY
        tidied.append(space.subdomain)
        return 0

    def delete(space: Space, **_: bool) -> None:
        if space.subdomain == "alpha":
            raise ValueError("a fault of ours")
        deleted.append(space.subdomain)

    long_ago = utcnow() - timedelta(days=400)
    for space in (alpha, beta):
        space.connected_at, space.disconnected_at = None, long_ago
    db.session.commit()
    monkeypatch.setattr(retention, "prune", prune)
    monkeypatch.setattr(retention, "delete_space", delete)
    gone = housekeeping.let_old_things_of_all_spaces_go()
    assert (tidied, deleted) == (["beta"], ["beta"])
    assert gone == {"spaces": 1, housekeeping.FAILED: 2}
    assert faults() == before + 2
    register_commands(core_app)
    said = core_app.test_cli_runner().invoke(args=["prune"])
    assert (said.exit_code, f"{housekeeping.FAILED}\t2" in said.output) == (1, True)


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="needs PostgreSQL")
def test_it_outlasts_a_server_that_only_reads(
    remote: Remote, alpha: Space, pauses: list[float]
) -> None:
    before, space_id = faults(), alpha.id
    due(alpha)

    def only_reads(setting: str) -> None:
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        writes = "-c default_transaction_read_only=off"
        with psycopg.connect(url, autocommit=True, options=writes) as connection:
            name = sql.Identifier(connection.info.dbname)
            words = "ALTER DATABASE {} SET default_transaction_read_only = {}"
            connection.execute(sql.SQL(words).format(name, sql.SQL(setting)))
        db.session.remove()
        db.engine.dispose()  # as after a failover: all connections are new

    only_reads("on")
    upkeep.run(rounds(2))
    assert pauses == [upkeep.AFTER_FAULT_SECONDS] * 2
    assert faults() > before
    only_reads("off")
    upkeep.run(rounds(1))
    woken = db.session.get_one(Space, space_id).wake_at
    assert woken is not None
    assert woken > utcnow()
