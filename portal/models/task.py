"""Longer work that a person starts: checks, rehearsals, imports, backfills; how far it got."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Amount, Base, Id, Moment, utcnow

LISTS_MEMBERS = "members"
"""The kind of task whose items name people: the others keep numbers only."""


class Task(Base):
    """One piece of work of a space: first a look at both sides, for some then the work itself.

    It stands here and not in the queue: closing the page, a restart of everything or an empty
    Redis changes nothing.
    """

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('mapping', 'rehearsal', 'members', 'backfill', 'month')", name="kind"
        ),
        CheckConstraint("phase IN ('look', 'work')", name="phase"),
        CheckConstraint(
            "state IN ('running', 'ready', 'paused', 'done', 'cancelled', 'failed')", name="state"
        ),
        # One of a kind at a time in a space.
        Index(
            "uq_task_open",
            "space_id",
            "kind",
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
            sqlite_where=text("finished_at IS NULL"),
        ),
        Index("ix_task_space", "space_id", "kind", "id"),
        Index(
            "ix_task_due",
            "next_try_at",
            postgresql_where=text("next_try_at IS NOT NULL"),
            sqlite_where=text("next_try_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    phase: Mapped[str] = mapped_column(String(10), default="look")
    """"look" reads both sides and writes nothing; "work" is what a person started after it."""
    state: Mapped[str] = mapped_column(String(10), default="running")
    """"ready": looked, and waits for a person to start the work."""
    actor: Mapped[str] = mapped_column(String(80))
    from_date: Mapped[date | None]
    to_date: Mapped[date | None]
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What came out, without names of people."""
    cause_code: Mapped[str | None] = mapped_column(String(50))
    """Why it waits or failed."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(Moment)
    """When a worker goes on with the look; None when it needs no worker of its own."""
    clock_at: Mapped[datetime | None] = mapped_column(Moment)
    clock_done: Mapped[int] = mapped_column(default=0)
    """Since when the work goes on without a break and how much was done then: for the rest time."""
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class TaskItem(Base):
    """One invoice or member of a task: what was found out, and whether it was taken up."""

    __tablename__ = "task_item"
    __table_args__ = (
        UniqueConstraint("space_id", "task_id", "remote_id"),
        Index("ix_task_item_open", "space_id", "task_id", "taken_at", "place"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"), index=True)
    place: Mapped[int]
    """The order in which it is shown and taken up."""
    remote_id: Mapped[str] = mapped_column(String(64))
    number: Mapped[str | None] = mapped_column(String(100))
    day: Mapped[date | None]
    gross: Mapped[Decimal | None] = mapped_column(Amount)
    verdict: Mapped[str] = mapped_column(String(20))
    """How it would end (a state, or "known"), or what would be done (link, create, ...)."""
    cause_code: Mapped[str | None] = mapped_column(String(50))
    cause_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What the page shows besides; deleted with the item some weeks after the task's end."""
    taken_at: Mapped[datetime | None] = mapped_column(Moment)
