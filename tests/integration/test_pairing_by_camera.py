"""Pairing as a person does it: the host's QR code in front of the virtual board's camera; then the host moves and is found again."""

from __future__ import annotations

import contextlib
import json
import urllib.request

import pytest
import segno
from PIL import Image

from fakes.desk import Desk, says, tap, wait

FRAME = (640, 360)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    desk.install()
    (tmp_path / "data/snaploop/config.json").unlink()  # the app is there, a pairing is not
    return desk


def show_to(folder, text):
    """A camera picture: the code as large as the frame on the screen."""
    code = folder / "code.png"
    segno.make(text, error="m", micro=False).save(str(code), scale=8, border=4)
    picture = Image.new("RGB", FRAME, (120, 120, 120))
    picture.paste(Image.open(code).convert("RGB").resize((280, 280)), ((FRAME[0] - 280) // 2, (FRAME[1] - 280) // 2))
    camera = folder / "camera"
    camera.mkdir(exist_ok=True)
    picture.save(camera / "code.png")
    return camera


def invitation(desk):
    body = json.dumps({"ssid": "home", "key": "12345678"}).encode()
    request = urllib.request.Request(
        desk.url + "/api/projects/lights/invitations", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=180) as answer:
        return json.loads(answer.read())["text"]


def greeted(desk, road):
    return [row for row in desk.api("/api/boards") if row["last_road"] == road and row["app"]]


def test_board_pairs_by_camera_and_finds_the_host_after_it_moved(desk):
    with contextlib.ExitStack() as stack:
        with desk.daemon():
            camera = show_to(desk.folder, invitation(desk))
            board = stack.enter_context(desk.board(camera=camera, wifi="home:12345678"))
            says(board, "not paired yet")
            tap(board, "capture", "tab:sync", ())
            says(board, "Pair with QR code")
            tap(board, "sync", "train", ())
            says(board, "paired as")
            config = desk.folder / "data/snaploop/config.json"
            row = wait("hello over Wi-Fi", lambda: greeted(desk, "wifi"), board)[0]
            said = json.loads(config.read_text())
            assert said["id"] == row["id"] and said["wifi"] == ["home", "12345678"]
        board.power_cut()
        # The same port number at another address: as when a router gives the host a new one.
        port = said["host"][1]
        config.write_text(json.dumps(said | {"host": ["127.0.0.77", port]}))
        with desk.daemon("--listen", f"127.0.0.1:{port}"):
            board.start()
            wait("the new address", lambda: json.loads(config.read_text())["host"] == ["127.0.0.1", port], board)
