"""Whether the portal can take requests."""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from portal.core import PACKAGE, core
from portal.database import db


def readiness() -> dict[str, bool]:
    """Return for each thing we stand on whether it is there.

    `queue` may be away without harm: the database keeps what is due.
    """
    return {"database": _is_migrated(), "queue": core().queue.is_reachable()}


def _is_migrated() -> bool:
    head = ScriptDirectory(str(PACKAGE / "migrations")).get_current_head()
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head
    except SQLAlchemyError:
        return False
