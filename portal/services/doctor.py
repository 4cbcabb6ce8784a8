"""What is wrong with a deployment, found from inside: each thing looked at gives one finding.

Nothing is written anywhere, and no finding holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from requests import Request
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal import rowsecurity
from portal.config import LOOPBACK_HOSTS, Config
from portal.core import core
from portal.database import db, utcnow
from portal.exchange import NoAnswer, exchange
from portal.models import InboxEvent
from portal.services import health, migrating, queues, vault
from portal.services.directory import all_spaces_by_name
from portal.tenancy import all_spaces

SKEW_WARNING_SECONDS = 5.0
SKEW_BROKEN_SECONDS = 120.0
"""Budgets and leases compare times of several machines; sevdesk and Cobot date what we send."""
SILENT_SECONDS = 300
LATE_SECONDS = 900


class Grade(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    grade: Grade
    subject: str
    said: str


def examine() -> Iterator[Finding]:
    """Look at everything, one after the other; a look that fails is a finding."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _settings,
        _database,
        _keys,
        _queue,
        _workers,
        _remote_sides,
        _hooks,
    )
    for look in looks:
        try:
            yield from look()
        except SQLAlchemyError as err:
            db.session.rollback()
            yield Finding(Grade.BROKEN, "database", f"does not answer ({type(err).__name__})")


def _settings() -> Iterator[Finding]:
    config = core().config
    yield Finding(Grade.OK, "settings", f"complete; the portal's address is {config.public_url}")
    yield from _weak_settings(config)


def _weak_settings(config: Config) -> Iterator[Finding]:
    def weak(said: str) -> Finding:
        return Finding(Grade.WARNING, "settings", said)

    host = urlsplit(config.public_url).hostname
    if host in LOOPBACK_HOSTS:
        yield weak("PUBLIC_URL is of this machine only: Cobot's messages cannot arrive")
    elif config.proxy_hops == 0:
        yield weak("PROXY_HOPS is 0: behind a proxy all visitors share one limit of sign-ins")
    if config.sqlalchemy_url.startswith("sqlite"):
        yield weak("DATABASE_URL is SQLite: for one machine only")
    if config.metrics_token is None:
        yield weak("METRICS_TOKEN is not set: nobody watches the figures")
    if config.log_level == "DEBUG":
        yield weak("LOG_LEVEL is DEBUG: many lines")


def _database() -> Iterator[Finding]:
    revision, head = health.current_revision(), migrating.head_revision()
    if revision is None:
        yield Finding(Grade.BROKEN, "database", "does not answer: check DATABASE_URL")
        return
    name = db.engine.dialect.name
    yield Finding(Grade.OK, "database", f"{name} answers")
    if migrating.is_of_later_release(revision):
        yield Finding(
            Grade.WARNING, "migration", f"the database is at {revision}, of a later release; this "
            f"one knows {head} and works on: deploy the later one"
        )  # fmt: skip
    elif revision != head:
        at = revision or "no migration"
        yield Finding(
            Grade.BROKEN, "migration", f"the database is at {at}, this release needs {head}: "
            "flask db upgrade"
        )  # fmt: skip
        return
    else:
        yield Finding(Grade.OK, "migration", f"{head}, the newest")
    if name == "postgresql":
        theirs = db.session.execute(text("SELECT now()")).scalar_one()
        yield _clock("the database", abs((utcnow() - theirs).total_seconds()))
        yield _spaces_apart()
    db.session.rollback()


def _spaces_apart() -> Finding:
    """Whether PostgreSQL keeps the spaces apart from who works there."""
    who, is_above = db.session.execute(
        text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ).one()
    if is_above:
        return Finding(
            Grade.BROKEN, "role", f"the portal works as {who}, above row level security: set "
            "DATABASE_ROLE=portal_app and flask db upgrade"
        )  # fmt: skip
    if unguarded := rowsecurity.unguarded(db.session.connection()):
        return Finding(
            Grade.BROKEN, "role", f"no row level security on {', '.join(unguarded)}: "
            "flask db upgrade"
        )  # fmt: skip
    return Finding(Grade.OK, "role", f"works as {who}; row level security keeps the spaces apart")


def _keys() -> Iterator[Finding]:
    """Whether TOKEN_KEYS opens what is stored: with a lost key every space must connect again."""
    if not health.can_work_at(health.current_revision()):
        return
    spaces = [one for one in all_spaces_by_name() if one.is_connected]
    fields: tuple[vault.Field, ...] = ("cobot_token", "sevdesk_token", "hook_secret")
    closed = [one for one in spaces if not all(vault.opens(one, field) for field in fields)]
    db.session.rollback()
    if closed:
        yield Finding(
            Grade.BROKEN, "keys", f"TOKEN_KEYS does not open the secrets of {len(closed)} of "
            f"{len(spaces)} connected spaces: give the key that sealed them too"
        )  # fmt: skip
    else:
        yield Finding(Grade.OK, "keys", f"open the secrets of all {len(spaces)} connected spaces")


