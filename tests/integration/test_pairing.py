"""Who may send and who may offer: one refusal for each way in. Invitations by QR code, revoked keys, and the host's beacon."""

from __future__ import annotations

import os
import socket
import time

import pytest

from fakes.board_client import BoardClient, jpeg
from fakes.cable import Cable
from fakes.host_folder import make_host, pair_client, write_artifacts
from fakes.served_page import served
from snaploop_host.errors import ConflictError, NotFoundError
from snaploop_host.links.host_beacon import HostBeacon
from snaploop_host.links.usb_bridge import UsbBridge
from snaploop_host.services.invite_board import LIVES_S, InviteBoard
from snaploop_host.services.publish_model import PublishModel
from snaploop_shared import manifest, messages
from snaploop_shared.errors import ModelRefusedError
from snaploop_shared.pairing import (
    MAX_DATAGRAM_BYTES,
    decode_answer,
    encode_question,
    key_from_code,
    parse_invitation,
)
from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import Box

NONCE = bytes(range(16))


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path / "data")
    yield host
    host.close()


def signed(path, board_id, key, counter=7, arguments=None, body=b"", method="POST"):
    return messages.encode_request(method, path, arguments or {}, body, board_id, counter, key)


def photo_request(board_id, key, data):
    arguments = {"digest": sha256_hex(data), "offset": 0, "size": len(data)}
    return signed(messages.PHOTO, board_id, key, arguments=arguments, body=data, method="PUT")


def published(host):
    """A model that passed its gate."""
    board = pair_client(host, board_id="ffff0000")
    for number in range(8):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
    run = host.train.start(1)
    write_artifacts(host.jobs.artifact(run.id, "x").parent)
    model = PublishModel(host.store, host.blobs, host.jobs).publish(run)
    host.train.cancel(run.id)
    return model


# -- a photo, a label, a model from or for somebody who is not paired: every way in --


def test_photo_of_a_stranger_over_usb_gets_silence_and_is_not_kept(host, tmp_path):
    cable = Cable(tmp_path / "ttyACM0")
    bridge = UsbBridge(str(cable.port), lambda request: host.board_api.handle(request, "usb"))
    try:
        data = jpeg(3)
        assert cable.ask(photo_request("feed", os.urandom(32), data), timeout_s=1.5) is None
        assert not host.blobs.has(sha256_hex(data)) and host.blobs.partial_size(sha256_hex(data)) == 0
    finally:
        bridge.close()


async def test_photo_of_a_stranger_over_wifi_gets_an_unsigned_401(host):
    data = jpeg(3)
    async with served(host) as client:
        answer = await client.post("/board/v1", data=photo_request("feed", os.urandom(32), data))
        assert answer.status == 401 and "not paired" in await answer.text()
    assert not host.blobs.has(sha256_hex(data))


async def test_stranger_with_a_paired_boards_id_and_another_key_is_refused(host):
    board = pair_client(host)
    data = jpeg(3)
    async with served(host) as client:
        for request in (
            photo_request(board.board_id, os.urandom(32), data),
            signed(messages.RECORD, board.board_id, os.urandom(32), body=b"{}", method="PUT"),
        ):
            assert (await client.post("/board/v1", data=request)).status == 401
    assert not host.blobs.has(sha256_hex(data)) and not host.store.samples(1)


async def test_api_and_page_take_nothing_without_the_token(host):
    published(host)
    async with served(host, token="secret") as client:
        for method, path in (
            ("POST", "/api/projects"),
            ("POST", "/api/projects/lights/train"),
            ("POST", "/api/projects/lights/invitations"),
            ("POST", "/api/boards/a1b2c3d4/revoke"),
            ("POST", "/api/models/abc/offer"),
            ("GET", "/api/projects/lights/samples"),
            ("GET", "/projects/lights/pair"),
            ("POST", "/projects/lights/pair"),
        ):
            assert (await client.request(method, path)).status == 401, path
    assert len(host.store.projects()) == 1


