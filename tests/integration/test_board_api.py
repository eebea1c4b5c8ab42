"""The board API on a real store: every request of docs/protocol.md, its refusals, and roads that are cut."""

from __future__ import annotations

import os

import pytest

from fakes.board_client import BoardClient, jpeg
from fakes.host_folder import CLASSES, make_host, pair_client, write_artifacts
from snaploop_host.services.publish_model import PublishModel
from snaploop_shared import manifest, messages
from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import Box


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path)
    yield host
    host.close()


def test_hello_tells_project_and_no_model(host):
    board = pair_client(host)
    answer = board.hello()
    assert answer.status == 200
    assert answer.arguments["project"] == {"name": "lights", "task": "detect", "classes": list(CLASSES)}
    assert answer.arguments["model"] is None
    seen = host.store.find_board(board.board_id)
    assert (seen.nncase, seen.panel, seen.free_bytes, seen.last_road) == ("2.11.0", "800x480", 28_000_000_000, "usb")


def test_unknown_board_wrong_key_and_garbage_get_silence(host):
    board = pair_client(host)
    stranger = BoardClient("ffff", board.key, board.carry)
    impostor = BoardClient(board.board_id, os.urandom(32), board.carry)
    for client in (stranger, impostor):
        with pytest.raises(AssertionError, match="silent"):
            client.hello()
    assert host.board_api.handle(b"GET / HTTP/1.1\r\n\r\n", "wifi") is None
    assert host.board_api.handle(b"", "usb") is None


def test_replayed_counter_is_refused_with_the_known_one(host):
    board = pair_client(host)
    assert board.ask_with(50, "GET", messages.STATUS).status == 200
    again = board.ask_with(50, "GET", messages.STATUS)
    assert (again.status, again.arguments["counter"]) == (401, 50)
    assert board.ask_with(51, "GET", messages.STATUS).status == 200


def test_photo_in_pieces_over_both_roads_counts_for_the_last(host):
    data = jpeg(7, 640, 360)
    usb, wifi = pair_client(host, "usb"), pair_client(host, "wifi")
    digest = sha256_hex(data)
    half = usb.ask("PUT", messages.PHOTO, {"digest": digest, "offset": 0, "size": len(data)}, data[:1000])
    assert half.arguments == {"offset": 1000}
    wifi.counter = usb.counter
    missing = wifi.ask("POST", messages.MISSING, {"samples": [[digest, len(data), 1]]})
    assert missing.arguments == {"photos": [[digest, 1000]], "records": [digest]}
    assert wifi.send_photo(data, offset=1000).arguments == {"offset": len(data)}
    record = wifi.record("b1-000001", data, [Box("red", 1, 2, 30, 40)], size=(640, 360))
    assert wifi.ask("PUT", messages.RECORD, {}, record).arguments == {"rev": 1}
    missing = wifi.ask("POST", messages.MISSING, {"samples": [[digest, len(data), 1]]})
    assert missing.arguments == {"photos": [], "records": []}
    assert host.store.road_counts(1) == {"usb": 0, "wifi": 1, "import": 0}
    [sample] = host.store.samples(1)
    assert (sample.name, sample.boxes[0].class_name, sample.road) == ("b1-000001", "red", "wifi")
    assert host.blobs.read(digest) == data


def test_piece_that_does_not_fit_says_where_to_go_on(host):
    board = pair_client(host)
    data = jpeg(1)
    answer = board.ask("PUT", messages.PHOTO, {"digest": sha256_hex(data), "offset": 10, "size": len(data)}, data[10:])
    assert (answer.status, answer.arguments["offset"]) == (409, 0)


def test_wrong_bytes_are_dropped_and_the_right_ones_taken_again(host):
    board = pair_client(host)
    data = jpeg(1)
    digest = sha256_hex(data)
    wrong = board.ask("PUT", messages.PHOTO, {"digest": digest, "offset": 0, "size": len(data)}, bytes(len(data)))
    assert wrong.status == 400
    assert "begin again" in wrong.arguments["error"]
    assert board.send_photo(data).arguments == {"offset": len(data)}


def test_outlines_and_text_corners_are_kept_as_the_board_sent_them(host):
    board = pair_client(host)
    corners = ((4, 4), (23, 6), (22, 17), (5, 15))
    shapes = [Box("red", 4, 4, 20, 14, corners), Box("green", 0, 0, 64, 36)]
    assert board.send_sample("b1-000001", jpeg(1), shapes).status == 200
    [sample] = host.store.samples(1)
    assert [box.points for box in sample.boxes] == [corners, ()]


def test_record_before_its_photo_is_asked_to_wait(host):
    board = pair_client(host)
    answer = board.ask("PUT", messages.RECORD, {}, board.record("b1-000001", jpeg(1), []))
    assert answer.status == 409
    assert "send it first" in answer.arguments["error"]


