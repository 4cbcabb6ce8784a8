"""Find the spaces that have failed invoices without a look at all that are done"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_invoice_sync_failed",
        "invoice_sync",
        ["space_id"],
        postgresql_where=sa.text("state = 'failed'"),
        sqlite_where=sa.text("state = 'failed'"),
    )


def downgrade() -> None:
    op.drop_index("ix_invoice_sync_failed", table_name="invoice_sync")
