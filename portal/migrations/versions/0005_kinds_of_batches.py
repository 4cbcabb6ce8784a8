"""Batches that leave invoices out, and that take them up again"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both engines know this; SQLite's other way, a new table, would empty batch_item by its cascade.
    op.execute(
        "ALTER TABLE batch ADD COLUMN kind VARCHAR(10) DEFAULT 'retry' NOT NULL "
        "CONSTRAINT ck_batch_kind CHECK (kind IN ('retry', 'skip', 'take_up'))"
    )


def downgrade() -> None:
    op.execute("DELETE FROM batch WHERE kind <> 'retry'")
    op.execute("ALTER TABLE batch DROP COLUMN kind")
