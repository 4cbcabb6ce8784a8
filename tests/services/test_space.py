"""A space as a whole: connecting, hooks, pauses, catching up, budgets, letting go."""

from __future__ import annotations

import threading
import time
from datetime import date, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from portal.core import core
from portal.database import db, utcnow
from portal.errors import BudgetExhausted
from portal.models import Budget, InboxEvent, InvoiceSync, Lease, Space, State, StateCount
from portal.services import (
    budgets,
    catchup,
    clients,
    connection,
    directory,
    locks,
    signin,
    upkeep,
    vault,
    webhooks,
)
from portal.services.connection import Choices, SettingsRefused, SevdeskSettings
from portal.services.drain import drain
from portal.services.edges import Edge
from portal.services.work import Work
from tests.calendar_day import today
from tests.services.conftest import (
    TOKEN,
    Remote,
    admin_named,
    announce,
    connect,
    id_of,
    line,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}


def test_connecting_subscribes_to_every_event_and_disconnecting_takes_all_away(
    remote: Remote, alpha: Space
) -> None:
    made = remote.space()["subscriptions"]
    assert len(made) == 6
    assert all(one["active"] for one in made)
    secret = vault.get(alpha, "hook_secret")
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert remote.space()["subscriptions"] == []
    assert alpha.sealed_cobot_token is alpha.sealed_sevdesk_token is None
    assert secret is not None
    body = b'{"url":"http://x"}'
    assert webhooks.receive(secret, "created_invoice", body=body, content_type=None) == 410


@pytest.mark.parametrize(
    ("settings_", "field", "code"),
    [
        (SevdeskSettings("0" * 32, None, 0), "api_token", "token_invalid"),
        (SevdeskSettings(None, None, 0), "api_token", "token_needed"),
        (SevdeskSettings(TOKEN, "999", 0), "cost_centre_number", "cost_centre_missing"),
    ],
)
def test_settings_that_do_not_fit_are_refused_and_nothing_is_saved(
    remote: Remote, core_app: Flask, settings_: SevdeskSettings, field: str, code: str
) -> None:
    token = remote.user_token("owner")
    admin = signin.sign_in(token)
    space = directory.all_spaces_of_address(admin, "alpha")
    assert space is not None
    with pytest.raises(SettingsRefused) as refused:
        connection.save_settings(space, settings_, admin=admin, user_token=token)
    assert (refused.value.field, refused.value.code) == (field, code)
    db.session.refresh(space)
    assert not space.is_connected
    assert remote.space()["subscriptions"] == []


def test_an_account_of_version_one_is_refused(remote: Remote, core_app: Flask) -> None:
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"version": "1.0"})
    with pytest.raises(SettingsRefused, match="sevdesk_version"):
        connect(remote, "owner", "alpha", TOKEN)


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 70_000,
        b"not json",
        b"[]",
        b"{}",
        b'{"url": 7}',
        b'{"url": "http://evil.example/api/invoices/inv-1"}',
        b'{"url": "http://127.0.0.1@evil.example/api/invoices/inv-1"}',
        b"\xff\xfe",
    ],
)
def test_a_hook_that_is_not_ours_is_counted_and_nothing_is_kept(alpha: Space, body: bytes) -> None:
    secret = vault.get(alpha, "hook_secret")
    assert secret is not None
    db.session.commit()
    status = webhooks.receive(secret, "created_invoice", body=body, content_type="application/json")
    assert status == 400
    assert db.session.scalar(select(func.count(InboxEvent.id))) == 0
    db.session.refresh(alpha)
    assert alpha.hook_rejected_count == 1


def test_an_unknown_secret_is_not_found(alpha: Space) -> None:
    assert webhooks.receive("wrong", "created_invoice", body=b"{}", content_type=None) == 404


def test_a_form_is_taken_as_well(remote: Remote, alpha: Space) -> None:
    base = core().config.cobot_space_url.format(subdomain="alpha")
    secret = vault.get(alpha, "hook_secret")
    assert secret is not None
    db.session.commit()
    body = f"url={base}/api/invoices/inv-9".encode()
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    assert webhooks.receive(secret, "created_invoice", body=body, content_type=kind) == 202


