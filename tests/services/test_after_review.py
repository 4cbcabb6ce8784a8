"""Corners in which an invoice could be lost, booked twice, or told wrongly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select, update

from portal.cobot.client import CobotClient
from portal.crypto import digest
from portal.database import db, utcnow
from portal.errors import TemporaryError
from portal.models import HistoryLine, InvoiceSync, Space, State
from portal.services import (
    catchup,
    clients,
    connection,
    inbox,
    invoices,
    locks,
    pauses,
    receipts,
    record,
    space_row,
    upkeep,
    vault,
)
from portal.services.connection import SevdeskSettings
from portal.services.drain import drain
from portal.services.retry import retry_invoice
from portal.services.settling import TAG_TRIES
from portal.services.work import Work
from portal.sevdesk.client import SevdeskClient
from portal.sevdesk.records import Voucher
from tests.services.conftest import (
    BETA_TOKEN,
    TOKEN,
    Remote,
    admin_named,
    announce,
    id_of,
    line,
    member_row,
    row_of,
    steps_of,
    sync,
    work,
)
from tests.stack import Json

XYZ = {"type": "memberships", "id": "mem-xyz"}


def due_now(row: InvoiceSync) -> None:
    row.next_try_at = utcnow() - timedelta(seconds=1)
    db.session.commit()


def test_a_retry_while_the_message_is_posted_keeps_the_invoice_due(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CobotClient.post_activity

    def post(self: CobotClient, *args: object) -> None:
        real(self, *args)  # type: ignore[arg-type]
        monkeypatch.setattr(CobotClient, "post_activity", real)
        with db.engine.begin() as other:  # another process, at the same time
            other.execute(update(InvoiceSync).values(state="waiting", next_try_at=utcnow()))

    monkeypatch.setattr(CobotClient, "post_activity", post)
    made = remote.invoice("alpha", items=[line(code="Meeting")], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    drain(alpha.id, seconds=0.01)
    row = row_of(made)
    assert (row.state, row.next_try_at is not None) == (State.WAITING, True)


def test_upkeep_finds_what_is_in_work_without_a_time(remote: Remote, alpha: Space) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    inbox.take_in(alpha.id)
    row = row_of(made)
    row.next_try_at = None
    db.session.commit()
    upkeep.sweep_all_spaces()
    work(alpha)
    assert row_of(made).state == State.SYNCED


@pytest.mark.parametrize("answer", ["garbage", "status:400"])
def test_a_look_that_is_answered_badly_settles_nothing(
    remote: Remote, alpha: Space, answer: str
) -> None:
    remote.fault("sevdesk", "reset_after_commit", path="/Voucher/Factory/saveVoucher")
    made = sync(remote, alpha, debitor=XYZ)
    remote.fault("sevdesk", answer, method="GET", path="/Voucher")
    due_now(row_of(made))
    work(alpha)
    deadline = time.monotonic() + 20
    while row_of(made).state == State.UNKNOWN:
        assert time.monotonic() < deadline
        drain(alpha.id)
    assert row_of(made).state == State.SYNCED
    assert "look later" in steps_of(made)
    assert not [step for step in steps_of(made) if step.endswith("failed")]
    assert len(remote.sevdesk()["vouchers"]) == 1


@pytest.mark.parametrize("settings", [{"sevdesk_calls_per_second": 2}])
def test_a_refusal_is_kept_although_the_budget_is_used_up(
    remote: Remote, alpha: Space, settings: dict[str, object]
) -> None:
    announce(alpha, "confirmed_membership", "mem-xyz")
    deadline = time.monotonic() + 30
    drain(alpha.id)
    while member_row("mem-xyz").state != State.SYNCED:
        assert time.monotonic() < deadline
        drain(alpha.id)
    remote.fault("sevdesk", "status:422", path="/Voucher/Factory/saveVoucher")
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    drain(alpha.id)
    while row_of(made).state != State.FAILED:
        assert time.monotonic() < deadline
        drain(alpha.id)
    assert row_of(made).cause_code == "rejected_by_sevdesk"


def test_a_right_that_only_members_need_does_not_stop_the_invoices(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("cobot-space", "status:403", method="PUT", times=0)
    announce(alpha, "confirmed_membership", "mem-new")
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-new"})
    db.session.refresh(alpha)
    assert not alpha.is_paused
    assert row_of(made).state == State.SYNCED
    assert member_row("mem-new").cause_code == "number_not_written"


def test_a_receipt_without_its_tag_is_never_called_not_synced(remote: Remote, alpha: Space) -> None:
    remote.fault("sevdesk", "status:422", path="/Tag/Factory/create", times=0)
    before = remote.mark()
    made = sync(remote, alpha, debitor=XYZ)
    _until_it_rests(made, alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.SYNCED, "tag_missing")
    assert remote.calls(before).count("sevdesk POST /Tag/Factory/create") == TAG_TRIES
    assert remote.space()["activities"] == []
    remote.control("DELETE", "/faults")
    assert retry_invoice(alpha, id_of(made), actor="admin:owner")
    work(alpha)
    assert (row_of(made).cause_code, remote.sevdesk()["vouchers"][0]["tags"]) == (None, ["Import"])


def _until_it_rests(made: Json, space: Space) -> None:
    with time_machine.travel(utcnow(), tick=False) as clock:
        while (next_try_at := row_of(made).next_try_at) is not None:
            clock.move_to(next_try_at)
            work(space)


@pytest.mark.parametrize("answer", ["status:422", "status:404", "garbage"])
def test_a_tag_that_is_refused_for_a_while_is_set_without_a_person(
    remote: Remote, alpha: Space, answer: str
) -> None:
    """Found by a storm: one refusal left the receipt without its tag for good."""
    remote.fault("sevdesk", answer, path="/Tag/Factory/create", times=3)
    made = sync(remote, alpha, debitor=XYZ)
    _until_it_rests(made, alpha)
    row = row_of(made)
    assert (row.state, row.cause_code) == (State.SYNCED, None)
    assert [one["tags"] for one in remote.sevdesk()["vouchers"]] == [["Import"]]


def test_our_receipt_is_recognised_although_the_name_changed_meanwhile(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("sevdesk", "reset_after_commit", path="/Voucher/Factory/saveVoucher")
    made = sync(remote, alpha, debitor={"type": "memberships", "id": "mem-lost"})
    record.name_person(alpha.id, "memberships", "mem-lost", "Somebody Else")
    db.session.commit()
    due_now(row_of(made))
    work(alpha)
    assert row_of(made).state == State.MISMATCHED
    assert len(remote.sevdesk()["vouchers"]) == 1


def test_a_correction_with_the_wrong_sign_is_shown() -> None:
    row = InvoiceSync(gross=Decimal("-119.00"), sevdesk_gross=Decimal("119.00"))
    row.sent_credit_debit = "D"
    warning = receipts._warning(row, None)
    assert warning is not None
    assert warning.code == "sum_differs"


def test_a_stop_by_hand_outlives_settings_that_could_not_be_tested(
    remote: Remote, alpha: Space
) -> None:
    pauses.hold(alpha, actor="admin:owner")
    db.session.commit()
    remote.fault("sevdesk", "status:503", times=0)
    connection.save_settings(
        alpha, SevdeskSettings(TOKEN, None, 5), admin=admin_named("owner"), user_token=None
    )
    db.session.refresh(alpha)
    assert alpha.pause_code == pauses.BY_HAND


def test_a_pause_ends_the_drain_that_is_running(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        announce(alpha, "created_invoice", id_of(remote.invoice("alpha", items=[line()])))
    seen: list[str] = []
    real = invoices.sync

    def stop_after_the_first(work: Work, row: InvoiceSync) -> None:
        real(work, row)
        seen.append("one")
        pauses.hold(alpha, actor="admin:owner")
        db.session.commit()

    monkeypatch.setattr(invoices, "sync", stop_after_the_first)
    drain(alpha.id)
    assert seen == ["one"]


def test_a_zero_invoice_that_is_filled_in_later_is_booked(remote: Remote, alpha: Space) -> None:
    made = sync(remote, alpha, debitor=XYZ, items=[line(net="0.0")])
    assert row_of(made).state == State.SKIPPED
    remote.control(
        "PATCH", f"/cobot/spaces/alpha/invoices/{id_of(made)}?webhook=0", {"items": [line()]}
    )
    announce(alpha, "updated_invoice", id_of(made))
    work(alpha)
    assert row_of(made).state == State.SYNCED


def test_a_space_that_was_away_for_months_is_compared_from_its_start(
    remote: Remote, alpha: Space
) -> None:
    today = utcnow().date()
    old = remote.invoice(
        "alpha", items=[line()], debitor=XYZ, invoiceDate=(today - timedelta(days=90)).isoformat()
    )
    alpha.start_date = today - timedelta(days=120)
    alpha.caught_up_on = None
    db.session.commit()
    assert catchup.catch_up(alpha.id) == 1
    work(alpha)
    assert row_of(old).state == State.SYNCED
    assert db.session.query(HistoryLine).count() > 0


def test_a_drain_ends_where_the_token_changed_during_a_call_that_failed(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has at hand is the old token: the next receipt would stand in the old sevdesk."""
    real = SevdeskClient.find_vouchers

    def find(self: SevdeskClient, *args: str) -> Sequence[Voucher]:
        monkeypatch.setattr(SevdeskClient, "find_vouchers", real)
        with db.engine.begin() as other:  # the page, at the same time
            other.execute(
                update(Space)
                .where(Space.id == alpha.id)
                .values(sevdesk_token_key=digest(BETA_TOKEN), sevdesk_client="72")
            )
        raise TemporaryError("away", remote="sevdesk", endpoint="GET /Voucher", status_code=503)

    monkeypatch.setattr(SevdeskClient, "find_vouchers", find)
    for _ in range(2):
        made = remote.invoice("alpha", items=[line()], debitor=XYZ)
        announce(alpha, "created_invoice", id_of(made))
    drain(alpha.id)
    assert remote.sevdesk(TOKEN)["vouchers"] == []


