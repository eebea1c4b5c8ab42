"""The HTTP API of `virtual-k230 serve`, with a real script on the board."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from virtual_k230 import VirtualK230
from virtual_k230.control import ControlApi

PARTS = ("page", "http", "panel", "console", "card", "pins", "faults")
BOARD = web.AppKey("board", VirtualK230)

MAIN = """
import time
from machine import TOUCH
from media.sensor import *
from media.display import *
from media.media import *
import image
sensor = Sensor()
sensor.reset()
sensor.set_framesize(width=640, height=360)
sensor.set_pixformat(Sensor.RGB565)
Display.init(Display.ST7701, width=800, height=480, osd_num=2, to_ide=True)
MediaManager.init()
sensor.run()
osd = image.Image(800, 480, image.ARGB8888)
touch = TOUCH(0)
n = 0
print('ready')
while True:
    sensor.snapshot()
    for p in touch.read(1):
        n += 1
        osd.clear()
        osd.draw_rectangle(p.x, p.y, 30, 20, color=(255, 0, 255, 0), thickness=2, fill=True)
        osd.draw_string_advanced(10, 400, 24, 'event %d' % n, color=(255, 255, 255, 255))
        Display.show_image(osd, 0, 0, Display.LAYER_OSD1)
    time.sleep_ms(5)
