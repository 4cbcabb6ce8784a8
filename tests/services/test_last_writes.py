"""What a transaction writes with its commit: all of it or nothing, and told to the session."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, event, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from portal.database import db, utcnow
from portal.models import HistoryLine, InvoiceSync, LineCalls, Space, State, StateCount
from portal.services import history, last_writes, record
from tests.services.conftest import Remote

CALL = {"remote": "sevdesk", "endpoint": "GET /Voucher", "status": 200}


def added(space: Space, count: int = 1) -> list[InvoiceSync]:
    news = [record.NewInvoice(f"inv-{place}", utcnow(), None) for place in range(count)]
    rows = record.add_invoices(space.id, news)
    for row in rows:
        record.note(space.id, "announced", "done", invoice=row)
    db.session.commit()
    return rows


def new_line(row: InvoiceSync, step: str, facts: dict[str, str]) -> history.NewLine:
    chain = history.chain_name(row.space_id, row, None)
    return history.NewLine(
        row.space_id, chain, row.id, None, utcnow(), "portal", step, "done", dict(facts)
    )


def counts_of(space: Space) -> dict[str, int]:
    rows = db.session.scalars(select(StateCount).where(StateCount.space_id == space.id))
    found = {row.state: row.invoices for row in rows if row.invoices}
    db.session.commit()
    return found


def test_an_invoice_is_written_with_its_line_and_has_nothing_left_to_write(alpha: Space) -> None:
    [row] = added(alpha)
    row.number, row.lines, row.cause_params = "2531-7", [{"net": "1.00"}], {}
    record.set_state(row, State.SENDING)
    record.note(alpha.id, "sending", "done", invoice=row)
    db.session.commit()
    assert row not in db.session.dirty
    assert inspect(row).persistent
    said: list[str] = []
    note = lambda *args: said.append(args[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", note)
    db.session.commit()
    assert (row.number, row.state) == ("2531-7", State.SENDING)
    event.remove(db.engine, "before_cursor_execute", note)
    assert said == [], "nothing is written again, and nothing read"
    db.session.expire(row)
    assert (row.number, row.lines, row.state) == ("2531-7", [{"net": "1.00"}], State.SENDING)
    assert counts_of(alpha) == {"sending": 1}
    row.number = None
    db.session.commit()
    db.session.refresh(row)
    assert row.number is None, "a later change is written as well"
    assert history.verify(alpha)[1] == []


def test_nothing_of_it_stays_where_one_part_does_not_fit(alpha: Space) -> None:
    [row] = added(alpha)
    row.number = "lost"
    record.set_state(row, State.SENDING)
    record.note(alpha.id, "sending", "done", invoice=row)
    last_writes.add_line(
        history.NewLine(alpha.id, "x", 4711, None, utcnow(), "portal", "x", "x", {}),
        [CALL],
        lambda _: None,
    )
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()
    assert (row.number, row.state) == (None, State.WAITING)
    assert counts_of(alpha) == {"waiting": 1}
    db.session.commit()
    record.note(alpha.id, "noticed", "done", invoice=row)
    db.session.commit()
    assert history.verify(alpha)[1] == []


@pytest.mark.parametrize("with_line", [True, False])
def test_an_invoice_that_is_gone_is_said_and_not_passed_over(
    alpha: Space, *, with_line: bool
) -> None:
    [row] = added(alpha)
    gone = InvoiceSync(space_id=alpha.id, cobot_invoice_id="gone", announced_at=utcnow())
    db.session.add(gone)
    db.session.commit()
    gone_id = gone.id
    gone.number = "2531-8"
    if with_line:
        record.note(alpha.id, "noticed", "done")
    with db.session.no_autoflush:
        db.session.execute(
            delete(InvoiceSync)
            .where(InvoiceSync.space_id == alpha.id, InvoiceSync.id == gone_id)
            .execution_options(synchronize_session=False)
        )
    with pytest.raises(StaleDataError):
        db.session.commit()
    db.session.rollback()
    assert counts_of(alpha) == {"waiting": 1}
    assert row.number is None


@pytest.mark.parametrize("lines", [1, 4, 9])
def test_each_line_has_its_own_calls_however_many_there_are(
    remote: Remote, alpha: Space, lines: int
) -> None:
    [row] = added(alpha)
    for place in range(lines):
        line = f"step-{place}"
        new = new_line(row, line, {})
        # Every second one was led to by calls.
        history.append(new, [CALL | {"endpoint": line}] if place % 2 == 0 else ())
    db.session.commit()
    assert history.verify(alpha)[1] == []
    steps = db.session.scalars(
        select(HistoryLine.step).where(HistoryLine.space_id == alpha.id).order_by(HistoryLine.id)
    ).all()
    assert list(steps[-lines:]) == [f"step-{place}" for place in range(lines)], "in their order"
    found = db.session.execute(
        select(HistoryLine.step, LineCalls.calls)
        .join(LineCalls, LineCalls.line_id == HistoryLine.id)
        .where(HistoryLine.space_id == alpha.id, LineCalls.space_id == alpha.id)
    ).all()
    assert {step: calls[0]["endpoint"] for step, calls in found if step.startswith("step-")} == {
        f"step-{place}": f"step-{place}" for place in range(0, lines, 2)
    }


def test_many_invoices_change_their_state_in_one_transaction(alpha: Space, beta: Space) -> None:
    for space in (alpha, beta):
        rows = added(space, 6)
        for row in rows[:4]:
            record.set_state(row, State.FAILED)
        record.set_state(rows[0], State.WAITING)
        record.set_state(rows[0], State.SYNCED)
        record.note(space.id, "noticed", "done", invoice=rows[0])
    db.session.commit()
    for space in (alpha, beta):
        assert counts_of(space) == {"waiting": 2, "failed": 3, "synced": 1}
        assert history.verify(space)[1] == []


def test_what_was_set_to_what_it_was_may_be_anothers_by_now(alpha: Space) -> None:
    [row] = added(alpha)
    assert row.is_urgent is False
    changed = update(InvoiceSync).where(InvoiceSync.space_id == alpha.id).values(is_urgent=True)
    with db.engine.begin() as another:
        another.execute(changed)
    row.is_urgent = False
    row.number = "2531-9"
    record.note(alpha.id, "noticed", "done", invoice=row)
    db.session.commit()
    db.session.refresh(row)
    assert (row.number, row.is_urgent) == ("2531-9", True)


def test_what_a_remote_side_said_is_kept_as_it_was_sent(remote: Remote, alpha: Space) -> None:
    [row] = added(alpha)
    said = '\x00, a quote " and a backslash \\'
    odd = f"\ud800 {said}"
    new = new_line(row, "odd", {"message": said})
    history.append(new, [CALL | {"received": odd}])
    db.session.commit()
    line, calls = db.session.execute(
        select(HistoryLine, LineCalls.calls)
        .join(LineCalls, LineCalls.line_id == HistoryLine.id)
        .where(HistoryLine.space_id == alpha.id, LineCalls.space_id == alpha.id)
    ).one()
    assert line.facts == {"message": said}
    assert calls == [CALL | {"received": odd}]
    db.session.commit()
