"""PostgreSQL: the session under a lock works on the connection that holds it, whatever happens."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import current_app
from rq.timeouts import JobTimeoutException
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from portal.database import Session, db, utcnow
from portal.errors import TemporaryError
from portal.models import HistoryLine, Space, State
from portal.services import history, locks, record, space_row
from portal.services.drain import drain
from portal.sevdesk.client import SevdeskClient
from tests.services.conftest import Remote, announce, elsewhere, member_row, row_of
from tests.services.test_space_row import assert_whole, issued, meanwhile, warm
from tests.services.test_time_is_up import time_is_up_within

__all__ = ["warm"]

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ, reason="SQLite's lock is a row"
)


@pytest.fixture
def server(database_url: str) -> Iterator[Callable[[str], list[Any]]]:
    """Ask the server as its administrator."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda sql: [row[0] for row in connection.execute(sql)]  # type: ignore[call-overload]


def locks_held(server: Callable[[str], list[Any]]) -> list[Any]:
    return server(
        "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database()"
    )


def test_a_transaction_that_was_cut_off_is_not_committed_with_the_next(alpha: Space) -> None:
    """Its rollback fails, since the server is still at it; to begin anew would go on with it."""
    space_id = alpha.id

    def slow(_connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("INSERT INTO invoice_sync"):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            cursor.execute("SELECT pg_sleep(0.3)")  # stands for a statement that takes long

    def add() -> None:
        with locks.space_lock(space_id):
            record.add_invoices(space_id, [record.NewInvoice("cut-off", utcnow(), None)])
            db.session.commit()

    event.listen(db.engine, "before_cursor_execute", slow)
    try:
        with time_is_up_within(60), pytest.raises(Exception):  # noqa: B017, PT011
            add()
    finally:
        event.remove(db.engine, "before_cursor_execute", slow)
    db.session.remove()
    time.sleep(0.4)
    assert_whole(db.session.get_one(Space, space_id))


def test_a_lock_that_is_lost_within_another_one_is_lost(
    remote: Remote,
    alpha: Space,
    monkeypatch: pytest.MonkeyPatch,
    server: Callable[[str], list[Any]],
) -> None:
    taken: list[bool] = []

    def another_worker() -> None:
        with locks.space_lock(alpha.id) as lock:
            taken.append(lock is not None)

    def away(_: Any) -> str:
        for pid in set(locks_held(server)):
            server(f"SELECT pg_terminate_backend({pid}, 5000)")
        elsewhere(another_worker)
        raise TemporaryError("away", remote="sevdesk", endpoint="x")

    monkeypatch.setattr(SevdeskClient, "next_customer_number", away)
    assert announce(alpha, "confirmed_membership", "mem-new") == 202
    assert drain(alpha.id) is False
    assert taken == [True]
    row = member_row("mem-new")
    steps = select(HistoryLine.step).where(HistoryLine.member_id == row.id)
    assert (row.attempts, list(db.session.scalars(steps))) == (0, ["announced"])


@pytest.mark.parametrize("moment", ["taken", "before it is given back"])
def test_no_lock_stays_on_a_connection_when_the_time_is_up(
    alpha: Space,
    monkeypatch: pytest.MonkeyPatch,
    server: Callable[[str], list[Any]],
    moment: str,
) -> None:
    real = locks._ask

    def ask(session: Session, question: Any, key: int) -> bool:
        if question is locks._UNLOCK and moment != "taken":
            raise JobTimeoutException(moment)
        answer = real(session, question, key)
        if moment == "taken":
            raise JobTimeoutException(moment)
        return answer

    monkeypatch.setattr(locks, "_ask", ask)
    with pytest.raises(JobTimeoutException), locks.space_lock(alpha.id):
        pass
    db.session.remove()
    gc.collect()
    for _ in range(50):
        if not (left := locks_held(server)):
            break
        time.sleep(0.1)
    assert left == []


def test_a_session_is_free_again_though_its_rollback_failed(alpha: Space) -> None:
    session = db.session()
    with time_is_up_within(0.2), pytest.raises(Exception), session.on_one_connection():  # type: ignore[attr-defined]  # noqa: B017, PT011
        session.execute(text("SELECT pg_sleep(2)"))
    session.rollback()
    assert session.scalar(select(Space.subdomain)) == "alpha"


def test_a_session_with_an_open_transaction_is_held_to_no_connection(alpha: Space) -> None:
    db.session.scalar(select(Space.subdomain))
    with pytest.raises(RuntimeError, match="commit before"), locks.space_lock(alpha.id):
        pass


def test_nothing_is_taken_in_the_place_of_the_connection(
    alpha: Space, server: Callable[[str], list[Any]]
) -> None:
    with locks.space_lock(alpha.id) as lock:
        assert lock is not None
        for pid in locks_held(server):
            server(f"SELECT pg_terminate_backend({pid}, 5000)")
        for _ in range(2):
            with pytest.raises(OperationalError):
                db.session.scalar(select(Space.subdomain))
            db.session.rollback()
        with pytest.raises(OperationalError), locks.number_lock("client"):
            pass
        assert lock.is_gone


@pytest.mark.parametrize("most", [0, 2000])
def test_no_line_is_written_before_the_spaces_row_is_held(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A session that knows too many ends of histories forgets them, and asks: a line that it had
    not written yet went ahead, and who held the row and wrote the same history met it head-on."""
    made = issued(remote, warm)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    monkeypatch.setattr(history, "MOST_HEADS", most)
    monkeypatch.setattr(history, "expect", lambda *_: None)
    is_held = threading.Event()
    said: list[str] = []

    def hold() -> None:
        with app.app_context():
            row = row_of(made)
            space_row.write(warm.id)
            is_held.set()
            time.sleep(0.4)
            record.note(warm.id, "noticed", "done", invoice=row)
            db.session.commit()
            said.append("done")

    holder = threading.Thread(target=hold)

    def begin_to_hold() -> None:
        holder.start()
        assert is_held.wait(10)

    meanwhile(monkeypatch, "upload", begin_to_hold)
    drain(warm.id)
    holder.join()
    assert said == ["done"]
    assert row_of(made).state == State.SYNCED
    assert_whole(warm)
