"""Find a receipt's id within one space by an index of its own"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_invoice_sync_voucher",
        "invoice_sync",
        ["space_id", "sevdesk_voucher_id"],
        postgresql_ops={"sevdesk_voucher_id": "text_pattern_ops"},
    )


def downgrade() -> None:
    op.drop_index("ix_invoice_sync_voucher", table_name="invoice_sync")