def test_a_refused_token_pauses_the_space_and_a_new_one_lets_it_go_on(
    remote: Remote, alpha: Space
) -> None:
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"revoked": True})
    made = sync(remote, alpha, debitor=XYZ)
    db.session.refresh(alpha)
    assert alpha.pause_code == "token_invalid"
    assert row_of(made).state == State.WAITING
    assert len(remote.space()["activities"]) == 1
    before = remote.mark()
    work(alpha)
    assert remote.calls(before) == []
    remote.control("PATCH", f"/sevdesk/{TOKEN}", {"new_token": "c3" * 16, "revoked": False})
    connection.save_settings(
        alpha, SevdeskSettings("c3" * 16, None, 14), admin=admin_named("owner"), user_token=None
    )
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_the_nightly_comparison_finds_what_no_hook_told(remote: Remote, alpha: Space) -> None:
    alpha.start_date = today(days_ago=10)
    db.session.commit()
    missed = remote.invoice("alpha", items=[line()], debitor=XYZ)
    assert catchup.catch_up(alpha.id) == 1
    assert catchup.catch_up(alpha.id) == 0
    work(alpha)
    assert row_of(missed).state == State.SYNCED


@pytest.mark.parametrize("slip", [date.min, date(2062, 1, 1)])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_start_date_that_nobody_means_does_not_keep_the_comparison_from_its_work(
    remote: Remote, alpha: Space, slip: date, is_first: bool
) -> None:
    """Such dates were saved before the form refused them."""
    alpha.start_date = slip
    alpha.caught_up_on = None if is_first else today(days_ago=1)
    day, long_ago = alpha.caught_up_on or today(), today(days_ago=60)
    db.session.commit()
    missed, _ = (
        remote.invoice("alpha", items=[line()], debitor=XYZ, invoiceDate=one.isoformat())
        for one in (day, long_ago)
    )
    assert catchup.catch_up(alpha.id) == 1, "the last weeks, not all that there ever was"
    assert row_of(missed).state == State.WAITING


def test_a_comparison_that_was_asked_for_twice_is_made_once(remote: Remote, alpha: Space) -> None:
    """Upkeep asks again while the first one still works: the second finds it done."""
    alpha.caught_up_on = None
    db.session.commit()
    before = remote.mark()
    catchup.catch_up_if_due(alpha.id)
    once = remote.calls(before)
    assert "cobot-api GET /spaces/s-a/invoices" in once
    catchup.catch_up_if_due(alpha.id)
    assert remote.calls(before) == once


def test_a_subscription_that_cobot_switched_off_is_made_again(remote: Remote, alpha: Space) -> None:
    gone = remote.space()["subscriptions"][0]["id"]
    remote.control("DELETE", f"/cobot/spaces/alpha/subscriptions/{gone}")
    catchup.catch_up(alpha.id)
    assert len(remote.space()["subscriptions"]) == 6


def test_what_is_due_without_an_alarm_gets_one(remote: Remote, alpha: Space) -> None:
    announce(alpha, "created_invoice", "inv-404")
    alpha.wake_at = None
    db.session.commit()
    assert upkeep.sweep_all_spaces() == 1
    assert upkeep.tick_all_spaces() == 1