@pytest.mark.parametrize("path", [messages.BLOB, messages.MODEL])
def test_blob_and_manifest_are_not_given_to_strangers(host, path):
    model = published(host)
    arguments = {"digest": model.digest, "offset": 0, "length": 100}
    stranger = signed(path, "feed", os.urandom(32), arguments=arguments, method="GET")
    impostor = signed(path, "ffff0000", os.urandom(32), 1 << 30, arguments, method="GET")
    assert host.board_api.handle(stranger, "wifi") is None and host.board_api.handle(impostor, "usb") is None


def test_manifest_for_one_board_is_refused_by_another(host):
    model = published(host)
    one, other = pair_client(host, board_id="aaaa"), pair_client(host, board_id="bbbb")
    answer = one.ask("GET", messages.MODEL)
    signature = bytes.fromhex(answer.arguments["signature"])
    manifest.check_signature(answer.body, signature, one.key)
    for key in (other.key, os.urandom(32)):
        with pytest.raises(ModelRefusedError, match="pair the board again"):
            manifest.check_signature(answer.body, signature, key)
    assert answer.arguments["digest"] == model.digest


# -- revoked keys --


def test_revoked_board_is_met_as_a_stranger_and_its_photos_stay(host):
    board = pair_client(host)
    board.send_sample("b1-000001", jpeg(1), [Box("red", 1, 1, 20, 20)])
    host.pair.revoke("desk")
    assert host.board_api.handle(signed(messages.HELLO, board.board_id, board.key, 1 << 30), "wifi") is None
    for guess in (bytes(32), b"".ljust(32, b"\0")):  # no key at all is no key that fits
        assert host.board_api.handle(signed(messages.HELLO, board.board_id, guess, 1 << 30), "usb") is None
    assert len(host.store.samples(1)) == 1
    again, _ = host.pair.pair(board.board_id)
    assert again.is_trusted and again.key != board.key and again.name == "desk"


def test_revoking_needs_one_board(host):
    with pytest.raises(NotFoundError, match="snaploop boards"):
        host.pair.revoke("nobody")
    host.pair.pair("aa", "twin")
    host.pair.pair("bb", "twin")
    with pytest.raises(ConflictError, match="give the id"):
        host.pair.revoke("twin")
    host.pair.revoke("aa")
    assert [board.is_trusted for board in host.store.boards()] == [False, True]


async def test_page_revokes_and_says_so(host):
    board = pair_client(host)
    async with served(host) as client:
        assert "Revoke its key" in await (await client.get("/projects/lights")).text()
        headers = {"Origin": f"http://{client.host}:{client.port}"}
        answer = await client.post(f"/projects/lights/boards/{board.board_id}/revoke", headers=headers)
        text = await answer.text()
    assert answer.status == 200 and "Its key was revoked" in text and "Revoke its key" not in text
    assert not host.store.find_board(board.board_id).is_trusted


# -- invitations --


def ask_to_pair(host, code, board_id="c0ffee", nonce=NONCE, counter=5):
    key = key_from_code(code, board_id, nonce)
    answer = host.board_api.handle(signed(messages.PAIR, board_id, key, counter, {"nonce": nonce.hex()}), "wifi")
    return None if answer is None else messages.decode_response(answer, counter, key), key


def test_code_pairs_one_board_once(host):
    code = host.invite.invite("lights").code
    answer, key = ask_to_pair(host, code)
    assert answer.status == 200 and answer.arguments["project"] == "lights"
    assert host.store.find_board("c0ffee").key == key
    assert BoardClient("c0ffee", key, lambda data: host.board_api.handle(data, "wifi")).hello().status == 200
    assert ask_to_pair(host, code)[0].status == 200  # its answer was lost: the same again
    assert ask_to_pair(host, code, board_id="beef")[0] is None
    assert ask_to_pair(host, code, nonce=bytes(16))[0] is None
    host.pair.revoke("c0ffee")
    assert ask_to_pair(host, code)[0] is None  # played back after the key was revoked
    assert host.store.find_board("beef") is None


