"""The page of `virtual-k230 serve` in a real Chromium: what a person clicks, types and sees."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from fakes.chromium import chromium_path, opened
from virtual_k230.faults import CATALOGUE

HOST = str(Path(__file__).parents[3] / "host")
pytestmark = pytest.mark.skipif(
    chromium_path() is None, reason="NOT TESTED: the page in a browser: Chromium is missing (apt install chromium)"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served board with an empty /sdcard, and one fault that is on from the start."""
    card = tmp_path_factory.mktemp("card")
    command = [sys.executable, "-m", "virtual_k230", "serve", "--port", "0", "--sd", str(card), "--fault", "usb.drop=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": HOST}) as served:
        assert served.stdout is not None
        yield json.loads(served.stdout.readline())["url"]
        served.terminate()


async def test_from_an_empty_card_to_a_running_script_by_clicks_alone(url: str) -> None:
    async with opened(url) as page:
        await page.until("document.getElementById('state').innerText.includes('ready')")
        assert "profile B" in await page.evaluate("document.getElementById('facts').textContent")
        await page.click("#example")
        await page.until(
            "document.getElementById('dark').hidden && document.getElementById('lcd').src.startsWith('blob:')"
        )
        await page.until("document.getElementById('console').textContent.includes('Touch the screen')")
        x, y, width, height = await page.evaluate(
            "(() => { const b = document.getElementById('lcd').getBoundingClientRect(); return [b.x, b.y, b.width, b.height] })()"
        )
        await page.press("mousePressed", x + width / 4, y + height / 2)
        for _ in range(100):  # the example draws a ring of radius 34 around the finger, at (200, 240) of 800 x 480
            await asyncio.sleep(0.1)
            seen = Image.open(io.BytesIO(await page.picture())).convert("RGB")
            ring = seen.getpixel((round(x + width / 4 + 34 * width / 800), round(y + height / 2)))
            if abs(ring[0] - 60) + abs(ring[1] - 196) + abs(ring[2] - 143) < 60:
                break
        else:
            pytest.fail(f"no ring under the finger, but {ring}")
        await page.press("mouseReleased", x + width / 4, y + height / 2)
        await page.click("#stop")
        await page.until("document.getElementById('console').textContent.includes('KeyboardInterrupt')")
        assert page.errors == []


async def test_lines_typed_into_the_console_run_on_the_board(url: str) -> None:
    async with opened(url) as page:
        await page.until("document.getElementById('state').innerText.includes('ready')")
        await page.click("#line-text")
        await page.type("print('sum', 40 + 2)\n")
        await page.until("document.getElementById('console').textContent.includes('sum 42')")
        await page.evaluate(
            "(() => { document.getElementById('line-text').value = 'for i in range(3):\\n    print(i, i * i)\\n'; "
            "document.getElementById('line').requestSubmit() })()"
        )
        await page.until("document.getElementById('console').textContent.includes('2 4')")


async def test_card_faults_and_switches(url: str) -> None:
    async with opened(url) as page:
        await page.until("document.querySelectorAll('.fault').length")
        names = await page.evaluate("[...document.querySelectorAll('.fault code')].map(e => e.textContent)")
        assert names == [fault.name for fault in CATALOGUE]
        await page.until("document.querySelector('[aria-label=\"usb.drop\"]').getAttribute('aria-pressed') == 'true'")
        await page.click("#tab-faults")
        await page.click("[aria-label='card.read_only']")
        await page.until("document.getElementById('fault-count').textContent == '2'")
        await page.click("#no-faults")
        await page.until("document.getElementById('fault-count').textContent == ''")
        await page.click("#usb")
        await page.until("document.getElementById('state').innerText.includes('USB unplugged')")
        await page.click("#usb")
        await page.click("#tab-card")
        await page.evaluate("fetch('card/file?path=/sdcard/note.txt', {method: 'PUT', body: 'hello card'})")
        await page.until(
            "[...document.querySelectorAll('#files a')].some(a => a.textContent == 'note.txt' && (a.click(), true))"
        )
        await page.until("document.querySelector('#preview pre')?.textContent == 'hello card'")
        assert page.errors == []


async def test_nothing_is_wider_than_a_phone(url: str) -> None:
    async with opened(url) as page:
        await page.be_phone()
        for tab in ("console", "card", "pins", "faults"):
            await page.until(
                f"document.getElementById('tab-{tab}').click() || document.querySelectorAll('.fault').length"
            )
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, tab
            small = await page.evaluate(
                "[...document.querySelectorAll('button, .button')].filter(e => e.offsetParent)"
                ".filter(e => e.getBoundingClientRect().height < 34).map(e => e.textContent)"
            )
            assert small == [], tab