def test_an_alarm_is_kept_to_the_moment(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for its budget of calls must not lose a part of it between two looks."""
    pauses: list[float] = []
    monkeypatch.setattr(upkeep.time, "sleep", pauses.append)
    monkeypatch.setattr(upkeep, "sweep_all_spaces", lambda: 0)
    once = iter((False, True))
    with time_machine.travel(utcnow(), tick=False):
        alpha.wake_at = utcnow() + timedelta(seconds=0.1)
        db.session.commit()
        upkeep.run(lambda: next(once))
    assert pauses == [pytest.approx(0.1)]
    db.session.get_one(Space, alpha.id).wake_at = utcnow() + timedelta(hours=1)
    db.session.commit()
    once = iter((False, True))
    upkeep.run(lambda: next(once))
    assert pauses[1:] == [upkeep.TICK_SECONDS]


def test_upkeep_does_not_run_after_a_burst(
    remote: Remote, alpha: Space, beta: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hook of a burst sets the alarm that upkeep has just seen to; the alarm of another space
    is kept to the moment all the same."""
    pauses: list[float] = []
    announce(alpha, "created_invoice", "inv-1")

    def tick() -> int:
        woken = before()
        announce(alpha, "created_invoice", "inv-2")
        return woken

    before = upkeep.tick_all_spaces
    monkeypatch.setattr(upkeep, "tick_all_spaces", tick)
    monkeypatch.setattr(upkeep.time, "sleep", pauses.append)
    monkeypatch.setattr(upkeep, "sweep_all_spaces", lambda: 0)
    once = iter((False, False, True))
    upkeep.run(lambda: next(once))
    assert pauses == [upkeep.TICK_SECONDS] * 2
    once = iter((False, True))
    with time_machine.travel(utcnow(), tick=False):
        db.session.get_one(Space, beta.id).wake_at = utcnow() + timedelta(seconds=0.1)
        db.session.commit()
        upkeep.run(lambda: next(once))
    assert pauses[2:] == [pytest.approx(0.1)]


def test_the_same_hook_fifty_times_makes_one_row(remote: Remote, alpha: Space) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    for _ in range(50):
        announce(alpha, "created_invoice", id_of(made))
    work(alpha)
    assert len(remote.sevdesk()["vouchers"]) == 1
    event = db.session.scalars(select(InboxEvent)).one()
    assert event.seen_count == 50


def test_a_change_of_an_invoice_that_we_do_not_have_starts_no_sync(
    remote: Remote, alpha: Space
) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    before = remote.mark()
    for event in ("updated_invoice", "wrote_off_invoice", "requested_e_invoice", "deleted_invoice"):
        assert announce(alpha, event, id_of(made)) == 202
    work(alpha)
    assert db.session.scalars(select(InvoiceSync)).all() == []
    assert remote.calls(before) == []


def test_counts_of_states_agree_with_the_rows(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    sync(remote, alpha, debitor=XYZ, items=[line(code="Meeting")])
    rows = dict(
        db.session.execute(
            select(InvoiceSync.state, func.count()).group_by(InvoiceSync.state)
        ).all()
    )
    counts = {
        one.state: one.invoices for one in db.session.scalars(select(StateCount)) if one.invoices
    }
    assert rows == counts == {"synced": 1, "failed": 1}


def test_choosing_a_tax_rule_heals_what_waited_for_it(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(rate="0")])
    assert row_of(made).cause_code == "tax_rule_needed"
    connection.save_choices(alpha, Choices("4", "ask", False, 100), admin=admin_named("owner"))
    work(alpha)
    assert row_of(made).state == State.SYNCED


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 3}])
def test_an_exhausted_budget_ends_the_drain_without_sleeping_and_no_call_is_made_twice(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    deadline = time.monotonic() + 20
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    before = remote.mark()
    announce(alpha, "created_invoice", id_of(made))
    drain(alpha.id)
    drains = 1
    while row_of(made).state != State.SYNCED:
        assert time.monotonic() < deadline
        drain(alpha.id)
        drains += 1
    assert drains > 1
    calls = remote.calls(before)
    assert len(calls) == len(set(calls))


def test_a_budget_gives_out_no_more_than_its_calls_in_any_window(core_app: Flask) -> None:
    limit = budgets.Limit(5, 60.0)
    for _ in range(5):
        budgets.take("key", limit)
    with pytest.raises(BudgetExhausted) as refused:
        budgets.take("key", limit)
    assert 59 < (refused.value.retry_after_seconds or 0) <= 60
    assert len(db.session.get_one(Budget, "key").calls) == 5


def test_two_workers_never_hold_the_same_space(core_app: Flask) -> None:
    held: list[bool] = []

    def try_it() -> None:
        with core_app.app_context(), locks.space_lock(1) as lock:
            held.append(lock is not None)

    with locks.space_lock(1) as mine:
        assert mine is not None
        other = threading.Thread(target=try_it)
        other.start()
        other.join()
    try_it()
    assert held == [False, True]


def test_the_lease_of_a_dead_worker_is_free_at_once(core_app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL frees an advisory lock with its connection")
    db.session.add(
        Lease(name="space:7", owner="999999999:1:x", expires_at=utcnow() + locks.LEASE, fence=3)
    )
    db.session.commit()
    with locks.space_lock(7) as lock:
        assert lock is not None


def test_a_lock_that_went_to_another_worker_lets_nothing_be_committed(core_app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("on PostgreSQL the connection is the lock")
    with locks.space_lock(8) as lock:
        assert lock is not None
        lease = db.session.get_one(Lease, "space:8")
        lease.fence += 1
        db.session.commit()
        with pytest.raises(locks.LockLost):
            lock.confirm()
        db.session.rollback()


def test_a_worker_whose_lock_is_gone_commits_nothing(alpha: Space) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("on PostgreSQL the connection is the lock")
    with locks.space_lock(alpha.id) as lock:
        assert lock is not None
        db.session.get_one(Lease, f"space:{alpha.id}").fence += 1
        db.session.commit()
        at_hand = Work(alpha, clients.remotes_of(alpha), lock)
        alpha.name = "Changed"
        with pytest.raises(locks.LockLost):
            at_hand.commit(Edge.LATER)
        db.session.rollback()
    db.session.refresh(alpha)
    assert alpha.name != "Changed"


def test_no_token_can_be_read_in_the_database(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    secrets = [vault.get(alpha, field) for field in ("cobot_token", "sevdesk_token", "hook_secret")]
    db.session.commit()
    everything = "\n".join(
        repr([bytes(value) if isinstance(value, memoryview) else value for value in row])
        for table in db.metadata.sorted_tables
        for row in db.session.execute(select(table))
    )
    assert "XYZ Design" in everything
    for secret in secrets:
        assert secret
        assert secret not in everything
