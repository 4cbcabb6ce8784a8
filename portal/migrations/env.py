"""Alembic's way into the application's database."""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

import portal.models  # noqa: F401 - the tables must be known
from portal import rowsecurity
from portal.core import core
from portal.database import Base, db
from portal.services import migrating
from portal.tenancy import all_spaces


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


@all_spaces("migrations")
def _run_on_all_spaces() -> None:
    with db.engine.connect() as connection:
        _run(connection)
        connection.commit()


def _run_as_owner() -> None:
    """On PostgreSQL the tables are their owner's; the portal's role only works with them."""
    with migrating.owners_engine().connect() as connection:
        # The owner is held by the policies as everybody is: a migration is about all rows.
        connection.exec_driver_sql("SELECT set_config('app.all_spaces', 'migrations', false)")
        connection.exec_driver_sql(f"SET lock_timeout = '{migrating.LOCK_TIMEOUT}'")
        connection.commit()
        migrating.with_patience(connection, lambda: _run_and_establish(connection))


def _run_and_establish(connection: Connection) -> None:
    _run(connection)
    rowsecurity.establish(connection, core().config.database_role)
    connection.commit()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database; give DATABASE_URL.")

if db.engine.dialect.name == "postgresql":
    _run_as_owner()
else:
    _run_on_all_spaces()
