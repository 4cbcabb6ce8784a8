"""Names erased for good, data of disconnected spaces kept or deleted"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import portal.database

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "person_name", sa.Column("erased_at", portal.database.Moment(timezone=True), nullable=True)
    )
    for name in ("kept_since", "deleted_at"):
        op.add_column(
            "space", sa.Column(name, portal.database.Moment(timezone=True), nullable=True)
        )


def downgrade() -> None:
    for name in ("deleted_at", "kept_since"):
        op.drop_column("space", name)
    op.drop_column("person_name", "erased_at")
