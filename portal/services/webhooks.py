"""Taking Cobot's webhooks in: check, keep, wake, and only then say yes."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from urllib.parse import parse_qs

import structlog
from sqlalchemy import Executable, bindparam, null, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from portal.cobot.webhooks import remote_id
from portal.core import core
from portal.database import db, reading_only, table_of, utcnow
from portal.errors import BadHook
from portal.logs import request_id
from portal.models import InboxEvent, Space
from portal.services.directory import SPACES, all_spaces_of_hook
from portal.tenancy import in_space

log = structlog.get_logger(__name__)

LONGEST_BODY = 64 * 1024
LOOK_AGAIN_EVENTS = {"updated_invoice", "requested_e_invoice", "wrote_off_invoice"}
"""Events that may happen to a thing more than once: a repeat opens the row again."""
ALARM = (
    update(SPACES)
    .where(
        SPACES.c.id == bindparam("space"),
        or_(SPACES.c.wake_at.is_(None), SPACES.c.wake_at > bindparam("now")),
    )
    .values(wake_at=bindparam("now"))
)


def look_up(secret: str) -> int | None:
    """Return 404 for an unknown secret, 503 while the database is away, None for a known one.

    It reads by an index and takes no lock: cheaper than `receive`, which is ready to write.
    """
    try:
        with reading_only():
            known = all_spaces_of_hook(secret)
            db.session.rollback()
    except OperationalError:
        db.session.rollback()
        return 503
    return None if known is not None else 404


def receive(secret: str, event: str, *, body: bytes, content_type: str | None) -> int:
    """Keep one delivery and wake a worker; return the HTTP status for Cobot.

    202 kept · 400 not a hook of this space, nothing kept but a count · 404 unknown secret ·
    410 the space is no longer connected (Cobot then switches the subscription off) ·
    503 the database is away: Cobot comes again, up to ten times in 20 hours.
    """
    try:
        return _receive(secret, event, body=body, content_type=content_type)
    except OperationalError as err:
        db.session.rollback()
        log.error("hook not kept, the database is away", event_name=event, error=str(err.orig))
        return 503


def _receive(secret: str, event: str, *, body: bytes, content_type: str | None) -> int:
    space = all_spaces_of_hook(secret)
    if space is None:
        db.session.rollback()
        return 404
    if space.connected_at is None:
        db.session.rollback()
        return 410
    with in_space(space.id):
        try:
            url = _address(body, content_type)
            found = remote_id(
                url, event, space_url=core().config.cobot_space_url, subdomain=space.subdomain
            )
        except BadHook as err:
            _count_rejected(space.id, err.reason_code)
            return 400
        _keep(space.id, event, found, space.wake_at)
    core().queue.wake(space.id)
    return 202


def _keep(space_id: int, event: str, found: str, wake_at: datetime | None) -> None:
    now = utcnow()
    if wake_at is None or wake_at > now:
        # The space first, as everywhere: writers that lock in opposite order block each other.
        # In a burst it is not touched again: then deliveries do not stand in line for its row.
        db.session.execute(ALARM, {"space": space_id, "now": now})
    db.session.execute(
        _insert(db.engine.dialect.name, opens_again=event in LOOK_AGAIN_EVENTS),
        {
            "space_id": space_id,
            "event": event,
            "remote_id": found,
            "seen_count": 1,
            "first_seen_at": now,
            "last_seen_at": now,
            "request_id": request_id(),
        },
    )
    db.session.commit()
    log.info("hook kept", space=space_id, event_name=event, remote_id=found)


@cache
def _insert(dialect: str, *, opens_again: bool) -> Executable:
    """Return the statement that keeps a delivery, made once: a repeat is counted in its row."""
    events = table_of(InboxEvent)
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(events).inline()
    change = {
        "seen_count": events.c.seen_count + 1,
        "last_seen_at": insert.excluded.last_seen_at,
        "request_id": insert.excluded.request_id,
    }
    if opens_again:
        change["handled_at"] = null()
    return insert.on_conflict_do_update(
        index_elements=["space_id", "event", "remote_id"], set_=change
    )


def _address(body: bytes, content_type: str | None) -> str:
    """Return the address in a hook's body. Raises BadHook.

    Cobot sends JSON; a form is taken too, as other add-ons of its platform see one.
    """
    if len(body) > LONGEST_BODY:
        raise BadHook("body_too_long")
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            url = parse_qs(body.decode("ascii"), max_num_fields=100).get("url", [None])[0]
        else:
            content = json.loads(body.decode())
            url = content.get("url") if isinstance(content, dict) else None
    except (ValueError, RecursionError) as err:
        raise BadHook("not_readable") from err
    if not isinstance(url, str) or not url:
        raise BadHook("no_address")
    return url


def _count_rejected(space_id: int, reason_code: str) -> None:
    db.session.execute(
        update(Space)
        .where(Space.id == space_id)
        .values(
            hook_rejected_at=utcnow(),
            hook_rejected_reason=reason_code,
            hook_rejected_count=Space.hook_rejected_count + 1,
        )
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    log.warning("hook rejected", space=space_id, reason=reason_code)
