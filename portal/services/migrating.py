"""Where the database stands beside this release, for `flask db upgrade` and for who looks."""

from __future__ import annotations

from typing import Any

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Engine

from portal.core import PACKAGE, core
from portal.database import db, engine_options


def head_revision() -> str | None:
    """Return the newest migration of this release."""
    return _migrations().get_current_head()


def is_of_later_release(revision: str | None) -> bool:
    """Say whether this release has no such migration: a later one made it, and only added.

    False for "", before the first one, and for None, where the database is away.
    """
    if not revision:
        return False
    return revision not in {one.revision for one in _migrations().walk_revisions()}


def owners_engine() -> Engine:
    """Return an engine for migrations: on PostgreSQL the tables are their owner's, the portal's
    role only works with them, and may not be there yet."""
    if db.engine.dialect.name != "postgresql":
        return db.engine
    url = core().config.migrations_url
    options: dict[str, Any] = {**engine_options(url), "pool_size": None, "max_overflow": None}
    given = {name: value for name, value in options.items() if value is not None}
    return create_engine(url, poolclass=NullPool, **given)


def owners_revision() -> str:
    """Return the migration the database is at, as its owner sees it; "" before the first one.

    Raises OperationalError where the database is away.
    """
    with owners_engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def _migrations() -> ScriptDirectory:
    return ScriptDirectory(str(PACKAGE / "migrations"))
