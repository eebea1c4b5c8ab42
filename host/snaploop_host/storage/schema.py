"""The tables of snaploop.db, as SQLAlchemy Core. Changing one needs a migration in migrations/versions (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("task", String(20), nullable=False),
    Column("classes", JSON, nullable=False),
    Column("created_at_s", Float, nullable=False),
    Column("settings", JSON, nullable=False, server_default="{}"),
)

boards = Table(
    "boards",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(60), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("paired_at_s", Float, nullable=False),
    Column("last_seen_at_s", Float),
    Column("last_road", String(10), nullable=False, server_default=""),
    Column("machine", String(100), nullable=False, server_default=""),
    Column("firmware", String(100), nullable=False, server_default=""),
    Column("nncase", String(40), nullable=False, server_default=""),
    Column("app", String(40), nullable=False, server_default=""),
    Column("panel", String(20), nullable=False, server_default=""),
    Column("free_bytes", BigInteger, nullable=False, server_default="0"),
    Column("heap_free_bytes", Integer, nullable=False, server_default="0"),
    Column("model", String(64), nullable=False, server_default=""),
    Column("samples", Integer, nullable=False, server_default="0"),
)

photos = Table(
    "photos",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("road", String(10), nullable=False),
    Column("board_id", ForeignKey("boards.id")),
    Column("received_at_s", Float, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("photo", ForeignKey("photos.digest"), nullable=False),
    Column("name", String(60), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("boxes", JSON, nullable=False),
    Column("source", String(64), nullable=False),
    Column("void", JSON, nullable=False, server_default="[]"),
    Column("created_at_s", Float, nullable=False),
    UniqueConstraint("project_id", "photo"),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("classes", JSON, nullable=False),
    Column("created_at_s", Float, nullable=False),
)

dataset_items = Table(
    "dataset_items",
    metadata,
    Column("version_id", ForeignKey("dataset_versions.id"), primary_key=True),
    Column("photo", ForeignKey("photos.digest"), primary_key=True),
    Column("sample_id", ForeignKey("samples.id"), nullable=False),
    Column("name", String(60), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("boxes", JSON, nullable=False),
    Column("split", String(10), nullable=False),
    Column("void", JSON, nullable=False, server_default="[]"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("dataset_version_id", ForeignKey("dataset_versions.id"), nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("created_at_s", Float, nullable=False),
    Column("started_at_s", Float),
    Column("ended_at_s", Float),
    Column("stage", String(40), nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("epochs", Integer, nullable=False, server_default="0"),
    Column("loss", Float),
    Column("scores", JSON, nullable=False, server_default="{}"),
    Column("eta_s", Float),
    Column("text", String, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("warm_start_run_id", ForeignKey("runs.id")),
    sqlite_autoincrement=True,  # a run id names a job folder: never give one out twice
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("run_id", ForeignKey("runs.id"), nullable=False, unique=True),
    Column("serial", Integer, nullable=False, unique=True),
    Column("digest", String(64), nullable=False, index=True),
    Column("kmodel_bytes", Integer, nullable=False),
    Column("golden_digest", String(64), nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("is_gate_passed", Boolean, nullable=False),
    Column("gate_text", String, nullable=False),
    Column("task", String(20), nullable=False, server_default="detect"),
    Column("float_scores", JSON, nullable=False, server_default="{}"),
    Column("kmodel_scores", JSON, nullable=False, server_default="{}"),
    Column("evaluated_images", Integer, nullable=False),
    Column("simulator", String(100), nullable=False),
    Column("input_w_px", Integer, nullable=False),
    Column("input_h_px", Integer, nullable=False),
    Column("created_at_s", Float, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("board_id", ForeignKey("boards.id"), primary_key=True),
    Column("model_digest", String(64), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("text", String, nullable=False),
    Column("gap_frames", Integer),
    Column("updated_at_s", Float, nullable=False),
)

Index(None, samples.c.project_id, samples.c.created_at_s)
Index(None, models.c.project_id, models.c.serial)