def test_newest_revision_wins_whatever_comes_last(host):
    board = pair_client(host)
    data = jpeg(1)
    assert board.send_sample("b1-000001", data, [Box("red", 0, 0, 10, 10)], rev=3).arguments == {"rev": 3}
    late = board.ask("PUT", messages.RECORD, {}, board.record("b1-000001", data, [], rev=2))
    assert late.arguments == {"rev": 3}
    assert len(host.store.samples(1)[0].boxes) == 1
    newer = board.ask("PUT", messages.RECORD, {}, board.record("b1-000001", data, [], rev=4))
    assert newer.arguments == {"rev": 4}
    assert host.store.samples(1)[0].boxes == ()


@pytest.mark.parametrize(
    ("data", "size", "expected"),
    [
        (b"\xff\xd8\xff\xe0 this was a JPEG once", (64, 36), "damaged"),
        (b"GIF89a or whatever this is", (64, 36), "no readable JPEG"),
        (jpeg(3, 640, 360)[:-700], (640, 360), "damaged"),
        (jpeg(3), (640, 360), "64x36"),
    ],
)
def test_photo_that_is_no_photo_is_refused_with_its_name(host, data, size, expected):
    board = pair_client(host)
    board.send_photo(data)
    answer = board.ask("PUT", messages.RECORD, {}, board.record("b1-000009", data, [], size=size))
    assert answer.status == 400
    assert "b1-000009" in answer.arguments["error"]
    assert expected in answer.arguments["error"]


def test_box_outside_its_picture_is_refused(host):
    board = pair_client(host)
    data = jpeg(1)
    answer = board.send_sample("b1-000001", data, [Box("red", 60, 0, 10, 10)])
    assert answer.status == 400
    assert "outside" in answer.arguments["error"]


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("PUT", messages.PHOTO, {"digest": "xyz", "offset": 0, "size": 1}),
        ("PUT", messages.PHOTO, {"digest": "0" * 64, "offset": -1, "size": 1}),
        ("PUT", messages.PHOTO, {"digest": "0" * 64, "offset": 0, "size": 10**9}),
        ("PUT", messages.PHOTO, {}),
        ("POST", messages.MISSING, {"samples": "all"}),
        ("POST", messages.MISSING, {"samples": [["0" * 64, "big", 1]]}),
        ("POST", messages.DEPLOYMENT, {"digest": None, "state": "confirmed"}),
        ("GET", messages.BLOB, {"digest": "../../etc/passwd"}),
    ],
)
def test_broken_arguments_get_a_line_and_status_400(host, method, path, arguments):
    answer = pair_client(host).ask(method, path, arguments)
    assert answer.status == 400
    assert answer.arguments["error"]


def test_unknown_path_says_update(host):
    answer = pair_client(host).ask("GET", "/moon")
    assert answer.status == 404
    assert "update" in answer.arguments["error"]


