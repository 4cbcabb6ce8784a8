"""Keep for a while which calls led to a line of the history"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import portal.database

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "line_calls",
        sa.Column(
            "line_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", portal.database.Moment(), nullable=False),
        sa.Column("calls", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"],
            ["history_line.id"],
            name=op.f("fk_line_calls_line_id_history_line"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_line_calls_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("line_id", name=op.f("pk_line_calls")),
    )
    op.create_index("ix_line_calls_at", "line_calls", ["at"])
    op.create_index(op.f("ix_line_calls_space_id"), "line_calls", ["space_id"])


def downgrade() -> None:
    op.drop_table("line_calls")
