"""Bad input where a board is concerned: the real app on the virtual board, beside a real daemon. One line for people, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import socket

import pytest

from fakes.board_client import jpeg
from fakes.desk import Desk, says, tap, texts, wait
from fakes.host_folder import make_host, pair_client, write_artifacts
from snaploop_host.services.publish_model import PublishModel
from snaploop_shared import manifest, model_slots
from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import Box, SampleRecord

KMODEL = b"LDMK\x07\x00\x00\x00" + bytes(range(256)) * 1200  # the right header; nothing here lives to load it
RESERVE_BYTES = 1024 * 1024  # what the app leaves free for labels: device/snaploop_device/card.py


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def leave_free(board, free_bytes):
    """Fill the card's data partition up to so many bytes."""
    partition = board.card.partitions["/data"]
    partition.capacity_bytes = partition.count_used() + free_bytes


def publish(folder, kmodel=KMODEL):
    """A model that passed its gate, offered to every board of the project."""
    with contextlib.closing(make_host(folder)) as host:
        other = pair_client(host, board_id="ffff0000")
        for number in range(8):
            other.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
        run = host.train.start(1)
        write_artifacts(host.jobs.artifact(run.id, "x").parent, kmodel=kmodel)
        model = PublishModel(host.store, host.blobs, host.jobs).publish(run)
        host.train.cancel(run.id)
        return model


def put_on_card(desk, name, data, boxes, record=None):
    """A sample as an earlier start of the app would have left it; `record` changes its record's bytes."""
    desk.samples.mkdir(exist_ok=True)
    (desk.samples / f"{name}.jpg").write_bytes(data)
    good = SampleRecord(name, sha256_hex(data), len(data), 64, 36, 1, "labelled", boxes).to_json()
    (desk.samples / f"{name}.json").write_bytes(good if record is None else record(good))


def names_on_host(desk):
    return {sample["name"] for sample in desk.api("/api/projects/lights/samples") if sample["source"] == "a1b2c3d4"}


def test_full_card_refuses_photo_and_label_in_words_and_goes_on_when_there_is_room(desk):
    desk.install()
    with desk.board() as board, desk.daemon("--usb", board.pty):
        says(board, "lights")
        leave_free(board, 500_000)
        tap(board, "capture", "shutter")
        says(board, "card full: 480 KiB free; sync, then delete")
        assert list(desk.samples.iterdir()) == []
        leave_free(board, 50_000_000)
        tap(board, "capture", "shutter")
        says(board, "Save")
        tap(board, "label", "class:red")
        board.drag([(100, 100), (150, 150), (200, 200)])
        wait("the photo is on the host", lambda: names_on_host(desk), board)
        leave_free(board, 0)
        tap(board, "label", "save")
        says(board, "card full while writing samples/b1-000001.json")
        says(board, "delete photos with a PC")  # the mend is not cut off: it is on the second line
        assert json.loads((desk.samples / "b1-000001.json").read_text())["state"] == "new"  # the old record stands
        assert "Save" in texts(board)  # and the box is still on the screen
        leave_free(board, 50_000_000)
        tap(board, "label", "save")
        says(board, "saved b1-000001: 1 box")
        [sample] = wait(
            "the label is on the host",
            lambda: [one for one in desk.api("/api/projects/lights/samples") if one["state"] == "labelled"],
            board,
        )
        assert sample["boxes"] == [{"class": "red", "xywh_px": [100, 100, 100, 100]}]
        assert board.exception is None


def test_board_with_a_full_card_starts_by_itself_when_there_is_room(desk):
    desk.install()
    put_on_card(desk, "b4-000002", jpeg(1), [Box("red", 1, 1, 20, 20)])
    used = sum(path.stat().st_size for path in (desk.folder / "data").rglob("*") if path.is_file())
    with desk.board(data_bytes=used) as board, desk.daemon("--usb", board.pty):
        says(board, "card full, no room to start: delete")
        assert board.main_running
        assert board.exception is None
        leave_free(board, 5_000_000)
        wait("the sample is on the host", lambda: names_on_host(desk) == {"b4-000002"}, board)


