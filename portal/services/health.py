"""Whether the portal can take requests, and whether anybody works on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from alembic.migration import MigrationContext
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy.exc import SQLAlchemyError

from portal.core import core
from portal.database import db, utcnow
from portal.services import queues
from portal.services.migrating import head_revision

log = structlog.get_logger(__name__)

UPKEEP_BEAT = "portal:beat:upkeep"
"""When upkeep last looked around, Unix seconds."""
NEEDED = ("database",)
"""Without the rest requests can be answered: hooks are kept, upkeep wakes the workers later."""


def readiness() -> dict[str, bool | str | float | None]:
    """Return for each thing we stand on whether it is there, and how old what waits is.

    `database` is there when it is at the newest migration. Ages are seconds; None where nothing
    waits, or where it cannot be known.
    """
    revision, head = current_revision(), head_revision()
    oldest = None
    if revision == head:
        try:
            due_at = queues.all_spaces_queue_state().oldest_due_at
            oldest = round((utcnow() - due_at).total_seconds(), 1) if due_at else None
        except SQLAlchemyError:
            revision = None
        finally:
            db.session.rollback()
    beats = heartbeats()
    return {
        "database": revision == head,
        "migration": revision,
        "migration_needed": head,
        "queue": core().queue.is_reachable(),
        "worker_heartbeat_seconds": beats["worker"],
        "upkeep_heartbeat_seconds": beats["upkeep"],
        "oldest_due_seconds": oldest,
    }


def current_revision() -> str | None:
    """Return the migration the database is at: "" before the first, None when it is away."""
    try:
        with db.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    except SQLAlchemyError as err:
        log.warning("the database is away", error=type(err).__name__)
        return None


def beat() -> None:
    """Say that upkeep is alive."""
    try:
        core().queue.redis.set(UPKEEP_BEAT, str(time.time()))
    except RedisError:
        return  # the age that is read says it


def heartbeats() -> Mapping[str, float | None]:
    """Return the age in seconds of the newest sign of life; None for none, or without queue."""
    redis = core().queue.redis
    try:
        seen = [_aware(worker.last_heartbeat) for worker in Worker.all(connection=redis)]
        upkeep = redis.get(UPKEEP_BEAT)
    except RedisError:
        return {"worker": None, "upkeep": None}
    newest = max((at for at in seen if at is not None), default=None)
    now = utcnow()
    return {
        "worker": round((now - newest).total_seconds(), 1) if newest else None,
        "upkeep": round(now.timestamp() - float(upkeep), 1) if upkeep else None,  # type: ignore[arg-type]
    }


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
