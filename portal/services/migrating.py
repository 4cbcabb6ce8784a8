"""Where the database stands beside this release, and how a migration waits for its tables."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Any

import structlog
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import LockNotAvailable
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from portal.core import PACKAGE, core
from portal.database import db, engine_options

log = structlog.get_logger(__name__)

LOCK_TIMEOUT = "3s"
"""So long a migration waits for a table (PostgreSQL's lock_timeout): who wants to read the table
meanwhile waits behind it."""
TRIES = 10
PAUSE_SECONDS = 5.0
"""Between two tries, for those who waited."""


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


def with_patience(connection: Connection, migrate: Callable[[], None]) -> None:
    """Run what migrates, again and again while others hold its tables, such as a backup.

    With LOCK_TIMEOUT on the connection nobody waits long behind it. `migrate` must be fit to run
    again: each migration is a transaction, and those that are done are not repeated. Raises
    CommandError, which Flask-Migrate ends with 1, when TRIES were not enough.
    """
    for number in range(1, TRIES + 1):
        try:
            migrate()
            return
        except OperationalError as err:
            if not isinstance(err.orig, LockNotAvailable):
                raise
            # Alembic makes a transaction of each migration only where none is open.
            connection.rollback()
        if number < TRIES:
            log.warning("a table is in use, the migration tries again", tries=f"{number}/{TRIES}")
            sleep(PAUSE_SECONDS)
    raise CommandError(
        f"A table was in use at each of {TRIES} tries, by a backup or a long query. The migration "
        "that needs it has changed nothing; run flask db upgrade again when that is over."
    )


def _migrations() -> ScriptDirectory:
    return ScriptDirectory(str(PACKAGE / "migrations"))
