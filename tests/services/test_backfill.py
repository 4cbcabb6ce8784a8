"""Taking over old invoices: looked at first, then worked off, whatever happens in between."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from flask import current_app
from sqlalchemy import func, select

from portal.core import core
from portal.database import db, utcnow
from portal.models import InvoiceSync, Space, State, Task
from portal.services import backfill, pauses, rehearsal, tasks
from portal.services.drain import drain, queue_for
from portal.services.edges import Edge
from portal.services.work import Work
from tests.services.conftest import (
    Remote,
    announce,
    id_of,
    line,
    row_of,
    world,
)
from tests.services.looking import drain_all, ended, items_of, methods, reset

XYZ = {"type": "memberships", "id": "mem-xyz"}
FIRST, LAST = date(2026, 3, 1), date(2026, 5, 31)


class Killed(BaseException):
    """The process ended here."""


def old_invoices(remote: Remote, count: int) -> None:
    """Put up alpha's world with so many invoices of spring."""
    made = world()
    made["spaces"][0]["invoices"] = [
        {
            "id": f"old-{number}",
            "number": f"2026-{number:04d}",
            "invoiceDate": (FIRST + timedelta(days=number % 90)).isoformat(),
            "debitor": XYZ,
            "items": [line()],
        }
        for number in range(count)
    ]
    reset(remote, made)


@pytest.fixture
def some(remote: Remote, request: pytest.FixtureRequest) -> int:
    count = int(getattr(request, "param", 12))
    old_invoices(remote, count)
    return count


def prepared(space: Space) -> Task:
    return ended(backfill.prepare(space, FIRST, LAST, actor="admin:owner"))


def forget_process() -> None:
    """Lose all that the process kept, as a restart does."""
    core().parked.clear()
    for name in ("portal_bodies", "portal_contact_books", "portal_task_memory"):
        current_app.extensions.pop(name, None)
    db.session.rollback()
    db.session.expire_all()


def states() -> Counter[str]:
    rows = db.session.execute(
        select(InvoiceSync.state, func.count()).group_by(InvoiceSync.state)
    ).all()
    db.session.commit()
    return Counter({str(state): count for state, count in rows})


def test_first_the_sums_then_the_work_and_then_it_is_done(
    remote: Remote, some: int, alpha: Space
) -> None:
    before = remote.mark()
    task = prepared(alpha)
    assert methods(remote, before) == {"GET"}
    outcome = rehearsal.outcome_of(task)
    assert outcome is not None
    assert (task.state, task.result["to_do"], str(outcome.gross)) == ("ready", 12, "3141.60")
    drain_all(alpha)
    assert states() == {}
    assert backfill.WORK.start(alpha, task)
    assert not backfill.WORK.start(alpha, task)
    assert queue_for(alpha.id) == "backfill"
    drain_all(alpha)
    seen = backfill.WORK.progress(alpha, tasks.current(alpha, "backfill") or task)
    assert (seen.task.state, seen.synced, seen.finished) == ("done", 12, 12)
    again = ended(backfill.prepare(alpha, FIRST, LAST, actor="admin:owner"))
    assert (again.state, again.result["to_do"]) == ("done", 0)
    assert {verdict for verdict, _ in items_of(again).values()} == {"known"}


