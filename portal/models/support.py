"""Support staff looking at a space: why, how long, and what they saw."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow


class SupportVisit(Base):
    """That a person of support may look at a space for a while, and the reason they gave."""

    __tablename__ = "support_visit"
    __table_args__ = (Index("ix_support_visit_open", "admin_id", "space_id", "expires_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"), index=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    """When it ends by itself; an end by hand moves it to that moment."""


class SupportLook(Base):
    """One look of support at a space; the space's admins can read all of them. Only ever added."""

    __tablename__ = "support_look"
    __table_args__ = (Index("ix_support_look_space", "space_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("support_visit.id", ondelete="CASCADE"))
    """None for a hit in a search over all spaces, which needs no visit."""
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    what: Mapped[str] = mapped_column(String(20))
    """"search" (an invoice), "search_space", "begun", "space", "invoice", "ended"."""
    subject: Mapped[str | None] = mapped_column(String(100))
    """The number of the invoice that was looked at."""
