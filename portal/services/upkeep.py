"""Keeping everything going from the database alone: wake what is due, catch up, tidy.

Redis may be empty, workers may have died: what stands in the tables is found again here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import exists, func, or_, select, text, update
from sqlalchemy.exc import OperationalError

from portal.core import core
from portal.database import db, utcnow
from portal.models import InboxEvent, InvoiceSync, MemberSync, Space
from portal.models.invoice import FORGOTTEN
from portal.services import catchup, heal, health, housekeeping, task_upkeep
from portal.services.calls import forget_old_calls_of_all_spaces
from portal.services.drain import queues_for
from portal.services.sessions import end_expired_sessions
from portal.tenancy import all_spaces

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

TICK_SECONDS = 0.25
"""The longest time between two looks for alarms; one look takes an index. One that is known to go
off before is kept to the moment: what waits for its budget of calls loses nothing of it."""
WAKE_AGAIN = timedelta(seconds=60)
"""A woken space that no worker looked at is woken again after this."""

AFTER_FAULT_SECONDS = 1.0
"""The pause after a round in which alarms could not be looked at: it is likely to fail again."""

AT_ONCE = 500
"""So many spaces are looked up, and put into the queue, in one go."""


def run(should_stop: Callable[[], bool]) -> None:
    """Tick until told to stop; sweep every UPKEEP_SECONDS, let old things go once a day.

    A fault ends nothing: the alarms of all spaces hang on this process, and it would be met again
    after a restart. What failed is done again when its time comes, the next day what is done daily.
    """
    next_sweep = 0.0
    tidied_on: date | None = None
    while not should_stop():
        # Alarms first: the rest may take long.
        woken = _tried(tick_all_spaces)
        looks = _tried(task_upkeep.wake_due_in_all_spaces)
        if time.monotonic() >= next_sweep:
            next_sweep = time.monotonic() + core().config.upkeep_seconds
            health.beat()
            _tried(sweep_all_spaces)
        if tidied_on != utcnow().date():
            tidied_on = utcnow().date()
            gone = _tried(housekeeping.let_old_things_of_all_spaces_go)
            for kind, rows in (gone or {}).items():
                log.info("old things deleted", kind=kind, rows=rows)
        ahead = _tried(seconds_to_alarm_of_all_spaces)
        core().counters.flush_soon()
        if woken is None or looks is None or ahead is None:
            time.sleep(AFTER_FAULT_SECONDS)
        else:
            time.sleep(min(TICK_SECONDS, ahead))


def _tried(step: Callable[[], Result]) -> Result | None:
    """Return what the step returns, None where it failed: that is logged, and counted where it is
    more than a database that is away."""
    try:
        try:
            return step()
        finally:
            db.session.remove()  # may fail as well, on a connection that is gone
    except OperationalError as err:
        log.error("the database is away, upkeep waits", error=str(err.orig))
    except Exception as err:
        core().counters.add("portal_faults", "upkeep")
        log.exception("unexpected error, upkeep goes on", exc_info=err)
    return None


@all_spaces("when the next alarm goes off")
def seconds_to_alarm_of_all_spaces() -> float:
    """Return the seconds until the next alarm that is still ahead, of any space; at most a day.

    One that went off since the last look waits for the next one. In a burst there always is one:
    each webhook sets it anew and wakes the space by itself. To look at once would cost the next
    webhook a second try, and so on without a pause.
    """
    now = utcnow()
    first = db.session.scalar(select(func.min(Space.wake_at)).where(Space.wake_at > now))
    db.session.commit()
    return (timedelta(days=1) if first is None else first - now).total_seconds()


@all_spaces("alarms that went off")
def tick_all_spaces() -> int:
    """Wake every space whose alarm went off; return how many."""
    now = utcnow()
    if not db.session.scalar(select(Space.id).where(Space.wake_at <= now).limit(1)):
        db.session.commit()
        return 0
    db.session.commit()
    due = db.session.scalars(
        update(Space)
        .where(Space.wake_at <= now)
        .values(wake_at=now + WAKE_AGAIN)
        .returning(Space.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.commit()
    for some in batched(due, AT_ONCE):
        core().queue.wake_all(queues_for(some))
    return len(due)


def batched(space_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for place in range(0, len(space_ids), size):
        yield space_ids[place : place + size]


@all_spaces("what is due without an alarm")
def sweep_all_spaces() -> int:
    """Find what is due without an alarm, send spaces to their nightly comparison, tidy up.

    Return how many spaces got an alarm.
    """
    now = utcnow()
    found = _alarm_forgotten(now)
    _send_to_catch_up(now)
    heal.send_all_spaces_to_heal(now)
    task_upkeep.tidy_all_spaces()
    end_expired_sessions()
    forget_old_calls_of_all_spaces()
    return found


def _alarm_forgotten(now: datetime) -> int:
    def is_due(model: type[MemberSync | InvoiceSync]) -> object:
        return exists().where(model.space_id == Space.id, model.next_try_at <= now)

    # Nothing that ends by itself may be without a time; should it ever be, it is found here.
    # Written out, so that the index of just these rows is used.
    for model in (MemberSync, InvoiceSync):
        db.session.execute(
            update(model)
            .where(text(FORGOTTEN))
            .values(next_try_at=now)
            .execution_options(synchronize_session=False)
        )
    open_events = exists().where(InboxEvent.space_id == Space.id, InboxEvent.handled_at.is_(None))
    changed = db.session.execute(
        update(Space)
        .where(
            Space.connected_at.is_not(None),
            or_(Space.wake_at.is_(None), Space.wake_at > now + WAKE_AGAIN),
            or_(Space.probe_at.is_(None), Space.probe_at <= now),
            or_(open_events, is_due(MemberSync), is_due(InvoiceSync)),  # type: ignore[arg-type]
        )
        .values(wake_at=now)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return int(changed.rowcount)  # type: ignore[attr-defined]


def _send_to_catch_up(now: datetime) -> None:
    """Queue the comparison with Cobot's list where it is due."""
    ids = db.session.scalars(
        select(Space.id).where(
            Space.connected_at.is_not(None), Space.paused_at.is_(None), catchup.is_due(now)
        )
    ).all()
    db.session.commit()
    for space_id in ids:
        core().queue.catch_up(space_id)
