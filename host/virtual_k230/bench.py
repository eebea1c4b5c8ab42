"""`virtual-k230 bench`: how fast a virtual board is on this machine; called by the command line only."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from .board import VirtualK230

_PAIRS = 5
_IDLE_S = 3.0
_LOOP = """
import time, image
from media.sensor import *
from media.display import *
sensor = Sensor()
sensor.reset()
sensor.set_framesize(w=640, h=360, chn=2)
sensor.set_pixformat(Sensor.RGBP888, chn=2)
Display.init(Display.ST7701, width=800, height=480, osd_num=1)
MediaManager.init()
sensor.run()
osd = image.Image(800, 480, image.ARGB8888)
rates = []
for part in range(5):
    start = time.ticks_us()
    for frame in range(60):
        picture = sensor.snapshot(chn=2)
        osd.clear()
        osd.draw_rectangle(100, 100, 200, 150, color=(255, 255, 0, 0), thickness=3)
        osd.draw_string_advanced(100, 60, 24, "red 87", color=(255, 255, 0, 0))
        Display.show_image(osd)
    rates.append(60e6 / time.ticks_diff(time.ticks_us(), start))
rates.sort()
print(rates[2])
"""

_WARM_UP = """
import time
start = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), start) < 300:
    time.sleep_ms(0)
"""


def measure() -> dict[str, Any]:
    """The bench "virtual": name, machine and figures, each with value, unit, goal and whether it is met."""
    figures = [
        _figure("frames_per_s", _frames_per_s(), "frames/s", 60, is_least=True),
        _figure("hal_call_us", _hal_call_us(), "us", 50),
        _figure("start_s", _start_s(), "s", 1.5),
        _figure("idle_cpu_percent", _idle_cpu_percent(), "% of a core", 3),
    ]
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    return {"bench": "virtual", "machine": machine, "figures": figures}


def _figure(name: str, value: float, unit: str, goal: float, is_least: bool = False) -> dict[str, Any]:
    is_met = value >= goal if is_least else value <= goal
    bound = f"{'>=' if is_least else '<='} {goal}"
    return {
        "name": name, "value": round(value, 3), "unit": unit, "goal": bound, "peer": None, "peer_value": None, "met": is_met,
    }  # fmt: skip


def _frames_per_s() -> float:
    """Median of five runs of 60 frames: snapshot of 640x360 RGBP888, draw, show."""
    with VirtualK230() as board:
        board.power_cut()
        return float(board.run_code(_LOOP).split()[-1])


def _hal_call_us() -> float:
    """Median of five boards, each when its interpreter is warm."""
    measured = []
    for _ in range(_PAIRS):
        board = VirtualK230()
        try:
            board.run_code(_WARM_UP)
            measured.append(board.hal_call_us or 0)
        finally:
            board.close()
    return statistics.median(measured)


def _start_s() -> float:
    """Median of five starts, from start() to the first line of main.py."""
    spans = []
    with tempfile.TemporaryDirectory(prefix="virtual_k230_bench_") as card:
        (Path(card) / "main.py").write_text("print('first line')\n")
        for _ in range(_PAIRS):
            board = VirtualK230(sd=card)
            try:
                start = time.monotonic()
                board.start()
                board.wait_for("first line", 30)
                spans.append(time.monotonic() - start)
            finally:
                board.close()
    return statistics.median(spans)


def _idle_cpu_percent() -> float:
    """CPU time of this process and the board's child while the board waits at its REPL, in percent of one core."""
    with VirtualK230() as board:
        board.wait_for(">>>", 30)
        time.sleep(0.5)
        before = time.process_time() + board.child_cpu_s()
        time.sleep(_IDLE_S)
        return 100 * (time.process_time() + board.child_cpu_s() - before) / _IDLE_S
