"""What workers share so that they keep out of each other's way: leases and budgets of calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Moment


class Lease(Base):
    """A lock as a row, for SQLite; on PostgreSQL advisory locks do this."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    owner: Mapped[str | None] = mapped_column(String(64))
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(default=0)
    """Counts the holders: a holder whose number is no longer the row's has lost the lease."""


class Budget(Base):
    """The times of the latest calls of one key, oldest first: the sliding window of a limit."""

    __tablename__ = "budget"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    calls: Mapped[list[Any]] = mapped_column(JSON)
    """Unix seconds."""
    blocked_until: Mapped[float | None]
    """Unix seconds until which the remote side asked us to wait (Retry-After)."""
