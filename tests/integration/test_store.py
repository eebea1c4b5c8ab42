"""Database, migrations and blobs on a real folder."""

from __future__ import annotations

import hashlib
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from fakes.host_folder import make_host
from snaploop_host.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    StorageError,
    StorageFullError,
    UploadGapError,
)
from snaploop_host.files import write_atomically
from snaploop_host.services.overview import Overview
from snaploop_host.storage.blobs import BlobFolder
from snaploop_host.storage.database import open_database, upgrade
from snaploop_host.storage.schema import metadata


def test_migrations_make_exactly_the_schema(tmp_path):
    engine = open_database(tmp_path / "snaploop.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    open_database(tmp_path / "snaploop.db").dispose()  # a second start changes nothing


def test_scores_of_an_older_database_are_kept(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'snaploop.db'}")
    upgrade(engine, "0001")
    with engine.begin() as db:
        for statement in (
            "INSERT INTO projects (id, name, task, classes, created_at_s) VALUES (1, 'p', 'detect', '[\"red\"]', 1)",
            "INSERT INTO dataset_versions (id, project_id, classes, created_at_s) VALUES (1, 1, '[\"red\"]', 1)",
            "INSERT INTO runs (id, project_id, dataset_version_id, state, created_at_s, map50) VALUES (1, 1, 1, 'succeeded', 1, 0.5)",
            "INSERT INTO models (id, project_id, run_id, serial, digest, kmodel_bytes, golden_digest, manifest, is_gate_passed, "
            "gate_text, float_map50, kmodel_map50, float_map50_95, kmodel_map50_95, evaluated_images, simulator, input_w_px, "
            "input_h_px, created_at_s) VALUES (1, 1, 1, 1, 'ab', 3, 'cd', x'7b7d', 1, 'passed', 0.9, 0.8, 0.7, 0.6, 24, 's', 320, 192, 1)",
        ):
            db.exec_driver_sql(statement)
    engine.dispose()
    host = make_host(tmp_path)
    assert host.store.run(1).scores == {"map50": 0.5}
    (model,) = host.store.models()
    assert (model.task, model.float_scores) == ("detect", {"map50": 0.9, "map50_95": 0.7})
    assert model.flat_scores()["kmodel_map50_95"] == 0.6
    (listed,) = Overview(host.store, host.train).models()
    assert (listed["project"], listed["kmodel_map50"]) == ("p", 0.8)
    host.close()


def test_database_of_a_newer_snaploop_is_left_alone(tmp_path):
    engine = open_database(tmp_path / "snaploop.db")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StorageError, match="newer snaploop"):
        open_database(tmp_path / "snaploop.db")


def test_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "snaploop.db"
    path.write_bytes(b"photos of my cat" * 100)
    with pytest.raises(StorageError, match="move it away"):
        open_database(path)
    assert path.read_bytes().startswith(b"photos of my cat")


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="--data"):
        open_database(tmp_path / "file" / "data" / "snaploop.db")


def test_unknown_things_name_themselves_and_the_mend(tmp_path):
    host = make_host(tmp_path)
    with pytest.raises(NotFoundError, match="projects add"):
        host.store.project_named("nope")
    with pytest.raises(NotFoundError, match="run 7"):
        host.store.run(7)
    with pytest.raises(ConflictError, match="already"):
        host.store.add_project("lights", "detect", ("a",), 0.0)
    host.close()


def test_two_processes_worth_of_writers_lose_nothing(tmp_path):
    hosts = [make_host(tmp_path), make_host(tmp_path)]
    board, _ = hosts[0].pair.pair("abcd")
    taken = []

    def count(host, start):
        taken.extend(counter for counter in range(start, 200, 2) if host.store.take_counter(board.id, counter))

    threads = [threading.Thread(target=count, args=(host, start)) for start, host in enumerate(hosts, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) > 0
    assert hosts[1].store.find_board(board.id).counter == 199
    for host in hosts:
        host.close()


def test_pairing_again_keeps_the_key_and_what_is_not_given(tmp_path):
    host = make_host(tmp_path)
    first, _ = host.pair.pair("abcd", "desk", "lights")
    host.store.take_counter("abcd", 77)
    again, project = host.pair.pair("abcd")
    assert (again.key, again.name, project.name) == (first.key, "desk", "lights")
    assert host.store.find_board("abcd").counter == 77
    with pytest.raises(BadInputError, match="chipid"):
        host.pair.pair("../..")
    host.close()


@pytest.fixture
def blobs(tmp_path):
    return BlobFolder(tmp_path / "blobs")


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_blob_uploaded_with_a_cut_at_every_byte(blobs):
    for cut in range(1, 20):
        data = bytes([cut]) * 20
        assert blobs.append(digest_of(data), 0, data[:cut], 20) == cut
        assert not blobs.has(digest_of(data))
        assert blobs.append(digest_of(data), cut, data[cut:], 20) == 20
        assert blobs.read(digest_of(data)) == data


def test_upload_survives_a_restart(blobs, tmp_path):
    data = b"0123456789"
    blobs.append(digest_of(data), 0, data[:4], 10)
    again = BlobFolder(tmp_path / "blobs")
    assert again.partial_size(digest_of(data)) == 4
    with pytest.raises(UploadGapError) as caught:
        again.append(digest_of(data), 0, data, 10)
    assert caught.value.offset == 4
    assert again.append(digest_of(data), 4, data[4:], 10) == 10
    assert again.append(digest_of(data), 0, data, 10) == 10  # once more is no harm


def test_upload_that_is_too_long_or_no_digest(blobs):
    with pytest.raises(BadInputError, match="longer"):
        blobs.append(digest_of(b"x"), 0, b"xxxx", 2)
    with pytest.raises(BadInputError, match="SHA-256"):
        blobs.append("../../etc/passwd", 0, b"x", 1)
    with pytest.raises(NotFoundError):
        blobs.path("../../etc/passwd")


def test_parts_of_a_blob(blobs):
    digest = blobs.add(b"0123456789")
    assert blobs.add(b"0123456789") == digest
    assert blobs.read(digest, 3, 4) == b"3456"
    assert blobs.read(digest, 8, 100) == b"89"
    assert blobs.size(digest) == 10


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "job.json"
    write_atomically(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snaploop_host.files.os.fsync", full)
    with pytest.raises(StorageFullError, match="free some space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["job.json"]
