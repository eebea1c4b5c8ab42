"""`virtual-k230 serve`: a virtual board behind a small HTTP API on 127.0.0.1, with a page that shows its LCD.

Tests, demos and people drive the board through this. Every answer is JSON unless it is a picture or the page; an error
is {"error": text} with a 4xx status.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from .board import VirtualK230
from .camera_api import CameraApi
from .card_api import CardApi
from .faults import CATALOGUE
from .http_json import errors_as_json, is_loopback, own_page_only, read_object
from .profiles import FIRMWARE
from .usb import RING_BYTES

logger = logging.getLogger(__name__)

_PAGE = Path(__file__).with_name("page")
_MAX_PICTURE_BYTES = 64 << 20
_TOUCH_WAIT_S = 30.0
_PROMPT_WAIT_S = 15.0
_TYPING_WAIT_S = 10.0
_LAYERS = ("VIDEO1", "VIDEO2", "OSD0", "OSD1", "OSD2", "OSD3")


class ControlApi:
    """The handlers over one board."""

    def __init__(self, board: VirtualK230) -> None:
        self._board = board
        self._camera = CameraApi(board)
        self._card = CardApi(board)

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[errors_as_json, own_page_only], client_max_size=_MAX_PICTURE_BYTES)
        app.add_routes(self._card.routes())
        app.add_routes(self._camera.routes())
        app.add_routes(web.get(f"/{file.name}", self.page_file) for file in _PAGE.iterdir() if file.is_file())
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/screen.png", self.screen),
                web.get("/layer.png", self.layer),
                web.get("/state", self.state),
                web.get("/drawn", self.drawn),
                web.post("/touch", self.touch),
                web.get("/console", self.console),
                web.post("/console", self.type_text),
                web.post("/run", self.run),
                web.post("/reset", self.reset),
                web.get("/faults", self.faults),
                web.post("/faults", self.set_faults),
                web.post("/power", self.power),
                web.post("/wifi", self.wifi),
                web.get("/hardware", self.hardware),
                web.post("/hardware", self.drive),
                web.post("/usb", self.usb),
            ]
        )
        return app

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        return web.FileResponse(_PAGE / "index.html")

    async def page_file(self, request: web.Request) -> web.StreamResponse:
        """What the page loads."""
        return web.FileResponse(_PAGE / request.path.rpartition("/")[2], headers={"Cache-Control": "no-cache"})

    async def screen(self, request: web.Request) -> web.StreamResponse:
        """The LCD as PNG; 304 when it is what the caller has already (If-None-Match)."""
        version = self._board.display.version()  # type: ignore[attr-defined]  # set by display.register()
        tag = f'"{hashlib.sha256(version.encode()).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        answer = await _png(self._board.screen)
        answer.headers.update({"ETag": tag, "Cache-Control": "no-cache"})
        return answer

    async def layer(self, request: web.Request) -> web.StreamResponse:
        """One layer as PNG with transparency (?name=OSD1)."""
        name = _layer_name(request)

        def draw() -> Any:
            from PIL import Image

            return Image.fromarray(self._board.layer(name))

        return await _png(draw)

    async def state(self, request: web.Request) -> web.StreamResponse:
        """What the board does, in numbers."""
        board = self._board
        return web.json_response(
            {
                "running": board.is_on,
                "state": board.state,
                "main_running": board.main_running,
                "has_main": self._card.has_main(),
                "frames": board.frames,
                "kpu_runs": board.kpu_runs,
                "kpu_engine": board.kpu_engine,
                "exception": board.exception,
                "uptime_s": round(time.monotonic() - board.started_at, 3),
                "heap_free_bytes": board.heap_free_bytes,
                "resets": board.resets,
                "touches_queued": len(board.touches),
                "card_writes": board.card.n_writes,
                "usb_open": board.usb.is_open(),
                "wifi_connected": board.network.isconnected(),
                "profile": board.profile,
                "board": board.board_id,
                "firmware": FIRMWARE[board.profile].version,
                "nncase": board.kpu.version(),  # type: ignore[attr-defined]  # set by kpu.register()
                "dram_mib": board.memory.dram >> 20,
                "display": board.display.type,  # type: ignore[attr-defined]  # set by display.register()
                "usb_plugged": board.usb.plugged,
                "wifi_up": board.network.up,
                "camera": self._camera.state(),
                "kpu_models": board.kpu.models(),  # type: ignore[attr-defined]  # set by kpu.register()
                "pty": board.pty,
            }
        )

    async def drawn(self, request: web.Request) -> web.StreamResponse:
        """The draw calls that are on a layer (?layer=OSD1)."""
        name = _layer_name(request)
        shown, frame = self._board.display.shown(name)  # type: ignore[attr-defined]  # set by display.register()
        return web.json_response({"shown": shown, "frame": frame, "calls": self._board.drawn(name)})

    async def touch(self, request: web.Request) -> web.StreamResponse:
        """Queue finger events; with "wait" answer when the script has reacted."""
        body = await read_object(request)
        events = body.get("events")
        if not isinstance(events, list):
            raise ValueError('body needs "events": [{"event": "down|move|up", "x": px, "y": px}, ...]')
        try:
            wanted = [(str(item["event"]), int(item["x"]), int(item["y"])) for item in events]
        except (KeyError, TypeError) as error:
            raise ValueError(f'each touch event needs "event", "x" and "y" ({error!r})') from error
        self._board.touch_events(wanted)
        if body.get("wait"):
            await self._wait_for_touches(float(body.get("timeout_s", _TOUCH_WAIT_S)))
        return web.json_response({"queued": len(wanted)})

    async def _wait_for_touches(self, timeout_s: float) -> None:
        """Until the script has taken all events and its loop has gone round once more after that."""
        touches = self._board.touches
        deadline = time.monotonic() + timeout_s
        n_reads = None
        # Who reads the panel again has drawn what the last event changed; the second read comes after a whole round.
        while n_reads is None or touches.n_reads < n_reads + 2:
            if time.monotonic() > deadline:
                raise web.HTTPGatewayTimeout(text=f"the script did not read the touch panel for {timeout_s:.0f} s")
            if n_reads is None and not len(touches):
                n_reads = touches.n_reads
            await asyncio.sleep(0.005)

    async def console(self, request: web.Request) -> web.StreamResponse:
        """Console text from a position on (?from=N)."""
        following, text = self._board.console_from(int(request.query.get("from", "0")))
        return web.json_response({"next": following, "text": text})

    async def type_text(self, request: web.Request) -> web.StreamResponse:
        """Type on the board's console as if over USB: {"text": ...} or {"stop": true} (Ctrl-C)."""
        body = await read_object(request)
        if body.get("stop"):
            self._board.stop()
        if body.get("text"):
            await self._type(str(body["text"]).encode())
        return web.json_response({"ok": True})

    async def _type(self, data: bytes) -> None:
        """Put input into the board's ring as it has room, so that long pieces arrive whole."""
        usb = self._board.usb
        deadline = time.monotonic() + _TYPING_WAIT_S
        while data:
            room = RING_BYTES - len(usb.ring)
            usb.push(data[:room])
            data = data[room:]
            if data and time.monotonic() > deadline:
                raise web.HTTPGatewayTimeout(
                    text=f"nobody on the board reads its input: {len(data)} bytes are not sent"
                )
            if data:
                await asyncio.sleep(0.02)

    async def run(self, request: web.Request) -> web.StreamResponse:
        """{"path": "/sdcard/x.py"}: run a script of the card in a fresh interpreter; what runs now is ended."""
        path = str((await read_object(request)).get("path", ""))
        board = self._board
        if not board.host_path(path).is_file():
            raise ValueError(f"{path} is a folder: name a script in it")
        n_resets = board.resets + board.is_on  # the prompt that is meant is the one after this restart
        await asyncio.to_thread(board.restart_at_prompt)
        deadline = time.monotonic() + _PROMPT_WAIT_S
        while board.resets < n_resets or board.state != "repl":
            if time.monotonic() > deadline:
                raise web.HTTPGatewayTimeout(text=f"the board did not come to its prompt within {_PROMPT_WAIT_S:.0f} s")
            await asyncio.sleep(0.02)
        # The first return ends what a program at the serial port may have sent meanwhile, such as spaces.
        board.usb.push(f"\rexec(open({path!r}, 'rb').read())\r".encode())
        return web.json_response({"running": path})

    async def reset(self, request: web.Request) -> web.StreamResponse:
        """Reset the board, hard or soft."""
        body = await read_object(request)
        await asyncio.to_thread(self._board.reset, bool(body.get("hard", True)))
        return web.json_response({"ok": True})

    async def faults(self, request: web.Request) -> web.StreamResponse:
        """The catalogue of faults, and those that are on with their values."""
        catalogue = [dataclasses.asdict(fault) for fault in CATALOGUE]
        return web.json_response({"catalogue": catalogue, "on": self._board.faults.state()})

    async def set_faults(self, request: web.Request) -> web.StreamResponse:
        """{"NAME": value, ...} as in the catalogue; true: its default, null or false: off."""
        faults = self._board.faults
        for name, value in (await read_object(request)).items():
            if value is None or value is False:
                faults.clear(name)
            else:
                faults.set(name, None if value is True else float(value))
        return web.json_response({"on": faults.state()})

    async def power(self, request: web.Request) -> web.StreamResponse:
        """{"on": false}: take the power away at once; {"on": true}: switch on."""
        if (await read_object(request)).get("on", True):
            await asyncio.to_thread(self._board.start)
        else:
            await asyncio.to_thread(self._board.power_cut)
        return web.json_response({"on": self._board.is_on})

    async def wifi(self, request: web.Request) -> web.StreamResponse:
        """Switch the access point, break connections ("drop"), set how long joining takes and how slowly a link starts."""
        body = await read_object(request)
        network = self._board.network
        for name in ("join_s", "slow_start_s"):
            if name in body:
                setattr(network, name, float(body[name]))
        if body.get("drop"):
            network.drop_links()
        network.set_up(bool(body.get("up", True)))
        return web.json_response({"up": network.up})

    async def hardware(self, request: web.Request) -> web.StreamResponse:
        """Pins in use, LEDs and PWM channels (Hardware.state)."""
        return web.json_response(self._board.hardware.state())

    async def drive(self, request: web.Request) -> web.StreamResponse:
        """{"pin": n, "level": 0 | 1 | null}: press or let go a key; {"adc": channel, "microvolts": n}; {"uart": n, "text": …}."""
        body = await read_object(request)
        hardware = self._board.hardware
        try:
            if "pin" in body:
                hardware.drive(int(body["pin"]), body.get("level"))
            if "adc" in body:
                hardware.adc_uv[int(body["adc"])] = int(body["microvolts"])
            if "uart" in body:
                hardware.uart_feed(int(body["uart"]), str(body["text"]).encode())
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise web.HTTPBadRequest(text=f"hardware: {error}") from error
        return web.json_response(hardware.state())

    async def usb(self, request: web.Request) -> web.StreamResponse:
        """Pull or plug the cable."""
        body = await read_object(request)
        self._board.usb.set_plugged(bool(body.get("plugged", True)))
        return web.json_response({"plugged": self._board.usb.plugged, "pty": self._board.pty})


