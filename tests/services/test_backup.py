"""Backup and restore by who owns the tables and is no superuser, by the lines of the document."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from flask_migrate import upgrade
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Table
from sqlalchemy import create_engine as engine_of

from portal import tenancy
from portal.config import Config
from portal.core import PACKAGE, create_core
from portal.database import Base, Moment, db
from tests.conftest import ROOT
from tests.services.test_rowsecurity import owned, raw

__all__ = ["owned"]

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" not in os.environ or shutil.which("pg_dump") is None,
    reason="needs PostgreSQL and its pg_dump",
)
SPACES = (1, 2)
MUST_BE = {"kind": "members", "state": "waiting"}
WHOLE = "SELECT count(*), md5(string_agg(one::text, '|' ORDER BY one::text)) FROM {} AS one"
GUARDS = (
    "SELECT tablename, policyname, qual FROM pg_policies ORDER BY 1, 2",
    "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
    "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
)


def a_value(column: Column[Any], number: int) -> Any:
    """Return something that the column takes, another for each space."""
    if column.name in MUST_BE and column.table.name in ("task", "state_count"):
        return MUST_BE[column.name]
    kinds: tuple[tuple[Any, Any], ...] = (
        (JSON, []),
        (LargeBinary, b"sealed"),
        (Boolean, True),
        (Float, 1.0),
        ((Moment, DateTime), datetime(2026, 3, 2, tzinfo=UTC)),
        (Date, date(2026, 3, 2)),
        (Integer, number),
    )
    for kind, value in kinds:
        if isinstance(column.type, kind):
            return value
    return f"x{number}"


def a_row(table: Table, number: int) -> dict[str, Any]:
    """Return a row of a space; every id is the number of the space."""
    return {
        column.name: number
        if column.name == "id" or column.foreign_keys
        else a_value(column, number)
        for column in table.c
        if column.name == "id"
        or column.foreign_keys
        or (column.default is None and not column.nullable)
    }


def fill(url: str) -> None:
    """Put a row of both spaces into every table."""
    engine = engine_of(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT set_config('app.all_spaces', 'a test', true)")
        for table in Base.metadata.sorted_tables:
            connection.execute(table.insert(), [a_row(table, number) for number in SPACES])
    engine.dispose()


def lines_of_the_document() -> list[str]:
    """Return what docs/deployment.md says to type."""
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    section = text.partition("## Backup and restore")[2].partition("\n## ")[0]
    return [
        line for block in re.findall(r"```\n(.*?)```", section, re.DOTALL)
        for line in block.splitlines()
    ]  # fmt: skip


def run(folder: Path, url: str, *beginnings: str) -> subprocess.CompletedProcess[str]:
    """Run the document's lines that begin so."""
    lines = [line for line in lines_of_the_document() if line.startswith(beginnings)]
    assert len(lines) == len(beginnings)
    [dump] = [*folder.glob("*.dump")] or [Path("none")]
    script = "set -e\n" + "\n".join(lines).replace(" FILE", f" {dump}")
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def source(
    owned: Callable[[str], str], make_config: Callable[..., Config]
) -> Iterator[tuple[str, str]]:
    """A database of an owner who may make roles and no more; its address and the portal's role."""
    url = owned("CREATEROLE")
    role = f"{urlsplit(url).username}_app"
    app = create_core(make_config(database_url=url, database_role=role))
    with app.app_context():
        upgrade(str(PACKAGE / "migrations"))
        db.engine.dispose()
    fill(url)
    return url, role


@pytest.fixture
def fresh(source: tuple[str, str], database_url: str) -> Iterator[str]:
    """An empty database of the same owner."""
    url, _ = source
    owner = urlsplit(url).username
    name = f"{owner}_fresh"
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} OWNER {owner}")
        yield urlsplit(url)._replace(path=name).geturl()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def everything(server: str, url: str) -> dict[str, Any]:
    """Return rows and guards of a database, as a superuser sees them."""
    address = urlsplit(server)._replace(path=urlsplit(url).path).geturl()
    with psycopg.connect(address) as seen:
        tables = [*Base.metadata.tables, "alembic_version"]
        found: dict[str, Any] = {
            table: seen.execute(WHOLE.format(f'"{table}"')).fetchone() for table in tables
        }
        return found | {query: seen.execute(query).fetchall() for query in GUARDS}


def test_a_backup_by_the_owner_comes_back_whole_where_no_role_exists(
    source: tuple[str, str],
    fresh: str,
    database_url: str,
    tmp_path: Path,
    make_config: Callable[..., Config],
) -> None:
    url, role = source
    saved = run(tmp_path, url, "export PGOPTIONS", "pg_dump")
    assert saved.returncode == 0, saved.stderr
    before = everything(database_url, url)
    assert {before[table][0] for table in Base.metadata.tables} == {len(SPACES)}

    # As on another server: the roles are not part of a backup.
    address = urlsplit(database_url)._replace(path=urlsplit(url).path).geturl()
    with psycopg.connect(address, autocommit=True) as server:
        for name in (role, f"{role}_prune"):
            server.execute(f"DROP OWNED BY {name}")
            server.execute(f"DROP ROLE {name}")
    restored = run(tmp_path, fresh, "pg_restore --no-owner")
    assert (restored.returncode, restored.stderr) == (0, "")
    assert everything(database_url, fresh) == before

    app = create_core(make_config(database_url=fresh, database_role=role))
    with app.app_context():
        upgrade(str(PACKAGE / "migrations"))
        assert raw("SELECT current_user") == [role]
        assert raw("SELECT id FROM space") == []
        with tenancy.in_space(2):
            assert raw("SELECT id FROM invoice_sync") == [2]
        db.session.remove()
        db.engine.dispose()


def test_without_the_options_there_is_a_backup_of_nothing_and_the_look_shows_it(
    source: tuple[str, str], tmp_path: Path
) -> None:
    url, _ = source
    assert run(tmp_path, url, "pg_dump").returncode == 0
    assert "\t" not in run(tmp_path, url, "pg_restore --data-only").stdout
    assert run(tmp_path, url, "export PGOPTIONS", "pg_dump").returncode == 0
    assert "\tx1\t" in run(tmp_path, url, "pg_restore --data-only").stdout
    refused = subprocess.run(
        ["pg_dump", "--file", str(tmp_path / "x"), url], capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "row-level security" in refused.stderr
