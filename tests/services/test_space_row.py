"""A space's row that is taken with a transaction's last statement: as if it was taken first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import current_app
from sqlalchemy import func, select

from portal.database import db, utcnow
from portal.models import HistoryLine, InvoiceSync, PersonName, Space, State, StateCount
from portal.services import connection, history, last_writes, people, record, space_row
from portal.services.drain import drain
from portal.services.edges import Edge
from portal.services.locks import LockLost
from portal.services.work import Work
from portal.sevdesk.client import SevdeskClient
from tests.services.conftest import (
    Json,
    Remote,
    admin_named,
    announce,
    elsewhere,
    id_of,
    line,
    row_of,
    sync,
)

KNOWN = {"type": "memberships", "id": "mem-xyz"}
CALLS = ["upload", "save_voucher", "tag"]
"""After each of them something is committed for the invoice: sending, saved, tagged."""


@pytest.fixture
def warm(remote: Remote, alpha: Space) -> Space:
    """A space whose accounts are read and whose debtor has a name."""
    sync(remote, alpha, debitor=KNOWN)
    return alpha


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """How often a late row was and was not taken in time."""
    seen: list[str] = []
    in_time, after_all = space_row.came_in_time, space_row.take_after_all

    def came_in_time(*given: Any) -> None:
        in_time(*given)
        seen.append("in time")

    def take_after_all(late: space_row.Late) -> int:
        seen.append("overtaken")
        return after_all(late)

    monkeypatch.setattr(space_row, "came_in_time", came_in_time)
    monkeypatch.setattr(space_row, "take_after_all", take_after_all)
    return seen


def meanwhile(monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[], Any]) -> None:
    """Do something elsewhere while a call to sevdesk is under way, once."""
    real = getattr(SevdeskClient, call)
    done: list[Any] = []

    def calling(*given: Any) -> Any:
        answer = real(*given)
        if not done:
            done.append(elsewhere(act))
        return answer

    monkeypatch.setattr(SevdeskClient, call, calling)


def assert_whole(space: Space) -> None:
    db.session.refresh(space)
    lines = select(func.count()).where(HistoryLine.space_id == space.id)
    assert space.history_lines == db.session.scalar(lines)
    assert history.verify(space)[1] == []
    states = select(InvoiceSync.state, func.count()).where(InvoiceSync.space_id == space.id)
    rows = db.session.execute(states.group_by(InvoiceSync.state))
    counts = db.session.scalars(select(StateCount).where(StateCount.space_id == space.id))
    assert {one.state: one.invoices for one in counts if one.invoices} == dict(
        tuple(one) for one in rows
    )
    db.session.commit()


def issued(remote: Remote, space: Space) -> Json:
    made = remote.invoice("alpha", items=[line()], debitor=KNOWN)
    assert announce(space, "created_invoice", id_of(made)) == 202
    return made


def steps_of(invoice: Json) -> list[str]:
    query = select(HistoryLine.step).where(HistoryLine.invoice_id == row_of(invoice).id)
    return list(db.session.scalars(query.order_by(HistoryLine.number)))


def test_nobody_comes_in_between(remote: Remote, warm: Space, overtaken: list[str]) -> None:
    made = issued(remote, warm)
    drain(warm.id)
    assert row_of(made).state == State.SYNCED
    assert_whole(warm)
    if db.engine.dialect.name == "postgresql":
        assert overtaken == ["in time"] * 3
    assert row_of(made).sequence == warm.sequence


@pytest.mark.parametrize("call", CALLS)
def test_somebody_writes_in_the_same_history_meanwhile(
    remote: Remote,
    warm: Space,
    overtaken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    made = issued(remote, warm)

    def write() -> None:
        record.note(warm.id, "noticed", "done", invoice=row_of(made))
        db.session.commit()

    meanwhile(monkeypatch, call, write)
    drain(warm.id)
    assert row_of(made).state == State.SYNCED
    assert len(remote.sevdesk()["vouchers"]) == 2
    assert_whole(warm)
    assert row_of(made).sequence == warm.sequence
    following = {"upload": "fetched", "save_voucher": "saved", "tag": "tagged"}[call]
    steps = steps_of(made)
    assert steps.index("noticed") == steps.index(following) - 1
    if db.engine.dialect.name == "postgresql":
        assert overtaken.count("overtaken") == 1


@pytest.mark.parametrize("call", CALLS)
def test_who_holds_the_row_just_then_is_waited_for(
    remote: Remote,
    warm: Space,
    overtaken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    made = issued(remote, warm)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with app.app_context():
            record.note(warm.id, "noticed", "done", invoice=row_of(made))
            space_row.write(warm.id)
            is_held.set()
            may_go_on.wait(0.4)
            db.session.commit()

    holder = threading.Thread(target=hold)

    def begin_to_hold() -> None:
        holder.start()
        assert is_held.wait(10)

    meanwhile(monkeypatch, call, begin_to_hold)
    drain(warm.id)
    holder.join()
    assert row_of(made).state == State.SYNCED
    assert_whole(warm)
    assert "noticed" in steps_of(made)
    if db.engine.dialect.name == "postgresql":
        assert overtaken.count("overtaken") == 1


def test_a_name_that_is_erased_meanwhile_stays_so(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = issued(remote, warm)

    def erase() -> None:
        space = db.session.get_one(Space, warm.id)
        person = db.session.scalars(select(PersonName)).one()
        people.erase(space, person)

    meanwhile(monkeypatch, "upload", erase)
    drain(warm.id)
    person = db.session.scalars(select(PersonName)).one()
    db.session.refresh(person)
    assert person.name is None
    assert person.erased_at is not None
    assert row_of(made).person_id == person.id
    assert row_of(made).state == State.SYNCED
    assert_whole(warm)


def test_a_debtor_who_was_forgotten_meanwhile_is_named_again(
    remote: Remote, warm: Space, overtaken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known of who pays was read some calls before."""
    made = issued(remote, warm)

    def forget() -> None:
        for row in db.session.scalars(select(InvoiceSync)):
            row.person_id = None
        record.touch_space(warm.id)
        db.session.flush()
        db.session.delete(db.session.scalars(select(PersonName)).one())
        db.session.commit()

    meanwhile(monkeypatch, "upload", forget)
    drain(warm.id)
    person = db.session.scalars(select(PersonName)).one()
    assert person.name == "XYZ Design"
    assert row_of(made).person_id == person.id
    assert row_of(made).state == State.SYNCED
    assert_whole(warm)
    if db.engine.dialect.name == "postgresql":
        assert overtaken[0] == "overtaken"