def test_full_disk_loses_nothing(host, monkeypatch):
    board = pair_client(host)
    data = jpeg(5, 640, 360)
    digest = sha256_hex(data)
    board.ask("PUT", messages.PHOTO, {"digest": digest, "offset": 0, "size": len(data)}, data[:500])

    def half_then_full(file, piece):
        file.write(piece[: len(piece) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snaploop_host.storage.blobs._write_all", half_then_full)
    full = board.ask("PUT", messages.PHOTO, {"digest": digest, "offset": 500, "size": len(data)}, data[500:])
    assert full.status == messages.FULL
    assert "free some space" in full.arguments["error"]
    monkeypatch.undo()
    missing = board.ask("POST", messages.MISSING, {"samples": [[digest, len(data), 1]]})
    assert missing.arguments["photos"] == [[digest, 500]]
    assert board.send_photo(data, offset=500).arguments == {"offset": len(data)}


def publish(host, board, passed=True):
    for number in range(8):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
    run = host.train.start(1)
    write_artifacts(host.jobs.artifact(run.id, "x").parent, passed=passed)
    return PublishModel(host.store, host.blobs, host.jobs).publish(run)


def test_model_travels_signed_and_in_pieces(host):
    board = pair_client(host)
    assert board.ask("GET", messages.MODEL).status == 204
    model = publish(host, board)
    answer = board.ask("GET", messages.MODEL)
    assert (answer.arguments["digest"], answer.arguments["serial"]) == (model.digest, 1)
    manifest.check_signature(answer.body, bytes.fromhex(answer.arguments["signature"]), board.key)
    parsed = manifest.parse(answer.body)
    assert (parsed.labels, parsed.input_w, parsed.score_permille) == (list(CLASSES), 320, 400)
    got = b""
    while True:
        piece = board.ask("GET", messages.BLOB, {"digest": parsed.golden_digest, "offset": len(got), "length": 32768})
        got += piece.body
        if len(got) == piece.arguments["size"]:
            break
        assert len(piece.body) == 32768
    assert sha256_hex(got) == parsed.golden_digest
    assert board.hello().arguments["model"] == {"digest": model.digest, "serial": 1}


def test_model_that_lost_at_the_gate_is_never_offered(host):
    board = pair_client(host)
    model = publish(host, board, passed=False)
    assert not model.is_gate_passed
    assert board.ask("GET", messages.MODEL).status == 204
    assert board.ask("GET", messages.BLOB, {"digest": model.digest, "offset": 0}).status == 404


def test_photos_are_no_blobs_for_boards(host):
    board = pair_client(host)
    data = jpeg(1)
    board.send_photo(data)
    assert board.ask("GET", messages.BLOB, {"digest": sha256_hex(data), "offset": 0}).status == 404


def test_deployments_follow_their_table(host):
    board = pair_client(host)
    model = publish(host, board)

    def report(state, **more):
        return board.ask("POST", messages.DEPLOYMENT, {"digest": model.digest, "state": state, **more}).status

    assert report("received") == 200
    assert report("trial") == 200
    assert report("trial") == 200
    assert report("confirmed", gap_frames=2) == 200
    assert host.store.find_board(board.board_id).model == model.digest
    assert report("trial") == 400
    assert report("exploded") == 400
    deployment = host.store.deployment(board.board_id, model.digest)
    assert (deployment.state, deployment.gap_frames) == ("confirmed", 2)
    assert report("rolled_back", reason="golden_mismatch") == 200
    assert host.store.find_board(board.board_id).model == ""


def test_confirmed_said_again_after_a_start_keeps_its_numbers(host):
    board = pair_client(host)
    digest = publish(host, board).digest
    for state, gap in (("received", 0), ("trial", 0), ("confirmed", 2), ("confirmed", None)):
        said = {"digest": digest, "state": state, "reason": "", "text": "", "gap_frames": gap}
        assert board.ask("POST", messages.DEPLOYMENT, said).status == 200
    assert host.store.deployment(board.board_id, digest).gap_frames == 2


def test_train_needs_photos_and_says_so(host):
    board = pair_client(host)
    answer = board.ask("POST", messages.TRAIN)
    assert answer.status == 409
    assert "8" in answer.arguments["error"]
    assert board.ask("GET", messages.STATUS).arguments == {"samples": 0, "run": None, "model": None}
    for number in range(8):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
    run_id = board.ask("POST", messages.TRAIN).arguments["run"]
    run = board.ask("GET", messages.STATUS).arguments["run"]
    assert (run["id"], run["state"], run["queue"], run["score_permille"]) == (run_id, "queued", 0, None)
    again = board.ask("POST", messages.TRAIN)
    assert again.status == 409
    assert "already" in again.arguments["error"]


def test_record_with_the_last_piece_of_its_photo_is_taken(host):
    board = pair_client(host)
    data = jpeg(1)
    record = board.record("b1-000001", data, [Box("red", 1, 2, 30, 20)], rev=3).decode()
    arguments = {"digest": sha256_hex(data), "offset": 0, "size": len(data), "record": record}
    answer = board.ask("PUT", messages.PHOTO, arguments, data)
    assert (answer.status, answer.arguments) == (200, {"offset": len(data), "rev": 3})
    [sample] = host.store.samples(1)
    assert sample.rev == 3 and len(sample.boxes) == 1


@pytest.mark.parametrize("record", ["{", 7, None, {"v": 1}])
def test_bad_record_with_a_photo_leaves_the_photo_and_is_told_when_it_comes_by_itself(host, record):
    board = pair_client(host)
    data = jpeg(1)
    arguments = {"digest": sha256_hex(data), "offset": 0, "size": len(data), "record": record}
    answer = board.ask("PUT", messages.PHOTO, arguments, data)
    assert (answer.status, answer.arguments) == (200, {"offset": len(data)})
    assert host.blobs.has(sha256_hex(data)) and host.store.samples(1) == []
    assert board.ask("PUT", messages.RECORD, {}, b"{").status == 400


def test_record_that_comes_with_a_piece_in_the_middle_waits(host):
    board = pair_client(host)
    data = jpeg(1)
    record = board.record("b1-000001", data, []).decode()
    arguments = {"digest": sha256_hex(data), "offset": 0, "size": len(data), "record": record}
    answer = board.ask("PUT", messages.PHOTO, arguments, data[:100])
    assert (answer.status, answer.arguments) == (200, {"offset": 100})
    assert host.store.samples(1) == []
