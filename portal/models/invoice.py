"""A Cobot invoice on the way to becoming a sevdesk voucher."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    case,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Amount, Base, Id, Moment, utcnow

LISTED = "found_in_list"
"""What Cobot told of an invoice by its list, and by no event."""


class State(StrEnum):
    """What people see."""

    WAITING = "waiting"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SYNCED = "synced"
    MISMATCHED = "mismatched"
    FAILED = "failed"
    SKIPPED = "skipped"


class Step(StrEnum):
    """How far the writes got. A write needs the step before it committed."""

    NONE = "none"
    FETCHED = "fetched"
    UPLOADED = "uploaded"
    SENT = "sent"
    SAVED = "saved"
    TAGGED = "tagged"


STATES = ", ".join(f"'{state}'" for state in State)
STEPS = ", ".join(f"'{step}'" for step in Step)
IN_WORK = (State.WAITING, State.SENDING, State.UNKNOWN)
"""States that end by themselves."""
FAILED = "state = 'failed'"
FORGOTTEN = (
    f"state IN ({', '.join(repr(state.value) for state in IN_WORK)}) AND next_try_at IS NULL"
)


class InvoiceSync(Base):
    """One Cobot invoice of a space, its receipt, and why there is none."""

    __tablename__ = "invoice_sync"
    __table_args__ = (
        UniqueConstraint("space_id", "cobot_invoice_id"),
        CheckConstraint(f"state IN ({STATES})", name="state"),
        CheckConstraint(f"step IN ({STEPS})", name="step"),
        Index(
            "uq_invoice_sync_voucher",
            "sevdesk_client",
            "sevdesk_voucher_id",
            unique=True,
            postgresql_where=text("sevdesk_voucher_id IS NOT NULL"),
            sqlite_where=text("sevdesk_voucher_id IS NOT NULL"),
        ),
        Index("ix_invoice_sync_page", "space_id", "id"),
        Index("ix_invoice_sync_state", "space_id", "state", "id"),
        Index("ix_invoice_sync_sequence", "space_id", "sequence"),
        Index("ix_invoice_sync_finished", "space_id", "finished_at"),
        Index("ix_invoice_sync_date", "space_id", "invoice_date"),
        Index(
            "ix_invoice_sync_number",
            "space_id",
            "number",
            postgresql_ops={"number": "text_pattern_ops"},
        ),
        Index(
            "ix_invoice_sync_customer",
            "space_id",
            "customer_number",
            postgresql_ops={"customer_number": "text_pattern_ops"},
        ),
        Index(
            "ix_invoice_sync_voucher",
            "space_id",
            "sevdesk_voucher_id",
            postgresql_ops={"sevdesk_voucher_id": "text_pattern_ops"},
        ),
        Index("ix_invoice_sync_person", "space_id", "person_id"),
        # For support, which searches over all spaces.
        Index(
            "ix_invoice_sync_any_number", "number", postgresql_ops={"number": "text_pattern_ops"}
        ),
        Index(
            "ix_invoice_sync_any_voucher",
            "sevdesk_voucher_id",
            postgresql_ops={"sevdesk_voucher_id": "text_pattern_ops"},
        ),
        Index("ix_invoice_sync_any_id", "cobot_invoice_id"),
        Index("ix_invoice_sync_any_request", "request_id"),
        # For upkeep, which finds what was left without a time: never anything, so it is empty.
        Index(
            "ix_invoice_sync_forgotten",
            "id",
            postgresql_where=text(FORGOTTEN),
            sqlite_where=text(FORGOTTEN),
        ),
        # For upkeep, too: which spaces have anything that might heal.
        Index(
            "ix_invoice_sync_failed",
            "space_id",
            postgresql_where=text(FAILED),
            sqlite_where=text(FAILED),
        ),
        Index(
            "ix_invoice_sync_due",
            "space_id",
            "next_try_at",
            postgresql_where=text("next_try_at IS NOT NULL"),
            sqlite_where=text("next_try_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    cobot_invoice_id: Mapped[str] = mapped_column(String(64))
    number: Mapped[str | None] = mapped_column(String(100))
    invoice_date: Mapped[date | None]
    due_date: Mapped[date | None]
    debtor_kind: Mapped[str | None] = mapped_column(String(20))
    debtor_id: Mapped[str | None] = mapped_column(String(64))
    customer_number: Mapped[str | None] = mapped_column(String(64))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person_name.id"))
    gross: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str | None] = mapped_column(String(3))
    lines: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """The positions as last planned (portal.sync.lines), without their texts: those may name
    people."""

    state: Mapped[State] = mapped_column(String(12), default=State.WAITING)
    step: Mapped[Step] = mapped_column(String(10), default=Step.NONE)
    cause_code: Mapped[str | None] = mapped_column(String(50))
    cause_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    attempts: Mapped[int] = mapped_column(default=0)
    member_waits: Mapped[int] = mapped_column(default=0)
    """How often the invoice let its member go first."""
    looks: Mapped[int] = mapped_column(default=0)
    """How often we looked for a receipt since its answer was lost."""
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    next_try_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the worker takes it up (again); None when only a person can go on."""

    is_urgent: Mapped[bool] = mapped_column(default=False)
    """A person waits for it: taken up before everything else of the space."""
    is_backfill: Mapped[bool] = mapped_column(default=False)
    """Taken over from before the connection: taken up after everything else of the space."""
    beside_voucher_id: Mapped[str | None] = mapped_column(String(64))
    """Unused; the version before `beside_voucher_ids` reads it. It goes with the next release."""
    beside_voucher_ids: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """The receipts of this number that a person saw and decided to book beside."""

    filename: Mapped[str | None] = mapped_column(String(200))
    """sevdesk's name of the uploaded PDF, until it is used."""
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    sent_number: Mapped[str | None] = mapped_column(String(100))
    sent_credit_debit: Mapped[str | None] = mapped_column(String(1))
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the receipt was sent; where its answer was lost, when that was known."""
    sent_contact_id: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    """Digest of what was booked."""
    sevdesk_client: Mapped[str | None] = mapped_column(String(64))
    sevdesk_voucher_id: Mapped[str | None] = mapped_column(String(64))
    sevdesk_gross: Mapped[Decimal | None] = mapped_column(Amount)
    was_adopted: Mapped[bool] = mapped_column(default=False)
    """The receipt stood in sevdesk already."""
    is_mismatch: Mapped[bool] = mapped_column(default=False)
    has_import_tag: Mapped[bool] = mapped_column(default=False)
    has_mismatch_tag: Mapped[bool] = mapped_column(default=False)
    told_cause: Mapped[str | None] = mapped_column(String(200))
    """The failure that the message on the Cobot invoice told; None when none is open."""
    tell_attempts: Mapped[int] = mapped_column(default=0)
    changed_in_cobot: Mapped[str | None] = mapped_column(String(50))
    """The event by which Cobot told of a change after booking, a mark in the log; LISTED where it
    was taken up again since it stands in the list."""

    announced_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
    request_id: Mapped[str | None] = mapped_column(String(64))
    """The request that made it due, as log lines name it: a hook, or a person's retry."""
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    sequence: Mapped[int] = mapped_column(default=0)
    """The space's count at the last change of this row."""


IN_EURO = case((InvoiceSync.currency == "EUR", InvoiceSync.gross), else_=0)
"""What an invoice adds to a sum: only euro are booked, and other money is none."""


class StateCount(Base):
    """How many invoices of a space are in a state; kept in the transaction that changes one."""

    __tablename__ = "state_count"

    space_id: Mapped[int] = mapped_column(
        ForeignKey("space.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    state: Mapped[State] = mapped_column(String(12), primary_key=True)
    invoices: Mapped[int] = mapped_column(default=0)
