"""Writers of one process at SQLite's lock: in order, and never stuck."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from portal import turns
from portal.turns import TurnConnection, Turns

LONG = 30.0


def in_line(line: Turns, count: int) -> None:
    until = time.monotonic() + LONG
    while len(line._waiting) != count:
        assert time.monotonic() < until
        threading.Event().wait(0.001)


def opened(path: Path, line: Turns) -> TurnConnection:
    connection = sqlite3.connect(
        path, factory=TurnConnection, isolation_level=None, timeout=0, check_same_thread=False
    )
    connection.turns = line
    return connection


def test_turns_come_in_the_order_of_those_who_wait() -> None:
    line, served = Turns(), []
    assert line.take(0)

    def write(number: int) -> None:
        assert line.take(LONG)
        served.append(number)
        line.give_on()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for number, writer in enumerate(writers, start=1):
        writer.start()
        in_line(line, number)
    line.give_on()
    for writer in writers:
        writer.join(LONG)
    assert served == [0, 1, 2, 3, 4, 5]
    assert line.take(0), "free again"


def test_who_waited_too_long_leaves_the_line() -> None:
    line = Turns()
    assert line.take(0)
    assert not line.take(0.001)
    line.give_on()
    assert line.take(0)


def test_who_is_interrupted_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def acquire(self, timeout: float = -1) -> bool:
            if timeout >= 0:
                raise KeyboardInterrupt
            return True

    line = Turns()
    assert line.take(0)
    with monkeypatch.context() as patched:
        patched.setattr(turns.threading, "Lock", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            line.take(LONG)
    line.give_on()
    assert line.take(0)


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_turn_ends_with_the_transaction(tmp_path: Path, end: str) -> None:
    line = Turns()
    one, other = (opened(tmp_path / "x.db", line) for _ in range(2))
    one.take_turn()
    one.execute("BEGIN IMMEDIATE")
    one.give_on()
    one.execute("CREATE TABLE t (a)")
    assert not line.take(0.001), "it is still open"
    getattr(one, end)()
    other.take_turn()
    other.execute("BEGIN IMMEDIATE")
    other.commit()
    assert line.take(0)
    line.give_on()
    one.close()
    other.close()


def test_a_turn_ends_where_the_lock_is_held_by_another_process(tmp_path: Path) -> None:
    line = Turns()
    mine = opened(tmp_path / "x.db", line)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    mine.take_turn()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        mine.execute("BEGIN IMMEDIATE")
    mine.give_on()
    assert line.take(0)
    other.close()
    mine.close()


def test_without_a_turn_the_lock_is_asked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.001)
    line = Turns()
    assert line.take(0), "somebody who never comes back"
    mine = opened(tmp_path / "x.db", line)
    mine.take_turn()
    mine.execute("BEGIN IMMEDIATE")
    mine.execute("CREATE TABLE t (a)")
    mine.commit()
    mine.close()
