"""A real Chromium, driven over its DevTools protocol: enough for tests that click, type, touch and look."""

from __future__ import annotations

import asyncio
import base64
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

START_WAIT_S = 180


def chromium_path() -> str | None:
    """The program, if it is installed."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Page:
    """One open page. `errors` collects uncaught exceptions and failed loads."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._n = 0
        self.errors: list[str] = []

    async def send(self, method: str, **params: Any) -> Any:
        """One DevTools command, and its result."""
        self._n += 1
        await self._socket.send_json({"id": self._n, "method": method, "params": params})
        while True:
            message = await asyncio.wait_for(self._socket.receive_json(), START_WAIT_S)
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(message["params"]["exceptionDetails"].get("exception", {}).get("description")))
            entry = message.get("params", {}).get("entry", {})
            if message.get("method") == "Log.entryAdded" and entry["level"] == "error":
                self.errors.append(f"{entry['text']} {entry.get('url', '')}")
            if message.get("id") == self._n:
                assert "error" not in message, (method, message["error"])
                return message["result"]

    async def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression in the page."""
        done = await self.send("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, (code, done["exceptionDetails"])
        return done["result"].get("value")

    async def until(self, code: str, timeout_s: float = 180) -> Any:
        """Wait until a JavaScript expression is true; returns its value."""
        deadline = time.monotonic() + timeout_s
        while not (value := await self.evaluate(code)):
            assert time.monotonic() < deadline, (code, self.errors, await self.evaluate("document.body.innerText"))
            await asyncio.sleep(0.1)
        return value

    async def click(self, selector: str) -> None:
        """Press an element as a mouse does: what lies over it gets the click."""
        x, y = await self.evaluate(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}}); "
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        await self.press("mousePressed", x, y)
        await self.press("mouseReleased", x, y)

    async def press(self, kind: str, x: float, y: float) -> None:
        """A mouse event: mousePressed, mouseMoved or mouseReleased."""
        await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def type(self, text: str) -> None:
        """Text into the element that has the focus; "\\n" is the Enter key."""
        for piece in text.split("\n"):
            await self.send("Input.insertText", text=piece)
            if piece is not text.rsplit("\n", 1)[-1]:
                for kind in ("keyDown", "keyUp"):
                    await self.send("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r")

    async def be_phone(self, width: int = 390, height: int = 844) -> None:
        """A screen of that size, with touch."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=True)

    async def picture(self) -> bytes:
        """PNG of what is to be seen."""
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def opened(url: str, width: int = 1366, height: int = 800) -> AsyncIterator[Page]:
    """A page of that size at `url`; needs chromium_path()."""
    program = chromium_path()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="chromium_", ignore_cleanup_errors=True) as folder:
        browser = await asyncio.create_subprocess_exec(
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
            f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as session:
                target = await asyncio.wait_for(_page_of(session, Path(folder) / "DevToolsActivePort"), START_WAIT_S)
                async with session.ws_connect(target, max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.send(f"{domain}.enable")
                    await page.send("Page.navigate", url=url)
                    await page.until("location.href != 'about:blank' && document.readyState == 'complete'")
                    yield page
        finally:
            browser.terminate()
            await browser.wait()


async def _page_of(session: aiohttp.ClientSession, port_file: Path) -> str:
    while True:
        await asyncio.sleep(0.1)
        text = port_file.read_text() if port_file.is_file() else ""
        if text.count("\n"):
            async with session.get(f"http://127.0.0.1:{text.split()[0]}/json") as answer:
                for target in await answer.json():
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
