"""Nothing lost, nothing twice: the small promises, each held where it can be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError, OperationalError

from jobs.drain import drain_space
from portal.core import core
from portal.database import db, utcnow
from portal.errors import OutcomeUnknown
from portal.jobqueue import DRAIN, INTERACTIVE
from portal.models import HistoryLine, InvoiceSync, MemberSync, Space, State
from portal.services import (
    budgets,
    catchup,
    connection,
    drain,
    history,
    inbox,
    locks,
    patience,
    retention,
    retry,
    rows,
)
from portal.services.edges import Edge
from portal.services.work import Work
from portal.sevdesk.client import SevdeskClient
from tests.services.conftest import (
    TOKEN,
    Json,
    Remote,
    admin_named,
    announce,
    connect,
    id_of,
    line,
    member_row,
    row_of,
    steps_of,
    sync,
)
from tests.services.conftest import work as work_off

XYZ = {"type": "memberships", "id": "mem-xyz"}
NEW = {"type": "memberships", "id": "mem-new"}


class Crash(BaseException):
    """The worker is gone: nothing in it may catch this."""


def dies_at(monkeypatch: pytest.MonkeyPatch, edge: Edge) -> None:
    """Let the worker die before it can commit at this edge."""
    commit = Work.commit

    def die(self: Work, reached: Edge) -> None:
        if reached == edge:
            db.session.rollback()
            raise Crash
        commit(self, reached)

    monkeypatch.setattr(Work, "commit", die)


def work_until_dead(space: Space) -> None:
    with pytest.raises(Crash):
        drain.drain(space.id)
    db.session.refresh(space)
    db.session.commit()


def make_all_due() -> None:
    for model in (InvoiceSync, MemberSync):
        db.session.execute(
            update(model)
            .where(model.next_try_at.is_not(None))
            .values(next_try_at=utcnow() - timedelta(seconds=1))
        )
    db.session.commit()


# --- what a person waits for ---------------------------------------------------------------------


@pytest.fixture
def waited_for(remote: Remote, alpha: Space) -> Json:
    """An invoice that failed, is repaired and tried again by a person, beside a burst."""
    made = sync(remote, alpha, debitor=XYZ, items=[line(code="Parkplatz")])
    for _ in range(3):
        announce(
            alpha, "created_invoice", id_of(remote.invoice("alpha", items=[line()], debitor=XYZ))
        )
    announce(alpha, "confirmed_membership", "mem-new")
    inbox.take_in(alpha.id)
    assert retry.retry_invoice(alpha, id_of(made), actor="admin:owner")
    return made


def test_what_a_person_waits_for_goes_before_everything_else(
    remote: Remote, alpha: Space, waited_for: Json
) -> None:
    before = remote.mark()
    work_off(alpha)
    reads = [call for call in remote.calls(before) if call.startswith(("cobot-api", "cobot-space"))]
    assert reads[0] == f"cobot-api GET /invoices/{id_of(waited_for)}"


def test_the_worker_for_people_does_only_what_they_wait_for(
    alpha: Space, waited_for: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Mock()
    monkeypatch.setattr("portal.core.Core.queue", queue, raising=False)
    object.__setattr__(core(), "queue", queue)
    assert drain.queue_for(alpha.id) == INTERACTIVE
    drain_space(alpha.id, INTERACTIVE)
    assert row_of(waited_for).state == State.FAILED, "it was tried"
    waiting = db.session.scalars(
        select(InvoiceSync).where(InvoiceSync.state == State.WAITING)
    ).all()
    assert len(waiting) == 3
    db.session.commit()
    queue.wake.assert_called_once_with(alpha.id, queue=DRAIN)


# --- contacts ------------------------------------------------------------------------------------


def test_a_contact_that_got_another_number_is_found_by_its_mail(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("sevdesk", "reset_after_commit", method="POST", path="/Contact")
    announce(alpha, "confirmed_membership", "mem-new")
    work_off(alpha)
    [made] = [one for one in remote.sevdesk()["contacts"] if one["familyname"] == "Müller"]
    # Somebody else took the number meanwhile, and ours has another one and an address to find.
    path = f"/sevdesk/{TOKEN}/contacts"
    remote.control(
        "PATCH", f"{path}/{made['id']}", {"customerNumber": "9001", "email": "new@example.org"}
    )
    remote.control("POST", path, {"customerNumber": made["customerNumber"], "name": "Fremde GmbH"})
    make_all_due()
    work_off(alpha)
    assert member_row("mem-new").contact_id == made["id"]


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 2}])
def test_a_worker_never_sleeps_for_a_budget(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience.time, "sleep", Mock(side_effect=AssertionError("slept")))
    remote.fault("sevdesk", "reset_after_commit", method="POST", path="/Contact")
    announce(alpha, "confirmed_membership", "mem-new")
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for turn in range(30):
            clock.shift(5)
            if turn % 2:  # others use the budget too
                budgets.take(f"sevdesk|{alpha.sevdesk_token_key}", budgets.sevdesk_limit())
            drain.drain(alpha.id)
            if member_row("mem-new").contact_id is not None:
                break
    assert member_row("mem-new").contact_id is not None
    assert len([one for one in remote.sevdesk()["contacts"] if one["familyname"] == "Müller"]) == 1


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 2}])
def test_a_token_is_tested_later_without_a_sleep(
    remote: Remote, core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.fault("sevdesk", "reset_before", path="*", times=0)
    space = connect(remote, "owner", "alpha", TOKEN, cost_centre="100")
    remote.control("DELETE", "/faults")
    monkeypatch.setattr(patience.time, "sleep", Mock(side_effect=AssertionError("slept")))
    before = remote.mark()
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        clock.shift(61)
        for _ in range(5):
            clock.shift(2)
            drain.drain(space.id)
            db.session.refresh(space)
            db.session.commit()
    assert (space.paused_at, space.cost_centre_id) == (None, "9")
    calls = [call for call in remote.calls(before) if call.startswith("sevdesk")]
    assert len(calls) == len(set(calls)) == 4


@pytest.mark.parametrize(
    ("edge", "path"),
    [(Edge.ADDRESS_DONE, "/ContactAddress"), (Edge.EMAIL_DONE, "/CommunicationWay")],
)
def test_a_worker_that_dies_over_an_address_leaves_it_written_once(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch, edge: Edge, path: str
) -> None:
    before = remote.mark()
    announce(alpha, "confirmed_membership", "mem-new")
    with monkeypatch.context() as patched:
        dies_at(patched, edge)
        work_until_dead(alpha)
    make_all_due()
    work_off(alpha)
    assert member_row("mem-new").state == State.SYNCED
    assert remote.calls(before).count(f"sevdesk POST {path}") == 1


def test_an_address_that_was_certainly_not_written_is_tried_again(
    remote: Remote, alpha: Space
) -> None:
    for path in ("/ContactAddress", "/CommunicationWay"):
        remote.fault("sevdesk", "status:503", method="POST", path=path)
    announce(alpha, "confirmed_membership", "mem-new")
    for _ in range(3):
        work_off(alpha)
        make_all_due()
    work_off(alpha)
    assert member_row("mem-new").state == State.SYNCED
    found = remote.sevdesk()
    assert len(found["addresses"]) == len(found["emails"]) == 1


# --- messages ------------------------------------------------------------------------------------


def test_a_message_is_posted_twice_at_the_most_however_many_workers_die(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = remote.invoice("alpha", items=[line(code="Parkplatz")])
    announce(alpha, "created_invoice", id_of(made))
    with monkeypatch.context() as patched:
        dies_at(patched, Edge.TOLD)
        for _ in range(4):
            work_until_dead(alpha)
            make_all_due()
    work_off(alpha)
    told = [one for one in remote.space()["activities"] if id_of(made) in one["source_ids"]]
    assert len(told) == 2
    assert row_of(made).next_try_at is None


def test_a_message_that_was_certainly_not_posted_counts_for_nothing(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("cobot-space", "status:503", method="POST", path="/api/activities", times=4)
    made = sync(remote, alpha, items=[line(code="Parkplatz")])
    for _ in range(5):
        make_all_due()
        work_off(alpha)
    told = [one for one in remote.space()["activities"] if id_of(made) in one["source_ids"]]
    assert len(told) == 1


# --- waiting -------------------------------------------------------------------------------------


def test_of_two_wishes_to_wait_the_longer_one_counts(core_app: Flask) -> None:
    budgets.block("key", 60)
    budgets.block("key", 5)
    with pytest.raises(budgets.BudgetExhausted) as refused:
        budgets.take("key", budgets.Limit(10, 1.0))
    assert (refused.value.retry_after_seconds or 0) > 50


@pytest.mark.parametrize(
    ("settings", "most"),
    [({"sevdesk_calls_per_second": 2.5}, 2), ({"sevdesk_calls_per_second": 3}, 3)],
)
def test_no_second_holds_more_calls_than_the_setting(
    core_app: Flask, settings: dict[str, object], most: int
) -> None:
    taken = []
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for tenth in range(40):
            try:
                budgets.take("key", budgets.sevdesk_limit())
            except budgets.BudgetExhausted:
                clock.shift(0.1)
            else:
                taken.append(tenth)
                continue
        assert max(taken.count(one) for one in taken) == 1
    row = db.session.scalars(select(budgets.Budget)).one()
    times = sorted(row.calls)
    assert max(sum(at <= one < at + 0.999 for one in times) for at in times) <= most


@pytest.mark.parametrize("settings", [{"retry_max_seconds": 1.0}])
def test_the_wait_is_any_moment_of_a_step_that_doubles_up_to_the_longest(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    asked = []
    monkeypatch.setattr(rows.random, "uniform", lambda low, high: asked.append((low, high)) or 0.0)
    for attempts in (1, 2, 3, 20, 10_000):
        rows.backoff_seconds(attempts)
    assert asked == [(0, 0.05), (0, 0.1), (0, 0.2), (0, 1.0), (0, 1.0)]


@pytest.mark.parametrize("settings", [{"give_up_after_seconds": 100}])
def test_a_person_is_asked_when_the_time_is_up_and_not_a_step_later(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows.random, "uniform", lambda _, high: high)
    remote.fault("sevdesk", "status:503", path="/Voucher", times=0)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        begun = utcnow()
        made = sync(remote, alpha, debitor=XYZ)
        db.session.execute(update(InvoiceSync).values(attempts=25))
        db.session.commit()
        clock.shift(60)
        work_off(alpha)
        assert row_of(made).next_try_at == begun + timedelta(seconds=100)
        clock.shift(40)
        work_off(alpha)
    assert (row_of(made).state, row_of(made).cause_code) == (State.FAILED, "gave_up")


def test_a_pause_does_not_count_as_failing(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "status:503", path="/Voucher", times=3)
    remote.fault("sevdesk", "status:401", path="/Voucher")
    made = sync(remote, alpha, debitor=XYZ)
    make_all_due()
    work_off(alpha)
    db.session.refresh(alpha)
    assert alpha.pause_code == "token_invalid"
    assert row_of(made).failing_since is None


def test_the_looks_are_counted_from_the_lost_answer(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:

        def lose(*_: object) -> None:
            clock.shift(25)
            raise OutcomeUnknown("no answer", remote="sevdesk", endpoint="POST /x")

        monkeypatch.setattr(SevdeskClient, "save_voucher", lose)
        made = sync(remote, alpha, debitor=XYZ)
        assert row_of(made).next_try_at == utcnow() + timedelta(seconds=15)


def test_fewer_than_three_looks_are_refused(make_config: object) -> None:
    with pytest.raises(ValueError, match="three looks"):
        make_config(looks_seconds="15,120")  # type: ignore[operator]


def test_a_lease_that_could_not_be_given_back_is_by_the_next_one(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL frees the lock with its connection")
    full = OperationalError("UPDATE lease", {}, Exception("database or disk is full"))
    with monkeypatch.context() as patched:
        patched.setattr(locks._LeaseLock, "release", Mock(side_effect=full))
        with locks.space_lock(1) as lock:
            assert lock is not None
    with locks.space_lock(2) as another:
        assert another is not None
    with locks.space_lock(1) as again:
        assert again is not None


# --- the night -----------------------------------------------------------------------------------


def test_a_member_that_no_hook_told_of_is_found_at_night(remote: Remote, alpha: Space) -> None:
    path = "/cobot/spaces/alpha/memberships?webhook=0"
    later = (utcnow() + timedelta(hours=1)).isoformat()
    remote.control("POST", path, {"id": "mem-late", "name": "Mia Spät", "confirmed_at": later})
    with time_machine.travel(utcnow() + timedelta(hours=2)):
        assert catchup.catch_up(alpha.id) == 1
        assert catchup.catch_up(alpha.id) == 0
    make_all_due()
    work_off(alpha)
    assert member_row("mem-late").state == State.SYNCED
    known = db.session.scalars(select(MemberSync.cobot_membership_id)).all()
    assert known == ["mem-late"], "those of before are a person's to import"


def test_a_receipt_that_is_gone_is_found_at_night_and_told(remote: Remote, alpha: Space) -> None:
    kept = sync(remote, alpha, debitor=XYZ)
    gone = sync(remote, alpha, debitor=XYZ)
    moved = sync(remote, alpha, debitor=XYZ)
    path = f"/sevdesk/{TOKEN}/vouchers"
    remote.control("DELETE", f"{path}/{row_of(gone).sevdesk_voucher_id}")
    remote.control(
        "PATCH", f"{path}/{row_of(moved).sevdesk_voucher_id}", {"voucherDate": "2020-01-01"}
    )
    catchup.catch_up(alpha.id)
    work_off(alpha)
    assert (row_of(gone).state, row_of(gone).cause_code) == (State.FAILED, "receipt_deleted")
    assert row_of(kept).state == row_of(moved).state == State.SYNCED
    assert "told done" in steps_of(gone)
    assert [id_of(gone) in one["source_ids"] for one in remote.space()["activities"]] == [True]


# --- the history ---------------------------------------------------------------------------------


def test_a_history_line_cannot_be_replaced(remote: Remote, alpha: Space) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    columns = "space_id, chain, number, previous_hash, hash, at, actor, step, outcome, facts"
    with pytest.raises(DatabaseError, match="never changed"):
        db.session.execute(
            text(
                f"INSERT OR REPLACE INTO history_line ({columns})"  # noqa: S608
                f" SELECT {columns} FROM history_line LIMIT 1"
            )
        )
    db.session.rollback()


def test_a_chain_whose_end_was_cut_off_is_found_out(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    cut = "DELETE FROM history_line WHERE id = (SELECT max(id) FROM history_line)"
    if db.engine.dialect.name == "sqlite":
        db.session.execute(text("DROP TRIGGER history_line_no_delete"))
        db.session.execute(text(cut))
        db.session.commit()
    else:
        with psycopg.connect(core().config.database_url.get_secret_value()) as owner:
            owner.execute("ALTER TABLE history_line DISABLE TRIGGER ALL")
            owner.execute(cut)
    lines, breaks = history.verify(alpha)
    assert [one.reason for one in breaks] == [f"{lines} lines, {lines + 1} were written"]


def test_what_is_left_of_a_deleted_space_says_of_which_time_its_members_were(
    remote: Remote, alpha: Space
) -> None:
    announce(alpha, "confirmed_membership", "mem-new")
    work_off(alpha)
    connection.disconnect(alpha, admin=admin_named("owner"))
    retention.delete_space(alpha)
    pruned = db.session.scalars(select(HistoryLine).where(HistoryLine.step == "pruned")).all()
    [facts] = [one.facts for one in pruned if "members" in one.facts]
    assert facts["members"] == 1
    assert facts["first_date"] == facts["last_date"] == utcnow().date().isoformat()
    assert len(facts["last_hash"]) == 64
    assert history.verify(alpha)[1] == []