def test_what_one_sevdesk_said_of_an_invoice_counts_for_no_other(
    remote: Remote, alpha: Space
) -> None:
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    inbox.take_in(alpha.id)
    row = row_of(made)
    with locks.space_lock(alpha.id) as lock:
        assert lock is not None
        remotes = clients.remotes_of(alpha)
        before = Work(alpha, remotes, lock)
        parked = before.park(row, remotes.cobot.invoice(id_of(made)))
        assert before.parked(row) is parked
        vault.put(alpha, "sevdesk_token", BETA_TOKEN)
        assert Work(alpha, clients.remotes_of(alpha), lock).parked(row) is None
        db.session.rollback()


def test_a_drain_that_reads_an_invoice_takes_the_space_before_the_name(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who blanks a name holds the space's row and then takes the name: on PostgreSQL a drain that
    had the name first and waited for the space ended with a deadlock."""
    real, order = record.name_person, []

    def name(*person: Any) -> int:
        order.append("name")
        return real(*person)

    def take(space_id: int, **lines: Any) -> space_row.Taken:
        order.append("space")
        return real_take(space_id, **lines)

    real_take = space_row.take
    monkeypatch.setattr(record, "name_person", name)
    monkeypatch.setattr(space_row, "take", take)
    made = remote.invoice("alpha", items=[line()], debitor=XYZ)
    announce(alpha, "created_invoice", id_of(made))
    inbox.take_in(alpha.id)
    order.clear()
    drain(alpha.id)
    assert order[:3] == ["space", "space", "name"]
    db.session.refresh(alpha)
    lines = select(func.count()).where(HistoryLine.space_id == alpha.id)
    assert alpha.history_lines == db.session.scalar(lines)


def test_a_pdf_that_never_came_promises_no_further_try(remote: Remote, alpha: Space) -> None:
    remote.fault("cobot-api", "status:404", path="/invoices/*.pdf", times=0)
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).cause_code == "pdf_missing"
    long_ago = utcnow() - timedelta(days=2)
    db.session.execute(update(InvoiceSync).values(failing_since=long_ago, next_try_at=utcnow()))
    db.session.commit()
    work(alpha)
    assert (row_of(made).state, row_of(made).cause_code) == (State.FAILED, "pdf_unavailable")
    [told] = remote.space()["activities"]
    assert "?" not in str(told)
