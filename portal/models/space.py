"""A Cobot space, our tenant: its keys, its settings, what it chose."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Base, Id, Moment, utcnow


class Space(Base):
    __tablename__ = "space"
    __table_args__ = (
        CheckConstraint("due_after_days BETWEEN 0 AND 365", name="due_after_days"),
        CheckConstraint(
            "corrections IN ('ask', 'negative', 'expense', 'never')", name="corrections"
        ),
        CheckConstraint("voucher_status IN (50, 100)", name="voucher_status"),
        Index("ix_space_wake_at", "wake_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    cobot_id: Mapped[str] = mapped_column(String(64), unique=True)
    subdomain: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    locale: Mapped[str] = mapped_column(String(16), default="de")
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)

    sealed_cobot_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The space's own Cobot token: it goes on working when its maker stops being admin."""
    cobot_user_id: Mapped[str | None] = mapped_column(String(64))
    """Who made the space token: Cobot counts calls per user."""
    sealed_sevdesk_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    sevdesk_token_end: Mapped[str | None] = mapped_column(String(4))
    """The last four characters, shown so that a person can tell two tokens apart."""
    sevdesk_token_key: Mapped[str | None] = mapped_column(String(64))
    """Digest of the token: two spaces with one token share one budget of calls."""
    sevdesk_client: Mapped[str | None] = mapped_column(String(64))
    """The id of the sevdesk client behind the token; two spaces may share one."""
    contacts_client: Mapped[str | None] = mapped_column(String(64))
    """The sevdesk client whose contacts members and debtors are linked to."""

    cost_centre_number: Mapped[str | None] = mapped_column(String(50))
    cost_centre_id: Mapped[str | None] = mapped_column(String(64))
    due_after_days: Mapped[int] = mapped_column(default=0)
    start_date: Mapped[date | None]
    zero_tax_rule: Mapped[str | None] = mapped_column(String(2))
    """Tax rule for invoices with 0 % only; None until an admin chose one."""
    corrections: Mapped[str] = mapped_column(String(10), default="ask")
    cent_difference: Mapped[bool] = mapped_column(default=False)
    voucher_status: Mapped[int] = mapped_column(default=100)
    auto_retry: Mapped[bool] = mapped_column(default=True)
    """Invoices whose cause is gone are tried again without a press."""

    hook_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    sealed_hook_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    hook_rejected_at: Mapped[datetime | None] = mapped_column(Moment)
    hook_rejected_reason: Mapped[str | None] = mapped_column(String(50))
    hook_rejected_count: Mapped[int] = mapped_column(default=0)

    connected_at: Mapped[datetime | None] = mapped_column(Moment)
    """When sync was switched on; None while the space is not connected."""
    disconnected_at: Mapped[datetime | None] = mapped_column(Moment)
    kept_since: Mapped[datetime | None] = mapped_column(Moment)
    """Since when an admin wants the data kept although the space is disconnected."""
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    """When everything of the space was last deleted; the row stays for its own chain."""
    paused_at: Mapped[datetime | None] = mapped_column(Moment)
    pause_code: Mapped[str | None] = mapped_column(String(50))
    probe_at: Mapped[datetime | None] = mapped_column(Moment)
    """While paused: when to try whether work is possible again."""
    pause_told: Mapped[str | None] = mapped_column(String(50))
    """The pause that Cobot's feed was told of; None once a receipt was taken again."""
    refusal_message: Mapped[str | None] = mapped_column(String(300))
    """What sevdesk said when it last refused a receipt, while it refuses."""
    refusal_count: Mapped[int] = mapped_column(default=0)
    """How often in a row it said just that."""
    messages_refused_at: Mapped[datetime | None] = mapped_column(Moment)
    """Since when Cobot refuses our activity messages (403); sync goes on."""
    subscribed_at: Mapped[datetime | None] = mapped_column(Moment)
    caught_up_on: Mapped[date | None]
    """The day of the last nightly comparison with Cobot's list."""
    wake_at: Mapped[datetime | None] = mapped_column(Moment)
    """The earliest time at which something in this space is due; None when nothing is."""
    sequence: Mapped[int] = mapped_column(default=0)
    """Counts the changes of invoices in this space; the live log's cursor."""
    history_lines: Mapped[int] = mapped_column(default=0)
    """How many lines all chains of this space have, so that a cut-off end is found."""

    @property
    def is_connected(self) -> bool:
        return self.connected_at is not None

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


class Chart(Base):
    """The booking accounts of a space's sevdesk client, as last read."""

    __tablename__ = "chart"

    space_id: Mapped[int] = mapped_column(
        ForeignKey("space.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    accounts: Mapped[list[Any]] = mapped_column(JSON)
    read_at: Mapped[datetime] = mapped_column(Moment)
    cost_centre_found: Mapped[bool] = mapped_column(default=True)
    cost_centre_read_at: Mapped[datetime | None] = mapped_column(Moment)


class AccountMapping(Base):
    """An explicit row accounting code -> booking account; it wins over every other match."""

    __tablename__ = "account_mapping"
    __table_args__ = (UniqueConstraint("space_id", "code"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)


class PlanList(Base):
    """The plans of a space's members with their accounting codes, as Cobot's list last told."""

    __tablename__ = "plan_list"

    space_id: Mapped[int] = mapped_column(
        ForeignKey("space.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    plans: Mapped[list[Any]] = mapped_column(JSON)
    """Of each plan "name", "code" (or null) and "members", how many have it."""
    read_at: Mapped[datetime] = mapped_column(Moment)


class DebtorLink(Base):
    """A contact that an admin chose for a debtor; it wins over the customer number."""

    __tablename__ = "debtor_link"
    __table_args__ = (UniqueConstraint("space_id", "debtor_kind", "debtor_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id", ondelete="CASCADE"))
    debtor_kind: Mapped[str] = mapped_column(String(20))
    debtor_id: Mapped[str] = mapped_column(String(64))
    contact_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment, default=utcnow)
