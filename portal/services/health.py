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
from portal.services import migrating, queues

log = structlog.get_logger(__name__)

UPKEEP_BEAT = "portal:beat:upkeep"
"""When upkeep last looked around, Unix seconds."""
NEEDED = ("database",)
"""Without the rest requests can be answered: hooks are kept, upkeep wakes the workers later."""


def readiness() -> dict[str, bool | str | float | None]:
    """Return for each thing we stand on whether it is there, and how old what waits is.

    `database` is there when this release can work on it (`can_work_at`). Ages are seconds; None
    where nothing waits, or where it cannot be known.
    """
    revision = current_revision()
    is_there = can_work_at(revision)
    oldest = None
    if is_there:
        try:
            due_at = queues.all_spaces_queue_state().oldest_due_at
            oldest = round((utcnow() - due_at).total_seconds(), 1) if due_at else None
        except SQLAlchemyError:
            revision, is_there = None, False
        finally:
            db.session.rollback()
    beats = heartbeats()
    return {
        "database": is_there,
        "migration": revision,
        "migration_needed": migrating.head_revision(),
        "queue": core().queue.is_reachable(),
        "worker_heartbeat_seconds": beats["worker"],
        "upkeep_heartbeat_seconds": beats["upkeep"],
        "oldest_due_seconds": oldest,
    }


def can_work_at(revision: str | None) -> bool:
    """Say whether this release can work on a database at this migration: its own newest one, or one
    of a later release, whose migrations run while this one still works and only add."""
    return revision == migrating.head_revision() or migrating.is_of_later_release(revision)


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
