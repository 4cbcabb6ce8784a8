"""Remember which plans carry which accounting code"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import portal.database

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_list",
        sa.Column(
            "space_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("plans", sa.JSON(), nullable=False),
        sa.Column("read_at", portal.database.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
            name=op.f("fk_plan_list_space_id_space"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("space_id", name=op.f("pk_plan_list")),
    )


def downgrade() -> None:
    op.drop_table("plan_list")
