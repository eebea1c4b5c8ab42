"""The board against the protocol's fake host: order, resume, both roads, failover, refusals."""

import json

import pytest

from snaploop_shared import messages
from snaploop_shared.messages import Response
from snaploop_shared.portable import sha256_hex


def is_synced(rig):
    return rig.state.classes and rig.app.store.count_pending() == 0 and not rig.app.requester.is_busy


def paths(host):
    return [path for path, _road in host.requests if path != messages.STATUS]


def test_first_session_in_order_over_usb(rig, host):
    rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    assert paths(host)[0] == messages.HELLO and messages.MISSING in paths(host)
    (digest,) = host.photos
    assert sha256_hex(host.photos[digest]) == digest
    assert host.records[digest]["boxes"] == [{"class": "red", "xywh_px": [10, 20, 60, 50]}]
    assert host.by_road == {"usb": 1, "wifi": 0} and rig.state.synced == {"usb": 1, "wifi": 0}
    assert rig.state.usb == "connected" and rig.state.project == "lights"


def test_forced_road_is_used_half_and_half(rig, host):
    rig.tap("tab:sync")
    rig.tap("road:usb")
    for _ in range(2):
        rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    rig.tap("tab:sync")
    rig.tap("road:wifi")
    assert rig.state.road == "wifi"
    for _ in range(3):
        rig.shoot_and_label("green", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    assert host.by_road == {"usb": 2, "wifi": 3} and rig.state.synced == {"usb": 2, "wifi": 3}
    assert rig.board.wifi.connections == 1  # kept alive


def test_only_missing_pieces_travel(rig, host):
    rig.board.usb.cut = True
    rig.app.apply(("road", "usb"))
    rig.shoot_and_label("red", (10, 20, 60, 50))
    (photo,) = (rig.root / "samples").glob("*.jpg")
    data = photo.read_bytes()
    host.partial[sha256_hex(data)] = data[:3000]
    rig.board.usb.cut = False
    rig.until(lambda: is_synced(rig))
    assert host.photos == {sha256_hex(data): data}


def test_large_photo_in_pieces(rig, host):
    noise = bytes(range(256)) * 400
    rig.app.store.add(noise, 640, 360)
    rig.until(lambda: is_synced(rig))
    assert host.photos[sha256_hex(noise)] == noise
    assert paths(host).count(messages.PHOTO) == 2


def test_record_travels_with_the_last_piece_of_its_photo(rig, host):
    rig.app.store.add(bytes(range(256)) * 400, 640, 360)
    rig.until(lambda: is_synced(rig))
    assert len(host.records) == 1 and paths(host).count(messages.PHOTO) == 2
    assert messages.RECORD not in paths(host)


def test_host_that_knows_no_records_along_gets_them_by_themselves(rig, host):
    host.takes_records = False
    rig.app.store.add(bytes(range(256)) * 400, 640, 360)
    rig.until(lambda: is_synced(rig))
    assert len(host.records) == 1 and paths(host).count(messages.RECORD) == 1


def test_cut_cable_goes_on_over_wifi_at_the_byte(rig, host):
    rig.until(lambda: rig.state.wifi == "connected")
    noise = bytes(range(256)) * 600
    rig.app.store.add(noise, 640, 360)
    rig.until(lambda: len(host.partial.get(sha256_hex(noise), b"")) >= 65536)
    rig.board.usb.cut = True
    rig.until(lambda: is_synced(rig))
    assert host.photos[sha256_hex(noise)] == noise and host.by_road == {"usb": 0, "wifi": 1}
    sent = [road for path, road in host.requests if path == messages.PHOTO]
    assert sent[0] == "usb" and sent[-1] == "wifi" and len(sent) <= 6


def test_cut_wifi_goes_on_over_usb(rig, host):
    rig.app.apply(("road", "wifi"))
    rig.until(lambda: rig.state.wifi == "connected")
    noise = bytes(range(256)) * 600
    rig.app.store.add(noise, 640, 360)
    real = host.put_photo

    def put_photo(arguments, body, road):
        rig.board.wifi.cut = len(host.partial.get(arguments["digest"], b"")) >= 65536 and road == "wifi"
        return real(arguments, body, road)

    host.put_photo = put_photo
    rig.until(lambda: rig.board.wifi.cut)
    rig.app.apply(("road", "auto"))
    rig.until(lambda: is_synced(rig))
    assert host.photos[sha256_hex(noise)] == noise and host.by_road == {"usb": 1, "wifi": 0}


def test_many_bytes_come_over_wifi_when_both_roads_are_up(rig, host):
    rig.until(lambda: rig.state.wifi == "connected" and rig.state.usb == "connected")
    digest = host.publish(1)
    rig.until(lambda: rig.app.models.active == digest)
    roads = {path: road for path, road in host.requests}
    assert roads[messages.BLOB] == "wifi" and roads[messages.MODEL] == "usb"


def test_idle_connection_closed_by_the_host_is_not_an_error(rig, host):
    rig.app.apply(("road", "wifi"))
    rig.until(lambda: rig.board.wifi.connections == 1 and is_synced(rig))
    rig.board.wifi.closes = True
    real = rig.board.wifi.connect

    def connect(address, port):
        rig.board.wifi.closes = False
        return real(address, port)

    rig.board.wifi.connect = connect
    rig.app.store.add(b"photo bytes", 640, 360)
    rig.until(lambda: is_synced(rig))
    assert rig.board.wifi.connections == 2 and rig.state.message == ""


def test_damaged_wire_changes_nothing_but_time(rig, host):
    count = [0]

    def damage(data):
        count[0] += 1
        return data[:-40] + b"noise" + data[-30:] if data and count[0] % 5 == 0 else data

    rig.board.usb.damage = damage
    rig.app.apply(("road", "usb"))
    noise = bytes(range(256)) * 300
    rig.app.store.add(noise, 640, 360)
    rig.until(lambda: is_synced(rig), 20000)
    assert host.photos[sha256_hex(noise)] == noise


def test_host_that_restarts_is_greeted_again(rig, host):
    from snaploop_shared.link import TO_BOARD_WINDOW_FRAMES, Link

    rig.app.apply(("road", "usb"))
    rig.board.usb.link = Link(False, TO_BOARD_WINDOW_FRAMES)
    rig.app.store.add(b"photo bytes", 640, 360)
    rig.until(lambda: is_synced(rig))
    assert paths(host).count(messages.HELLO) >= 2


def test_many_samples_in_batches(rig, host):
    for number in range(130):
        rig.app.store.add(b"photo %d" % number, 640, 360)
    rig.until(lambda: is_synced(rig), 20000)
    assert len(host.photos) == 130 and len(host.records) == 130
    assert paths(host).count(messages.MISSING) == 3


def test_newer_label_is_sent_even_when_it_changes_during_the_upload(rig, host):
    rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    rig.tap("tab:label")
    rig.drag(200, 100, 300, 200)
    rig.tap("save")
    rig.until(lambda: is_synced(rig))
    (record,) = host.records.values()
    assert record["rev"] == 2 and len(record["boxes"]) == 2


def test_nothing_is_sent_twice_after_a_restart(rig, host):
    rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    host.requests.clear()
    rig.restart()
    rig.until(lambda: rig.app.sync._greeted and is_synced(rig) and not rig.app.store.is_counting)
    rig.steps(50)
    assert messages.MISSING not in paths(host) and rig.state.classes == ["red", "green"]


def test_classes_survive_a_restart_without_a_host(rig):
    rig.restart(usb=type(rig.board.usb)(rig.board.clock, None), wifi=type(rig.board.wifi)(None))
    assert rig.state.classes == ["red", "green"] and rig.state.project == "lights"


def test_lost_boot_count_jumps_over_the_host_s_counter(rig, host):
    rig.until(lambda: is_synced(rig))
    host.counter += 5 << 20
    rig.app.store.add(b"photo bytes", 640, 360)
    rig.until(lambda: is_synced(rig))
    assert b"photo bytes" in host.photos.values()
    assert int((rig.root / "boot_count").read_text()) == 7


@pytest.mark.parametrize("status", [messages.BAD_REQUEST, messages.TOO_LARGE])
def test_refused_photo_is_told_and_the_others_go_on(rig, host, status):
    real = host.put_photo
    bad = rig.app.store.add(b"bad photo", 640, 360)

    def put_photo(arguments, body, road):
        if arguments["digest"] == bad.photo:
            return Response(status, {"error": "not a JPEG"})
        return real(arguments, body, road)

    host.put_photo = put_photo
    rig.app.store.add(b"good photo", 640, 360)
    rig.until(lambda: b"good photo" in host.photos.values())
    rig.until(lambda: rig.app.store.count_pending() == 1)
    rig.steps(300)
    rig.app.log.flush()
    assert "not a JPEG" in (rig.root / "log.txt").read_text()
    assert rig.app.store.count_pending() == 1


def test_full_host_is_told_and_tried_later(rig, host):
    host.answer_with[messages.PHOTO] = Response(messages.FULL, {"error": "the disk is full"})
    rig.app.store.add(b"photo bytes", 640, 360)
    rig.until(lambda: "disk is full" in rig.state.message)
    asked = len(host.requests)
    rig.steps(100)
    assert len(host.requests) == asked
    host.answer_with.clear()
    rig.until(lambda: is_synced(rig))


def test_unknown_board_over_wifi_is_told(make_rig, host):
    rig = make_rig(host=host, id="someone else", road="wifi")
    rig.until(lambda: "unknown board: pair it" in rig.state.message)


def test_wrong_key_is_silence_not_a_crash(make_rig, host):
    rig = make_rig(host=host, key="00" * 32, road="wifi")
    rig.until(lambda: "401" in rig.state.message)
    rig.steps(50)


def test_no_host_on_wifi_is_told_with_the_mend(make_rig):
    rig = make_rig(host=None, road="wifi")
    rig.board.wifi.address = lambda: "10.0.0.7"
    rig.until(lambda: "snaploop serve" in rig.state.message)


def test_train_button_waits_for_the_photos(rig, host):
    rig.board.usb.cut = True
    rig.app.apply(("road", "usb"))
    rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.tap("tab:sync")
    rig.tap("train")
    rig.board.usb.cut = False
    rig.until(lambda: host.trained)
    assert len(host.records) == 1
    rig.until(lambda: rig.state.run is not None)
    host.run = dict(host.run, epoch=2, score_permille=500)
    rig.until(lambda: len(rig.state.curve) == 2)
    assert rig.state.curve == [(1, 100, 2000), (2, 500, 2000)]
    rig.steps(2)
    assert "50.0 %" in rig.board.display.canvas.texts()
    rig.tap("train")
    rig.steps(50)
    assert host.trained == 1  # disabled while a run goes on


def test_train_refused_is_one_line(rig, host):
    host.answer_with[messages.TRAIN] = Response(messages.CONFLICT, {"error": "12 photos, at least 20 are needed"})
    rig.tap("tab:sync")
    rig.tap("train")
    rig.until(lambda: "at least 20" in rig.state.message)
    rig.until(lambda: not rig.state.message)
    told = " ".join(rig.board.display.canvas.texts())
    assert (
        "Training did not start" in told and "at least 20 are needed" in told
    )  # it stays, also when nobody looked in time
    del host.answer_with[messages.TRAIN]
    rig.tap("train")
    rig.until(lambda: "Run 1: running" in rig.board.display.canvas.texts())


def test_another_project_gets_everything_again(rig, host):
    rig.shoot_and_label("red", (10, 20, 60, 50))
    rig.until(lambda: is_synced(rig))
    other = type(host)(["red", "blue"])
    other.counter = host.counter
    other.answer_with[messages.HELLO] = Response(
        messages.OK,
        {"project": {"name": "other", "task": "detect", "classes": ["red", "blue"]}, "host": "pc2", "model": None},
    )
    rig.host = other
    rig.restart()
    rig.until(lambda: is_synced(rig) and len(other.photos) == 1)
    assert rig.state.classes == ["red", "blue"]


def test_hello_tells_who_the_board_is(make_rig, host):
    seen = []
    real = host.answer
    host.answer = lambda request, road: (
        (seen.append(request.arguments) if request.path == messages.HELLO else None) or real(request, road)
    )
    rig = make_rig(host=host)
    rig.until(lambda: rig.state.classes)
    assert set(seen[0]) == {
        "name",
        "machine",
        "firmware",
        "nncase",
        "app",
        "panel",
        "free_bytes",
        "heap_free",
        "model",
        "samples",
    }
    assert seen[0]["panel"] == [800, 480] and json.dumps(seen[0])


def test_sync_leaves_a_dragging_finger_alone(rig, host):
    rig.tap("shutter")
    rig.until(lambda: is_synced(rig))
    rig.board.touch.waiting = [("down", 10, 20)]
    rig.steps(1)
    rig.app.store.add(b"photo bytes", 640, 360)
    asked = len(host.requests)
    rig.steps(100)
    assert len(host.requests) == asked
