"""Remember which right a person lost, to say so"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import portal.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lost_right",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("admin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", portal.database.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["admin_id"],
            ["admin.id"],
            name=op.f("fk_lost_right_admin_id_admin"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_lost_right_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lost_right")),
        sa.UniqueConstraint("space_id", "admin_id", name=op.f("uq_lost_right_space_id_admin_id")),
    )
    op.create_index(op.f("ix_lost_right_admin_id"), "lost_right", ["admin_id"])


def downgrade() -> None:
    op.drop_table("lost_right")
