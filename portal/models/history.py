"""What happened, line by line; and people's names, kept apart so that they can be blanked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow


class HistoryLine(Base):
    """One step in the life of an invoice, of a member, or of the space itself. Only ever added."""

    __tablename__ = "history_line"
    __table_args__ = (
        Index("ix_history_line_invoice", "space_id", "invoice_id", "number"),
        Index("ix_history_line_member", "space_id", "member_id", "number"),
        UniqueConstraint("chain", "number"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice_sync.id"))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member_sync.id"))
    chain: Mapped[str] = mapped_column(String(200))
    """Whose life it is, in names that do not change: space, and invoice or member."""
    number: Mapped[int]
    """The place in the chain, from 1."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    """The hash of the line before; of the first line, that of nothing."""
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the line and the hash before it."""
    at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    actor: Mapped[str] = mapped_column(String(80))
    """"cobot", "portal", or "admin:<Cobot user id>"."""
    step: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(20))
    """"done", "failed", "later", "unknown", "noticed"."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Figures, ids and codes; never a secret, a name or an address."""


class LineCalls(Base):
    """The calls to the remote sides that led to a line of an invoice's history, for a while.

    Masked before they came here, and no part of the chain: they go, the line stays.
    """

    __tablename__ = "line_calls"
    __table_args__ = (Index("ix_line_calls_at", "at"),)

    line_id: Mapped[int] = mapped_column(
        ForeignKey("history_line.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    calls: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Each with remote, endpoint, status, seconds, request_id, sent, received."""


class PersonName(Base):
    """The name of a debtor, shown in log and history; may be blanked without touching either."""

    __tablename__ = "person_name"
    __table_args__ = (
        UniqueConstraint("space_id", "kind", "remote_id"),
        Index(
            "ix_person_name_folded",
            "space_id",
            "folded",
            postgresql_ops={"folded": "text_pattern_ops"},
        ),
        Index(
            "ix_person_name_folded_last",
            "space_id",
            "folded_last",
            postgresql_ops={"folded_last": "text_pattern_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    """"memberships", "teams", "contacts", or "invoices" where an invoice has no debtor."""
    remote_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str | None] = mapped_column(String(300))
    """Blanked together with both forms below (portal.services.people)."""
    folded: Mapped[str | None] = mapped_column(String(300))
    """The name as the search compares it."""
    folded_last: Mapped[str | None] = mapped_column(String(300))
    """The same, beginning with the last word: people search for family names."""
    erased_at: Mapped[datetime | None] = mapped_column(Moment)
    """Since when the name is blanked on purpose; it is not filled in again."""


class PrunePermit(Base):
    """While a row of a space stands here, its history lines may be deleted.

    Written and taken away within one transaction, by the commands that prune; triggers in both
    engines refuse every other deletion, and every change.
    """

    __tablename__ = "prune_permit"

    space_id: Mapped[int] = mapped_column(
        ForeignKey("space.id"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
