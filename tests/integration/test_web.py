"""Page, API, board road and who may use them, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import re

import pytest

from fakes.board_client import BoardClient, jpeg
from fakes.host_folder import make_host, pair_client
from fakes.served_page import NoPorts, served
from snaploop_shared import messages
from snaploop_shared.pairing import parse_invitation
from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import Box


@pytest.fixture
def host(tmp_path):
    host = make_host(tmp_path)
    yield host
    host.close()


def fill(host, count=9):
    board = pair_client(host)
    board.hello()
    for number in range(count):
        board.send_sample(f"b1-{number:06}", jpeg(number), [Box("red", 1, 1, 20, 20)])
    return board


async def test_board_road_over_http(host):
    paired, _ = host.pair.pair("a1b2")
    async with served(host) as client:
        request = messages.encode_request("POST", messages.HELLO, {}, b"", paired.id, 5, paired.key)
        answer = await client.post("/board/v1", data=request)
        assert answer.status == 200
        assert messages.decode_response(await answer.read(), 5, paired.key).arguments["project"]["name"] == "lights"
        answer = await client.post("/board/v1", data=b"SL1 nonsense")
        assert answer.status == 401
        assert "board install" in await answer.text()
        answer = await client.post("/board/v1", data=bytes(200_000))
        assert answer.status == 413
    assert host.store.find_board("a1b2").last_road == "wifi"


async def test_board_road_needs_no_token(host):
    paired, _ = host.pair.pair("a1b2")
    async with served(host, token="secret") as client:
        request = messages.encode_request("GET", messages.STATUS, {}, b"", paired.id, 5, paired.key)
        assert (await client.post("/board/v1", data=request)).status == 200


async def test_api_tells_what_there_is(host):
    board = fill(host)
    async with served(host) as client:

        async def get(path):
            answer = await client.get(path)
            assert answer.status == 200, await answer.text()
            return await answer.json()

        assert (await get("/api/health"))["ok"] is True
        [project] = await get("/api/projects")
        assert (project["photos"], project["boxes"], project["roads"]["usb"], project["photos_to_train"]) == (
            9,
            {"red": 9, "yellow": 0, "green": 0},
            9,
            0,
        )
        samples = await get("/api/projects/lights/samples?limit=2&offset=1")
        assert [one["name"] for one in samples] == ["b1-000007", "b1-000006"]
        assert samples[0]["boxes"] == [{"class": "red", "xywh_px": [1, 1, 20, 20]}]
        [one] = await get("/api/boards?project=lights")
        assert (one["id"], one["is_online"], one["last_road"]) == (board.board_id, True, "usb")
        assert "key" not in one
        assert await get("/api/models") == []
        assert await get("/api/runs") == []


async def test_train_and_cancel_through_the_api(host):
    fill(host)
    async with served(host) as client:
        answer = await client.post("/api/projects/lights/train", json={"parameters": {"pretend": "wait"}})
        run = await answer.json()
        assert (answer.status, run["state"], run["photos"]["train"] + run["photos"]["val"]) == (201, "queued", 9)
        again = await client.post("/api/projects/lights/train")
        assert again.status == 409
        assert "already" in (await again.json())["error"]
        assert (await (await client.post(f"/api/runs/{run['id']}/cancel")).json())["state"] == "cancelled"
        assert (await client.get("/api/runs/99")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/projects/nope", None, 404),
        ("GET", "/api/projects/lights/samples?limit=x", None, 400),
        ("GET", "/api/projects/lights/samples?limit=100000", None, 400),
        ("GET", "/api/runs/abc", None, 400),
        ("GET", "/api/nothing", None, 404),
        ("POST", "/api/projects", {"name": "../x", "classes": ["a"]}, 400),
        ("POST", "/api/projects", {"name": "x", "classes": "a"}, 400),
        ("POST", "/api/projects", {"name": "x", "classes": ["a"], "task": "fly"}, 400),
        ("POST", "/api/projects", {"name": "lights", "classes": ["a"]}, 409),
        ("POST", "/api/projects/lights/train", {}, 409),
        ("POST", "/api/usb/pause", {"port": 7}, 400),
    ],
)
async def test_bad_calls_get_a_line(host, method, path, body, status):
    async with served(host) as client:
        answer = await client.request(method, path, json=body)
        assert answer.status == status
        assert (await answer.json())["error"]


async def test_body_that_is_no_json(host):
    async with served(host) as client:
        answer = await client.post("/api/projects", data="{", headers={"Content-Type": "application/json"})
        assert answer.status == 400
        assert "not JSON" in (await answer.json())["error"]


async def test_make_a_project_and_lend_a_port(host):
    async with served(host) as client:
        answer = await client.post("/api/projects", json={"name": "cats", "classes": ["cat"]})
        assert answer.status == 201
        assert (await (await client.post("/api/usb/pause", json={"port": "/dev/ttyACM0", "seconds": 5})).json())[
            "is_ours"
        ] is True


async def test_photos_come_as_they_are_and_small(host):
    data = jpeg(4, 640, 360)
    board = pair_client(host)
    board.send_photo(data)
    async with served(host) as client:
        answer = await client.get(f"/photos/{sha256_hex(data)}.jpg")
        assert await answer.read() == data
        assert answer.headers["Content-Type"] == "image/jpeg"
        small = await (await client.get(f"/photos/{sha256_hex(data)}/small.jpg")).read()
        assert host.pictures.check_photo(small) == (320, 180)
        assert (await client.get(f"/photos/{'0' * 64}.jpg")).status == 404
        assert (await client.get(f"/photos/{'0' * 64}/small.jpg")).status == 404


async def test_first_page_of_an_empty_host_invites(tmp_path):
    host = make_host(tmp_path)
    async with served(host) as client:
        html = await (await client.get("/")).text()
        assert "snaploop board install --project lights" in html
        assert "No photos yet" in html
    host.close()


async def test_page_without_any_project_makes_one(tmp_path):
    from snaploop_host.app import open_host
    from snaploop_host.config import Config

    host = open_host(Config(tmp_path))
    async with served(host) as client:
        assert "Make project" in await (await client.get("/")).text()
        refused = await client.post("/projects", data={"name": "a b", "classes": "x"})
        assert refused.status == 400
        assert "project name" in await refused.text()
        answer = await client.post("/projects", data={"name": "cats", "classes": "cat, dog"}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/projects/cats")
    assert host.store.project_named("cats").classes == ("cat", "dog")
    host.close()


async def test_page_shows_photos_labels_and_starts_training(host):
    fill(host)
    async with served(host) as client:
        html = await (await client.get("/projects/lights")).text()
        assert html.count('class="photo labelled"') == 9
        assert '<rect class="c0" x="1" y="1" width="20" height="20"/>' in html
        assert "desk" in html
        answer = await client.post("/projects/lights/train", allow_redirects=False)
        assert answer.status == 303
        html = await (await client.get("/projects/lights/live")).text()
        assert "queued" in html
        assert "<html" not in html
        refused = await client.post("/projects/lights/train")
        assert refused.status == 409
        assert "already" in await refused.text()
        run = host.store.active_runs()[0]
        await client.post(f"/projects/lights/runs/{run.id}/cancel")
        assert host.store.run(run.id).state == "cancelled"
        photo = host.store.samples(1)[0].photo
        assert "b1-000000" in await (await client.get(f"/projects/lights/photos/{photo}")).text()


async def test_names_from_boards_are_escaped(host):
    board = fill(host, 1)
    host.store.note_health(board.board_id, {"machine": "<script>alert(1)</script>"})
    async with served(host) as client:
        answer = await client.get("/")
        assert "<script>alert" not in await answer.text()
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_with_a_token_everything_else_is_closed(host):
    async with served(host, token="secret") as client:
        for path in ("/", "/api/projects", "/projects/lights", f"/photos/{'0' * 64}.jpg"):
            assert (await client.get(path)).status == 401
        assert (await client.get("/?token=wrong")).status == 401
        assert (await client.get("/api/projects", headers={"Authorization": "Bearer secret"})).status == 200
        answer = await client.get("/?token=secret", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert (await client.get("/api/projects")).status == 200  # by the cookie now
        assert (await client.get("/static/page.css")).status == 200


async def test_other_sites_cannot_use_an_open_loopback(host):
    async with served(host) as client:
        assert (await client.get("/api/projects", headers={"Host": "evil.example"})).status == 403
        assert (
            await client.post("/api/projects/lights/train", headers={"Origin": "http://evil.example"})
        ).status == 403
        own = f"http://{client.server.host}:{client.server.port}"
        assert (await client.post("/api/projects/lights/train", headers={"Origin": own})).status == 409


async def test_manifest_is_served_byte_for_byte(host, tmp_path):
    from fakes.host_folder import write_artifacts
    from snaploop_host.services.publish_model import PublishModel

    fill(host)
    run = host.train.start(1)
    write_artifacts(host.jobs.artifact(run.id, "x").parent)
    model = PublishModel(host.store, host.blobs, host.jobs).publish(run)
    async with served(host) as client:
        raw = await (await client.get(f"/api/models/{model.short}/manifest")).read()
        assert raw == model.manifest
        assert json.loads(raw)["made_by"] == f"run {run.id}"
        html = await (await client.get("/")).text()
        assert model.short in html
        assert "passed" in html


def test_board_client_is_real(host):
    """The stand-in for a board must fail where a board would."""
    board = pair_client(host)
    with pytest.raises(AssertionError):
        BoardClient("nobody", board.key, board.carry).hello()


async def test_board_that_is_plugged_in_is_offered_the_app(host):
    ports = NoPorts()
    async with served(host, ports=ports) as client:
        html = await (await client.get("/")).text()
        assert "Plug your board into this computer" in html and "/install?port=" not in html
        html = await (await client.get("/projects/lights/install")).text()
        assert "No board is plugged in now" in html and "<select" not in html
        ports.port_state = "open"
        html = await (await client.get("/")).text()
        assert html.count("/projects/lights/install?port=/dev/ttyACM0") == 2  # as the next step, and at its port
        html = await (await client.get("/projects/lights/install", params={"port": "/dev/ttyACM0"})).text()
        assert "<option selected>/dev/ttyACM0</option>" in html
        for form, status, words in (
            ({"port": "/dev/ttyUSB7"}, 404, "no board at /dev/ttyUSB7: the ports served now are /dev/ttyACM0"),
            ({"port": "/dev/ttyACM0", "ssid": "home", "key": "short"}, 400, "a WPA key 8 to 63 characters"),
        ):
            answer = await client.post("/projects/lights/install", data=form)
            assert answer.status == status and words in await answer.text()
        answer = await client.post("/api/projects/lights/install", json={"port": "/dev/ttyACM0"})
        assert answer.status == 202
        for _ in range(600):  # there is no such port here: the job says so in words
            (job,) = await (await client.get("/api/installs")).json()
            if job["state"] != "running":
                break
            await asyncio.sleep(0.1)
        assert (job["state"], job["project"]) == ("failed", "lights") and "/dev/ttyACM0 is not there" in job["text"]
        html = await (await client.get("/")).text()
        assert "The app could not be put on it: /dev/ttyACM0 is not there" in html and "Try again" in html


async def test_code_for_pairing_can_be_saved_as_a_picture_that_a_camera_reads(host):
    import cv2
    import numpy as np
    import zxingcpp

    async with served(host) as client:
        html = await (await client.post("/projects/lights/pair", data={"ssid": "home", "key": "12345678"})).text()
    data = re.search(r'href="data:image/png;base64,([^"]+)" download="pair-lights.png"', html).group(1)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (720, 1280, 3)
    (code,) = zxingcpp.read_barcodes(picture)
    assert parse_invitation(code.text).ssid == "home"


async def test_digits_that_are_no_numbers_are_refused(host):
    async with served(host) as client:
        for path in ("/api/runs/²", "/api/projects/lights/samples?limit=²", f"/api/runs/{'9' * 30}"):
            answer = await client.get(path)
            assert answer.status == 400, await answer.text()