@pytest.mark.parametrize("some", [150], indirect=True)
@pytest.mark.parametrize("settings", [{"looks_seconds": (0.02, 0.04, 0.06)}])
def test_killed_again_and_again_it_ends_complete_with_no_double_and_five_calls_each(
    remote: Remote,
    some: int,
    alpha: Space,
    settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = prepared(alpha)
    backfill.WORK.start(alpha, task)
    real, count = Work.commit, 0
    deaths = {40: Edge.TAGGED, 120: Edge.SENDING, 240: Edge.SAVED, 360: Edge.TAGGED}

    def commit(self: Work, edge: Edge) -> None:
        nonlocal count
        real(self, edge)
        count += 1
        due = [at for at, where in deaths.items() if count >= at and where == edge]
        if due:
            del deaths[due[0]]
            raise Killed

    monkeypatch.setattr(Work, "commit", commit)
    before = remote.mark()
    killed, space_id = 0, alpha.id
    while True:
        try:
            more = drain(space_id)
        except Killed:
            killed += 1
            forget_process()
            continue
        db.session.refresh(alpha)
        db.session.commit()
        if not more and alpha.wake_at is None:
            break
    assert killed == 4
    assert states() == {"synced": some}
    vouchers = remote.sevdesk()["vouchers"]
    assert len(vouchers) == len({voucher["description"] for voucher in vouchers}) == some
    calls = remote.calls(before)
    lists = [call for call in calls if call.endswith(("/invoices", "/Contact", "forRevenue"))]
    assert len(lists) < 20
    # One more upload or look for each death, and nothing else.
    assert len(calls) - len(lists) <= 5 * some + 2 * killed
    assert not [call for call in calls if "GET /invoices/" in call and ".pdf" not in call]


def test_a_new_invoice_goes_before_all_old_ones(remote: Remote, some: int, alpha: Space) -> None:
    backfill.WORK.start(alpha, prepared(alpha))
    drain(alpha.id, seconds=0.2)
    new = remote.invoice("alpha", number="new", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(new))
    assert queue_for(alpha.id) == "drain"
    done_before = states()["synced"]
    drain_all(alpha, until=lambda: row_of(new).state == State.SYNCED)
    drain(alpha.id, seconds=0)
    old = db.session.scalar(
        select(func.count()).where(
            InvoiceSync.finished_at < row_of(new).finished_at, InvoiceSync.is_backfill.is_(True)
        )
    )
    assert old is not None
    assert old <= done_before + 1


def test_pause_go_on_and_cancel(remote: Remote, alpha: Space) -> None:
    for number in range(25):
        remote.invoice(
            "alpha", number=f"n-{number}", invoiceDate="2026-04-01", items=[line()], debitor=XYZ
        )
    task = prepared(alpha)
    backfill.WORK.start(alpha, task)
    while not states():
        drain(alpha.id, seconds=0.02)
    assert tasks.pause(task, alpha, actor="admin:owner")
    drain_all(alpha)
    seen = backfill.WORK.progress(alpha, task)
    assert (seen.task.state, seen.finished, seen.task.total) == ("paused", 10, 25)
    with pytest.raises(tasks.TaskOpen):
        backfill.prepare(alpha, FIRST, LAST, actor="admin:owner")
    assert backfill.WORK.go_on(alpha, task, actor="admin:owner")
    db.session.commit()
    while sum(states().values()) == 10:
        drain(alpha.id, seconds=0.02)
    assert tasks.cancel(task, alpha, actor="admin:owner")
    drain_all(alpha)
    assert states() == {"synced": 20}
    assert not backfill.WORK.go_on(alpha, task, actor="admin:owner")
    rest = prepared(alpha)
    assert rest.result["to_do"] == 5


def test_a_dead_token_pauses_it_and_a_new_one_lets_it_go_on(
    remote: Remote, some: int, alpha: Space
) -> None:
    task = prepared(alpha)
    backfill.WORK.start(alpha, task)
    remote.fault("sevdesk", "status:401", times=0, path="/Voucher*")
    drain_all(alpha)
    db.session.refresh(alpha)
    seen = backfill.WORK.progress(alpha, task)
    assert (seen.task.state, seen.task.pause_code) == ("paused", "token_invalid")
    remote.control("DELETE", "/faults")
    pauses.clear(alpha)
    alpha.wake_at = utcnow()
    db.session.commit()
    drain_all(alpha)
    assert states() == {"synced": 12}


@pytest.mark.parametrize("some", [6], indirect=True)
@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 4}])
def test_within_the_real_kind_of_budget_nothing_is_asked_twice(
    remote: Remote, some: int, alpha: Space, settings: dict[str, object]
) -> None:
    task = prepared(alpha)
    assert backfill.WORK.start(alpha, task)
    db.session.refresh(task)
    assert (backfill.WORK.progress(alpha, task).task.rest_seconds or 0) >= 6
    before = remote.mark()
    while states()["synced"] < some:
        drain(alpha.id)
    calls = Counter(call for call in remote.calls(before) if " POST " not in call)
    once = {call: count for call, count in calls.items() if "GET /Voucher" not in call}
    assert set(once.values()) <= {1}
    assert calls["sevdesk GET /Voucher"] == some


def test_an_invoice_that_fails_stays_to_be_healed_and_the_others_go_on(
    remote: Remote, alpha: Space
) -> None:
    remote.invoice(
        "alpha", number="bad", invoiceDate="2026-04-01", items=[line(code="Neu")], debitor=XYZ
    )
    remote.invoice("alpha", number="good", invoiceDate="2026-04-02", items=[line()], debitor=XYZ)
    backfill.WORK.start(alpha, prepared(alpha))
    drain_all(alpha)
    seen = backfill.WORK.progress(alpha, tasks.current(alpha, "backfill"))  # type: ignore[arg-type]
    assert (seen.synced, seen.failed, seen.task.state) == (1, 1, "done")


def test_what_stands_in_the_log_already_counts_as_there_however_it_ended(
    remote: Remote, alpha: Space
) -> None:
    for number, code in (("bad", "Neu"), ("good", "Mitgliedschaft")):
        remote.invoice(
            "alpha",
            number=number,
            invoiceDate="2026-04-01",
            items=[line(code=code)],
            debitor=XYZ,
        )
    backfill.WORK.start(alpha, prepared(alpha))
    drain_all(alpha)
    again = prepared(alpha)
    outcome = rehearsal.outcome_of(again)
    assert outcome is not None
    assert (again.state, again.result["to_do"]) == ("done", 0)
    assert (outcome.known, outcome.failed, outcome.ok) == (2, 0, 0)
