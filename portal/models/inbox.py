"""Webhook deliveries as they came."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow


class InboxEvent(Base):
    """What Cobot announced: one row for each event and thing, however often it was delivered."""

    __tablename__ = "inbox_event"
    __table_args__ = (
        UniqueConstraint("space_id", "event", "remote_id"),
        Index(
            "ix_inbox_event_open",
            "space_id",
            "id",
            postgresql_where=text("handled_at IS NULL"),
            sqlite_where=text("handled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(50))
    remote_id: Mapped[str] = mapped_column(String(64))
    seen_count: Mapped[int] = mapped_column(default=1)
    first_seen_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    handled_at: Mapped[datetime | None] = mapped_column(Moment)
    request_id: Mapped[str | None] = mapped_column(String(64))
    """The latest delivery, as log lines name it."""