"""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd/main.py").write_text(MAIN)
    board = VirtualK230(sd=tmp_path / "sd")
    board.start()
    try:
        await asyncio.to_thread(board.wait_for, "ready", 20)
        app = ControlApi(board).app()
        app[BOARD] = board
        async with TestClient(TestServer(app)) as http:
            yield http
    finally:
        board.close()


async def get(client: TestClient[Any, Any], path: str) -> Any:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def post(client: TestClient[Any, Any], path: str, body: Any, status: int = 200) -> Any:
    async with client.post(path, json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_a_touch_reaches_the_script_and_shows_on_the_screen(client: TestClient[Any, Any]) -> None:
    events = [{"event": "down", "x": 100, "y": 50}, {"event": "up", "x": 120, "y": 60}]
    assert await post(client, "/touch", {"events": events, "wait": True}) == {"queued": 2}
    drawn = await get(client, "/drawn?layer=OSD1")
    assert drawn["shown"] == 2
    assert drawn["calls"][0][:5] == ["rectangle", 120, 60, 30, 20]
    assert any("event 2" in call for call in drawn["calls"])
    async with client.get("/screen.png") as answer:
        screen = Image.open(io.BytesIO(await answer.read()))
    assert screen.size == (800, 480)
    assert screen.getpixel((130, 70)) == (0, 255, 0)
    async with client.get("/layer.png?name=OSD1") as answer:
        assert Image.open(io.BytesIO(await answer.read())).getpixel((130, 70)) == (0, 255, 0, 255)


async def test_the_state_says_what_runs(client: TestClient[Any, Any]) -> None:
    for _ in range(200):
        state = await get(client, "/state")
        if state["heap_free_bytes"] is not None:
            break
        await asyncio.sleep(0.05)
    assert state["running"] is True
    assert state["main_running"] is True
    assert state["frames"] > 0
    assert state["kpu_engine"] == "simulator"
    assert state["exception"] is None
    assert 1_000_000 < state["heap_free_bytes"] < 4_194_304
    assert state["resets"] == 0


async def test_the_camera_is_pointed_and_tells_the_truth(client: TestClient[Any, Any]) -> None:
    first = await post(client, "/camera", {"show": 3})
    assert first["index"] == 3
    assert {"label", "x", "y", "w", "h"} <= set(first["truth"][0])
    assert all(0 <= first["truth"][0][name] <= 1 for name in "xywh")
    assert (await post(client, "/camera", {"next": True}))["index"] == 4
    assert (await get(client, "/camera"))["index"] == 4


async def test_console_and_stop_and_reset(client: TestClient[Any, Any]) -> None:
    console = await get(client, "/console")
    assert "ready" in console["text"]
    await post(client, "/console", {"stop": True})
    for _ in range(200):
        text = (await get(client, f"/console?from={console['next']}"))["text"]
        if ">>> " in text:
            break
        await asyncio.sleep(0.05)
    assert "KeyboardInterrupt" in text
    await post(client, "/reset", {"hard": True})
    for _ in range(200):
        state = await get(client, "/state")
        if state["resets"] == 2 and state["main_running"]:  # Ctrl-C made the first
            break
        await asyncio.sleep(0.05)
    assert state["main_running"] and state["resets"] == 2


async def test_faults_power_wifi_and_usb(client: TestClient[Any, Any]) -> None:
    assert await post(client, "/wifi", {"up": False}) == {"up": False}
    assert (await post(client, "/usb", {"plugged": False}))["plugged"] is False
    assert (await post(client, "/usb", {"plugged": True}))["plugged"] is True
    await post(client, "/power", {"on": False})
    assert (await get(client, "/state"))["running"] is False
    await post(client, "/power", {"on": True})
    assert (await get(client, "/state"))["running"] is True
    assert await post(client, "/faults", {"usb.rtt_ms": 2, "card.power_cut": 1000, "card.read_only": True}) == {
        "on": {"usb.rtt_ms": 2, "card.power_cut": 1000, "card.read_only": 1}
    }
    await post(client, "/faults", {"card.power_cut": None, "card.read_only": False})
    known = await get(client, "/faults")
    assert known["on"] == {"usb.rtt_ms": 2}
    assert {"name", "unit", "default", "text"} == set(known["catalogue"][0])


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/touch", {}, "events"),
        ("/touch", {"events": [{"event": "poke", "x": 1, "y": 1}]}, "poke"),
        ("/touch", {"events": [{"event": "down"}]}, "'x'"),
        ("/camera", {}, "path"),
        ("/camera", {"path": "/nonexistent.jpg"}, "nonexistent"),
        ("/faults", {"meteor": 1}, "meteor"),
        ("/faults", {"kpu.run": -1}, "kpu.run"),
        ("/faults", [1], "object"),
    ],
)
async def test_bad_requests_are_named(client: TestClient[Any, Any], path: str, body: Any, says: str) -> None:
    assert says in (await post(client, path, body, status=400))["error"]


async def test_the_card_over_http(client: TestClient[Any, Any]) -> None:
    path = "/card/file?path=/data/Notes.txt"
    async with client.put(path, data=b"first") as answer:
        assert await answer.json() == {"bytes": 5}
    async with client.put(path, data=b"2nd") as answer:
        assert answer.status == 200
    async with client.get("/card/file?path=/data/notes.TXT") as answer:
        assert await answer.read() == b"2nd"
    listed = await get(client, "/card/list?path=/data")
    assert [(entry["name"], entry["size"], entry["is_folder"]) for entry in listed["entries"]] == [
        ("Notes.txt", 3, False)
    ]
    assert listed["free_bytes"] > 1_000_000
    async with client.delete(path) as answer:
        assert answer.status == 200
    assert (await get(client, "/card/list?path=/data"))["entries"] == []


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "/card/file?path=/etc/passwd", "/sdcard or /data"),
        ("GET", "/card/file?path=/data/../../etc/passwd", "steps out"),
        ("GET", "/card/file?path=/data/none", "No such file"),
        ("GET", "/card/file?path=/data", "folder"),
        ("DELETE", "/card/file?path=/sdcard/main.py", "running script"),
        ("PUT", "/card/file?path=/data/no/folder/x", "no such file"),
        ("PUT", "/camera/picture", "no picture"),
    ],
)
async def test_what_the_card_and_camera_refuse_is_named(
    client: TestClient[Any, Any], method: str, path: str, says: str
) -> None:
    async with client.request(method, path, data=b"text" if method == "PUT" else None) as answer:
        assert answer.status == 400
        assert says in (await answer.json())["error"]


async def test_a_full_card_takes_no_upload(client: TestClient[Any, Any]) -> None:
    await post(client, "/faults", {"card.full": 10})
    async with client.put("/card/file?path=/data/big", data=b"x" * 100) as answer:
        assert "no space left" in (await answer.json())["error"]


async def test_a_picture_is_held_in_front_of_the_camera(client: TestClient[Any, Any]) -> None:
    red = io.BytesIO()
    Image.new("RGB", (64, 36), (250, 10, 10)).save(red, "PNG")
    async with client.put("/camera/picture", data=red.getvalue()) as answer:
        assert (await answer.json())["truth"] == []
    assert client.app[BOARD].camera.scaled(8, 8)[4, 4].tolist() == [250, 10, 10]
    assert (await post(client, "/camera", {"show": 0}))["truth"]


async def test_pages_of_other_sites_are_refused(client: TestClient[Any, Any]) -> None:
    async with client.post("/reset", json={}, headers={"Origin": "http://elsewhere.example"}) as answer:
        assert answer.status == 403
    own = str(client.make_url("/")).rstrip("/")
    async with client.post("/touch", json={"events": []}, headers={"Origin": own}) as answer:
        assert answer.status == 200


async def test_pins_and_wifi_are_switched_from_outside(client: TestClient[Any, Any]) -> None:
    answer = await (await client.post("/hardware", json={"pin": 21, "level": 0, "adc": 1, "microvolts": 900000})).json()
    assert answer["pins"]["21"]["driven"] == 0
    hardware = await get(client, "/hardware")
    assert hardware["leds"] == {"red": 0, "green": 0, "blue": 0}
    assert hardware["adc_uv"][1] == 900000
    await console_run(client, "from machine import UART; u = UART(1); print(u.write(b'to you\\n'))")
    assert (await get(client, "/hardware"))["uarts"]["1"] == {"is_open": True, "sent": "to you\n"}
    await post(client, "/hardware", {"uart": 1, "text": "to me"})
    assert "b'to me'" in await console_run(client, "print(u.read(5))")
    assert (await client.post("/hardware", json={"pin": 99, "level": 0})).status == 400
    assert await (await client.post("/wifi", json={"join_s": 0.1, "slow_start_s": 5, "drop": True})).json() == {
        "up": True
    }
    async with client.get("/drawn?layer=OSD9") as refused:
        assert refused.status == 400


async def test_the_page_and_what_it_loads_are_served(client: TestClient[Any, Any]) -> None:
    async with client.get("/") as answer:
        page = await answer.text()
    assert "Virtual K230" in page
    assert "page.css" in page and "page.mjs" in page
    for name, kind in (
        ("page.css", "text/css"),
        *((f"{part}.mjs", "javascript") for part in PARTS),
        ("example.py", ""),
    ):
        async with client.get(f"/{name}") as answer:
            assert answer.status == 200 and kind in answer.content_type
            assert "://" not in await answer.text()  # everything comes from here


async def console_until(client: TestClient[Any, Any], wanted: str, position: int = 0) -> str:
    for _ in range(400):
        text = str((await get(client, f"/console?from={position}"))["text"])
        if wanted in text:
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(text)


async def console_run(client: TestClient[Any, Any], line: str) -> str:
    """What a line of the REPL prints; main.py is stopped for it."""
    await post(client, "/console", {"stop": True})
    await console_until(client, ">>> ")
    position = (await get(client, "/console"))["next"]
    await post(client, "/console", {"text": f"{line}\r"})
    return await console_until(client, "\n>>> ", position)


async def test_a_script_of_the_card_runs_in_a_fresh_interpreter_whatever_runs_now(client: TestClient[Any, Any]) -> None:
    (client.app[BOARD].host_path("/sdcard") / "two.py").write_text("print('two', __name__, 'sensor' in globals())\n")
    assert await post(client, "/run", {"path": "/sdcard/two.py"}) == {"running": "/sdcard/two.py"}
    await console_until(client, "two __main__ False")
    for _ in range(4):  # from a script that runs, and from a prompt that waits
        position = (await get(client, "/console"))["next"]
        await post(client, "/run", {"path": "/sdcard/main.py"})  # its camera and display are free again
        await console_until(client, "ready", position)
        await post(client, "/console", {"stop": True})
        said = await console_until(client, "KeyboardInterrupt", position)
        assert said.count("Traceback") == 1, said  # the restart itself says nothing of the kind
    await post(client, "/power", {"on": False})
    await post(client, "/run", {"path": "/sdcard/two.py"})
    assert (await get(client, "/state"))["running"]


async def test_a_long_text_arrives_whole(client: TestClient[Any, Any]) -> None:
    await post(client, "/console", {"stop": True})
    await console_until(client, ">>> ")
    lines = "".join(f"n = {number} # {'x' * 60}\r" for number in range(150))  # 10 KB; the ring holds 4
    await post(client, "/console", {"text": f"\x05{lines}print('last', n)\r\x04"})
    await console_until(client, "last 149")


async def test_the_screen_is_sent_when_it_changed(client: TestClient[Any, Any]) -> None:
    async with client.get("/screen.png") as answer:
        tag = answer.headers["ETag"]
    async with client.get("/screen.png", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304
    await post(client, "/touch", {"events": [{"event": "down", "x": 5, "y": 5}], "wait": True})
    async with client.get("/screen.png", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200 and answer.headers["ETag"] != tag


async def test_the_camera_holds_still_and_looks_at_something_else(client: TestClient[Any, Any]) -> None:
    before = client.app[BOARD].camera.scaled(64, 36).copy()
    assert (await post(client, "/camera", {"hold": True}))["held"] is True
    other = await post(client, "/camera", {"source": "scene:traffic_lights:7"})
    assert (other["held"], other["index"], other["fps"]) == (False, 0, 0)
    assert (client.app[BOARD].camera.scaled(64, 36) != before).any()
    await post(client, "/camera", {"fps": 12.5})
    first = await post(client, "/camera", {"source": "first"})
    assert (first["held"], first["fps"]) == (True, 12.5)
    assert (await post(client, "/camera", {"hold": False}))["held"] is False
    assert (client.app[BOARD].camera.scaled(64, 36) == before).all()
    ends = time.monotonic() + 180
    while (await get(client, "/camera"))["frame"] <= first["frame"]:  # the script goes on with it
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def test_files_of_the_pc_are_not_shown_to_other_machines(client: TestClient[Any, Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(web.BaseRequest, "remote", "192.168.1.9")
    assert "this PC only" in (await post(client, "/camera", {"path": "/etc/x.jpg"}, status=403))["error"]
    assert (await post(client, "/camera", {"next": True}))["index"] == 1


async def test_a_folder_is_made_on_the_card(client: TestClient[Any, Any]) -> None:
    assert await post(client, "/card/folder", {"path": "/sdcard/libs"}) == {"made": "/sdcard/libs"}
    assert "file exists" in (await post(client, "/card/folder", {"path": "/sdcard/LIBS"}, status=400))["error"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/run", {"path": "/sdcard/none.py"}, "none.py"),
        ("/run", {"path": "/sdcard"}, "is a folder"),
        ("/run", {}, "''"),
        ("/card/folder", {"path": "/etc/x"}, "/sdcard or /data"),
        ("/camera", {"source": "/etc"}, "scene:traffic_lights"),
        ("/camera", {"source": "scene:moon"}, "no built-in scene 'moon'"),
        ("/camera", {"fps": "fast"}, "fast"),
    ],
)
async def test_what_cannot_run_or_be_seen_is_named(
    client: TestClient[Any, Any], path: str, body: Any, says: str
) -> None:
    assert says in (await post(client, path, body, status=400))["error"]


async def test_a_foreign_name_for_this_machine_is_refused(client: TestClient[Any, Any]) -> None:
    async with client.get("/card/list?path=/sdcard", headers={"Host": "evil.example:80"}) as answer:
        assert answer.status == 403
        assert "evil.example" in (await answer.json())["error"]
    for name in ("localhost:8230", "192.168.1.7:8230", "[::1]:8230"):
        async with client.get("/state", headers={"Host": name}) as answer:
            assert answer.status == 200, name
