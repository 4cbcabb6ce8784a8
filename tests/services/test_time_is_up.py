"""A job whose time is up anywhere: nothing is left half done, and the next drain goes on."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException
from sqlalchemy import update
from sqlalchemy.exc import StatementError

from portal.database import db, utcnow
from portal.models import InvoiceSync, Space, State
from portal.services import receipts
from portal.services.drain import drain
from tests.services.conftest import Remote, row_of
from tests.services.test_space_row import assert_whole, issued, warm

__all__ = ["time_is_up_within", "warm"]

DRAINS = 40


@contextmanager
def time_is_up_within(seconds: float) -> Iterator[None]:
    """As RQ ends a job that takes too long: an exception, wherever it is just then."""

    def end(*_: Any) -> None:
        raise JobTimeoutException("too long")

    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def make_due(space_id: int) -> None:
    due = InvoiceSync.next_try_at.is_not(None)
    changed = update(InvoiceSync).where(InvoiceSync.space_id == space_id, due)
    db.session.execute(changed.values(next_try_at=utcnow()))
    db.session.commit()


def test_the_end_of_the_time_is_no_fault_of_an_invoice_however_it_is_wrapped(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = issued(remote, warm)

    def wrapped(*_: Any) -> None:
        try:
            raise JobTimeoutException("too long")
        except JobTimeoutException as err:
            raise StatementError(str(err), "SELECT", {}, err) from err

    with monkeypatch.context() as patched:
        patched.setattr(receipts, "upload", wrapped)
        with pytest.raises(StatementError):
            drain(warm.id)
    db.session.rollback()
    assert row_of(made).state == State.WAITING
    drain(warm.id)
    assert row_of(made).state == State.SYNCED


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="a lost turn costs SQLite 5 s")
def test_a_job_that_ends_anywhere_leaves_all_whole(remote: Remote, warm: Space) -> None:
    space_id, moments, ended = warm.id, random.Random(7), 0
    for number in range(DRAINS):
        space = db.session.get_one(Space, space_id)
        if number % 2:
            issued(remote, space)
        make_due(space_id)
        try:
            with time_is_up_within(moments.uniform(0.0005, 0.12)):
                drain(space_id)
        except Exception:
            ended += 1  # by the time, or by what it interrupted
        db.session.remove()  # as with the end of a job
        assert_whole(db.session.get_one(Space, space_id))
        db.session.remove()
    assert ended > 0
    for _ in range(DRAINS):
        make_due(space_id)
        drain(space_id)
    states = {row.state for row in db.session.query(InvoiceSync)}
    db.session.commit()
    assert states == {"synced"}
    assert len(remote.sevdesk()["vouchers"]) == 1 + DRAINS // 2
    assert_whole(db.session.get_one(Space, space_id))
