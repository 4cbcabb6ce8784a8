"""A Cobot member on the way to becoming a sevdesk contact."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow
from portal.models.invoice import STATES, State


class MemberSync(Base):
    """One member of a space: its contact in sevdesk and how far the write-back got."""

    __tablename__ = "member_sync"
    __table_args__ = (
        UniqueConstraint("space_id", "cobot_membership_id"),
        CheckConstraint(f"state IN ({STATES})", name="state"),
        Index("ix_member_sync_due", "space_id", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    cobot_membership_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(12), default=State.WAITING)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person_name.id"))
    contact_id: Mapped[str | None] = mapped_column(String(64))
    was_adopted: Mapped[bool] = mapped_column(default=False)
    number_before: Mapped[str | None] = mapped_column(String(64))
    """The customer number Cobot had before we wrote ours."""
    contact_number: Mapped[str | None] = mapped_column(String(64))
    """The contact's customer number in sevdesk."""
    contact_checked: Mapped[bool] = mapped_column(default=False)
    """The contact was read back after it was made."""
    sent_number: Mapped[str | None] = mapped_column(String(64))
    """The number of a POST /Contact that was sent: what to look for when its answer was lost."""
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    address_done: Mapped[bool] = mapped_column(default=False)
    email_done: Mapped[bool] = mapped_column(default=False)
    number_written: Mapped[str | None] = mapped_column(String(64))
    """The number that stands in Cobot, read back after writing; None until then."""
    note_posted: Mapped[bool] = mapped_column(default=False)
    cause_code: Mapped[str | None] = mapped_column(String(50))
    cause_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    attempts: Mapped[int] = mapped_column(default=0)
    looks: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    next_try_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    request_id: Mapped[str | None] = mapped_column(String(64))
    """The request that announced it, as log lines name it."""
