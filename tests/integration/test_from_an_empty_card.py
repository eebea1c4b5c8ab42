"""From an empty card to live boxes of two classes of one's own, with a mouse on the virtual board's page and on the host's.

The app comes onto the card by a click too: on the board's page, or over USB on the host's. App, host, pages, wire and radio are real;
only the training is pretended (fakes/seeing_worker.py), since a real one takes minutes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakes.chromium import Page, chromium_path, opened
from fakes.desk import says
from fakes.twin_model import make_twin, picture
from snaploop_device import layout
from snaploop_host.app import Host, open_host, serve_until
from snaploop_host.config import Config
from snaploop_shared.manifest import HEAD_GFL
from snaploop_shared.palette import colours
from virtual_k230 import VirtualK230

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("host", "shared", "device"))}
WORKER = str(ROOT / "tests" / "fakes" / "seeing_worker.py")
CLASSES = ["red", "green"]
VIEWS = [[("red", 4, 3)], [("green", 13, 7)], [("red", 15, 8), ("green", 4, 3)], [("red", 9, 4)]]
PHOTOS = 8  # the least that a training takes
SAYS_S = 180

pytestmark = [
    pytest.mark.skipif(
        chromium_path() is None, reason="NOT TESTED: the walk with a mouse: Chromium is missing (apt install chromium)"
    ),
    pytest.mark.slow,  # some 30 s: every tap is a mouse press in a browser
]


@contextlib.contextmanager
def served(host: Host) -> Iterator[str]:
    """The address of the host's page."""
    loop, up = asyncio.new_event_loop(), threading.Event()
    stop, urls = asyncio.Event(), []

    def run() -> None:
        loop.run_until_complete(serve_until(host, stop, lambda url, _token: (urls.append(url), up.set())))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert up.wait(180)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)


@pytest.fixture
def host_url(tmp_path: Path) -> Iterator[str]:
    """An empty host's page."""
    worker = (sys.executable, WORKER, str(tmp_path / "twins"))
    with contextlib.closing(open_host(Config(tmp_path / "host", port=0), worker=worker)) as host, served(host) as url:
        yield url


