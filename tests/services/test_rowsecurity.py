"""PostgreSQL's own lock around each space, for what the guard cannot read: a text, a mistake."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from portal import tenancy
from portal.config import Config
from portal.core import PACKAGE, core, create_core
from portal.database import db
from portal.models import Space
from portal.rowsecurity import RightsMissing
from portal.services import locks, record, retention
from portal.services.health import current_revision
from tests.conftest import entered_reach
from tests.services.test_tenancy import OF_SPACES, OURS, THEIRS, core_app, ours

__all__ = ["core_app", "ours"]

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ, reason="SQLite has no row level security"
)
FORGOTTEN = "SELECT space_id FROM invoice_sync ORDER BY space_id"


def raw(sql: str) -> list[Any]:
    """Hand a text to the driver, as a mistake would: the guard does not read it."""
    return list(db.session.connection().exec_driver_sql(sql).scalars())


@pytest.mark.parametrize("name", OF_SPACES)
def test_every_table_of_spaces_has_its_policy_and_nobody_is_above_it(
    core_app: Flask, name: str
) -> None:
    [found] = db.session.execute(
        text(
            "SELECT relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner) = current_user,"
            " (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid) FROM pg_class"
            " WHERE oid = CAST(:name AS regclass)"
        ),
        {"name": name},
    ).all()
    assert tuple(found) == (True, True, False, 1)


def test_every_table_with_a_space_in_the_database_is_one_of_those(core_app: Flask) -> None:
    query = "SELECT table_name FROM information_schema.columns WHERE column_name = 'space_id'"
    assert set(raw(query)) | {"space"} == set(OF_SPACES)


def test_the_portal_works_as_a_role_that_owns_nothing(core_app: Flask) -> None:
    assert raw("SELECT current_user") == ["portal_app"]
    above = "SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = "
    assert raw(f"{above} current_user") == [False]
    assert raw(f"{above} 'portal_app_prune'") == [False]
    assert raw("SELECT tablename FROM pg_tables WHERE tableowner = current_user") == []


def test_a_forgotten_where_gives_the_own_space_and_changes_no_other(ours: None) -> None:
    assert raw(FORGOTTEN) == [OURS]
    assert raw("SELECT id FROM space") == [OURS]
    assert raw("UPDATE invoice_sync SET attempts = 9 RETURNING space_id") == [OURS]
    with pytest.raises(DBAPIError, match="row-level security"):
        raw("UPDATE invoice_sync SET space_id = 2 RETURNING space_id")
    db.session.rollback()
    with tenancy.in_spaces((OURS, THEIRS)):
        assert raw(FORGOTTEN) == [OURS, THEIRS]
    with tenancy.all_spaces("a test"):
        assert raw(FORGOTTEN) == [OURS, THEIRS]
    assert raw(FORGOTTEN) == [OURS], "closed again, in the same transaction"
    tenancy.leave_spaces()
    assert raw(FORGOTTEN) == []


def test_nothing_stays_on_a_connection_for_the_next_transaction(ours: None) -> None:
    backend = "SELECT pg_backend_pid()"
    with tenancy.all_spaces("a test"):
        assert raw(FORGOTTEN) == [OURS, THEIRS]
        before = raw(backend)
    db.session.commit()
    tenancy.leave_spaces()
    assert raw(backend) == before
    assert raw(FORGOTTEN) == []
    # What was entered within a savepoint that is taken back is entered again.
    tenancy.enter_space(OURS)
    savepoint = db.session.begin_nested()
    assert raw(FORGOTTEN) == [OURS]
    savepoint.rollback()
    assert raw(FORGOTTEN) == [OURS]
    tenancy.leave_spaces()
    assert raw(FORGOTTEN) == []


def test_a_connection_that_was_cut_while_nobody_used_it_is_replaced(
    ours: None, database_url: str
) -> None:
    backend = "SELECT pg_backend_pid()"
    [before] = raw(backend)
    db.session.commit()
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    assert raw(FORGOTTEN) == [OURS], "the transaction began on another one"
    [after] = raw(backend)
    db.session.commit()
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", (after,))
    with locks.space_lock(OURS) as lock:
        assert lock is not None
        lock.confirm()
    assert raw(FORGOTTEN) == [OURS]


def cut(database_url: str) -> None:
    """End the connections that hold locks."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


