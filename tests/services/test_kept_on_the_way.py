"""What was read of an invoice is kept with the permission to send, or where it goes no further."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from portal.core import core
from portal.database import db, utcnow
from portal.errors import BudgetExhausted
from portal.models import (
    HistoryLine,
    InvoiceSync,
    LineCalls,
    PersonName,
    Space,
    State,
    Step,
)
from portal.services import connection, history, receipts
from portal.services.drain import drain
from portal.services.edges import Edge
from portal.services.locks import LockLost
from portal.services.work import Parked, Work
from portal.sync.plans import VoucherPlan
from tests.services.conftest import (
    Json,
    Remote,
    admin_named,
    announce,
    id_of,
    line,
    row_of,
    steps_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
NEW = {"type": "memberships", "id": "mem-new"}


def broken(*_: Any) -> None:
    raise ZeroDivisionError


@pytest.fixture
def warm(remote: Remote, alpha: Space) -> Space:
    """A space whose accounts were just read: nothing has to be asked before the receipt."""
    sync(remote, alpha, debitor=XYZ)
    return alpha


def issue(remote: Remote, space: Space, **given: Any) -> Json:
    made = remote.invoice("alpha", **({"debitor": XYZ, "items": [line()]} | given))
    announce(space, "created_invoice", id_of(made))
    return made


def endpoints(invoice: Json) -> dict[str, list[str]]:
    found = db.session.execute(
        select(HistoryLine.step, HistoryLine.outcome, LineCalls.calls)
        .join(LineCalls, LineCalls.line_id == HistoryLine.id)
        .where(HistoryLine.invoice_id == row_of(invoice).id)
        .order_by(HistoryLine.number)
    ).all()
    db.session.commit()
    return {f"{step} {end}": [one["endpoint"] for one in calls] for step, end, calls in found}


def assert_it_is_shown(invoice: Json, state: State) -> None:
    row = row_of(invoice)
    assert (row.state, row.step) == (state, Step.FETCHED)
    assert row.number
    assert row.lines
    assert row.due_date is not None
    name = db.session.scalar(select(PersonName.name).where(PersonName.id == row.person_id))
    assert name
    assert history.verify(db.session.get_one(Space, row.space_id))[1] == []
    db.session.commit()


def test_an_invoice_that_goes_through_is_kept_three_times(remote: Remote, warm: Space) -> None:
    edges: list[Edge] = []
    commit = Work.commit

    def noting(self: Work, edge: Edge) -> None:
        commit(self, edge)
        edges.append(edge)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Work, "commit", noting)
        made = sync(remote, warm, debitor=XYZ)
    assert edges == [Edge.SENDING, Edge.SAVED, Edge.TAGGED]
    steps = ("announced", "fetched", "uploaded", "sending", "saved", "tagged")
    assert steps_of(made) == [f"{step} done" for step in steps]
    assert endpoints(made) == {
        "fetched done": ["GET /invoices/{id}"],
        "uploaded done": [
            "GET /Contact",
            "GET /Voucher",
            "GET /invoices/{id}.pdf",
            "POST /Voucher/Factory/uploadTempFile",
        ],
        "saved done": ["POST /Voucher/Factory/saveVoucher"],
        "tagged done": ["POST /Tag/Factory/create"],
    }
    lines = db.session.scalars(
        select(HistoryLine)
        .where(HistoryLine.invoice_id == row_of(made).id)
        .order_by(HistoryLine.number)
    ).all()
    moments = [one.at for one in lines]
    assert moments == sorted(moments)
    assert lines[1].at < lines[2].at, "read before, and said so"


@pytest.mark.parametrize("path", ["/Voucher", "/Voucher/Factory/uploadTempFile"])
def test_an_invoice_whose_way_is_blocked_shows_what_was_read(
    remote: Remote, warm: Space, path: str
) -> None:
    remote.fault("sevdesk", "status:503", path=path, times=0)
    made = issue(remote, warm)
    drain(warm.id)
    assert_it_is_shown(made, State.WAITING)
    assert steps_of(made)[:3] == ["announced done", "fetched done", "sync later"]
    assert endpoints(made)["fetched done"] == ["GET /invoices/{id}"]
    assert row_of(made).cause_code == "upstream_down"
    remote.control("DELETE", "/faults")
    row_of(made).next_try_at = utcnow()
    db.session.commit()
    work(warm)
    assert row_of(made).state == State.SYNCED
    assert steps_of(made).count("fetched done") == 1


def test_an_invoice_that_waits_for_its_member_shows_what_was_read(
    remote: Remote, warm: Space
) -> None:
    remote.fault("sevdesk", "status:503", path="/Contact/Factory/getNextCustomerNumber", times=0)
    announce(warm, "confirmed_membership", "mem-new")
    made = issue(remote, warm, debitor=NEW)
    drain(warm.id)
    assert row_of(made).cause_code == "member_pending"
    assert_it_is_shown(made, State.WAITING)


@pytest.mark.parametrize(
    ("owner", "name"), [(receipts, "upload"), (VoucherPlan, "fingerprint")], ids=["before", "last"]
)
def test_a_fault_of_our_own_shows_what_was_read(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    monkeypatch.setattr(owner, name, broken)
    made = issue(remote, warm)
    drain(warm.id)
    assert row_of(made).cause_code == "unexpected"
    assert_it_is_shown(made, State.FAILED)


def test_a_retry_that_comes_while_sevdesk_is_asked_asks_anew(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody books by hand and presses retry, while the worker waits for the budget."""
    space_id, made = warm.id, issue(remote, warm)

    def by_hand_then_no_budget(
        work: Work, row: InvoiceSync, plan: VoucherPlan, parked: Parked
    ) -> None:
        assert parked.contact is not None
        work.remotes.sevdesk.save_voucher(plan.draft(parked.contact[0], "x", None))
        with db.engine.begin() as another:
            number = another.execute(
                update(Space)
                .where(Space.id == space_id)
                .values(sequence=Space.sequence + 1)
                .returning(Space.sequence)
            ).scalar_one()
            another.execute(
                update(InvoiceSync)
                .where(InvoiceSync.space_id == space_id, InvoiceSync.id == row.id)
                .values(sequence=number, next_try_at=utcnow())
            )
        raise BudgetExhausted("full", retry_after_seconds=1, remote="sevdesk")

    with monkeypatch.context() as patched:
        patched.setattr(receipts, "upload", by_hand_then_no_budget)
        drain(space_id)
    assert_it_is_shown(made, State.WAITING)
    row_of(made).next_try_at = utcnow()
    db.session.commit()
    drain(space_id)
    row = row_of(made)
    assert row.was_adopted or row.cause_code == "number_taken"
    assert "sending done" not in steps_of(made)


def test_nothing_of_it_is_kept_once_the_space_is_disconnected(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disconnect_and_fail(*_: Any) -> None:
        connection.disconnect(warm, admin=admin_named("owner"))
        raise ZeroDivisionError

    monkeypatch.setattr(receipts, "upload", disconnect_and_fail)
    made = issue(remote, warm)
    drain(warm.id)
    assert row_of(made).number is None
    assert "fetched done" not in steps_of(made)


def test_who_lost_the_lock_writes_nothing_and_the_next_one_reads_again(
    remote: Remote, warm: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any) -> None:
        raise LockLost("taken")

    with monkeypatch.context() as patched:
        patched.setattr(receipts, "upload", lost)
        made = issue(remote, warm)
        drain(warm.id)
    assert steps_of(made) == ["announced done"]
    assert row_of(made).number is None
    core().parked.clear()  # another process
    drain(warm.id)
    assert row_of(made).state == State.SYNCED
    assert steps_of(made).count("fetched done") == 1
    assert history.verify(warm)[1] == []
