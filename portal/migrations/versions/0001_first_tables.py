"""First tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import portal.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# History lines are only ever added. A migration that lets SQLite rebuild the table must make the
# triggers anew.
FORGOTTEN = "state IN ('waiting', 'sending', 'unknown') AND next_try_at IS NULL"
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER history_line_no_update BEFORE UPDATE ON history_line
    BEGIN SELECT RAISE(ABORT, 'history lines are never changed'); END
    """,
    """
    CREATE TRIGGER history_line_no_delete BEFORE DELETE ON history_line
    WHEN NOT EXISTS (SELECT 1 FROM prune_permit WHERE space_id = OLD.space_id)
    BEGIN SELECT RAISE(ABORT, 'history lines are only pruned'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    """
    CREATE TRIGGER history_line_no_replace BEFORE INSERT ON history_line
    WHEN EXISTS (
        SELECT 1 FROM history_line
        WHERE id = NEW.id OR (chain = NEW.chain AND number = NEW.number)
    )
    BEGIN SELECT RAISE(ABORT, 'history lines are never changed'); END
    """,
)
POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION history_line_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM prune_permit WHERE space_id = OLD.space_id) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'history lines are only pruned';
        END IF;
        RAISE EXCEPTION 'history lines are never changed';
    END $$
    """,
    """
    CREATE TRIGGER history_line_keep BEFORE UPDATE OR DELETE ON history_line
    FOR EACH ROW EXECUTE FUNCTION history_line_keep()
    """,
    """
    CREATE TRIGGER history_line_keep_all BEFORE TRUNCATE ON history_line
    FOR EACH STATEMENT EXECUTE FUNCTION history_line_keep()
    """,
)


