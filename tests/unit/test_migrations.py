"""The migrations: there, back and there again, and no difference to the models."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect

from portal.config import Config
from portal.core import create_core
from portal.database import db


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
