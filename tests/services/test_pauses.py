"""What stops a space, what does not, and who lets it go on."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select, update

from portal.cobot.client import CobotClient
from portal.database import db, utcnow
from portal.errors import TokenRefused
from portal.models import HistoryLine, Space, State
from portal.services import catchup, connection, mapping, pauses, retry, task_runs, vault
from portal.services.connection import SevdeskSettings
from portal.tenancy import in_space
from tests.services.conftest import (
    BETA_TOKEN,
    Remote,
    admin_named,
    elsewhere,
    line,
    row_of,
    sync,
    work,
)

XYZ = {"type": "memberships", "id": "mem-xyz"}


def connected_long_ago(space: Space) -> None:
    space.connected_at = utcnow() - timedelta(hours=2)
    db.session.commit()


def probe(space: Space) -> None:
    """Let the time of the next probe come, and a worker look."""
    db.session.execute(update(Space).where(Space.id == space.id).values(probe_at=utcnow()))
    db.session.commit()
    work(space)
    db.session.refresh(space)
    db.session.commit()


def paused_lines() -> int:
    lines = select(func.count()).where(HistoryLine.step.in_(("paused", "resumed")))
    count = db.session.scalar(lines) or 0
    db.session.commit()
    return count


def test_a_right_that_invoices_do_not_need_keeps_the_nightly_comparison_from_nothing_else(
    remote: Remote, alpha: Space
) -> None:
    connected_long_ago(alpha)
    missed = remote.invoice("alpha", items=[line()], debitor=XYZ)
    remote.fault("cobot-space", "status:403", path="/api/memberships", times=0)
    assert catchup.catch_up(alpha.id) > 0
    db.session.refresh(alpha)
    assert alpha.pause_code is None
    assert alpha.caught_up_on is not None
    db.session.commit()
    work(alpha)
    assert row_of(missed).state == State.SYNCED


def test_a_look_at_the_accounting_codes_without_the_right_ends_and_pauses_nothing(
    remote: Remote, alpha: Space
) -> None:
    remote.fault("cobot-space", "status:403", path="/api/accounting_codes", times=0)
    task = mapping.start(alpha, actor="admin:owner")
    task_runs.work_on(alpha.id)
    db.session.refresh(task)
    db.session.refresh(alpha)
    assert (task.state, task.cause_code) == ("failed", "cobot_forbidden")
    assert alpha.pause_code is None


def test_a_probe_asks_for_what_was_forbidden(remote: Remote, alpha: Space) -> None:
    remote.fault("cobot-api", "status:403", path="/spaces/*/invoices", times=0)
    catchup.catch_up(alpha.id)
    db.session.refresh(alpha)
    assert alpha.pause_code == "cobot_forbidden"
    lines = paused_lines()
    for _ in range(3):
        probe(alpha)
        assert alpha.pause_code == "cobot_forbidden"
    assert paused_lines() == lines
    remote.control("DELETE", "/faults")
    probe(alpha)
    assert alpha.pause_code is None


@pytest.mark.parametrize("press", ["hold", "check first"])
def test_what_a_person_stopped_is_not_let_go_on_by_a_fault_that_comes_meanwhile(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch, press: str
) -> None:
    code = {"hold": pauses.BY_HAND, "check first": pauses.CHECK_FIRST}[press]

    def stop() -> None:
        with in_space(alpha_id):
            space = db.session.get_one(Space, alpha_id)
            {"hold": pauses.hold, "check first": pauses.check_first}[press](space, actor="a")
            db.session.commit()

    def forbidden(*_: object) -> None:
        db.session.commit()
        elsewhere(stop)
        raise TokenRefused("no", remote="cobot", endpoint="GET /invoices/{id}", status_code=401)

    alpha_id = alpha.id
    with monkeypatch.context() as patch:
        patch.setattr(CobotClient, "invoice", forbidden)
        sync(remote, alpha, debitor=XYZ)
    db.session.refresh(alpha)
    assert alpha.pause_code == code
    db.session.commit()
    with time_machine.travel(utcnow() + timedelta(days=1), tick=True):
        work(alpha)
    db.session.refresh(alpha)
    assert alpha.pause_code == code


def test_nor_by_receipts_that_sevdesk_refuses(core_app: Flask, alpha: Space) -> None:
    alpha_id = alpha.id

    def stop() -> None:
        with in_space(alpha_id):
            pauses.hold(db.session.get_one(Space, alpha_id), actor="a")
            db.session.commit()

    alpha.refusal_count, alpha.refusal_message = pauses.REFUSALS_IN_A_ROW - 1, "no"
    db.session.commit()
    elsewhere(stop)
    pauses.count_refusal(alpha, "no")
    db.session.commit()
    db.session.refresh(alpha)
    assert alpha.pause_code == pauses.BY_HAND


@pytest.mark.parametrize("is_first", [False, True], ids=["on hold", "check first"])
def test_a_cost_centre_that_could_not_be_looked_up_is_looked_up_before_it_goes_on(
    remote: Remote, alpha: Space, is_first: bool
) -> None:
    owner = admin_named("owner")
    if not is_first:
        assert connection.hold(alpha, admin=owner)
    remote.fault("sevdesk", "status:503", path="*", times=0)
    connection.save_settings(
        alpha,
        SevdeskSettings(None, "100", 30),
        admin=owner,
        user_token=None,
        check_first=is_first,
    )
    remote.control("DELETE", "/faults")
    (connection.switch_on if is_first else connection.let_go_on)(alpha, admin=owner)
    probe(alpha)
    row = row_of(sync(remote, alpha, debitor=XYZ))
    assert (row.state, row.cause_code) == (State.SYNCED, None)
    [voucher] = remote.sevdesk()["vouchers"]
    assert voucher["costCentre"]["id"] == "9"


def test_a_cost_centre_that_was_made_again_is_found_by_its_number(
    remote: Remote, alpha: Space
) -> None:
    token = vault.get(alpha, "sevdesk_token")
    db.session.commit()
    remote.control("DELETE", f"/sevdesk/{token}/cost_centres/9")
    made = sync(remote, alpha, debitor=XYZ)
    assert row_of(made).cause_code == "cost_centre_missing"
    new = remote.control("POST", f"/sevdesk/{token}/cost_centres", {"number": "100", "name": "Neu"})
    assert retry.retry_invoice(alpha, row_of(made).cobot_invoice_id, actor="admin:owner")
    work(alpha)
    assert row_of(made).state == State.SYNCED
    [voucher] = remote.sevdesk()["vouchers"]
    assert voucher["costCentre"]["id"] == new["id"]


@pytest.mark.parametrize(
    ("refusal", "code"), [("garbage", "bad_answer"), ("version", "sevdesk_version")]
)
def test_a_token_that_was_never_tested_does_not_go_live_by_a_lesser_question(
    remote: Remote, alpha: Space, refusal: str, code: str
) -> None:
    remote.fault("sevdesk", "status:503", path="*", times=0)
    connection.save_settings(
        alpha, SevdeskSettings(BETA_TOKEN, None, 30), admin=admin_named("owner"), user_token=None
    )
    remote.control("DELETE", "/faults")
    if refusal == "garbage":
        remote.fault("sevdesk", "garbage", path="*", times=1)
    else:
        remote.control("PATCH", f"/sevdesk/{BETA_TOKEN}", {"version": "1.0"})
    probe(alpha)
    assert alpha.pause_code == code
    if refusal == "version":
        probe(alpha)
        assert alpha.pause_code == code
        remote.control("PATCH", f"/sevdesk/{BETA_TOKEN}", {"version": "2.0"})
    probe(alpha)
    assert (alpha.pause_code, alpha.sevdesk_client, alpha.contacts_client) == (None, "72", "72")


def test_the_right_for_webhooks_is_one_that_every_invoice_needs(
    remote: Remote, alpha: Space
) -> None:
    alpha.subscribed_at = None
    db.session.commit()
    for one in remote.space()["subscriptions"]:
        remote.control("DELETE", f"/cobot/spaces/alpha/subscriptions/{one['id']}")
    remote.fault("cobot-space", "status:403", path="/api/subscriptions", method="POST", times=0)
    for _ in range(3):
        catchup.catch_up_if_due(alpha.id)
        probe(alpha)
        assert alpha.pause_code == "cobot_forbidden"
    assert paused_lines() == 1
    remote.control("DELETE", "/faults")
    probe(alpha)
    assert alpha.pause_code is None
    assert alpha.subscribed_at is not None
