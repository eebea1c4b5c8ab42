"""The HTTP API of `virtual-k230 serve`, with a real script on the board."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from virtual_k230 import VirtualK230
from virtual_k230.control import ControlApi

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
        async with TestClient(TestServer(ControlApi(board).app())) as http:
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
        if state["resets"] == 1 and state["main_running"]:
            break
        await asyncio.sleep(0.05)
    assert state["main_running"]


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


async def test_the_page_is_served(client: TestClient[Any, Any]) -> None:
    async with client.get("/") as answer:
        assert answer.status == 200
        assert 'id="lcd"' in await answer.text()
    async with client.get("/drawn?layer=OSD9") as answer:
        assert answer.status == 400


async def test_pins_and_wifi_are_switched_from_outside(client: TestClient[Any, Any]) -> None:
    answer = await (await client.post("/hardware", json={"pin": 21, "level": 0, "adc": 1, "microvolts": 900000})).json()
    assert answer["pins"]["21"]["driven"] == 0
    assert (await (await client.get("/hardware")).json())["leds"] == {"red": 0, "green": 0, "blue": 0}
    assert (await client.post("/hardware", json={"pin": 99, "level": 0})).status == 400
    assert await (await client.post("/wifi", json={"join_s": 0.1, "slow_start_s": 5, "drop": True})).json() == {
        "up": True
    }
