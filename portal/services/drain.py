"""Working through all that is due in one space, one call at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import OperationalError

from portal.core import core
from portal.crypto import SealBroken
from portal.database import AWAY, db, utcnow
from portal.errors import PortalError
from portal.jobqueue import BACKFILL, DRAIN, DRAIN_SECONDS, INTERACTIVE, is_out_of_time
from portal.logs import tracing
from portal.models import InboxEvent, InvoiceSync, MemberSync, Space, Task
from portal.services import (
    backfill,
    batches,
    calls,
    clients,
    history,
    inbox,
    invoices,
    member_import,
    members,
    patience,
    pauses,
    stopping,
    tasks,
)
from portal.services.due import Due, due_in
from portal.services.locks import Lock, LockLost, space_lock
from portal.services.patience import Patience
from portal.services.rows import reference
from portal.services.settling import survive
from portal.services.work import LeaveSpace, Work

Row = TypeVar("Row", MemberSync, InvoiceSync)

log = structlog.get_logger(__name__)

_DUE_MEMBER = (
    select(MemberSync)
    .where(MemberSync.space_id == bindparam("space"), MemberSync.next_try_at <= bindparam("now"))
    .order_by(MemberSync.id)
    .limit(1)
    .execution_options(populate_existing=True)
)
_SPACE = (
    select(Space).where(Space.id == bindparam("space")).execution_options(populate_existing=True)
)
_THOSE_DUE = (
    select(InvoiceSync.cobot_invoice_id)
    .where(InvoiceSync.space_id == bindparam("space"), InvoiceSync.next_try_at <= bindparam("now"))
    .order_by(InvoiceSync.is_urgent.desc(), InvoiceSync.is_backfill, InvoiceSync.id)
    .limit(bindparam("most"))
)
MOST_EXPECTED = 100
"""Of so many the ends of their histories are learnt at once: more than one drain gets done where
calls take their time."""

COME_AGAIN = timedelta(seconds=1)
"""After so long a space is looked at again whose lock was taken."""


def drain(
    space_id: int,
    *,
    seconds: float = DRAIN_SECONDS,
    only_urgent: bool = False,
    waits: Patience = patience.NONE,
) -> bool:
    """Work in one space for so many seconds at the most; return whether more is due at once.

    With `only_urgent` just what a person waits for is done. `waits` says how long it stays for our
    own budget of calls. Safe to run twice: the second one finds the lock taken and leaves.
    """
    with space_lock(space_id) as lock:
        if lock is None:
            _come_again(space_id)
            return False
        started = time.monotonic()
        try:
            until = _work_through(space_id, lock, seconds, only_urgent, waits)
            return _set_alarm(space_id, lock, until)
        except LockLost as err:
            db.session.rollback()
            log.warning("lock lost, leaving", space=space_id, error=str(err))
            return False
        except AWAY as err:
            if not lock.is_gone:
                raise
            log.warning("lock lost with its connection, leaving", space=space_id, error=str(err))
            return False
        finally:
            took = time.monotonic() - started
            core().counters.observe("portal_drain_seconds", seconds=took)


def _come_again(space_id: int) -> None:
    """Have the space woken again soon: its holder may have looked for what is due already and be
    about to leave, and the wake-up that came now would be lost for a minute. It may have cleared
    the alarm by which a hook let it be."""
    soon = utcnow() + COME_AGAIN
    db.session.execute(
        update(Space)
        .where(
            Space.id == space_id,
            Space.connected_at.is_not(None),
            or_(Space.wake_at.is_(None), Space.wake_at > soon),
        )
        .values(wake_at=soon)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def _work_through(
    space_id: int, lock: Lock, seconds: float, only_urgent: bool, waits: Patience
) -> datetime | None:
    """Work until nothing is due or the time is up; return before when nothing can be done."""
    end = time.monotonic() + seconds
    space = db.session.scalar(_SPACE, {"space": space_id})
    if space is None or not space.is_connected:
        db.session.commit()
        return None
    inbox.take_in(space_id)
    db.session.commit()
    if not pauses.may_work(space):
        return space.probe_at
    try:
        work = Work(space, clients.remotes_of(space, waits), lock, waits)
    except SealBroken:
        pauses.pause(space, "token_unreadable")
        return space.probe_at
    finally:
        db.session.commit()
    _expect_those_due(space_id)
    db.session.commit()
    try:
        while time.monotonic() < end and not stopping.requested.is_set():
            look = _look(work)
            if look.has_news and inbox.take_in(space_id):
                continue
            if not _next(work, look, only_urgent):
                return None
    except LeaveSpace as leaving:
        return leaving.until
    return None


def _expect_those_due(space_id: int) -> None:
    due = db.session.scalars(
        _THOSE_DUE, {"space": space_id, "now": utcnow(), "most": MOST_EXPECTED}
    )
    history.expect(space_id, [history.chain_of_invoice(space_id, one) for one in due])


def _next(work: Work, look: Due, only_urgent: bool) -> bool:
    """Do the one thing that is most due: what a person waits for, members, invoices, oldest first.

    Return False when there is nothing.
    """
    space_id = work.space.id
    invoice = look.invoice
    is_urgent = invoice is not None and invoice.is_urgent
    if only_urgent and not is_urgent:
        db.session.commit()
        return False
    member = None
    if look.is_member_due:
        member = db.session.scalar(_DUE_MEMBER, {"space": space_id, "now": utcnow()})
    db.session.commit()
    if member is not None and not is_urgent:
        _try(work, members.sync, member)
        return True
    if invoice is None:
        return batches.take_up(space_id) or member_import.take_up(work) or backfill.take_up(work)
    _try(work, invoices.sync, invoice)
    return True


def _try(work: Work, sync: Callable[[Work, Row], None], row: Row) -> None:
    """Sync one row; a fault of our own ends this row's turn and not the space's."""
    with tracing(request_id=row.request_id, ref=reference(row)):
        try:
            with calls.collecting():
                sync(work, row)
        except (PortalError, OperationalError):
            raise  # the space has to wait, or the lock or the database is gone
        except Exception as err:
            if is_out_of_time(err):
                raise
            survive(work, row, err)


def _look(work: Work) -> Due:
    """Look what there is to do.

    Leaves when an admin disconnected or changed the space since this drain began.
    """
    found = work.due or due_in(work.space.id)
    work.due = None
    if not work.space.is_connected or work.space.sevdesk_token_key != work.token_key:
        raise LeaveSpace(utcnow())
    if work.space.is_paused:
        raise LeaveSpace(work.space.probe_at or utcnow() + pauses.PROBE_EVERY)
    return found


def _set_alarm(space_id: int, lock: Lock, until: datetime | None) -> bool:
    """Keep when the space is to be woken next; return whether that is now.

    The space's row is locked first, so that a hook that comes meanwhile is seen here or sets the
    alarm itself; one that found the alarm gone off and let it be is not, but wakes the space next.
    """
    db.session.execute(
        update(Space)
        .where(Space.id == space_id)
        .values(wake_at=Space.wake_at)
        .execution_options(synchronize_session=False)
    )
    space = db.session.get(Space, space_id, populate_existing=True)
    if space is None or not space.is_connected:
        db.session.commit()
        return False
    now = utcnow()
    due = [
        db.session.scalar(select(func.min(model.next_try_at)).where(model.space_id == space_id))
        for model in (MemberSync, InvoiceSync)
    ]
    if batches.is_open(space_id) or tasks.has_work(space_id):
        due.append(now)
    first = min((at for at in due if at is not None), default=None)
    if first is not None and until is not None:
        first = max(first, until)
    if db.session.scalar(
        select(InboxEvent.id)
        .where(InboxEvent.space_id == space_id, InboxEvent.handled_at.is_(None))
        .limit(1)
    ):
        first = now  # a paused space takes in what is announced, too
    space.wake_at = first
    lock.confirm()
    db.session.commit()
    return first is not None and first <= now


def queue_for(space_id: int) -> str:
    """Return the queue for a space that has something due."""
    return queues_for((space_id,))[space_id]


def queues_for(space_ids: Sequence[int]) -> dict[int, str]:
    """Return the queue for each of these spaces, which have something due: as few looks for all of
    them as for one. Commits.

    What a person waits for has a queue of its own, so it never stands behind the drains of others;
    old invoices have one, so a space that takes over years of them keeps no new ones waiting.
    """
    is_due = (InvoiceSync.space_id == Space.id, InvoiceSync.next_try_at <= utcnow())
    urgent = _those(space_ids, exists().where(*is_due, InvoiceSync.is_urgent.is_(True)))
    left = [one for one in space_ids if one not in urgent]
    new = _those(
        left,
        exists().where(*is_due, InvoiceSync.is_backfill.is_(False)),
        exists().where(InboxEvent.space_id == Space.id, InboxEvent.handled_at.is_(None)),
    )
    left = [one for one in left if one not in new]
    old = _those(
        left,
        exists().where(*is_due, InvoiceSync.is_backfill.is_(True)),
        exists().where(Task.space_id == Space.id, *tasks.HAS_WORK),
    )
    db.session.commit()
    return {
        one: INTERACTIVE if one in urgent else BACKFILL if one in old else DRAIN
        for one in space_ids
    }


def _those(space_ids: Sequence[int], *conditions: ColumnElement[bool]) -> set[int]:
    """Return which of these spaces meet one of the conditions."""
    if not space_ids:
        return set()
    query = select(Space.id).where(Space.id.in_(space_ids), or_(*conditions))
    return set(db.session.scalars(query))
