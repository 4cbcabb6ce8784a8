"""What is older than the settings allow goes once a day; nothing younger does."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from portal.cli import register_commands
from portal.cobot.records import Invoice
from portal.database import Base, db, utcnow
from portal.models import (
    Admin,
    HistoryLine,
    InboxEvent,
    InvoiceSync,
    LineCalls,
    LoginSession,
    PersonName,
    Space,
    State,
    SupportLook,
    SupportVisit,
    TaskItem,
)
from portal.services import (
    connection,
    history,
    housekeeping,
    invoice_facts,
    looks,
    member_import,
    retention,
    support,
    upkeep,
)
from portal.services.debtors import Known
from portal.tenancy import in_space
from tests.services.conftest import Remote, admin_named, elsewhere, row_of, sync
from tests.services.looking import ended

XYZ = {"type": "memberships", "id": "mem-xyz"}


def count(model: type[Base]) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_nothing_goes_on_the_day_it_was_made(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    assert housekeeping.let_old_things_of_all_spaces_go() == {}


@pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
def test_messages_of_cobot_go_a_month_after_they_were_worked_off(
    remote: Remote, alpha: Space, days: int, left: int
) -> None:
    sync(remote, alpha, debitor=XYZ)
    db.session.add(InboxEvent(space_id=alpha.id, event="created_invoice", remote_id="open"))
    db.session.commit()
    with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert count(InboxEvent) == left + 1, "what was not worked off stays, however old"
    assert count(InvoiceSync) == 1


@pytest.mark.parametrize(("days", "left"), [(364, 2), (366, 0)])
def test_looks_of_support_go_after_a_year(
    remote: Remote, alpha: Space, days: int, left: int
) -> None:
    support.begin_visit(admin_named("owner"), alpha, "Ticket 4711")
    with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert count(SupportLook) + count(SupportVisit) == left


@pytest.mark.parametrize(("days", "is_known"), [(364, True), (366, False)])
def test_mail_of_who_no_longer_signs_in_goes_after_a_year(
    remote: Remote, alpha: Space, days: int, is_known: bool
) -> None:
    admin = admin_named("owner")
    admin.signed_in_at = utcnow()
    db.session.commit()
    with time_machine.travel(utcnow() + timedelta(days=days), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    db.session.expire_all()
    assert bool(db.session.get_one(Admin, admin.id).email) is is_known
    assert db.session.get_one(Admin, admin.id).cobot_user_id


def test_names_go_with_the_last_invoice_that_needs_them(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ, invoiceDate="2025-02-28")
    before = count(PersonName)
    assert before == 1
    with time_machine.travel(utcnow().replace(year=2036), tick=True):
        assert "invoices" not in housekeeping.let_old_things_of_all_spaces_go(), (
            "ten full years are not over"
        )
    with time_machine.travel(utcnow().replace(year=2037), tick=True):
        gone = housekeeping.let_old_things_of_all_spaces_go()
    assert gone["invoices"] == 1
    assert (gone["names"], count(PersonName)) == (1, 0)
    assert history.verify(alpha)[1] == []


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="SQLite has one writer at a time")
def test_a_name_stays_that_an_invoice_is_about_to_take(
    core_app: Flask, remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    debtor = {"type": "memberships", "id": "mem-lost"}
    row = row_of(sync(remote, alpha, debitor=debtor))
    row.person_id = None  # nobody needs the name now
    db.session.commit()
    space_id, note_facts = alpha.id, invoice_facts._note_facts
    tidying: list[Future[int]] = []

    def let_names_go() -> int:
        with core_app.app_context(), in_space(space_id):
            return housekeeping._let_names_go(space_id)

    def tidy_and_note(row: InvoiceSync, invoice: Invoice, known: Known) -> None:
        tidying.append(thread.submit(let_names_go))
        wait([tidying[-1]], timeout=1)
        note_facts(row, invoice, known)

    monkeypatch.setattr(invoice_facts, "_note_facts", tidy_and_note)
    with ThreadPoolExecutor(1) as thread:
        row = row_of(sync(remote, alpha, debitor=debtor))
        # The first came before the space's row was held: then it is looked for, and written, anew.
        assert tidying[-1].result(30) == 0
    assert row.state == State.MISMATCHED
    assert row.person_id is not None


def test_a_name_that_was_tidied_away_while_sevdesk_was_asked_is_written_anew(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    debtor = {"type": "memberships", "id": "mem-lost"}
    row = row_of(sync(remote, alpha, debitor=debtor))
    row.person_id = None  # nobody needs the name now
    db.session.commit()
    find, gone = looks.find, []

    def tidy_and_find(*asked: Any) -> Any:
        gone.append(housekeeping._let_names_go(alpha.id))
        return find(*asked)

    monkeypatch.setattr(looks, "find", tidy_and_find)
    row = row_of(sync(remote, alpha, debitor=debtor))
    assert gone == [1]
    assert row.state == State.MISMATCHED
    assert row.person_id is not None
    assert history.verify(alpha)[1] == []


def test_disconnected_space_is_deleted_after_its_grace_and_not_before(
    remote: Remote, alpha: Space
) -> None:
    sync(remote, alpha, debitor=XYZ)
    assert housekeeping.deleted_at(alpha) is None
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert alpha.disconnected_at is not None
    assert housekeeping.deleted_at(alpha) == alpha.disconnected_at + timedelta(days=90)
    with time_machine.travel(utcnow() + timedelta(days=89), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert count(InvoiceSync) == 1
    with time_machine.travel(utcnow() + timedelta(days=91), tick=True):
        assert housekeeping.let_old_things_of_all_spaces_go()["spaces"] == 1
        assert "spaces" not in housekeeping.let_old_things_of_all_spaces_go(), "once"
    assert count(InvoiceSync) == count(PersonName) == count(InboxEvent) == 0
    lines, breaks = history.verify(alpha)
    assert breaks == []
    assert lines >= 3
    left = db.session.scalars(select(HistoryLine.invoice_id)).all()
    assert set(left) == {None}, "the space's own chain alone stays"


def test_space_whose_data_are_kept_is_not_deleted(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert housekeeping.keep(alpha, True, actor="admin:u-owner")
    assert not housekeeping.keep(alpha, True, actor="admin:u-owner")
    with time_machine.travel(utcnow() + timedelta(days=400), tick=True):
        housekeeping.let_old_things_of_all_spaces_go()
    assert count(InvoiceSync) == 1


def test_upkeep_lets_old_things_go_once_a_day(
    remote: Remote, alpha: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(
        housekeeping,
        "let_old_things_of_all_spaces_go",
        lambda: calls.append(utcnow().date().isoformat()) or {},
    )
    monkeypatch.setattr(upkeep, "TICK_SECONDS", 0)
    monkeypatch.setattr(upkeep, "sweep_all_spaces", lambda: 0)
    monkeypatch.setattr(upkeep, "tick_all_spaces", lambda: 0)
    start = utcnow().replace(hour=12)
    with time_machine.travel(start, tick=False) as clock:
        hours = iter(range(60))

        def should_stop() -> bool:
            clock.shift(timedelta(hours=1))
            return next(hours, None) is None

        upkeep.run(should_stop)
    assert len(calls) == len(set(calls)) == 4, "sixty hours from noon on are parts of four days"


def test_the_command_lets_go_what_upkeep_would(
    core_app: Flask, remote: Remote, alpha: Space
) -> None:
    """Calls, lists and sign-ins too: upkeep may have been away for weeks."""
    register_commands(core_app)
    sync(remote, alpha, debitor=XYZ)
    ended(member_import.prepare(alpha, actor="admin:owner"))
    session = LoginSession(id_digest="d", sealed_content=b"x", expires_at=utcnow())
    db.session.add(session)
    db.session.commit()
    assert count(LineCalls)
    assert count(TaskItem)
    runner = core_app.test_cli_runner()
    with time_machine.travel(utcnow() + timedelta(days=31), tick=True):
        said = runner.invoke(args=["prune"]).output
        again = runner.invoke(args=["prune"]).output
    assert (count(LineCalls), count(TaskItem), count(LoginSession)) == (0, 0, 0)
    for kind in ("calls", "lists", "sign-ins"):
        assert f"{kind}\t" in said
    assert "nothing is old enough" in again


def test_a_space_is_deleted_by_command_once_it_is_disconnected(
    core_app: Flask, remote: Remote, alpha: Space
) -> None:
    register_commands(core_app)
    sync(remote, alpha, debitor=XYZ)
    runner = core_app.test_cli_runner()
    refused = runner.invoke(args=["space", "delete", "alpha", "--yes"])
    assert (refused.exit_code, count(InvoiceSync)) == (1, 1)
    assert "disconnect the space first" in refused.output
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert "1 invoices deleted" in runner.invoke(args=["space", "delete", "alpha", "--yes"]).output
    assert count(InvoiceSync) == count(PersonName) == 0


def test_commands_export_and_erase(core_app: Flask, remote: Remote, alpha: Space) -> None:
    register_commands(core_app)
    sync(remote, alpha, debitor=XYZ)
    runner = core_app.test_cli_runner()

    def run(*args: str) -> str:
        result = runner.invoke(args=list(args))
        assert result.exit_code == 0, result.output
        return result.output

    whole = json.loads(run("space", "export", "alpha"))
    [person] = whole["person_name"]
    assert person["name"]
    assert "person_name" not in run("space", "export", "alpha", "--table", "invoice_sync")
    assert runner.invoke(args=["space", "export", "alpha", "--table", "nothing"]).exit_code == 1
    assert person["name"] in run("person", "find", "alpha", person["name"][:3])
    number = str(person["id"])
    assert person["name"] in run("person", "export", "alpha", number)
    assert person["name"] in run("person", "export", "alpha", number, "--csv")
    assert f"Person {number}" in run("person", "erase", "alpha", number, "--yes")
    assert person["name"] not in run("space", "export", "alpha")
    assert "all chains are whole" in run("history", "verify", "alpha")
    user = admin_named("owner").cobot_user_id
    assert user in run("admin", "export", user)
    assert "forgotten" in run("admin", "forget", user, "--yes")
    assert admin_named("owner").email == ""
    assert "nothing is old enough" in run("prune")


@pytest.mark.parametrize("decided", ["kept", "connected"])
def test_a_space_that_was_kept_or_connected_while_another_was_deleted_stays(
    remote: Remote, alpha: Space, beta: Space, monkeypatch: pytest.MonkeyPatch, decided: str
) -> None:
    sync(remote, alpha)
    sync(remote, beta)
    connection.disconnect(alpha, admin=admin_named("owner"))
    connection.disconnect(beta, admin=admin_named("stranger"))
    delete_space, ids = retention.delete_space, {alpha.id, beta.id}

    def decide(space_id: int) -> None:
        with in_space(space_id):
            space = db.session.get_one(Space, space_id)
            if decided == "kept":
                assert housekeeping.keep(space, True, actor="admin:owner")
            else:
                space.connected_at = utcnow()
                db.session.commit()

    def delete_and_decide(space: Space, **how: bool) -> int:
        gone = delete_space(space, **how)
        [other] = ids - {space.id}
        elsewhere(lambda: decide(other))
        return gone

    with monkeypatch.context() as patch, time_machine.travel(utcnow() + timedelta(days=91)):
        patch.setattr(retention, "delete_space", delete_and_decide)
        assert housekeeping.let_old_things_of_all_spaces_go()["spaces"] == 1
    assert count(InvoiceSync) == 1


def test_an_old_invoice_that_was_booked_lately_keeps_its_history(
    remote: Remote, alpha: Space
) -> None:
    this_year = utcnow().year
    made = sync(remote, alpha, invoiceDate=f"{this_year - 10}-12-15")
    with time_machine.travel(utcnow().replace(year=this_year + 1, month=1, day=2)):
        assert "invoices" not in housekeeping.let_old_things_of_all_spaces_go()
    assert row_of(made).number is not None
    with time_machine.travel(utcnow().replace(year=this_year + 11, month=1, day=2)):
        assert housekeeping.let_old_things_of_all_spaces_go()["invoices"] == 1
