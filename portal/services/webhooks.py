"""Taking Cobot's webhooks in: check, keep, wake, and only then say yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Literal

import structlog
from sqlalchemy import (
    JSON,
    ColumnClause,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Text,
    bindparam,
    case,
    column,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from portal.cobot.webhooks import EVENTS, address, remote_id
from portal.core import core
from portal.crypto import digest
from portal.database import AWAY, db, reading_only, table_of, utcnow
from portal.errors import BadHook
from portal.logs import request_id
from portal.models import InboxEvent
from portal.services.directory import SPACES, all_spaces_of_hook
from portal.tenancy import in_space
from portal.together import Together

log = structlog.get_logger(__name__)

Again = Literal["no", "count", "open"]
"""What becomes of a message that stands there already."""

LOOK_AGAIN_EVENTS = {"updated_invoice", "requested_e_invoice", "wrote_off_invoice"}
"""Events that may happen to a thing more than once: a repeat opens the row again."""
MOST_REMEMBERED = 20_000
"""Spaces whose hooks came to this process; they are some hundred bytes each."""

_NOW = bindparam("now", type_=SPACES.c.wake_at.type)
_OF_SPACE = update(SPACES).where(SPACES.c.id == bindparam("space"))
_ALARM = _OF_SPACE.where(
    SPACES.c.hook_digest == bindparam("key"), SPACES.c.connected_at.is_not(None)
).values(wake_at=case((SPACES.c.wake_at <= _NOW, SPACES.c.wake_at), else_=_NOW))
_ALARM_OF_A_SLEEPER = _ALARM.where(or_(SPACES.c.wake_at.is_(None), SPACES.c.wake_at > _NOW))
_COUNT_REJECTED = _OF_SPACE.values(
    hook_rejected_at=_NOW,
    hook_rejected_reason=bindparam("reason"),
    hook_rejected_count=SPACES.c.hook_rejected_count + 1,
)


def look_up(secret: str) -> int | None:
    """Return 404 for an unknown secret, 503 while the database is away, None for a known one.

    It reads by an index and takes no lock, unlike `receive`, which is ready to write. A space whose
    hooks came here before costs no read: whether it is as it was, `receive` finds out.
    """
    key = digest(secret)
    if key in core().hook_spaces:
        return None
    try:
        with reading_only(), db.engine.connect() as connection:
            known = all_spaces_of_hook(connection, key)
    except AWAY:
        return 503
    return None if known is not None else 404


def receive(secret: str, event: str, *, body: bytes, content_type: str | None) -> int:
    """Keep one delivery and wake a worker; return the HTTP status for Cobot.

    202 kept · 400 not a hook of this space, nothing kept but a count · 404 unknown secret ·
    410 the space is no longer connected (Cobot then switches the subscription off) ·
    503 the database is away: Cobot comes again, up to ten times in 20 hours.
    """
    delivery = _Delivery(digest(secret), event, body, content_type)
    try:
        return 202 if _keep_in_a_burst(delivery) else _keep(delivery)
    except AWAY as err:
        why = str(getattr(err, "orig", err))
        log.error("hook not kept, the database is away", event_name=event, error=why)
        return 503


@dataclass(frozen=True)
class _Delivery:
    key: str
    """The digest of the secret in the address."""
    event: str
    body: bytes
    content_type: str | None

    def message(self, space_id: int, subdomain: str) -> _Message:
        """Return what it tells this space. Raises BadHook."""
        about = remote_id(
            address(self.body, self.content_type),
            self.event,
            space_url=core().config.cobot_space_url,
            subdomain=subdomain,
        )
        return _Message(space_id, subdomain, self.key, self.event, about, request_id())


@dataclass(frozen=True)
class _Message:
    """What a delivery tells: of which space, and about what."""

    space_id: int
    subdomain: str
    key: str
    event_name: str
    remote_id: str
    request_id: str | None

    KEPT: ClassVar = ("event_name", "remote_id", "request_id")
    """What of it stands in its row and in the log."""

    def kept(self) -> dict[str, str | None]:
        """Return it as it is kept, and written in the log."""
        return {name: getattr(self, name) for name in self.KEPT}


@dataclass(frozen=True)
class _Known:
    """A space whose webhooks came to this process, and the line in which those of a burst stand."""

    space_id: int
    subdomain: str
    line: Together[_Message, bool] = field(default_factory=Together, compare=False)


def _keep_in_a_burst(delivery: _Delivery) -> bool:
    """Keep a delivery of a space that is known here, with those of it that come meanwhile.

    False where anything is not as it was: then nothing was done, and `_keep` finds out what.
    """
    known: _Known | None = core().hook_spaces.get(delivery.key)
    if known is None:
        return False
    try:
        message = delivery.message(known.space_id, known.subdomain)
    except BadHook:
        return False
    by_me: list[_Message] = []

    def keep(messages: Sequence[_Message]) -> bool:
        if not _keep_all_or_none(messages):
            return False
        by_me.extend(messages)
        return True

    if not known.line.join(message, keep):
        return False
    if by_me:
        # Once for all of them, and when they are answered: they need not wait for the queue.
        _are_kept(by_me)
    return True


def _are_kept(messages: Sequence[_Message]) -> None:
    """Write in the log what was kept of a space together, and wake a worker for it."""
    space_id = messages[0].space_id
    # The log first: the queue may hang, and those answered meanwhile stand in no other line.
    log.info("hooks kept", space=space_id, hooks=[one.kept() for one in messages])
    core().queue.wake(space_id)


def _keep_all_or_none(messages: Sequence[_Message]) -> bool:
    """Keep what came of a space at the same time in one transaction; False where one of them cannot
    be kept as it is, or stands there already: then none is."""
    first = messages[0]
    # In one order: of two processes that keep the same, none waits for the other one's other row.
    # Within an invoice it is the order in which things happen to it.
    messages = sorted(messages, key=lambda one: (one.remote_id, EVENTS.index(one.event_name)))
    with in_space(first.space_id):
        if _insert_all(messages):
            return True
        with db.engine.begin() as connection:
            mine = {"space": first.space_id, "key": first.key, "now": utcnow()}
            is_woken = bool(connection.execute(_ALARM_OF_A_SLEEPER, mine).rowcount)
        return is_woken and _insert_all(messages)


def _insert_all(messages: Sequence[_Message]) -> bool:
    with db.engine.connect() as connection:
        if not _is_inserted(connection, messages, utcnow()):
            return False
        connection.commit()
    return True


def _is_inserted(
    connection: Connection, messages: Sequence[_Message], now: datetime, again: Again = "no"
) -> bool:
    """Write them in this order; False where not all of them were."""
    first = messages[0]
    values = {
        "space": first.space_id,
        "subdomain": first.subdomain,
        "key": first.key,
        "now": now,
        "came": [{"place": place, **one.kept()} for place, one in enumerate(messages)],
    }
    insert = _insert(connection.dialect.name, again=again)
    return connection.execute(insert, values).rowcount == len(messages)


def _keep(delivery: _Delivery) -> int:
    """Find the space, wake it, and keep the delivery; return the status for Cobot."""
    now = utcnow()
    with db.engine.begin() as connection:
        space = all_spaces_of_hook(connection, delivery.key)
        if space is None:
            return 404
        if space.connected_at is None:
            return 410
        with in_space(space.id):
            try:
                message = delivery.message(space.id, space.subdomain)
            except BadHook as err:
                why = {"space": space.id, "now": now, "reason": err.reason_code}
                connection.execute(_COUNT_REJECTED, why)
                log.warning("hook rejected", space=space.id, reason=err.reason_code)
                return 400
            # The space first, as everywhere: writers that lock in opposite order block each other.
            # It stays awake and connected until this is kept.
            mine = {"space": space.id, "key": delivery.key, "now": now}
            if not connection.execute(_ALARM, mine).rowcount:
                return 410  # disconnected in between
            again: Again = "open" if delivery.event in LOOK_AGAIN_EVENTS else "count"
            if not _is_inserted(connection, [message], now, again):
                return 503  # renamed in between: it comes again, and is looked up anew
    _remember(delivery.key, _Known(space.id, space.subdomain))
    _are_kept([message])
    return 202


def _remember(key: str, space: _Known) -> None:
    remembered = core().hook_spaces
    if remembered.get(key) == space:
        return  # its line stays: somebody may stand in it
    if len(remembered) >= MOST_REMEMBERED:
        remembered.clear()
    remembered[key] = space


@cache
def _insert(dialect: str, *, again: Again) -> Any:
    """Return the statement, made once, that keeps deliveries in the order of their list, provided
    that their space is connected, has this name and secret, and its alarm went off. Its row count
    says how many it kept.

    `again`: what becomes of one that stands there already. Nothing, it is counted, or its row is
    opened for another look besides.
    """
    events = table_of(InboxEvent)
    came, (place, its_event, its_id, its_request) = _came(dialect)
    values = {
        "space_id": SPACES.c.id,
        "event": its_event,
        "remote_id": its_id,
        "seen_count": literal(1),
        "first_seen_at": _NOW,
        "last_seen_at": _NOW,
        "request_id": its_request,
    }
    awake = select(*values.values()).select_from(SPACES.join(came, true()))
    awake = awake.where(
        SPACES.c.id == bindparam("space"),
        SPACES.c.subdomain == bindparam("subdomain"),
        SPACES.c.hook_digest == bindparam("key"),
        SPACES.c.connected_at.is_not(None),
        SPACES.c.wake_at <= _NOW,
    )
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(events)
    insert = insert.from_select(list(values), awake.order_by(place), include_defaults=False)
    unique = ["space_id", "event", "remote_id"]
    if again == "no":
        insert = insert.on_conflict_do_nothing(index_elements=unique)
    else:
        change = {
            "seen_count": events.c.seen_count + 1,
            "last_seen_at": insert.excluded.last_seen_at,
            "request_id": insert.excluded.request_id,
        }
        if again == "open":
            change["handled_at"] = null()
        insert = insert.on_conflict_do_update(index_elements=unique, set_=change)
    return insert.execution_options(preserve_rowcount=True)


def _came(dialect: str) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """Return the list `came` as a table, and its columns, as `_is_inserted` fills it: one parameter
    for all costs less than one for each value of each."""
    came = bindparam("came", type_=JSON)
    columns: list[ColumnClause[Any]] = [column("place", Integer)]
    columns += [column(name, Text) for name in _Message.KEPT]
    if dialect == "sqlite":
        each = func.json_each(came).table_valued("value")
        paths: list[ColumnClause[str]] = [literal_column(f"'$.{one.name}'") for one in columns]
        return each, [func.json_extract(each.c.value, path) for path in paths]
    rows = func.json_to_recordset(came).table_valued(*columns).render_derived(with_types=True)
    return rows, list(rows.c)