def test_model_is_not_begun_without_room_waits_when_the_card_fills_up_and_goes_on(desk):
    model = publish(desk.host_data)
    desk.install(main="from snaploop_device import refusals\nrefusals.RETRY_MS = 500\n")
    with desk.board() as board:
        leave_free(board, RESERVE_BYTES + 300_000)  # kmodel and golden input have 491528 bytes
        with desk.daemon("--usb", board.pty):
            says(board, "lights")
            tap(board, "capture", "tab:sync")
            said = wait("the board refused", lambda: desk.deployment(), board)
            assert (said["state"], said["reason"]) == ("refused", "no_room")
            assert "KiB free" in said["text"]
            says(board, "Model: refused: card full")
            assert "GET /blob" not in desk.daemon_log.read_text()
            leave_free(board, RESERVE_BYTES + 600_000)
            part = desk.models / model.short / "model.kmodel.part"
            wait("the fetch began", lambda: part.exists() and part.stat().st_size, board)
            leave_free(board, RESERVE_BYTES)
            says(board, f"{model.short} waits: card full")
            here = part.stat().st_size
            assert 0 < here < len(KMODEL)
            leave_free(board, 5_000_000)
            wait("the kmodel is whole", lambda: (desk.models / model.short / "model.kmodel").exists(), board)
    assert (desk.models / model.short / "model.kmodel").read_bytes() == KMODEL
    log = desk.daemon_log.read_text()
    assert log.count("GET /blob") <= 2 + len(KMODEL) // 32768 + 184320 // 32768 + 1  # nothing was fetched twice


def test_kmodel_for_another_nncase_is_refused_before_a_byte_of_it_is_fetched(desk):
    publish(desk.host_data)
    desk.install()
    with desk.board(profile="B") as board, desk.daemon("--usb", board.pty):
        says(board, "lights")
        tap(board, "capture", "tab:sync")
        said = wait("the board refused", lambda: desk.deployment(), board)
        assert (said["state"], said["reason"]) == ("refused", "wrong_nncase")
        assert said["text"] == (
            "model compiled with nncase 2.11.0, this firmware runs 2.9.0: "
            "flash a firmware with nncase 2.11.0 or compile with 2.9.0"
        )
        says(board, "Model: refused: model compiled with nncase 2.11.0")
        says(board, "flash a firmware with nncase 2.11.0")
        assert "GET /blob" not in desk.daemon_log.read_text()
        assert list(desk.models.iterdir()) == []


def test_kmodel_with_a_wrong_digest_is_fetched_once_more_then_refused(desk):
    model = publish(desk.host_data, KMODEL[:60_000])
    stored = desk.host_data / "blobs" / model.digest[:2] / model.digest
    stored.chmod(0o644)
    stored.write_bytes(b"LDMK\x07\x00\x00\x00" + os.urandom(59_992))  # the host's disk rots
    desk.install()
    with desk.board() as board, desk.daemon("--usb", board.pty):
        says(board, "lights")
        tap(board, "capture", "tab:sync")
        said = wait("the board refused", lambda: desk.deployment(), board)
        assert (said["state"], said["reason"]) == ("refused", "bad_digest")
        assert f"model.kmodel of model {model.short} has the wrong SHA-256" in said["text"]
        assert said["text"].endswith("check the disk of the host, train again")
        says(board, "Model: refused: model.kmodel of model")
        assert desk.daemon_log.read_text().count("GET /blob") == 4  # two pieces, twice
    assert list(desk.models.glob("*/model*")) == []


def test_model_that_another_host_signed_is_not_run_and_replaced_by_this_hosts(desk):
    """A card that comes from another pairing: its slots name a model, whose signature is not of this board's key."""
    model = publish(desk.host_data, KMODEL[:60_000])
    desk.install()
    folder = desk.models / model.short
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(model.manifest)
    (folder / "manifest.sig").write_bytes(manifest.signature(model.manifest, os.urandom(32)))
    (folder / "model.kmodel").write_bytes(KMODEL[:60_000])
    (folder / "golden.bin").write_bytes(bytes(184320))
    slots = model_slots.ModelSlots()
    slots.active, slots.serial, slots.sequence = model.digest, 7, 2
    (desk.folder / "data/snaploop/slots.a").write_bytes(model_slots.encode(slots))
    with desk.board() as board:
        board.wait_for("the model was not signed by this board's host: pair the board again", 180)
        board.wait_for("is damaged or not from this host: the next sync gets one", 180)
        with desk.daemon("--usb", board.pty):
            wait("it was fetched again", lambda: "GET /blob" in desk.daemon_log.read_text(), board)
        assert board.exception is None


