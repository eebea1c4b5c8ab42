"""The first schema: projects, boards, photos, samples, dataset versions, runs, models, deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("task", sa.String(length=20), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("created_at_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "boards",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("paired_at_s", sa.Float(), nullable=False),
        sa.Column("last_seen_at_s", sa.Float(), nullable=True),
        sa.Column("last_road", sa.String(length=10), server_default="", nullable=False),
        sa.Column("machine", sa.String(length=100), server_default="", nullable=False),
        sa.Column("firmware", sa.String(length=100), server_default="", nullable=False),
        sa.Column("nncase", sa.String(length=40), server_default="", nullable=False),
        sa.Column("app", sa.String(length=40), server_default="", nullable=False),
        sa.Column("panel", sa.String(length=20), server_default="", nullable=False),
        sa.Column("free_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("heap_free_bytes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("model", sa.String(length=64), server_default="", nullable=False),
        sa.Column("samples", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_boards_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boards")),
    )
    op.create_table(
        "dataset_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("created_at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_dataset_versions_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_versions")),
    )
    op.create_index(op.f("ix_dataset_versions_project_id"), "dataset_versions", ["project_id"], unique=False)
    op.create_table(
        "deployments",
        sa.Column("board_id", sa.String(length=64), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("gap_frames", sa.Integer(), nullable=True),
        sa.Column("updated_at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["boards.id"], name=op.f("fk_deployments_board_id_boards")),
        sa.PrimaryKeyConstraint("board_id", "model_digest", name=op.f("pk_deployments")),
    )
    op.create_table(
        "photos",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("road", sa.String(length=10), nullable=False),
        sa.Column("board_id", sa.String(length=64), nullable=True),
        sa.Column("received_at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["boards.id"], name=op.f("fk_photos_board_id_boards")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_photos")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("dataset_version_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at_s", sa.Float(), nullable=False),
        sa.Column("started_at_s", sa.Float(), nullable=True),
        sa.Column("ended_at_s", sa.Float(), nullable=True),
        sa.Column("stage", sa.String(length=40), server_default="", nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("epochs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("loss", sa.Float(), nullable=True),
        sa.Column("map50", sa.Float(), nullable=True),
        sa.Column("map50_95", sa.Float(), nullable=True),
        sa.Column("eta_s", sa.Float(), nullable=True),
        sa.Column("text", sa.String(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("warm_start_run_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"], ["dataset_versions.id"], name=op.f("fk_runs_dataset_version_id_dataset_versions")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_runs_project_id_projects")),
        sa.ForeignKeyConstraint(["warm_start_run_id"], ["runs.id"], name=op.f("fk_runs_warm_start_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_runs_project_id"), "runs", ["project_id"], unique=False)
    op.create_index(op.f("ix_runs_state"), "runs", ["state"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kmodel_bytes", sa.Integer(), nullable=False),
        sa.Column("golden_digest", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("is_gate_passed", sa.Boolean(), nullable=False),
        sa.Column("gate_text", sa.String(), nullable=False),
        sa.Column("float_map50", sa.Float(), nullable=False),
        sa.Column("kmodel_map50", sa.Float(), nullable=False),
        sa.Column("float_map50_95", sa.Float(), nullable=False),
        sa.Column("kmodel_map50_95", sa.Float(), nullable=False),
        sa.Column("evaluated_images", sa.Integer(), nullable=False),
        sa.Column("simulator", sa.String(length=100), nullable=False),
        sa.Column("input_w_px", sa.Integer(), nullable=False),
        sa.Column("input_h_px", sa.Integer(), nullable=False),
        sa.Column("created_at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_models_project_id_projects")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_models_run_id_runs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("run_id", name=op.f("uq_models_run_id")),
        sa.UniqueConstraint("serial", name=op.f("uq_models_serial")),
    )
    op.create_index(op.f("ix_models_digest"), "models", ["digest"], unique=False)
    op.create_index(op.f("ix_models_project_id_serial"), "models", ["project_id", "serial"], unique=False)
    op.create_table(
        "samples",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("boxes", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("created_at_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["photo"], ["photos.digest"], name=op.f("fk_samples_photo_photos")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_samples_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_samples")),
        sa.UniqueConstraint("project_id", "photo", name=op.f("uq_samples_project_id_photo")),
    )
    op.create_index(op.f("ix_samples_project_id_created_at_s"), "samples", ["project_id", "created_at_s"], unique=False)
    op.create_table(
        "dataset_items",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("photo", sa.String(length=64), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("boxes", sa.JSON(), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["photo"], ["photos.digest"], name=op.f("fk_dataset_items_photo_photos")),
        sa.ForeignKeyConstraint(["sample_id"], ["samples.id"], name=op.f("fk_dataset_items_sample_id_samples")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["dataset_versions.id"], name=op.f("fk_dataset_items_version_id_dataset_versions")
        ),
        sa.PrimaryKeyConstraint("version_id", "photo", name=op.f("pk_dataset_items")),
    )
