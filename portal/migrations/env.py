"""Alembic's way into the application's database."""

from __future__ import annotations

from alembic import context

import portal.models  # noqa: F401 - the tables must be known
from portal.database import Base, db


def _run(connection: object) -> None:
    context.configure(
        connection=connection,  # type: ignore[arg-type]
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database; give DATABASE_URL.")

with db.engine.connect() as connection:
    _run(connection)
    connection.commit()
