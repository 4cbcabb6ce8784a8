"""Doing the same with many invoices: what was chosen, and how far it got."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow

BATCH_STATES = ("draft", "running", "done", "cancelled")


class Batch(Base):
    """One choice of invoices: first a preview, then work, then a summary."""

    __tablename__ = "batch"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'running', 'done', 'cancelled')", name="state"),
        CheckConstraint("kind IN ('retry', 'skip', 'take_up')", name="kind"),
        Index("ix_batch_state", "space_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10), default="retry")
    """Try again, leave out with a reason, or take up again what was left out."""
    state: Mapped[str] = mapped_column(String(10), default="draft")
    actor: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)

    chosen: Mapped[int] = mapped_column(default=0)
    """How many invoices were chosen; the next ones say what that would do."""
    to_try: Mapped[int] = mapped_column(default=0)
    """Will be tried, left out or taken up again, by the kind."""
    booked: Mapped[int] = mapped_column(default=0)
    """Have a receipt already."""
    needs_account: Mapped[int] = mapped_column(default=0)
    """Have a line whose booking account is still missing."""
    needs_choice: Mapped[int] = mapped_column(default=0)
    """Wait for a choice in the settings."""
    running: Mapped[int] = mapped_column(default=0)
    """Are being worked on already."""
    others: Mapped[int] = mapped_column(default=0)
    """Nothing can be done with them this way: skipped for good or not at all, or for a person to
    decide one by one."""


class BatchItem(Base):
    """One invoice of a batch that is to be tried."""

    __tablename__ = "batch_item"
    __table_args__ = (
        # What is still to be taken up, in order.
        Index("ix_batch_item_open", "space_id", "batch_id", "taken_at", "invoice_id"),
        Index("ix_batch_item_invoice_id", "invoice_id"),
    )

    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    batch_id: Mapped[int] = mapped_column(
        ForeignKey("batch.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    invoice_id: Mapped[int] = mapped_column(
        ForeignKey("invoice_sync.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    taken_at: Mapped[datetime | None] = mapped_column(Moment)
    """When it was made due; None while it waits for its turn."""
