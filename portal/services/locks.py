"""Locks across workers: one drain per space, one new customer number per sevdesk client.

PostgreSQL: an advisory lock of the connection that the session then works on; a dead worker frees
it at once, a stopped one keeps it. SQLite (one host): a row with owner, expiry and a fencing
number; a dead owner's row is taken over at once, a stopped one's after its expiry, and the stopped
one is told by `confirm`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, cast

import structlog
from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from portal.database import Session, db, insert_or_update, table_of, utcnow
from portal.errors import PortalError
from portal.models import Lease

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=120)
"""Longer than the slowest remote call; renewed by every confirm."""


class LockLost(PortalError):
    """Somebody else holds the lock now: stop, and write nothing more."""


class Lock(ABC):
    """A lock that this worker holds."""

    @abstractmethod
    def confirm(self) -> None:
        """Make sure, within the caller's transaction, that the lock is still ours.

        Raises LockLost.
        """

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether it is known, without asking, that the lock is not ours any more."""


@contextmanager
def space_lock(space_id: int) -> Iterator[Lock | None]:
    """Hold the lock of a space; None when another worker has it."""
    with _lock(f"space:{space_id}") as lock:
        yield lock


@contextmanager
def number_lock(sevdesk_client: str) -> Iterator[Lock | None]:
    """Hold the lock for new customer numbers of a sevdesk client; None when another has it.

    sevdesk computes the next number and does not reserve it.
    """
    with _lock(f"customer-number:{sevdesk_client}") as lock:
        yield lock


@contextmanager
def task_lock(task_id: int) -> Iterator[Lock | None]:
    """Hold the lock of a task; None when another worker is on it."""
    with _lock(f"task:{task_id}") as lock:
        yield lock


@contextmanager
def _lock(name: str) -> Iterator[Lock | None]:
    take = _advisory_lock if db.engine.dialect.name == "postgresql" else _lease
    with take(name) as lock:
        yield lock


class _AdvisoryLock(Lock):
    """A lock of the connection that the session is held to: it cannot be lost and something be
    committed after all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def is_gone(self) -> bool:
        return self._connection.invalidated

    def confirm(self) -> None:
        if self.is_gone:
            raise LockLost("the connection that held the lock is gone")


_TRY = select(func.pg_try_advisory_lock(bindparam("key")))
_UNLOCK = select(func.pg_advisory_unlock(bindparam("key")))
_HELD = "advisory locks held"


@contextmanager
def _advisory_lock(name: str) -> Iterator[Lock | None]:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    session = cast(Session, db.session())
    with session.on_one_connection():
        held: set[int] = session.info.setdefault(_HELD, set())
        if key in held:  # the server would give a connection the same lock twice
            yield None
            return
        with _free_in_the_end(session.the_connection()) as freed:
            if not _ask(session, _TRY, key):
                freed.set()
                yield None
                return
            held.add(key)
            try:
                yield _AdvisoryLock(session.the_connection())
            finally:
                held.discard(key)
                with suppress(SQLAlchemyError):
                    _unlock(session, key)
                    freed.set()


@contextmanager
def _free_in_the_end(connection: Connection) -> Iterator[Event]:
    """Close the connection unless it is said to be free, whatever ends the block, and wherever (a
    job's time is up in the middle of anything): no lock may stay on one that others use next."""
    is_free = Event()
    try:
        yield is_free
    finally:
        if not is_free.is_set() and not connection.invalidated:
            log.warning("lock given back with its connection")
            connection.invalidate()


def _unlock(session: Session, key: int) -> None:
    with suppress(SQLAlchemyError):
        _ask(session, _UNLOCK, key)
        return
    session.rollback()  # what was open failed: nothing of it could be kept
    _ask(session, _UNLOCK, key)


def _ask(session: Session, question: Select[Any], key: int) -> bool:
    """Ask in the transaction that is open, or else in one of its own: none stays open for it."""
    connection = session.the_connection()
    if connection.in_transaction():
        return bool(connection.scalar(question, {"key": key}))
    with connection.begin():
        return bool(connection.scalar(question, {"key": key}))


_LEASES = table_of(Lease)
_MINE = (
    _LEASES.c.name == bindparam("its_name"),
    _LEASES.c.owner == bindparam("its_owner"),
    _LEASES.c.fence == bindparam("its_fence"),
)
_RENEW = update(_LEASES).where(*_MINE).values(expires_at=bindparam("until"))
_GIVE_BACK = update(_LEASES).where(*_MINE).values(owner=None, expires_at=None)


class _LeaseLock(Lock):
    def __init__(self, name: str, owner: str, fence: int) -> None:
        self._mine = {"its_name": name, "its_owner": owner, "its_fence": fence}

    def confirm(self) -> None:
        with db.session.no_autoflush:  # what was changed is written once, with the commit
            renewed = db.session.execute(_RENEW, {**self._mine, "until": utcnow() + LEASE})
        if renewed.rowcount != 1:  # type: ignore[attr-defined]
            raise LockLost("the lease went to another worker")

    @property
    def is_gone(self) -> bool:
        return False

    def release(self) -> None:
        with db.engine.begin() as connection:
            connection.execute(_GIVE_BACK, self._mine)


@contextmanager
def _lease(name: str) -> Iterator[Lock | None]:
    _release_what_was_left()
    owner = f"{os.getpid()}:{_birth(os.getpid())}:{secrets.token_hex(8)}"
    with db.engine.begin() as connection:
        connection.execute(
            insert_or_update(Lease, {"name": name, "fence": 0}, unique=("name",), change={})
        )
        holder = connection.execute(select(Lease.owner).where(Lease.name == name)).scalar_one()
        free = or_(Lease.owner.is_(None), Lease.expires_at < utcnow())
        if holder and not _is_alive(holder):
            free = or_(free, Lease.owner == holder)
        fence = connection.execute(
            update(Lease)
            .where(Lease.name == name, free)
            .values(owner=owner, fence=Lease.fence + 1, expires_at=utcnow() + LEASE)
            .returning(Lease.fence)
        ).scalar_one_or_none()
    if fence is None:
        yield None
        return
    lock = _LeaseLock(name, owner, fence)
    try:
        yield lock
    finally:
        try:
            lock.release()
        except OperationalError as err:
            # A full disk, say. It must not cost the space two minutes once there is room again.
            log.warning("lease could not be given back yet", lock=name, error=str(err.orig))
            _left.append(lock)


_left: list[_LeaseLock] = []
"""Leases that this process could not give back; it tries again before it takes the next one."""


def _release_what_was_left() -> None:
    while _left:
        _left[0].release()
        _left.pop(0)


def _is_alive(owner: str) -> bool:
    """Say whether the process that took a lease still runs (same host: SQLite knows no other)."""
    pid, birth, _ = owner.split(":")
    return _birth(int(pid)) == birth


def _birth(pid: int) -> str:
    """Return a mark of a process that a later one of the same number does not have; "" if gone."""
    if pid == os.getpid():
        return _own_birth(pid)
    return _read_birth(pid)


@cache
def _own_birth(pid: int) -> str:
    return _read_birth(pid)


def _read_birth(pid: int) -> str:
    try:
        # Field 22 of /proc/<pid>/stat is the start time; the name before it may hold blanks.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"
