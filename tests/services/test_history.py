"""The chains of history lines: only added, proven whole, pruned as a whole."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DatabaseError

from portal.cli import register_commands
from portal.core import core
from portal.database import Base, db, utcnow
from portal.models import HistoryLine, InvoiceSync, PersonName, Space
from portal.services import connection, history, record, retention
from tests.services.conftest import Remote, admin_named, announce, row_of, sync, work

XYZ = {"type": "memberships", "id": "mem-xyz"}


@pytest.mark.parametrize(
    "statement", ["UPDATE history_line SET outcome = 'x'", "DELETE FROM history_line"]
)
def test_a_history_line_can_neither_be_changed_nor_deleted(
    remote: Remote, alpha: Space, statement: str
) -> None:
    with pytest.raises(DatabaseError):
        db.session.execute(text(statement))
    db.session.rollback()


def test_every_chain_of_a_worked_space_is_whole(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    announce(alpha, "confirmed_membership", "mem-new")
    work(alpha)
    lines, breaks = history.verify(alpha)
    assert breaks == []
    assert lines > 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE history_line SET outcome = 'x' WHERE number = 2 AND invoice_id > 0", "changed"),
        ("UPDATE history_line SET facts = '{}' WHERE number = 2 AND invoice_id > 0", "changed"),
        ("DELETE FROM history_line WHERE number = 2 AND invoice_id > 0", "missing"),
        ("DELETE FROM history_line WHERE invoice_id > 0", "has no history"),
    ],
)
def test_whoever_gets_past_the_triggers_is_found_out(
    remote: Remote, alpha: Space, change: str, reason: str
) -> None:
    sync(remote, alpha, debitor=XYZ)
    if db.engine.dialect.name == "sqlite":
        for trigger in ("history_line_no_update", "history_line_no_delete"):
            db.session.execute(text(f"DROP TRIGGER {trigger}"))
        db.session.execute(text(change))
        db.session.commit()
    else:
        with psycopg.connect(core().config.database_url.get_secret_value()) as owner:
            owner.execute("ALTER TABLE history_line DISABLE TRIGGER ALL")
            owner.execute(change)
    _, breaks = history.verify(alpha)
    assert any(reason in broken.reason for broken in breaks)


def test_blanking_a_name_leaves_every_chain_whole(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    for person in db.session.scalars(select(PersonName)):
        person.name = None
    db.session.commit()
    assert history.verify(alpha)[1] == []
    facts = str([line.facts for line in db.session.scalars(select(HistoryLine))])
    assert "XYZ" not in facts
    assert "Xenia" not in facts


def test_pruning_takes_whole_invoices_and_leaves_a_line_in_the_spaces_chain(
    remote: Remote, alpha: Space
) -> None:
    old = sync(remote, alpha, debitor=XYZ, invoiceDate="2025-02-28")
    new = sync(remote, alpha, debitor=XYZ, invoiceDate="2026-02-28")
    last = db.session.scalars(
        select(HistoryLine.hash)
        .where(HistoryLine.invoice_id == row_of(old).id)
        .order_by(HistoryLine.number.desc())
    ).first()
    db.session.execute(
        update(InvoiceSync)
        .where(InvoiceSync.id == row_of(old).id)
        .values(finished_at=utcnow().replace(year=2025))
    )
    db.session.commit()
    assert retention.prune(alpha, date(2025, 12, 31)) == 1
    [left] = db.session.scalars(select(InvoiceSync)).all()
    assert left.id == row_of(new).id
    line = db.session.scalars(select(HistoryLine).where(HistoryLine.step == "pruned")).one()
    assert line.facts["invoices"] == 1
    assert line.facts["last_date"] == "2025-02-28"
    assert line.facts["last_hash"] == last
    assert history.verify(alpha)[1] == []


def test_a_deleted_space_leaves_nothing_but_its_own_chain(remote: Remote, alpha: Space) -> None:
    sync(remote, alpha, debitor=XYZ)
    with pytest.raises(ValueError, match="disconnect"):
        retention.delete_space(alpha)
    connection.disconnect(alpha, admin=admin_named("owner"))
    assert retention.delete_space(alpha) == 1
    assert db.session.scalars(select(InvoiceSync)).all() == []
    assert db.session.scalars(select(PersonName)).all() == []
    tables = {one for one in Base.metadata.sorted_tables if "space_id" in one.c}
    left = {
        one.name
        for one in tables
        if db.session.execute(select(one).where(one.c.space_id == alpha.id)).first()
    }
    assert left == {"history_line"}
    lines, breaks = history.verify(alpha)
    assert breaks == []
    assert lines >= 4


def test_the_command_says_whether_a_space_is_whole(
    core_app: Flask, remote: Remote, alpha: Space
) -> None:
    register_commands(core_app)
    sync(remote, alpha, debitor=XYZ)
    runner = core_app.test_cli_runner()
    assert "all chains are whole" in runner.invoke(args=["history", "verify", "alpha"]).output
    shown = runner.invoke(args=["invoice", "show", "alpha", "2026-0001"]).output
    assert "saved" in shown
    assert runner.invoke(args=["history", "verify", "nowhere"]).exit_code == 1


def test_a_line_more_of_a_long_chain_reads_its_last_one_only(alpha: Space) -> None:
    for _ in range(20):
        record.note(alpha.id, "noticed", "done")
    db.session.commit()
    db.session.info.clear()  # another process
    asked: list[str] = []

    def note(*args: object) -> None:
        asked.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    record.note(alpha.id, "noticed", "done")
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.commit()
    [said] = [one for one in asked if "FROM history_line" in one]
    assert "LIMIT" in said
    assert history.verify(alpha)[1] == []


def test_the_ends_of_chains_that_grow_soon_are_learnt_all_at_once(alpha: Space) -> None:
    news = [record.NewInvoice(f"inv-{place}", utcnow(), None) for place in range(5)]
    rows = record.add_invoices(alpha.id, news)
    for row in rows:
        record.note(alpha.id, "announced", "done", invoice=row)
    db.session.commit()
    db.session.info.clear()  # the next drain
    history.expect(alpha.id, [history.chain_name(alpha.id, row, None) for row in rows])
    asked: list[str] = []

    def note(*args: object) -> None:
        asked.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    for row in rows:
        record.note(alpha.id, "noticed", "done", invoice=row)
        db.session.commit()
    event.remove(db.engine, "before_cursor_execute", note)
    assert len([one for one in asked if "FROM history_line" in one]) == 1
    assert history.verify(alpha)[1] == []