def test_code_ends(host):
    now = [1000.0]
    invite = InviteBoard(host.store, host.pair, lambda: now[0])
    code = invite.invite("lights").code
    now[0] += LIVES_S - 1
    request = messages.decode_request(
        signed(messages.PAIR, "c0ffee", key_from_code(code, "c0ffee", NONCE), 1, {"nonce": NONCE.hex()})
    )
    now[0] += 2
    assert invite.accept(request) is None
    with pytest.raises(NotFoundError):
        invite.invite("nothing")


@pytest.mark.parametrize("nonce", ["", "zz", "00", None, "00" * 17])
def test_pair_request_with_a_broken_nonce(host, nonce):
    host.invite.invite("lights")
    assert host.board_api.handle(signed(messages.PAIR, "c0ffee", os.urandom(32), 1, {"nonce": nonce}), "wifi") is None


async def test_page_shows_a_code_that_pairs(host):
    async with served(host) as client:
        headers = {"Origin": f"http://{client.host}:{client.port}"}
        assert "Wi-Fi name" in await (await client.get("/projects/lights/pair")).text()
        page = await client.post("/projects/lights/pair", data={"ssid": "home", "key": "12345678"}, headers=headers)
        text = await page.text()
        assert "<svg" in text and "10 minutes" in text and "--listen 0.0.0.0:8230" in text
        bad = await client.post("/projects/lights/pair", data={"ssid": "home", "key": "short"}, headers=headers)
        assert bad.status == 400 and "8 to 63 characters" in await bad.text()
        answer = await client.post("/api/projects/lights/invitations", json={"ssid": "home", "key": "12345678"})
        said = parse_invitation((await answer.json())["text"])
        assert (said.ssid, said.wifi_key, said.address, said.port) == ("home", "12345678", "127.0.0.1", client.port)
        assert ask_to_pair(host, said.code)[0].status == 200


# -- the beacon --


@pytest.fixture
def beacon(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    beacon = HostBeacon(host.store.find_board, port, is_loopback=True)
    yield port
    beacon.close()


def asked(port, data, seconds=0.4):
    """What comes back for a broadcast datagram, None for silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(seconds)
        sock.sendto(data, ("127.255.255.255", port))
        try:
            return sock.recv(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None


def test_beacon_tells_paired_boards_where_the_host_is(host, beacon):
    board = pair_client(host)
    answer = asked(beacon, encode_question(board.board_id, NONCE, board.key), 60)
    assert decode_answer(answer, board.board_id, NONCE, board.key) == ("127.0.0.1", beacon)


def test_beacon_is_silent_for_everybody_else(host, beacon):
    board = pair_client(host)
    host.pair.pair("dead", "gone")
    gone = host.store.find_board("dead")
    host.pair.revoke("dead")
    for data in (
        encode_question("feed", NONCE, board.key),
        encode_question(board.board_id, NONCE, os.urandom(32)),
        encode_question("dead", NONCE, gone.key),
        b"who?",
        bytes(600),
    ):
        assert asked(beacon, data, 0.15) is None
    time.sleep(0.05)
    assert asked(beacon, encode_question(board.board_id, NONCE, board.key), 3)  # and it still answers


# -- offered again --


async def test_page_and_api_offer_a_model_again(host):
    model = published(host)
    async with served(host) as client:
        headers = {"Origin": f"http://{client.host}:{client.port}"}
        assert "Offer again" in await (await client.get("/projects/lights")).text()
        page = await client.post(f"/projects/lights/models/{model.short}/offer", headers=headers)
        assert page.status == 200
        answer = await client.post(f"/api/models/{model.digest}/offer")
        assert (await answer.json())["serial"] == model.serial + 2
        assert (await client.post("/projects/lights/models/0123456789ab/offer", headers=headers)).status == 404


def test_model_offered_again_has_a_new_serial_and_the_same_bytes(host):
    model = published(host)
    service = PublishModel(host.store, host.blobs, host.jobs)
    renewed = service.offer_again(model.short)
    assert renewed.serial > model.serial and renewed.digest == model.digest
    board = pair_client(host)
    answer = board.ask("GET", messages.MODEL)
    assert answer.arguments["serial"] == renewed.serial == manifest.parse(answer.body).serial
    with pytest.raises(NotFoundError, match="snaploop models"):
        service.offer_again("abc")