def test_nothing_is_kept_after_the_connection_that_held_the_lock(
    ours: None, database_url: str
) -> None:
    change = "UPDATE space SET name = 'x' RETURNING id"
    with locks.space_lock(OURS) as lock:
        assert lock is not None
        lock.confirm()
        assert raw(change) == [OURS]
        cut(database_url)
        with pytest.raises(OperationalError):
            db.session.commit()
        db.session.rollback()
        for _ in range(2):
            with pytest.raises(locks.LockLost):
                lock.confirm()
            with pytest.raises(OperationalError):
                raw(change)
            db.session.rollback()
    assert raw("SELECT id FROM space WHERE name = 'x'") == []
    db.session.commit()
    with locks.space_lock(OURS) as mine:
        assert mine is not None, "it is free for the next one"


def test_a_connection_is_cut_between_two_transactions_under_a_lock(
    ours: None, database_url: str
) -> None:
    with locks.space_lock(OURS) as lock:
        assert lock is not None
        assert raw(FORGOTTEN) == [OURS]
        db.session.commit()
        cut(database_url)
        with pytest.raises(OperationalError):
            raw(FORGOTTEN)
        db.session.rollback()
        assert lock.is_gone


def test_locks_of_a_session_share_its_connection_and_none_stays_on_it(
    ours: None, database_url: str
) -> None:
    held = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with locks.space_lock(OURS) as lock:
        assert lock is not None
        with locks.space_lock(OURS) as again:
            assert again is None, "the server would give it twice"
        broken = "SELECT 1 / (SELECT 0 FROM space)"
        fails = pytest.raises(DBAPIError)
        with fails, locks.number_lock("client") as number:
            assert number is not None
            assert raw(held) == [2]
            raw(broken)
        assert raw(held) == [1], "given back, though the transaction had failed"
        assert not lock.is_gone
        raw("UPDATE space SET name = 'left over' RETURNING id")
    assert not db.session().in_transaction()
    assert raw(held) == [0]
    assert raw("SELECT id FROM space WHERE name = 'left over'") == []


def test_what_a_transaction_does_is_undone_with_it(ours: None) -> None:
    change = "UPDATE space SET name = 'x' RETURNING id"
    for _ in range(2):  # the first on a new connection, the second on one from the pool
        db.session.remove()
        assert raw(change) == [OURS]
        db.session.rollback()
        assert raw("SELECT id FROM space WHERE name = 'x'") == []


def test_the_owner_is_held_by_the_policies_too(ours: None, database_url: str) -> None:
    role = "portal_owner_of_a_test"
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(f"DROP ROLE IF EXISTS {role}")
        server.execute(f"CREATE ROLE {role} NOLOGIN")
        try:
            server.execute(f"ALTER TABLE invoice_sync OWNER TO {role}")
            server.execute(f"SET ROLE {role}")
            assert server.execute(FORGOTTEN).fetchall() == []
        finally:
            server.execute("RESET ROLE")
            server.execute("ALTER TABLE invoice_sync OWNER TO CURRENT_USER")
            server.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE history_line SET outcome = 'x'",
        "DELETE FROM history_line",
        "TRUNCATE history_line",
        "INSERT INTO prune_permit (space_id, at) VALUES (1, now())",
        "ALTER TABLE history_line DISABLE TRIGGER ALL",
        "UPDATE alembic_version SET version_num = 'x'",
        "DROP POLICY entered_spaces ON space",
    ],
)
def test_the_portals_role_adds_to_the_history_and_nothing_else(ours: None, sql: str) -> None:
    record.note(OURS, "noted", "done")
    db.session.commit()
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        db.session.connection().exec_driver_sql(sql)
    db.session.rollback()


