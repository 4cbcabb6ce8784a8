"""What the forty faults found, each held here in the small; the faults stand in tests/faults."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from portal.core import core
from portal.crypto import Sealer
from portal.database import db, engine_options, utcnow
from portal.errors import BudgetExhausted
from portal.models import Budget, HistoryLine, InvoiceSync, Space, State
from portal.services import budgets, catchup, connection, inbox, locks, pauses, retry, upkeep
from portal.services.connection import SevdeskSettings
from portal.services.drain import drain
from portal.services.edges import Edge
from portal.services.work import Work
from tests.services.conftest import (
    TOKEN,
    Json,
    Remote,
    admin_named,
    announce,
    id_of,
    line,
    member_row,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}
ANOTHER_KEY = base64.b64encode(b"another key of thirty-two bytes.").decode()


def test_an_invoice_repaired_in_cobot_right_after_it_failed_is_read_anew(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Parkplatz")])
    assert row_of(made).state == State.FAILED
    path = f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0"
    remote.control("PATCH", path, {"items": [line()]})
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    assert row_of(made).state == State.SYNCED


@pytest.mark.parametrize(("is_found", "mark"), [(True, "updated_invoice"), (False, None)])
def test_an_edit_while_the_outcome_is_unknown_is_not_overlooked(
    remote: Remote, alpha: Space, is_found: bool, mark: str | None
) -> None:
    effect = "reset_after_commit" if is_found else "status:500"
    remote.fault("sevdesk", effect, path="/Voucher/Factory/saveVoucher")
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).state == State.UNKNOWN
    path = f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0"
    remote.control("PATCH", path, {"items": [line(net="77.0")]})
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    for _ in range(4):
        db.session.execute(update(InvoiceSync).values(next_try_at=utcnow()))
        db.session.commit()
        work(alpha)
    assert (row_of(made).state, row_of(made).changed_in_cobot) == (State.SYNCED, mark)


@pytest.mark.parametrize("settings", [{"cobot_calls_per_minute": 20}])
def test_a_read_that_is_repeated_takes_from_the_budget_each_time(
    remote: Remote, alpha: Space
) -> None:
    before = remote.mark()
    remote.fault("cobot-api", "status:502", path="/invoices/*", times=2)
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).state == State.SYNCED
    reads = [one for one in remote.calls(before) if one.endswith(f"/invoices/{id_of(made)}")]
    kept = db.session.scalars(select(Budget).where(Budget.key.like("%GET /invoices/{id}"))).one()
    assert len(reads) == len(kept.calls) == 3


@pytest.mark.parametrize("settings", [{"cobot_calls_per_minute": 55}])
def test_a_call_that_was_long_on_its_way_brings_no_minute_over_the_limit(core_app: Flask) -> None:
    """Cobot counts when a call arrives: the first of a minute may have been on its way for long."""
    limit = budgets.cobot_limit()
    with time_machine.travel(utcnow(), tick=False) as clock:
        for _ in range(limit.calls):
            budgets.take("key", limit)
        clock.shift(60.9)
        with pytest.raises(BudgetExhausted):
            budgets.take("key", limit)
        clock.shift(0.2)
        budgets.take("key", limit)


def test_a_clock_that_was_set_back_blocks_no_budget(core_app: Flask) -> None:
    limit = budgets.Limit(2, 60.0)
    ahead = utcnow() + timedelta(hours=1)
    with time_machine.travel(ahead):
        budgets.take("key", limit)
        budgets.take("key", limit)
    budgets.take("key", limit)
    budgets.take("key", limit)
    with pytest.raises(BudgetExhausted):
        budgets.take("key", limit)


def test_a_space_whose_key_is_gone_stays_paused_and_can_be_connected_again(
    remote: Remote, alpha: Space
) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    _seal_with(ANOTHER_KEY)
    catchup.catch_up(alpha.id)
    assert alpha.pause_code == "token_unreadable"
    drain(alpha.id)
    alpha.probe_at = utcnow()
    db.session.commit()
    assert not pauses.may_work(alpha)
    token = remote.user_token("owner")
    connection.save_settings(
        alpha, SevdeskSettings(TOKEN, None, 0), admin=admin_named("owner"), user_token=token
    )
    assert len(remote.space()["subscriptions"]) == 6
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_a_space_whose_key_is_gone_can_be_disconnected(remote: Remote, alpha: Space) -> None:
    _seal_with(ANOTHER_KEY)
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert not alpha.is_connected


def _seal_with(key: str) -> None:
    object.__setattr__(core(), "sealer", Sealer([key]))


def test_rows_do_not_wait_for_hours_because_a_whole_side_was_away(
    remote: Remote, alpha: Space
) -> None:
    made = [remote.invoice("alpha", items=[line()], debitor=XYZ) for _ in range(5)]
    for one in made:
        announce(alpha, "created_invoice", id_of(one))
    inbox.take_in(alpha.id)
    db.session.execute(update(InvoiceSync).values(attempts=25))
    db.session.commit()
    remote.fault("sevdesk", "reset_before", path="/Voucher", times=0)
    drain(alpha.id)
    tried = [row_of(one).next_try_at for one in made if row_of(one).attempts > 25]
    assert len(tried) == 3, "the rest of the space waits too"
    assert max(at for at in tried if at) < utcnow() + timedelta(minutes=11)


def test_an_account_that_vanished_before_the_write_is_named(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    remote.control("DELETE", f"/sevdesk/{TOKEN}/accounts/3631")
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).cause_code == "account_missing"
    db.session.refresh(alpha)
    assert alpha.refusal_count == 0


def test_a_contact_deleted_in_sevdesk_is_forgotten(remote: Remote, alpha: Space) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    contact = member_row("mem-new").contact_id
    remote.control("DELETE", f"/sevdesk/{TOKEN}/contacts/{contact}")
    made: Json = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    assert row_of(made).state == State.MISMATCHED
    assert member_row("mem-new").contact_id is None
    assert db.session.scalars(select(InvoiceSync)).one().sent_contact_id is None


def test_a_receipt_that_stands_in_sevdesk_already_is_taken_over(
    remote: Remote, alpha: Space
) -> None:
    made = sync(remote, alpha, debitor=XYZ)
    # What a backup restored knows of it: only that it was announced.
    db.session.execute(
        update(InvoiceSync).values(
            state="waiting", step="none", sevdesk_voucher_id=None, next_try_at=utcnow()
        )
    )
    db.session.commit()
    work(alpha)
    assert (row_of(made).state, row_of(made).was_adopted) == (State.SYNCED, True)
    assert len(remote.sevdesk()["vouchers"]) == 1


def foreign_receipt(remote: Remote, number: str) -> str:
    """Make a receipt of this number that is not ours; return its id."""
    made = remote.control(
        "POST",
        f"/sevdesk/{TOKEN}/vouchers",
        {"description": number, "voucherDate": "2020-01-01", "sumGross": "1.00"},
    )
    return str(made["id"])


def test_an_invoice_is_booked_beside_all_the_receipts_that_a_person_saw(
    remote: Remote, alpha: Space
) -> None:
    strangers = [foreign_receipt(remote, "R-7") for _ in range(2)]
    made = sync(remote, alpha, number="R-7", debitor=XYZ)
    row = row_of(made)
    assert row.cause_code == "number_taken"
    assert sorted(row.cause_params["id"].split(", ")) == sorted(strangers)
    seen = row.cause_params["id"]
    strangers.append(foreign_receipt(remote, "R-7"))
    assert retry.create_anyway(alpha, id_of(made), beside=seen, actor="admin:owner")
    work(alpha)
    now = row_of(made).cause_params["id"]
    assert now == strangers[-1]  # nobody saw this one yet
    assert not retry.create_anyway(alpha, id_of(made), beside=seen, actor="admin:second")
    assert retry.create_anyway(alpha, id_of(made), beside=now, actor="admin:owner")
    work(alpha)
    row = row_of(made)
    assert (row.state, row.sevdesk_voucher_id in strangers) == (State.SYNCED, False)
    assert len(remote.sevdesk()["vouchers"]) == 4


@pytest.mark.parametrize(
    "alarm",
    [
        # As upkeep leaves it: woken, and to be woken again in a minute should nobody look.
        upkeep.WAKE_AGAIN,
        # A hook found the alarm gone off and let it be; the lock's holder cleared it meanwhile.
        None,
    ],
)
def test_a_wake_up_that_finds_the_lock_taken_comes_again_soon(
    alpha: Space, alarm: timedelta | None
) -> None:
    alpha.wake_at = None if alarm is None else utcnow() + alarm
    db.session.commit()
    with locks.space_lock(alpha.id) as lock:
        assert lock is not None
        assert drain(alpha.id) is False
    db.session.refresh(alpha)
    assert alpha.wake_at is not None
    assert alpha.wake_at < utcnow() + timedelta(seconds=2)


def test_a_space_that_was_disconnected_gets_no_alarm_by_a_late_wake_up(alpha: Space) -> None:
    connection.disconnect(alpha, admin=admin_named("owner"))
    with locks.space_lock(alpha.id) as lock:
        assert lock is not None
        drain(alpha.id)
    db.session.refresh(alpha)
    assert alpha.wake_at is None


def test_a_paused_space_takes_in_what_is_announced_while_it_looks(
    alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses.pause(alpha, "space_suspended")
    announce(alpha, "created_invoice", "inv-1")
    # The hook comes right after the drain has looked.
    with monkeypatch.context() as patched:
        patched.setattr(inbox, "take_in", lambda _: 0)
        assert drain(alpha.id) is True
    assert drain(alpha.id) is False
    assert db.session.scalars(select(InvoiceSync)).one().cobot_invoice_id == "inv-1"


def test_nothing_is_written_once_the_space_is_disconnected(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Work.commit

    def commit_and_disconnect(self: Work, edge: Edge) -> None:
        commit(self, edge)
        if edge == Edge.FETCHED:
            connection.disconnect(alpha, admin=admin_named("owner"))

    monkeypatch.setattr(Work, "commit", commit_and_disconnect)
    made = sync(remote, alpha, debitor=XYZ)
    assert remote.sevdesk()["vouchers"] == []
    assert row_of(made).state == State.WAITING


def test_a_postgres_that_does_not_answer_is_given_up_after_seconds() -> None:
    assert 0 < engine_options("postgresql+psycopg://x/y")["connect_args"]["connect_timeout"] <= 10


def test_a_line_that_puts_off_belongs_to_the_attempt_that_it_ends(
    remote: Remote, alpha: Space
) -> None:
    """Seen on an invoice's page: the first line of a first attempt read "Versuch 2"."""
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    remote.fault("sevdesk", "reset_before", path="/Voucher", times=0)
    drain(alpha.id)
    query = select(HistoryLine).where(HistoryLine.invoice_id == row_of(made).id)
    lines = db.session.scalars(query.order_by(HistoryLine.number)).all()
    first = next(place for place, one in enumerate(lines) if one.outcome == "later")
    tried = {one.facts["attempt"] for one in lines[: first + 1] if "attempt" in one.facts}
    assert tried == {1}
    assert row_of(made).attempts >= 1
