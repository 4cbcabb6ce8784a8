"""`flask db upgrade`, as Flask-Migrate has it, but for a database of a later release."""

from __future__ import annotations

from typing import Any

import click
import structlog
from flask.cli import with_appcontext
from flask_migrate.cli import upgrade as upgrade_as_always

from portal.database import reading_only
from portal.services import migrating

log = structlog.get_logger(__name__)


@click.command("upgrade", params=upgrade_as_always.params, help=upgrade_as_always.help)
@with_appcontext
def upgrade_command(**given: Any) -> None:
    """Migrate, unless the database is newer than this release: then nothing is done.

    Who goes back to the version before starts it as always, its migrations first. Alembic does not
    know where the database stands then, and would end the deploy with an error.
    """
    with reading_only():
        revision = migrating.owners_revision()
    if migrating.is_of_later_release(revision):
        log.warning(
            "the database is newer than this release: nothing to migrate",
            migration=revision,
            newest_known=migrating.head_revision(),
        )
        return
    click.get_current_context().invoke(upgrade_as_always, **given)