def _queue() -> Iterator[Finding]:
    queue = core().queue
    if not queue.is_reachable():
        yield Finding(Grade.BROKEN, "queue", "does not answer: check REDIS_URL")
        return
    yield Finding(Grade.OK, "queue", "answers")
    try:
        policy = queue.redis.config_get("maxmemory-policy").get("maxmemory-policy")  # type: ignore[union-attr]
    except RedisError:
        return  # many hosts forbid the question
    if policy != "noeviction":
        yield Finding(
            Grade.WARNING, "queue", f"maxmemory-policy is {policy}: set it to noeviction, or "
            "wake-ups are forgotten when memory is short"
        )  # fmt: skip


def _workers() -> Iterator[Finding]:
    lines = queues.lines()
    if lines is None:
        return
    for line in lines:
        grade = Grade.OK if line.workers else Grade.WARNING
        said = f"{line.workers} on {line.name}, {line.length} wake-ups wait"
        yield Finding(grade, "workers", said)
    age = health.heartbeats()["upkeep"]
    patience = max(SILENT_SECONDS, 3 * core().config.upkeep_seconds)
    if age is None or age > patience:
        seen = "was never seen" if age is None else f"was last seen {age:.0f} s ago"
        yield Finding(Grade.WARNING, "upkeep", f"{seen}: start flask upkeep run, exactly one")
    else:
        yield Finding(Grade.OK, "upkeep", f"looked around {age:.0f} s ago")
    if health.can_work_at(health.current_revision()):
        oldest = queues.all_spaces_queue_state().oldest_due_at
        db.session.rollback()
        if oldest is not None and (utcnow() - oldest).total_seconds() > LATE_SECONDS:
            late = (utcnow() - oldest).total_seconds() / 60
            yield Finding(Grade.WARNING, "work", f"an invoice has been due for {late:.0f} minutes")


def _remote_sides() -> Iterator[Finding]:
    config = core().config
    for name, url in (
        ("Cobot", config.cobot_www_url),
        ("Cobot's API", config.cobot_api_url),
        ("sevdesk", config.sevdesk_api_url),
    ):
        yield from _reached(name, url)


def _reached(name: str, url: str) -> Iterator[Finding]:
    """Ask for the address without a token: any answer shows that the way is open."""
    sent_at = datetime.now(UTC)
    answer = exchange(core().sessions, url, "", Request("GET", url), limit=65_536)
    took = (datetime.now(UTC) - sent_at).total_seconds()
    if isinstance(answer, NoAnswer):
        yield Finding(Grade.BROKEN, name, f"{url} does not answer ({answer.reason})")
        return
    grade = Grade.WARNING if answer.status >= 500 else Grade.OK
    said = f"{url} is reached in {took * 1000:.0f} ms; without a token it answers {answer.status}"
    yield Finding(grade, name, said)
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError):
        return
    if theirs.tzinfo is None:
        return
    # Written in whole seconds, at some time between sending and receiving: so much is no skew.
    doubt = took / 2 + 0.5
    middle = sent_at + timedelta(seconds=took / 2)
    away = abs((theirs + timedelta(seconds=0.5) - middle).total_seconds())
    yield _clock(name, max(0.0, away - doubt))


def _clock(whose: str, skew_seconds: float) -> Finding:
    if skew_seconds > SKEW_BROKEN_SECONDS:
        grade = Grade.BROKEN
    else:
        grade = Grade.WARNING if skew_seconds > SKEW_WARNING_SECONDS else Grade.OK
    fix = "" if grade is Grade.OK else ": let this machine set its clock (NTP)"
    return Finding(grade, "clock", f"{skew_seconds:.0f} s away from that of {whose}{fix}")


@all_spaces("whether hooks arrive")
def _latest_of_all_spaces() -> datetime | None:
    return db.session.scalar(select(func.max(InboxEvent.last_seen_at)))


def _hooks() -> Iterator[Finding]:
    address = core().config.public_url
    yield Finding(
        Grade.OK, "hooks", f"Cobot sends to {address}/hooks/cobot/...; try from outside: "
        f"curl -i {address}/healthz"
    )  # fmt: skip
    if not health.can_work_at(health.current_revision()):
        return
    latest = _latest_of_all_spaces()
    db.session.rollback()
    said = "none has arrived yet"
    if latest is not None:
        said = f"the latest arrived {(utcnow() - latest).total_seconds() / 60:.0f} minutes ago"
    yield Finding(Grade.OK, "hooks", said)