def test_nothing_is_sent_from_a_space_that_was_disconnected_meanwhile(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = issued(remote, warm)

    def disconnect() -> None:
        space = db.session.get_one(Space, warm.id)
        connection.disconnect(space, admin=admin_named("owner"))

    meanwhile(monkeypatch, "upload", disconnect)
    drain(warm.id)
    assert len(remote.sevdesk()["vouchers"]) == 1
    assert row_of(made).state == State.WAITING
    assert "sending" not in steps_of(made)
    assert_whole(warm)


def test_what_was_to_be_written_is_forgotten_with_its_transaction(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = issued(remote, warm)
    commit = Work.commit

    def lose(work: Work, edge: Edge) -> None:
        if edge == Edge.TAGGED:
            raise LockLost("taken")
        commit(work, edge)

    with monkeypatch.context() as patched:
        patched.setattr(Work, "commit", lose)
        drain(warm.id)
    assert space_row.late_one() is None
    assert "tagged" not in steps_of(made)
    record.note(warm.id, "noticed", "done", invoice=row_of(made))
    db.session.commit()
    assert_whole(warm)
    drain(warm.id)
    assert row_of(made).state == State.SYNCED
    assert steps_of(made).count("tagged") == 1
    assert_whole(warm)


def test_more_than_one_statement_takes_the_row_before(warm: Space, overtaken: list[str]) -> None:
    rows = record.add_invoices(warm.id, [record.NewInvoice(f"i-{n}", utcnow(), None) for n in "ab"])
    for row in rows:
        record.note(warm.id, "announced", "done", invoice=row)
    db.session.commit()
    before = warm.sequence
    space_row.write_late(warm.id)
    for row in rows:
        row.number = "2531"
        record.set_state(row, State.SKIPPED)
        record.note(warm.id, "skipped", "done", invoice=row)
    last_writes.count(warm.id, {})
    db.session.commit()
    assert_whole(warm)
    assert warm.sequence == before + 2
    assert {row.sequence for row in rows} == {warm.sequence}
    assert len(overtaken) == (db.engine.dialect.name == "postgresql")
