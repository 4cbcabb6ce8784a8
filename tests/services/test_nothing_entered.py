"""Who entered no space sees and changes nothing of any table, whatever a connection did before."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import DBAPIError

from portal import rowsecurity, tenancy
from portal.core import core
from portal.database import Base, db
from portal.spaceguard import space_column
from tests.conftest import entered_reach
from tests.services.test_backup import a_row, fill
from tests.services.test_rowsecurity import raw
from tests.services.test_tenancy import OF_SPACES, OURS, THEIRS, core_app

__all__ = ["core_app"]

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ, reason="SQLite has no row level security"
)
ONLY_ADDED = {"history_line", "prune_permit"}
SETTINGS = (
    "SELECT concat(current_setting('app.space_id', true), current_setting('app.all_spaces', true))"
)
STATEMENTS = {
    "select": "SELECT * FROM {table}",
    "update": "UPDATE {table} SET {column} = {column}",
    "delete": "DELETE FROM {table}",
    "insert": "INSERT INTO {table} ({columns}) VALUES ({marks})",
}
MOVE = "UPDATE {table} SET {column} = {space}"
BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture
def filled(core_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of two spaces in every table."""
    fill(core().config.database_url.get_secret_value())
    monkeypatch.setattr(tenancy, "current_reach", entered_reach)


def outcome(sql: str, values: Any = ()) -> Any:
    """Return how many rows a text touches, or why it is refused; nothing of it stays."""
    try:
        with db.session.connection().begin_nested() as savepoint:
            found = db.session.connection().exec_driver_sql(sql, values).rowcount
            savepoint.rollback()
            return found
    except DBAPIError as err:
        text = str(err.orig)
        return "policy" if "row-level security" in text else text.partition(" for ")[0]


def tried(name: str, space_id: int) -> dict[str, Any]:
    """Select, change, delete and add rows of a table, without any condition."""
    table = Base.metadata.tables[name]
    column = str(space_column(table))
    # The same row once more: the policy is asked before the key is.
    row = {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in a_row(table, space_id).items()
    }
    told = {"table": name, "column": column, "columns": ", ".join(row)}
    told["marks"] = ", ".join(["%s"] * len(row))
    return {
        what: outcome(sql.format(**told), tuple(row.values()) if what == "insert" else ())
        for what, sql in STATEMENTS.items()
    }


def test_no_space_entered_means_no_row_of_any_table(filled: None) -> None:
    """Also where a setting is there and empty, as after a transaction that had one."""
    tenancy.leave_spaces()
    for name, before in product(OF_SPACES, (None, "", "0")):
        if before is not None:
            raw(f"SELECT set_config('app.space_id', '{before}', true)")
        rights = "permission denied" if name in ONLY_ADDED else 0
        added = "permission denied" if name == "prune_permit" else "policy"
        assert tried(name, OURS) == {
            "select": 0,
            "update": rights,
            "delete": rights,
            "insert": added,
        }, name
        db.session.rollback()


def test_another_space_is_as_none(filled: None) -> None:
    refused = {"policy", "permission denied"}
    tenancy.enter_space(OURS)
    for name in OF_SPACES:
        found = tried(name, THEIRS)
        assert found["select"] == 1, name
        assert found["insert"] in refused, name
        column = space_column(Base.metadata.tables[name])
        moved = MOVE.format(table=name, column=column, space=THEIRS)
        assert outcome(moved) in refused, name
    db.session.rollback()


def fails() -> None:
    with pytest.raises(DBAPIError):
        raw("SELECT 1 / 0")


def is_thrown() -> None:
    with suppress(ZeroDivisionError), db.session.begin_nested():
        raise ZeroDivisionError(raw("SELECT 1"))


def prunes() -> None:
    rowsecurity.may_prune(db.session.connection(), core().config.database_role)
    assert raw("SELECT current_user") == ["portal_app_prune"]


def prunes_and_fails() -> None:
    prunes()
    fails()


def in_a_savepoint() -> None:
    savepoint = db.session.begin_nested()
    raw("SELECT 1")
    savepoint.rollback()
    raw("SELECT 1")


STORIES = (fails, is_thrown, prunes, prunes_and_fails, in_a_savepoint)
ENDINGS = ("commit", "rollback", "close", "remove")


def test_nothing_stays_on_a_pooled_connection_whatever_went_wrong(filled: None) -> None:
    for what, ending in product(STORIES, ENDINGS):
        with tenancy.all_spaces("a test"):
            [backend] = raw(BACKEND)
            assert raw("SELECT count(*) FROM space") == [2]
            what()
            if ending == "commit" and what in (fails, prunes_and_fails):
                db.session.rollback()
            getattr(db.session, ending)()
        tenancy.leave_spaces()
        assert raw(BACKEND) == [backend], "the same connection came back from the pool"
        assert raw(SETTINGS) == [""], (what, ending)
        assert raw("SELECT current_user") == ["portal_app"], (what, ending)
        assert raw("SELECT id FROM space") == [], (what, ending)
        tenancy.enter_space(THEIRS)
        assert raw("SELECT id FROM space") == [THEIRS], (what, ending)
        db.session.rollback()