def test_only_a_transaction_that_prunes_may_delete_lines(ours: None) -> None:
    space = db.session.get_one(Space, OURS)
    record.note(OURS, "noted", "done")
    db.session.commit()
    assert retention.delete_space(space) == 1
    assert raw("SELECT current_user") == ["portal_app"], "with the transaction the role is gone"
    assert raw("SELECT count(*) FROM invoice_sync") == [0]


def test_a_role_that_is_missing_is_a_database_that_is_away(
    make_config: Callable[..., Config], core_app: Flask
) -> None:
    app = create_core(make_config(database_role="portal_nobody"))
    with app.app_context():
        assert current_revision() is None
        db.engine.dispose()


def test_without_a_role_the_policies_still_hold(
    ours: None, make_config: Callable[..., Config]
) -> None:
    """Where no role can be made: the owner, if it is no superuser. Here a login of its own."""
    login = "portal_login_of_a_test"
    url = core().config.database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {login} LOGIN IN ROLE portal_app")
    try:
        app = create_core(
            make_config(database_url=url.replace("//portal@", f"//{login}@"), database_role="")
        )
        with app.app_context():
            assert raw("SELECT current_user") == [login]
            assert raw(FORGOTTEN) == [OURS]
            db.session.remove()
            db.engine.dispose()
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"DROP ROLE {login}")


@pytest.fixture
def owned(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Return the address of an empty database that a login without superuser rights owns."""
    monkeypatch.setattr(tenancy, "current_reach", entered_reach)
    name = f"portal_owned_{secrets.token_hex(4)}"
    server = psycopg.connect(database_url, autocommit=True)

    def make(rights: str) -> str:
        server.execute(f"CREATE ROLE {name} LOGIN {rights}")
        server.execute(f"CREATE DATABASE {name} OWNER {name}")
        address = urlsplit(database_url)
        return address._replace(
            netloc=f"{name}@{address.netloc.partition('@')[2]}", path=name
        ).geturl()

    yield make
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    for role in (f"{name}_app_prune", f"{name}_app", name):
        server.execute(f"DROP ROLE IF EXISTS {role}")
    server.close()


def test_an_owner_who_may_make_roles_needs_nothing_else(
    owned: Callable[[str], str], make_config: Callable[..., Config]
) -> None:
    url = owned("CREATEROLE")
    role = f"{urlsplit(url).username}_app"
    app = create_core(make_config(database_url=url, database_role=role))
    with app.app_context():
        upgrade(str(PACKAGE / "migrations"))
        upgrade(str(PACKAGE / "migrations"))
        assert raw("SELECT current_user") == [role]
        with tenancy.all_spaces("a test"):
            db.session.add(Space(cobot_id="s", subdomain="s", name="S"))
            db.session.commit()
        assert raw("SELECT id FROM space") == []
        db.session.remove()
        db.engine.dispose()


def test_an_owner_who_may_not_is_told_what_to_do(
    owned: Callable[[str], str], make_config: Callable[..., Config]
) -> None:
    url = owned("")
    role = f"{urlsplit(url).username}_app"
    app = create_core(make_config(database_url=url, database_role=role))
    with app.app_context(), pytest.raises(RightsMissing, match=f'CREATE ROLE "{role}" NOLOGIN'):
        upgrade(str(PACKAGE / "migrations"))
    app = create_core(make_config(database_url=url, database_role=""))
    with app.app_context():
        upgrade(str(PACKAGE / "migrations"))
        with tenancy.all_spaces("a test"):
            db.session.add(Space(cobot_id="s", subdomain="s", name="S"))
            db.session.commit()
        assert raw("SELECT id FROM space") == [], "the owner is held by the policies, too"
        db.session.remove()
        db.engine.dispose()