def upgrade() -> None:
    op.create_table(
        "admin",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cobot_user_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=True),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("signed_in_at", portal.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin")),
        sa.UniqueConstraint("cobot_user_id", name=op.f("uq_admin_cobot_user_id")),
    )
    op.create_table(
        "budget",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("calls", sa.JSON(), nullable=False),
        sa.Column("blocked_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_budget")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("expires_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cobot_id", sa.String(length=64), nullable=False),
        sa.Column("subdomain", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("sealed_cobot_token", sa.LargeBinary(), nullable=True),
        sa.Column("cobot_user_id", sa.String(length=64), nullable=True),
        sa.Column("sealed_sevdesk_token", sa.LargeBinary(), nullable=True),
        sa.Column("sevdesk_token_end", sa.String(length=4), nullable=True),
        sa.Column("sevdesk_token_key", sa.String(length=64), nullable=True),
        sa.Column("sevdesk_client", sa.String(length=64), nullable=True),
        sa.Column("cost_centre_number", sa.String(length=50), nullable=True),
        sa.Column("cost_centre_id", sa.String(length=64), nullable=True),
        sa.Column("due_after_days", sa.Integer(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=True),
        sa.Column("zero_tax_rule", sa.String(length=2), nullable=True),
        sa.Column("corrections", sa.String(length=10), nullable=False),
        sa.Column("cent_difference", sa.Boolean(), nullable=False),
        sa.Column("voucher_status", sa.Integer(), nullable=False),
        sa.Column("auto_retry", sa.Boolean(), nullable=False),
        sa.Column("hook_digest", sa.String(length=64), nullable=True),
        sa.Column("sealed_hook_secret", sa.LargeBinary(), nullable=True),
        sa.Column("hook_rejected_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("hook_rejected_reason", sa.String(length=50), nullable=True),
        sa.Column("hook_rejected_count", sa.Integer(), nullable=False),
        sa.Column("connected_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("disconnected_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("paused_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("pause_code", sa.String(length=50), nullable=True),
        sa.Column("probe_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("pause_told", sa.String(length=50), nullable=True),
        sa.Column("refusal_message", sa.String(length=300), nullable=True),
        sa.Column("refusal_count", sa.Integer(), nullable=False),
        sa.Column("messages_refused_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("subscribed_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("caught_up_on", sa.Date(), nullable=True),
        sa.Column("wake_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("history_lines", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "corrections IN ('ask', 'negative', 'expense', 'never')",
            name=op.f("ck_space_corrections"),
        ),
        sa.CheckConstraint(
            "due_after_days BETWEEN 0 AND 365", name=op.f("ck_space_due_after_days")
        ),
        sa.CheckConstraint("voucher_status IN (50, 100)", name=op.f("ck_space_voucher_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("cobot_id", name=op.f("uq_space_cobot_id")),
        sa.UniqueConstraint("hook_digest", name=op.f("uq_space_hook_digest")),
        sa.UniqueConstraint("subdomain", name=op.f("uq_space_subdomain")),
    )
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.create_index("ix_space_wake_at", ["wake_at"], unique=False)

    op.create_table(
        "account_mapping",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_account_mapping_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_mapping")),
        sa.UniqueConstraint("space_id", "code", name=op.f("uq_account_mapping_space_id_code")),
    )
    op.create_table(
        "chart",
        sa.Column(
            "space_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("accounts", sa.JSON(), nullable=False),
        sa.Column("read_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("cost_centre_found", sa.Boolean(), nullable=False),
        sa.Column("cost_centre_read_at", portal.database.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_chart_space_id_space"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("space_id", name=op.f("pk_chart")),
    )
    op.create_table(
        "debtor_link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("debtor_kind", sa.String(length=20), nullable=False),
        sa.Column("debtor_id", sa.String(length=64), nullable=False),
        sa.Column("contact_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_debtor_link_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debtor_link")),
        sa.UniqueConstraint(
            "space_id",
            "debtor_kind",
            "debtor_id",
            name=op.f("uq_debtor_link_space_id_debtor_kind_debtor_id"),
        ),
    )
    op.create_table(
        "inbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event", sa.String(length=50), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("last_seen_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("handled_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_inbox_event_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_event")),
        sa.UniqueConstraint(
            "space_id", "event", "remote_id", name=op.f("uq_inbox_event_space_id_event_remote_id")
        ),
    )
    with op.batch_alter_table("inbox_event", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbox_event_open",
            ["space_id", "id"],
            unique=False,
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )

    op.create_table(
        "person_name",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=True),
        sa.Column("folded", sa.String(length=300), nullable=True),
        sa.Column("folded_last", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_person_name_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_name")),
        sa.UniqueConstraint(
            "space_id", "kind", "remote_id", name=op.f("uq_person_name_space_id_kind_remote_id")
        ),
    )
    with op.batch_alter_table("person_name", schema=None) as batch_op:
        batch_op.create_index(
            "ix_person_name_folded",
            ["space_id", "folded"],
            unique=False,
            postgresql_ops={"folded": "text_pattern_ops"},
        )
        batch_op.create_index(
            "ix_person_name_folded_last",
            ["space_id", "folded_last"],
            unique=False,
            postgresql_ops={"folded_last": "text_pattern_ops"},
        )

    op.create_table(
        "prune_permit",
        sa.Column(
            "space_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_prune_permit_space_id_space")
        ),
        sa.PrimaryKeyConstraint("space_id", name=op.f("pk_prune_permit")),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id_digest", sa.String(length=64), nullable=False),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=False),
        sa.Column("admin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sealed_cobot_token", sa.LargeBinary(), nullable=True),
        sa.Column("rights_read_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("expires_at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["admin_id"], ["admin.id"], name=op.f("fk_session_admin_id_admin"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("id_digest", name=op.f("uq_session_id_digest")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_admin_id"), ["admin_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "space_admin",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("admin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["admin_id"],
            ["admin.id"],
            name=op.f("fk_space_admin_admin_id_admin"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_space_admin_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_admin")),
        sa.UniqueConstraint("space_id", "admin_id", name=op.f("uq_space_admin_space_id_admin_id")),
    )
    with op.batch_alter_table("space_admin", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_space_admin_admin_id"), ["admin_id"], unique=False)

    op.create_table(
        "state_count",
        sa.Column(
            "space_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("invoices", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_state_count_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("space_id", "state", name=op.f("pk_state_count")),
    )
    op.create_table(
        "invoice_sync",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cobot_invoice_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=True),
        sa.Column("invoice_date", sa.Date(), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("debtor_kind", sa.String(length=20), nullable=True),
        sa.Column("debtor_id", sa.String(length=64), nullable=True),
        sa.Column("customer_number", sa.String(length=64), nullable=True),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("gross", portal.database.Amount(precision=14, scale=2), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("cause_code", sa.String(length=50), nullable=True),
        sa.Column("cause_params", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("member_waits", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("failing_since", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("next_try_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("is_backfill", sa.Boolean(), nullable=False),
        sa.Column("beside_voucher_id", sa.String(length=64), nullable=True),
        sa.Column("filename", sa.String(length=200), nullable=True),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=True),
        sa.Column("sent_number", sa.String(length=100), nullable=True),
        sa.Column("sent_credit_debit", sa.String(length=1), nullable=True),
        sa.Column("sent_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("sent_contact_id", sa.String(length=64), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("sevdesk_client", sa.String(length=64), nullable=True),
        sa.Column("sevdesk_voucher_id", sa.String(length=64), nullable=True),
        sa.Column("sevdesk_gross", portal.database.Amount(precision=14, scale=2), nullable=True),
        sa.Column("was_adopted", sa.Boolean(), nullable=False),
        sa.Column("is_mismatch", sa.Boolean(), nullable=False),
        sa.Column("has_import_tag", sa.Boolean(), nullable=False),
        sa.Column("has_mismatch_tag", sa.Boolean(), nullable=False),
        sa.Column("told_cause", sa.String(length=200), nullable=True),
        sa.Column("tell_attempts", sa.Integer(), nullable=False),
        sa.Column("changed_in_cobot", sa.String(length=50), nullable=True),
        sa.Column("announced_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("finished_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'unknown', 'synced', 'mismatched', 'failed', 'skipped')",
            name=op.f("ck_invoice_sync_state"),
        ),
        sa.CheckConstraint(
            "step IN ('none', 'fetched', 'uploaded', 'sent', 'saved', 'tagged')",
            name=op.f("ck_invoice_sync_step"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person_name.id"], name=op.f("fk_invoice_sync_person_id_person_name")
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_invoice_sync_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_sync")),
        sa.UniqueConstraint(
            "space_id", "cobot_invoice_id", name=op.f("uq_invoice_sync_space_id_cobot_invoice_id")
        ),
    )
    with op.batch_alter_table("invoice_sync", schema=None) as batch_op:
        batch_op.create_index(
            "ix_invoice_sync_forgotten",
            ["id"],
            unique=False,
            postgresql_where=sa.text(FORGOTTEN),
            sqlite_where=sa.text(FORGOTTEN),
        )
        batch_op.create_index(
            "ix_invoice_sync_due",
            ["space_id", "next_try_at"],
            unique=False,
            postgresql_where=sa.text("next_try_at IS NOT NULL"),
            sqlite_where=sa.text("next_try_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invoice_sync_number",
            ["space_id", "number"],
            unique=False,
            postgresql_ops={"number": "text_pattern_ops"},
        )
        batch_op.create_index(
            "ix_invoice_sync_customer",
            ["space_id", "customer_number"],
            unique=False,
            postgresql_ops={"customer_number": "text_pattern_ops"},
        )
        batch_op.create_index("ix_invoice_sync_person", ["space_id", "person_id"], unique=False)
        batch_op.create_index(
            "ix_invoice_sync_any_number",
            ["number"],
            unique=False,
            postgresql_ops={"number": "text_pattern_ops"},
        )
        batch_op.create_index(
            "ix_invoice_sync_any_voucher",
            ["sevdesk_voucher_id"],
            unique=False,
            postgresql_ops={"sevdesk_voucher_id": "text_pattern_ops"},
        )
        batch_op.create_index("ix_invoice_sync_any_id", ["cobot_invoice_id"], unique=False)
        batch_op.create_index("ix_invoice_sync_any_request", ["request_id"], unique=False)
        batch_op.create_index("ix_invoice_sync_finished", ["space_id", "finished_at"], unique=False)
        batch_op.create_index("ix_invoice_sync_date", ["space_id", "invoice_date"], unique=False)
        batch_op.create_index("ix_invoice_sync_page", ["space_id", "id"], unique=False)
        batch_op.create_index("ix_invoice_sync_sequence", ["space_id", "sequence"], unique=False)
        batch_op.create_index("ix_invoice_sync_state", ["space_id", "state", "id"], unique=False)
        batch_op.create_index(
            "uq_invoice_sync_voucher",
            ["sevdesk_client", "sevdesk_voucher_id"],
            unique=True,
            postgresql_where=sa.text("sevdesk_voucher_id IS NOT NULL"),
            sqlite_where=sa.text("sevdesk_voucher_id IS NOT NULL"),
        )

    op.create_table(
        "member_sync",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cobot_membership_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("contact_id", sa.String(length=64), nullable=True),
        sa.Column("was_adopted", sa.Boolean(), nullable=False),
        sa.Column("number_before", sa.String(length=64), nullable=True),
        sa.Column("contact_number", sa.String(length=64), nullable=True),
        sa.Column("contact_checked", sa.Boolean(), nullable=False),
        sa.Column("sent_number", sa.String(length=64), nullable=True),
        sa.Column("sent_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("address_done", sa.Boolean(), nullable=False),
        sa.Column("email_done", sa.Boolean(), nullable=False),
        sa.Column("number_written", sa.String(length=64), nullable=True),
        sa.Column("note_posted", sa.Boolean(), nullable=False),
        sa.Column("cause_code", sa.String(length=50), nullable=True),
        sa.Column("cause_params", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("failing_since", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("next_try_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'unknown', 'synced', 'mismatched', 'failed', 'skipped')",
            name=op.f("ck_member_sync_state"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person_name.id"], name=op.f("fk_member_sync_person_id_person_name")
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_member_sync_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_sync")),
        sa.UniqueConstraint(
            "space_id",
            "cobot_membership_id",
            name=op.f("uq_member_sync_space_id_cobot_membership_id"),
        ),
    )
    with op.batch_alter_table("member_sync", schema=None) as batch_op:
        batch_op.create_index("ix_member_sync_due", ["space_id", "next_try_at"], unique=False)

    op.create_table(
        "history_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "invoice_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice_sync.id"],
            name=op.f("fk_history_line_invoice_id_invoice_sync"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member_sync.id"], name=op.f("fk_history_line_member_id_member_sync")
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_history_line_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_line")),
        sa.UniqueConstraint("chain", "number", name=op.f("uq_history_line_chain_number")),
    )
    with op.batch_alter_table("history_line", schema=None) as batch_op:
        batch_op.create_index(
            "ix_history_line_invoice", ["space_id", "invoice_id", "number"], unique=False
        )
        batch_op.create_index(
            "ix_history_line_member", ["space_id", "member_id", "number"], unique=False
        )

    op.create_table(
        "batch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("started_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("finished_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("chosen", sa.Integer(), nullable=False),
        sa.Column("to_try", sa.Integer(), nullable=False),
        sa.Column("booked", sa.Integer(), nullable=False),
        sa.Column("needs_account", sa.Integer(), nullable=False),
        sa.Column("needs_choice", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("others", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'running', 'done', 'cancelled')", name=op.f("ck_batch_state")
        ),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_batch_space_id_space"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index("ix_batch_state", ["space_id", "state", "id"], unique=False)

    op.create_table(
        "batch_item",
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "batch_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "invoice_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("taken_at", portal.database.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batch.id"],
            name=op.f("fk_batch_item_batch_id_batch"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice_sync.id"],
            name=op.f("fk_batch_item_invoice_id_invoice_sync"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_batch_item_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", "invoice_id", name=op.f("pk_batch_item")),
    )
    with op.batch_alter_table("batch_item", schema=None) as batch_op:
        batch_op.create_index("ix_batch_item_invoice_id", ["invoice_id"], unique=False)
        batch_op.create_index(
            "ix_batch_item_open", ["space_id", "batch_id", "taken_at", "invoice_id"], unique=False
        )

    op.create_table(
        "support_visit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("admin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("started_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("expires_at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["admin_id"],
            ["admin.id"],
            name=op.f("fk_support_visit_admin_id_admin"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_support_visit_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_visit")),
    )
    with op.batch_alter_table("support_visit", schema=None) as batch_op:
        batch_op.create_index(
            "ix_support_visit_open", ["admin_id", "space_id", "expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_support_visit_space_id"), ["space_id"], unique=False)

    op.create_table(
        "support_look",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("visit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("admin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["admin_id"],
            ["admin.id"],
            name=op.f("fk_support_look_admin_id_admin"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_support_look_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"],
            ["support_visit.id"],
            name=op.f("fk_support_look_visit_id_support_visit"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_look")),
    )
    with op.batch_alter_table("support_look", schema=None) as batch_op:
        batch_op.create_index("ix_support_look_space", ["space_id", "id"], unique=False)

    op.create_table(
        "task",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("phase", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=True),
        sa.Column("to_date", sa.Date(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("cause_code", sa.String(length=50), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("clock_at", portal.database.Moment(timezone=True), nullable=True),
        sa.Column("clock_done", sa.Integer(), nullable=False),
        sa.Column("created_at", portal.database.Moment(timezone=True), nullable=False),
        sa.Column("finished_at", portal.database.Moment(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('mapping', 'rehearsal', 'members', 'backfill', 'month')",
            name=op.f("ck_task_kind"),
        ),
        sa.CheckConstraint("phase IN ('look', 'work')", name=op.f("ck_task_phase")),
        sa.CheckConstraint(
            "state IN ('running', 'ready', 'paused', 'done', 'cancelled', 'failed')",
            name=op.f("ck_task_state"),
        ),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_task_space_id_space"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index("ix_task_space", ["space_id", "kind", "id"], unique=False)
        batch_op.create_index(
            "ix_task_due",
            ["next_try_at"],
            unique=False,
            postgresql_where=sa.text("next_try_at IS NOT NULL"),
            sqlite_where=sa.text("next_try_at IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_task_open",
            ["space_id", "kind"],
            unique=True,
            postgresql_where=sa.text("finished_at IS NULL"),
            sqlite_where=sa.text("finished_at IS NULL"),
        )

    op.create_table(
        "task_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("gross", portal.database.Amount(precision=14, scale=2), nullable=True),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("cause_code", sa.String(length=50), nullable=True),
        sa.Column("cause_params", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("taken_at", portal.database.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["task_id"], ["task.id"], name=op.f("fk_task_item_task_id_task"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_task_item_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_item")),
        sa.UniqueConstraint(
            "space_id",
            "task_id",
            "remote_id",
            name=op.f("uq_task_item_space_id_task_id_remote_id"),
        ),
    )
    with op.batch_alter_table("task_item", schema=None) as batch_op:
        batch_op.create_index(
            "ix_task_item_open", ["space_id", "task_id", "taken_at", "place"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_task_item_task_id"), ["task_id"], unique=False)

    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if is_sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("task_item", "task", "support_look", "support_visit", "batch_item", "batch"):
        op.drop_table(table)
    with op.batch_alter_table("history_line", schema=None) as batch_op:
        batch_op.drop_index("ix_history_line_member")
        batch_op.drop_index("ix_history_line_invoice")

    op.drop_table("history_line")
    with op.batch_alter_table("member_sync", schema=None) as batch_op:
        batch_op.drop_index("ix_member_sync_due")

    op.drop_table("member_sync")
    with op.batch_alter_table("invoice_sync", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_invoice_sync_voucher",
            postgresql_where=sa.text("sevdesk_voucher_id IS NOT NULL"),
            sqlite_where=sa.text("sevdesk_voucher_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_invoice_sync_state")
        batch_op.drop_index("ix_invoice_sync_sequence")
        batch_op.drop_index("ix_invoice_sync_page")
        batch_op.drop_index("ix_invoice_sync_number", postgresql_ops={"number": "text_pattern_ops"})
        batch_op.drop_index(
            "ix_invoice_sync_forgotten",
            postgresql_where=sa.text(FORGOTTEN),
            sqlite_where=sa.text(FORGOTTEN),
        )
        batch_op.drop_index(
            "ix_invoice_sync_due",
            postgresql_where=sa.text("next_try_at IS NOT NULL"),
            sqlite_where=sa.text("next_try_at IS NOT NULL"),
        )

        batch_op.drop_index(
            "ix_invoice_sync_customer", postgresql_ops={"customer_number": "text_pattern_ops"}
        )
        batch_op.drop_index("ix_invoice_sync_any_request")
        batch_op.drop_index("ix_invoice_sync_any_id")
        batch_op.drop_index("ix_invoice_sync_finished")
        batch_op.drop_index("ix_invoice_sync_date")
        batch_op.drop_index("ix_invoice_sync_person")
        batch_op.drop_index(
            "ix_invoice_sync_any_number", postgresql_ops={"number": "text_pattern_ops"}
        )
        batch_op.drop_index(
            "ix_invoice_sync_any_voucher",
            postgresql_ops={"sevdesk_voucher_id": "text_pattern_ops"},
        )

    op.drop_table("invoice_sync")
    op.drop_table("state_count")
    with op.batch_alter_table("space_admin", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_space_admin_admin_id"))

    op.drop_table("space_admin")
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_expires_at"))
        batch_op.drop_index(batch_op.f("ix_session_admin_id"))

    op.drop_table("session")
    op.drop_table("prune_permit")
    op.drop_table("person_name")
    with op.batch_alter_table("inbox_event", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_inbox_event_open",
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )

    op.drop_table("inbox_event")
    op.drop_table("debtor_link")
    op.drop_table("chart")
    op.drop_table("account_mapping")
    with op.batch_alter_table("space", schema=None) as batch_op:
        batch_op.drop_index("ix_space_wake_at")

    op.drop_table("space")
    op.drop_table("lease")
    op.drop_table("budget")
    op.drop_table("admin")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION history_line_keep()")
