"""Alembic reads this when a developer runs its command line; the host itself goes through storage.database.upgrade."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from snaploop_host.storage.schema import metadata

engine = create_engine(context.config.get_main_option("sqlalchemy.url", "sqlite://"))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
