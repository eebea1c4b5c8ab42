"""Scores by the names of the task's metrics: runs and models of any task fit. What was there is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAMES = ("map50", "map50_95")


def upgrade() -> None:
    """Detection's columns become one JSON column per row of scores."""
    db = op.get_bind()
    # Column by column, not by copying the table: a table that others refer to cannot be dropped.
    op.add_column("runs", sa.Column("scores", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("models", sa.Column("task", sa.String(length=20), nullable=False, server_default="detect"))
    op.add_column("models", sa.Column("float_scores", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("models", sa.Column("kmodel_scores", sa.JSON(), nullable=False, server_default="{}"))
    runs = sa.table("runs", sa.column("id"), sa.column("scores", sa.JSON), *(sa.column(name) for name in NAMES))
    for row in db.execute(sa.select(runs)).mappings().all():
        scores = {name: row[name] for name in NAMES if row[name] is not None}
        db.execute(sa.update(runs).where(runs.c.id == row["id"]).values(scores=scores))
    forms = ("float", "kmodel")
    old = [f"{form}_{name}" for form in forms for name in NAMES]
    new = [sa.column(f"{form}_scores", sa.JSON) for form in forms]
    models = sa.table("models", sa.column("id"), *(sa.column(name) for name in old), *new)
    for row in db.execute(sa.select(models)).mappings().all():
        values = {f"{form}_scores": {name: row[f"{form}_{name}"] for name in NAMES} for form in forms}
        db.execute(sa.update(models).where(models.c.id == row["id"]).values(**values))
    for name in NAMES:
        op.drop_column("runs", name)
    for name in old:
        op.drop_column("models", name)


def downgrade() -> None:
    """There is no way back: scores of other tasks have no columns there."""
    raise NotImplementedError("restore the backup of snaploop.db that was made before the update")
