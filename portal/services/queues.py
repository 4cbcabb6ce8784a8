"""How the queue stands: what waits, since when, and who works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import RedisError
from rq import Worker
from rq.job import Job
from sqlalchemy import func, or_, select

from portal.core import core
from portal.database import db, utcnow
from portal.jobqueue import QUEUES
from portal.models import InvoiceSync, MemberSync, Space
from portal.tenancy import all_spaces


@dataclass(frozen=True)
class Line:
    """One queue of wake-ups. `oldest_at` is when its first job was put in."""

    name: str
    length: int
    oldest_at: datetime | None
    workers: int


@dataclass(frozen=True)
class QueueState:
    """`lines` is None when Redis is away; the figures of the database are always there."""

    lines: tuple[Line, ...] | None
    due_invoices: int
    oldest_due_at: datetime | None
    due_members: int


@all_spaces("how the queue stands")
def all_spaces_queue_state() -> QueueState:
    """Return what waits for a worker, by Redis and by the database, which is the truth.

    What is due in a space that is paused or not connected waits for people, not for a worker.
    """
    now = utcnow()
    may_work = (
        Space.connected_at.is_not(None),
        or_(Space.paused_at.is_(None), Space.probe_at <= now),
    )
    invoices, oldest = db.session.execute(
        select(func.count(), func.min(InvoiceSync.next_try_at))
        .select_from(InvoiceSync)
        .join(Space, Space.id == InvoiceSync.space_id)
        .where(InvoiceSync.next_try_at <= now, *may_work)
    ).one()
    members = db.session.scalar(
        select(func.count())
        .select_from(MemberSync)
        .join(Space, Space.id == MemberSync.space_id)
        .where(MemberSync.next_try_at <= now, *may_work)
    )
    return QueueState(lines(), invoices, oldest, members or 0)


def lines() -> tuple[Line, ...] | None:
    """Return each queue as Redis has it, None when it is away."""
    queue = core().queue
    try:
        workers = [set(worker.queue_names()) for worker in Worker.all(connection=queue.redis)]
        return tuple(
            Line(
                name=name,
                length=len(queue.queue(name)),
                oldest_at=_oldest(name),
                workers=sum(name in names for names in workers),
            )
            for name in QUEUES
        )
    except RedisError:
        return None


def _oldest(name: str) -> datetime | None:
    queue = core().queue.queue(name)
    ids = queue.get_job_ids(0, 1)
    job: Job | None = queue.fetch_job(ids[0]) if ids else None
    if job is None or job.enqueued_at is None:
        return None
    at: datetime = job.enqueued_at
    return at if at.tzinfo else at.replace(tzinfo=UTC)
