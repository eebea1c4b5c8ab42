"""Alembic migrations of snaploop.db; run by storage.database at every start."""
