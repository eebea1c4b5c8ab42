"""Open snaploop.db: SQLite in WAL mode, brought to the newest schema by the packaged Alembic migrations. Called by app.py and tests."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from ..errors import StorageError, StorageFullError

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 10_000  # the command line and the daemon may write at the same time; each write takes milliseconds
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(path: Path) -> Engine:
    """An engine for the database at `path`, made or upgraded first.

    Raises:
        StorageError: no readable database, or made by a newer snaploop.
        StorageFullError: the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"data folder {path.parent} cannot be made ({error.strerror}): choose another with --data"
        ) from error
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_immediate)
    try:
        upgrade(engine)
    except DatabaseError as error:
        engine.dispose()
        raise as_storage_error(error, path) from error
    return engine


def upgrade(engine: Engine, to: str = "head") -> None:
    """Run the migrations that the database has not seen, as far as revision `to`.

    Raises:
        StorageError: the database has a migration that this version does not know.
    """
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError

    from .schema import metadata

    script = ScriptDirectory(str(_MIGRATIONS))
    context = EnvironmentContext(_alembic_config(), script)
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=metadata,
                fn=lambda revision, _context: script._upgrade_revs(to, revision),
                transactional_ddl=True,
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
    except (ResolutionError, CommandError) as error:
        raise StorageError(f"{engine.url.database} was made by a newer snaploop: update this one ({error})") from error


def as_storage_error(error: DatabaseError, path: Path | str | None = None) -> StorageError:
    """Ours for an error of the database library."""
    text = str(error.orig) if error.orig is not None else str(error)
    if "full" in text or "disk I/O" in text:
        return StorageFullError(
            f"no room to write {path or 'snaploop.db'} ({text}): free some disk space; nothing was lost"
        )
    if "not a database" in text or "malformed" in text:
        return StorageError(
            f"{path or 'snaploop.db'} is damaged ({text}): move it away or restore a backup; the photos in blobs/ are safe"
        )
    if "readonly" in text or "unable to open" in text:
        return StorageError(
            f"{path or 'snaploop.db'} cannot be opened for writing ({text}): check its owner or choose another --data"
        )
    return StorageError(f"{path or 'snaploop.db'}: {text}")


def _alembic_config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's recipe: we emit BEGIN ourselves, see _begin_immediate
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _begin_immediate(connection: Any) -> None:
    """Take the write lock at once where the transaction means to write: a lock upgraded midway fails without waiting."""
    writes = connection.get_execution_options().get("is_writing", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
