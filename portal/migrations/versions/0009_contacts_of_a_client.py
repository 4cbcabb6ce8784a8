"""Remember of which sevdesk client the contacts are that members and debtors are linked to"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("space", sa.Column("contacts_client", sa.String(length=64), nullable=True))
    op.execute("UPDATE space SET contacts_client = sevdesk_client")


def downgrade() -> None:
    op.drop_column("space", "contacts_client")
