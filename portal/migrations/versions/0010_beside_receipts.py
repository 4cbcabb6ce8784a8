"""Book beside all receipts of a number that a person saw, not beside one alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROWS = sa.table(
    "invoice_sync",
    sa.column("id"),
    sa.column("beside_voucher_id"),
    sa.column("beside_voucher_ids", sa.JSON),
)


def upgrade() -> None:
    op.add_column(
        "invoice_sync",
        sa.Column("beside_voucher_ids", sa.JSON(), nullable=False, server_default="[]"),
    )
    found = sa.select(_ROWS.c.id, _ROWS.c.beside_voucher_id).where(
        _ROWS.c.beside_voucher_id.is_not(None)
    )
    for row in op.get_bind().execute(found).all():
        _change(row.id, beside_voucher_ids=[row.beside_voucher_id])


def downgrade() -> None:
    found = sa.select(_ROWS.c.id, _ROWS.c.beside_voucher_ids).where(
        sa.cast(_ROWS.c.beside_voucher_ids, sa.Text) != "[]"
    )
    for row in op.get_bind().execute(found).all():
        _change(row.id, beside_voucher_id=row.beside_voucher_ids[0])
    op.drop_column("invoice_sync", "beside_voucher_ids")


def _change(row_id: int, **values: object) -> None:
    op.execute(sa.update(_ROWS).where(_ROWS.c.id == row_id).values(**values))