def test_damaged_photos_are_named_one_by_one_and_the_good_ones_arrive(desk):
    desk.install()
    boxes = [Box("red", 1, 1, 20, 20)]
    put_on_card(desk, "b1-000001", jpeg(1), boxes)
    put_on_card(desk, "b1-000002", b"\xff\xd8\xff\xe0 was a JPEG", boxes)  # corrupt from the beginning
    put_on_card(desk, "b1-000003", jpeg(3), boxes)
    (desk.samples / "b1-000003.jpg").write_bytes(jpeg(3)[:200] + b"rot" + jpeg(3)[203:])
    put_on_card(desk, "b1-000004", jpeg(4), boxes)
    (desk.samples / "b1-000004.jpg").write_bytes(jpeg(4)[:300])
    put_on_card(desk, "b1-000005", jpeg(5), [Box("red", 60, 1, 20, 20)])  # a box outside its picture
    put_on_card(desk, "b1-000006", jpeg(6), boxes, record=lambda good: good[:-30])
    put_on_card(desk, "b1-000007", jpeg(7), boxes)
    before = sorted(desk.samples.iterdir())
    with desk.board() as board, desk.daemon("--usb", board.pty):
        wait("the good ones are there", lambda: names_on_host(desk) == {"b1-000001", "b1-000007"}, board)
        for line in (
            "host: sample b1-000002: damaged picture",
            "take b1-000003 again, its photo is damaged on the card",
            "take b1-000004 again, its photo is cut short on the card",
            "take b1-000005 again, its record is damaged: box Box('red', 60, 1, 20, 20) lies outside the 64x36 photo",
            "take b1-000006 again, its record is damaged: sample record is not JSON",
        ):
            assert board.wait_for(line, 180).count(f"app {line}") == 1
        assert board.exception is None
    assert sorted(desk.samples.iterdir()) == before


def test_unpaired_board_gets_silence_over_usb_and_both_sides_say_so(desk):
    (desk.folder / "other").mkdir()
    make_host(desk.folder / "other").close()
    impatient = "from snaploop_device import requester\nrequester.STALLED_MS = 1500\n"
    desk.install(host=desk.folder / "other", main=impatient)
    put_on_card(desk, "b1-000001", jpeg(1), [Box("red", 1, 1, 20, 20)])
    with desk.board() as board, desk.daemon("--usb", board.pty):
        says(board, "no answer by usb: is the host busy, or this board not")
        assert names_on_host(desk) == set()
    assert "request of unknown board a1b2c3d4 over usb: pair it with" in desk.daemon_log.read_text()
    assert (desk.samples / "b1-000001.jpg").read_bytes() == jpeg(1)


def test_unpaired_board_is_told_over_wifi_and_keeps_its_photos(desk):
    (desk.folder / "other").mkdir()
    make_host(desk.folder / "other").close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    desk.install(host=desk.folder / "other", road="wifi", wifi=["net", "12345678"], **{"label_at_once": False})
    config = desk.folder / "data/snaploop/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"host": ["127.0.0.1", port]}))
    put_on_card(desk, "b1-000001", jpeg(1), [Box("red", 1, 1, 20, 20)])
    with desk.board() as board, desk.daemon("--listen", f"127.0.0.1:{port}"):
        says(board, "the host says 401: not paired with this host:")
        says(board, "`snaploop board install`")
        assert names_on_host(desk) == set()
        tap(board, "capture", "shutter")  # it still photographs
        wait("the photo is kept", lambda: len(list(desk.samples.glob("*.jpg"))) == 2, board)
    told = [line for line in desk.daemon_log.read_text().splitlines() if "WARNING" in line and "unknown board" in line]
    assert len(told) == 1  # once, not every two seconds
    assert "pair it with `snaploop board install`" in told[0]