def _layer_name(request: web.Request) -> str:
    name = request.query.get("layer") or request.query.get("name") or "OSD1"
    if name not in _LAYERS:
        raise ValueError(f"no layer {name!r}: use one of {', '.join(_LAYERS)}")
    return name


async def _png(draw: Callable[[], Any]) -> web.Response:
    def encode() -> bytes:
        out = io.BytesIO()
        draw().save(out, "PNG", compress_level=1)
        return out.getvalue()

    return web.Response(
        body=await asyncio.to_thread(encode), content_type="image/png", headers={"Cache-Control": "no-store"}
    )


async def serve(board: VirtualK230, address: str, port: int, announce: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets {"url", "pty", "pid"} once the board is on.

    Raises:
        RuntimeError: the port is taken; names the mend.
    """
    runner = web.AppRunner(ControlApi(board).app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, address, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        if isinstance(error, socket.gaierror):
            raise RuntimeError(f"--listen {address} is no address of this machine: use 127.0.0.1 or 0.0.0.0") from error
        reason = os.strerror(error.errno or 0).lower()
        raise RuntimeError(
            f"port {port} on {address} cannot be used ({reason}): choose another with --port, 0 for any free one"
        ) from error
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    await asyncio.to_thread(board.start)
    bound = runner.addresses[0][1]
    shown = "127.0.0.1" if address in ("0.0.0.0", "::") else address
    if not is_loopback(address):
        logger.warning("listening on %s: everybody on the network can drive this board and read its card", address)
    announce({"url": f"http://{shown}:{bound}", "pty": board.pty, "pid": os.getpid()})
    try:
        await done.wait()
    finally:
        await runner.cleanup()


def print_line(message: dict[str, Any]) -> None:
    """One JSON line on stdout, flushed: what programs that start us wait for. People at a terminal get it in words, too."""
    if sys.stderr.isatty():
        sys.stderr.write(f"open {message['url']} for panel and console; USB is {message['pty']}; Ctrl-C ends it\n")
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