@pytest.fixture
def board_url(tmp_path: Path) -> Iterator[str]:
    """The virtual board's page; nothing is on its card; it stands before the first of VIEWS."""
    for name in ("sd", "data", "views"):
        (tmp_path / name).mkdir()
    for index in range(PHOTOS):
        pixels = picture(VIEWS[index % len(VIEWS)])
        pixels[-4:] = 8 * index  # no two photos are the same
        Image.fromarray(pixels).save(tmp_path / "views" / f"{index}.png")
    make_twin(
        tmp_path / "twins", tuple(CLASSES), HEAD_GFL
    )  # the board must know it when it starts; the training makes the same one
    options = [
        "--sd",
        "sd",
        "--data",
        "data",
        "--camera",
        "views",
        "--onnx",
        "twins",
        "--profile",
        "D",
        "--wifi",
        "home:12345678",
    ]
    argv = [sys.executable, "-m", "virtual_k230", "serve", "--port", "0", *options]
    with subprocess.Popen(argv, cwd=tmp_path, env=ENVIRON, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        yield json.loads(served.stdout.readline())["url"]
        served.terminate()


class Person:
    """A hand on the mouse over the board's LCD, and eyes that read it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=180) as answer:
            return json.loads(answer.read())

    def send(self, method: str, path: str, body: bytes, kind: str = "application/json") -> None:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind}, method=method)
        urllib.request.urlopen(request, timeout=180).close()

    def drawn(self, layer: str) -> list[Any]:
        return list(self.get(f"/drawn?layer={layer}")["calls"])

    def texts(self) -> str:
        return " | ".join(
            str(call[4]) for layer in ("OSD1", "OSD2") for call in self.drawn(layer) if call[0] == "string"
        )

    async def reads(self, words: str) -> str:
        """The screen's texts once these words are among them (lines may break between words)."""
        ends = time.monotonic() + SAYS_S
        while words not in (told := self.texts()).replace(" | ", " "):
            assert time.monotonic() < ends, f"the screen never said {words!r}, but {told}"
            await asyncio.sleep(0.1)
        return told

    async def drag(self, *points: tuple[int, int]) -> None:
        left, top, width, height = await self.page.evaluate(
            "(() => { const b = document.getElementById('lcd').getBoundingClientRect(); return [b.x, b.y, b.width, b.height] })()"
        )
        spots = [(left + x * width / 800, top + y * height / 480) for x, y in points]
        await self.page.press("mousePressed", *spots[0])
        for spot in spots[1:]:
            await self.page.press("mouseMoved", *spot)
        await self.page.press("mouseReleased", *spots[-1])

    async def tap(self, screen: str, button: str) -> None:
        x, y, w, h = layout.button_rects(screen, 800, 480, CLASSES)[button]
        await self.drag((x + w // 2, y + h // 2))


async def saved_code(page: Page, folder: Path) -> Path:
    """The code as the link on the host's page saves it."""
    href, name = await page.evaluate(
        "(() => { const a = document.querySelector('a[download]'); return [a.href, a.download] })()"
    )
    assert name == "pair-kerbside.png"
    (folder / name).write_bytes(base64.b64decode(href.removeprefix("data:image/png;base64,")))
    return folder / name


async def choose(page: Page, selector: str, file: Path) -> None:
    """Choose a file in a file dialogue."""
    root = (await page.send("DOM.getDocument"))["root"]["nodeId"]
    node = (await page.send("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
    await page.send("DOM.setFileInputFiles", files=[str(file)], nodeId=node)


def box_of(thing: tuple[str, int, int]) -> tuple[int, int, int, int]:
    """x, y, w, h of a thing of VIEWS in photo px."""
    _name, column, row = thing
    return column * 32, row * 32 - 12, 32, 32


async def test_a_mouse_goes_from_an_empty_card_to_live_boxes_of_two_own_classes(
    host_url: str, board_url: str, tmp_path: Path
) -> None:
    async with opened(host_url) as desk, opened(board_url) as page:
        me = Person(page, board_url)
        # Nothing is on the card: the page says so, and offers the app.
        await page.until("document.getElementById('dark-title').innerText.includes('Nothing on the card')")
        await page.until("!!document.querySelector('#apps button')?.offsetParent")
        assert "snaploop" in await page.evaluate("document.querySelector('#apps button').innerText")
        await page.click("#apps button")
        await page.until(
            "document.getElementById('lcd').naturalWidth == 800 && document.getElementById('dark').hidden", SAYS_S
        )
        # The board says what is next: pairing, and where on the PC.
        await me.reads("They are named on the host's page, on a PC: open Sync here and tap Pair")
        await me.tap("capture", "tab:sync")
        await me.reads("'Pair a board by QR code'. Then tap the blue button.")
        # On the PC: a project with two classes, and its code.
        await desk.click("input[name=name]")
        await desk.type("kerbside")
        await desk.click("input[name=classes]")
        await desk.type(", ".join(CLASSES))
        await desk.click("form.new-project button")
        await desk.until("document.body?.innerText.includes('Pair a board by QR code')")
        await desk.click("a[href$='/pair']")
        await desk.until("!!document.querySelector('input[name=ssid]')")
        await desk.click("input[name=ssid]")
        await desk.type("home")
        await desk.click("input[name=key]")
        await desk.type("12345678")
        await desk.click("form.new-project button")
        await desk.until("!!document.querySelector('.qr svg')")
        # The board's camera looks at the code, and is turned to the things again.
        await me.tap("sync", "train")
        await me.reads("point the camera at the QR code")
        await choose(page, "#show", await saved_code(desk, tmp_path))
        await me.reads("Label photos, then tap Train")
        # Eight photos, labelled.
        await me.tap("sync", "tab:capture")
        for count in range(PHOTOS):
            me.send("POST", "/camera", json.dumps({"show": count}).encode())
            await me.reads("hold: many")
            await me.tap("capture", "shutter")
            await me.reads("Drag a box around each thing, then Save")
            for thing in VIEWS[count % len(VIEWS)]:
                x, y, w, h = box_of(thing)
                await me.tap("label", "class:" + thing[0])
                await me.drag((x, y), (x + w // 2, y + h // 2), (x + w, y + h))
            await me.tap("label", "save")
            await me.reads(f"saved b1-{count + 1:06d}: {len(VIEWS[count % len(VIEWS)])} box")
        # Sent by themselves; a training; its model.
        await me.tap("capture", "tab:sync")
        await me.reads(f"all {PHOTOS} photos sent")
        await me.tap("sync", "train")
        await me.reads("Run 1: running")
        told = await me.reads("Run 1: succeeded")
        assert "refused" not in told
        await me.tap("sync", "tab:live")
        await me.reads("confirmed")
        # Boxes of both classes over the video, where the things are.
        me.send("POST", "/camera", json.dumps({"show": 2}).encode())
        await me.reads("red 1 | green 1".replace(" | ", " "))
        found = [call for call in me.drawn("OSD1") if call[0] == "rectangle" and not call[7]]
        for name, colour in colours(CLASSES).items():
            x, y, w, h = box_of(next(thing for thing in VIEWS[2] if thing[0] == name))
            (box,) = [call[1:5] for call in found if tuple(call[5][1:]) == colour]
            assert box[0] <= x and box[1] <= y and box[0] + box[2] >= x + w and box[1] + box[3] >= y + h, (name, box)
        assert not page.errors and not desk.errors
    with contextlib.closing(open_host(Config(tmp_path / "host"), worker=(sys.executable, WORKER))) as host:
        assert sum(host.store.sample_counts(1).values()) == PHOTOS


async def test_app_comes_onto_a_board_on_usb_by_a_click_on_the_hosts_page(tmp_path: Path) -> None:
    with (
        VirtualK230(profile="D") as board,
        contextlib.closing(open_host(Config(tmp_path / "host", port=0, usb_ports=(board.pty,)))) as host,
        served(host) as url,
    ):
        async with opened(url) as desk:
            await desk.click("input[name=name]")
            await desk.type("kerbside")
            await desk.click("input[name=classes]")
            await desk.type(", ".join(CLASSES))
            await desk.click("form.new-project button")
            await desk.until("document.querySelector('section.step a.button')?.innerText == 'Install the app'", SAYS_S)
            await desk.click("section.step a.button")
            await desk.until("!!document.querySelector('select[name=port]')")
            await desk.click("form.new-project button")
            await desk.until("document.body?.innerText.includes('has the app and works for kerbside')", 2 * SAYS_S)
            says(board, CLASSES[0], 2 * SAYS_S)  # the app runs, and has been at the host
            await desk.until("document.querySelector('.board')?.innerText.includes('just now over USB')", SAYS_S)
            assert not desk.errors
        assert json.loads(board.host_path("/data/snaploop/config.json").read_text())["project"] == "kerbside"
