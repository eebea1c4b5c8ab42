"""Areas of a photo that count neither in training nor in scores. Photos that are there have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("samples", "dataset_items")


def upgrade() -> None:
    """One more column for each of the two tables that keep labels."""
    for table in TABLES:
        op.add_column(table, sa.Column("void", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Forget them."""
    for table in TABLES:
        op.drop_column(table, "void")
