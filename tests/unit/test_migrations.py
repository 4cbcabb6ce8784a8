"""The migrations: there, back and there again, and no difference to the models."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import structlog
from click.testing import Result
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from portal import cli_migrations
from portal.app import create_app
from portal.config import Config
from portal.core import create_core
from portal.database import db
from portal.services import migrating
from tests.conftest import set_migration

on_postgres = pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ, reason="SQLite has no locks of tables"
)


@pytest.fixture
def database_of_its_own(tmp_path: Path) -> Iterator[str]:
    """The address of an empty database that no other test sees."""
    server = os.environ.get("TEST_DATABASE_URL")
    if server is None:
        yield f"sqlite:///{tmp_path / 'portal.db'}"
        return
    name = f"migrated_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_migrations_lead_there_and_back(
    database_of_its_own: str, make_config: Callable[..., Config]
) -> None:
    app = create_core(make_config(database_url=database_of_its_own))
    with app.app_context():
        upgrade()
        tables = set(inspect(db.engine).get_table_names())
        assert {"space", "invoice_sync", "history_line"} <= tables
        check()  # exits when a model has what no migration makes
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
        upgrade()
        assert set(inspect(db.engine).get_table_names()) == tables
        db.engine.dispose()


@pytest.fixture
def unmigrated(database_of_its_own: str, make_config: Callable[..., Config]) -> Iterator[Flask]:
    """The application on an empty database."""
    app = create_app(make_config(database_url=database_of_its_own))
    yield app
    with app.app_context():
        db.engine.dispose()


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def everything_that_is_there() -> list[tuple[object, ...]]:
    """Return the schema, and on PostgreSQL the rights and policies, as the database knows them."""
    questions = (
        ("SELECT * FROM sqlite_master",)
        if db.engine.dialect.name == "sqlite"
        else (
            "SELECT relname, relkind, relacl::text, relforcerowsecurity, relnatts FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace",
            "SELECT polname, polrelid FROM pg_policy",
        )
    )
    with db.engine.connect() as connection:
        return [
            *connection.execute(text("SELECT 'migration', version_num FROM alembic_version")),
            *(
                tuple(row)
                for one in questions
                for row in sorted(connection.execute(text(one)), key=str)
            ),
        ]


def test_a_database_of_a_later_release_is_left_as_it_is(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way back to the version before runs its `flask db upgrade` on what the later one made."""
    with app.app_context():
        set_migration("9999")
        before = everything_that_is_there()
        # A fresh logger: the one of the module may have been used, and keeps its chain then.
        monkeypatch.setattr(cli_migrations, "log", structlog.get_logger("test"))
        with capture_logs() as lines:
            ended = run(app, "db", "upgrade")
        assert ended.exit_code == 0
        [line] = lines
        assert "the database is newer than this release" in line["event"]
        assert line["migration"] == "9999"
        assert everything_that_is_there() == before


@pytest.mark.parametrize("words", [["downgrade"], ["downgrade", "0009"], ["stamp", "head"]])
def test_nothing_but_an_upgrade_takes_an_unknown_migration(app: Flask, words: list[str]) -> None:
    with app.app_context():
        set_migration("9999")
        assert run(app, "db", *words).exit_code == 1


def test_the_command_migrates_an_empty_database_and_an_older_one(
    unmigrated: Flask,
) -> None:
    with unmigrated.app_context():
        assert run(unmigrated, "db", "upgrade", "0009").exit_code == 0
        assert run(unmigrated, "db", "upgrade").exit_code == 0
        check()


def test_an_upgrade_to_what_nobody_knows_is_still_an_error(app: Flask) -> None:
    with app.app_context():
        assert run(app, "db", "upgrade", "9999").exit_code == 1


@pytest.fixture
def reader(unmigrated: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """Somebody who reads a table that the next migration changes, as a backup does, for long."""
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT", "200ms")
    assert run(unmigrated, "db", "upgrade", "0009").exit_code == 0
    with psycopg.connect(address_of(unmigrated)) as connection:
        connection.execute("SELECT count(*) FROM invoice_sync")
        yield connection


def address_of(app: Flask) -> str:
    return str(app.extensions["portal"].config.database_url.get_secret_value())


def everybody_reads(app: Flask) -> None:
    with psycopg.connect(address_of(app)) as connection:
        connection.execute("SET statement_timeout = '1s'")
        connection.execute("SELECT count(*) FROM invoice_sync")


@on_postgres
def test_a_migration_waits_for_a_long_reader_and_lets_the_others_through(
    unmigrated: Flask, reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        everybody_reads(unmigrated)
        if len(pauses) == 3:
            reader.commit()

    monkeypatch.setattr(migrating, "sleep", pause)
    assert run(unmigrated, "db", "upgrade").exit_code == 0
    assert pauses == [migrating.PAUSE_SECONDS] * 3
    with unmigrated.app_context():
        assert migrating.owners_revision() == migrating.head_revision()
        check()


@on_postgres
def test_a_migration_gives_up_on_a_reader_that_never_ends_and_says_what_to_do(
    unmigrated: Flask,
    reader: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(migrating, "sleep", pauses.append)
    ended = run(unmigrated, "db", "upgrade")
    assert (ended.exit_code, len(pauses)) == (1, migrating.TRIES - 1)
    assert "run flask db upgrade again" in caplog.text
    assert "Traceback" not in caplog.text
    everybody_reads(unmigrated)
    with unmigrated.app_context():
        assert migrating.owners_revision() == "0009", "each migration is done or not at all"


@on_postgres
def test_other_faults_of_a_migration_are_not_tried_again(
    core_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "sleep", lambda _: pytest.fail("a pause"))
    away = OperationalError("SELECT 1", None, psycopg.OperationalError("away"))

    def fail() -> None:
        raise away

    with db.engine.connect() as connection, pytest.raises(OperationalError):
        migrating.with_patience(connection, fail)
