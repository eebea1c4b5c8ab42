"""`VirtualK230`: one virtual board: its parts, its life from power on to power off, and what a test or a person does to it.

The parts (card, usb, network, touch, camera, panel, KPU) are objects of their own, and so are the interpreter's process
(child.py) and stops and waits (interrupts.py). This file puts them together, and boots, resets and stops.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import itertools
import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from .card import DATA_BYTES, SDCARD_BYTES, Card
from .child import Child
from .console_log import ConsoleLog
from .events import EventQueue
from .faults import Faults
from .hal import Hal, HalError
from .hardware import Hardware
from .ide import Ide
from .interpreter import Interpreter, find_interpreter
from .interrupts import Interrupts
from .life import LifeOps
from .network import NetworkOps
from .profiles import FIRMWARE, arch_text, check_board_id, memory_of
from .settings import check_nncase_version, check_number, check_wifi
from .system import SystemOps, TouchQueue
from .usb import UsbPort

logger = logging.getLogger(__name__)

_MEDIA_MODULES = (
    "sensor",
    "display",
    "image",
    "detectors",
    "filters",
    "transforms",
    "arrays",
    "kpu",
    "ai2d",
    "postprocess",
    "trackers",
)
_FORCE_AFTER_S = 3.0  # a script that only computes or prints for this long after a stop is ended with its process
_FORCE_AGAIN_S = 0.1


class VirtualK230:
    """A board that is on between start() and close(), or inside a `with` block.

    Args:
        sd: folder that is the board's /sdcard (boot.py, main.py, …); a temporary one by default.
        data: folder that is /data; a temporary one by default.
        camera: what the camera sees: "scene:NAME", a folder, a picture or video file, or a Camera.
        profile: firmware generation "A" (v1.2), "B" (v1.4), "C" (v1.6) or "D" (v1.8).
        kpu: "sim" (Canaan's simulator, exact) or "onnx" (onnxruntime on the ONNX twin).
        onnx_twins: {sha256 of a kmodel: path of its ONNX} for kpu="onnx".
        usb_rtt_ms: round-trip time of the USB cable to imitate.
        fps: frames per second of the camera; 0: as fast as asked for.
        heap_mib: size of MicroPython's heap.
        panel: (width, height) of the LCD; the profile's by default.
        wifi: "SSID:KEY" of the only network there is; any name and key are right by default.
        board_id: what os.uname()[-1] begins with; one of profiles.BOARD_IDS.
        dram_mib: DRAM of the board (128, 512, 1024, 2048); the usual one of board_id by default.
        options: further options of the media modules (see board.options).
    """

    def __init__(
        self,
        sd: str | Path | None = None,
        data: str | Path | None = None,
        camera: Any = "scene:traffic_lights",
        profile: str = "B",
        kpu: str = "sim",
        onnx_twins: dict[str, str | Path] | None = None,
        usb_rtt_ms: float = 0,
        fps: float = 0,
        heap_mib: float = 4,
        panel: tuple[int, int] | None = None,
        wifi: str | None = None,
        board_id: str = "k230_canmv_hiwonder",
        dram_mib: int | None = None,
        sdcard_bytes: int = SDCARD_BYTES,
        data_bytes: int = DATA_BYTES,
        **options: Any,
    ) -> None:
        if profile not in FIRMWARE:
            raise ValueError(f"profile {profile!r}: use one of {', '.join(FIRMWARE)}")
        check_number("heap", heap_mib)
        check_number("USB round trip", usb_rtt_ms)
        check_number("camera", fps)
        for side in panel or ():
            check_number("panel side", side)
        check_wifi(wifi)
        check_nncase_version(options.get("nncase_version"))
        self.profile = profile
        self.board_id = check_board_id(board_id)
        self.memory = memory_of(board_id, dram_mib)
        self.heap_mib = heap_mib
        self.options: dict[str, Any] = {
            **options, "camera": camera, "profile": profile, "kpu": kpu, "onnx_twins": onnx_twins or {}, "fps": fps,
        }  # fmt: skip
        if panel is not None:
            self.options["panel"] = panel
        self.camera = self._open_camera(camera, fps)
        self._temporary: list[tempfile.TemporaryDirectory[str]] = []
        self.card = Card(self._folder(sd, "sd"), self._folder(data, "data"), sdcard_bytes, data_bytes)
        self.card.on_power_cut = self.power_cut
        identity = str(self.card.partitions["/sdcard"].root.resolve())
        self.chip_id = hashlib.sha256(identity.encode()).hexdigest()
        self.lock = threading.RLock()
        self.hal = Hal()
        self.touches = TouchQueue()
        self.events = EventQueue()
        self.faults = Faults(self)
        """What goes wrong on demand: `faults.set("card.power_cut", 3)`, see faults.CATALOGUE."""
        self.hardware = Hardware(self)
        """Pins, LEDs, PWM, UARTs, ADC: `hardware.state()`, `hardware.drive(pin, level)`."""
        self.exception: str | None = None
        """Traceback that ended the last boot.py or main.py; None while it runs or when it ended well."""
        self.heap_free_bytes: int | None = None
        """gc.mem_free() of the script, as reported with its touch reads; None before the first."""
        self.hal_call_us: float | None = None
        """Median duration of a hardware call, measured at the end of the last start_source() script; None before that."""
        self.peak_heap_bytes: int | None = None
        """Most heap that gc.collect() calls and the end of that script saw; None before it has ended."""
        self.resets = 0
        self.state = "off"
        """off, boot, script (boot.py/main.py), exec (REPL runs something), repl."""
        self.started_at = time.monotonic()
        self._handles = itertools.count(1).__next__
        self._on_free: list[Callable[[int], Any]] = []
        self._on_reset: list[Callable[[], Any]] = []
        self._interpreter: Interpreter | None = None
        self._child: Child | None = None
        self._serving: threading.Thread | None = None
        self.next_life: tuple[bool, bool] | None = None
        """What comes when the interpreter has ended: (raw REPL, run boot.py and main.py); None: the board goes off."""
        self.interrupts = Interrupts(self)
        """Stops and waits."""
        self._console = ConsoleLog()
        self.was_interrupted = False
        """Was the script of this boot stopped by Ctrl-C?"""
        self.network = NetworkOps(self, wifi)
        self.usb = UsbPort(usb_rtt_ms)
        self.usb.is_script_running = self.is_script_running
        self.usb.on_interrupt = self.stop
        self.ide = Ide(self)
        """The IDE's side of the USB port."""
        self.usb.ide_takes, self.usb.ide_releases = self.ide.take, self.ide.release
        self.usb.on_closed = self.ide.leave
        self._register()
        atexit.register(self.close)  # a program that ends without close(), as by an exception, leaves nothing behind

    def _folder(self, given: str | Path | None, name: str) -> Path:
        if given is None:
            holder = tempfile.TemporaryDirectory(prefix=f"virtual_k230_{name}_")
            self._temporary.append(holder)
            return Path(holder.name)
        folder = Path(given)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder: make it, it becomes the board's card")
        return folder.resolve()

    @staticmethod
    def _open_camera(source: Any, fps: float) -> Any:
        from .camera import CameraError, open_camera  # heavy imports: only when a board is made

        try:
            return open_camera(source, fps=fps)
        except CameraError as error:
            raise ValueError(str(error)) from error

    def _register(self) -> None:
        hal = self.hal
        hal.after_each = self.interrupts.after_each
        hal.is_due = self.events.is_due
        hal.op("console.write", self._console_write)
        hal.op("console.write_bytes", self._console_write_bytes)
        hal.op("hal.free", self._free)
        hal.op("ide.show", self.ide.show)
        self.card.register(hal)
        self.network.register(hal)
        SystemOps(self).register(hal)
        LifeOps(self).register(hal)
        self.hardware.register(hal)
        self.on_free(self.network.close)
        self.on_reset(self.network.close_all)
        self.on_reset(self.touches.clear)
        self.on_reset(self.events.clear)
        self.on_reset(self.hardware.reset)
        self.on_reset(self.faults.forget_heap)
        for name in _MEDIA_MODULES:
            importlib.import_module(f".{name}", __package__).register(hal, self)

    # -- what the parts use -------------------------------------------------------------------------------------

    def new_handle(self) -> int:
        """A number that no object of this board had before."""
        return self._handles()

    def on_free(self, function: Callable[[int], Any]) -> None:
        """`function(handle)` is asked for each handle the script dropped until one returns true."""
        self._on_free.append(function)

    def on_reset(self, function: Callable[[], Any]) -> None:
        """`function()` is called at each soft or hard reset, while no script runs."""
        self._on_reset.append(function)

    def host_path(self, board_path: str) -> Path:
        """The real file behind a path of the board; raises OSError when there is none."""
        path = self.card.host_path(board_path)
        path.stat()
        return path

    def _free(self, handles: list[int]) -> None:
        for handle in handles:
            any(function(handle) for function in self._on_free)

    # -- waiting and stopping -----------------------------------------------------------------------------------

    def wait_fds(self, fds: dict[int, int], timeout_ms: float, for_events: bool = False) -> list[tuple[int, int]]:
        """Wait for file descriptors, a stop or a reset; see Interrupts.wait_fds."""
        return self.interrupts.wait_fds(fds, timeout_ms, for_events)

    def wake(self) -> None:
        """Let a wait of the board look again: something changed from outside."""
        self.interrupts.wake()

    @property
    def is_ending(self) -> bool:
        """Will the interpreter end as soon as its present call is answered (a reset or a power cut)?"""
        return self.next_life is not None or self._child is None

    def is_script_running(self) -> bool:
        """Does a script or a line of the REPL run right now?"""
        return self.state in ("script", "exec")

    def exitpoint(self) -> int:
        """os.exitpoint(): the flag; a pending stop is raised by Interrupts.after_each."""
        return self.interrupts.exit_flag

    @property
    def child_pid(self) -> int | None:
        """The process that runs the interpreter."""
        child = self._child
        return None if child is None else child.pid

    def stop(self, reason: str = "ctrl-c") -> None:
        """Stop the running script as Ctrl-C ("ctrl-c", KeyboardInterrupt) or the IDE ("ide", IDE interrupt) does."""
        if not self.is_script_running():
            return
        if self.interrupts.pending is not None:  # a burst of Ctrl-C is one stop, and must not put off its end
            self.wake()
            return
        self.was_interrupted = reason == "ctrl-c"
        stop = HalError("KeyboardInterrupt") if reason == "ctrl-c" else HalError("Exception", "IDE interrupt")
        self.interrupts.pending = stop
        self.wake()
        self._force_later(stop, _FORCE_AFTER_S)

    def _force_later(self, stop: HalError, after_s: float) -> None:
        timer = threading.Timer(after_s, self._force_stop, [stop, self.interrupts.n_chances, self._child])
        timer.daemon = True
        timer.start()

    def _force_stop(self, stop: HalError, n_chances: int, child: Any) -> None:
        """End a script that computes or prints without hardware calls: its process goes, the REPL comes back."""
        if self.interrupts.pending is not stop or self._child is not child or self.interrupts.n_chances != n_chances:
            return
        if self.hal.is_busy:  # perhaps in the middle of a card write, or printing to a host that reads slowly
            self._force_later(stop, _FORCE_AGAIN_S)
        elif self.interrupts.may_be_forced():
            logger.info("the script makes no hardware call: ending its process")
            self.say(f"\n{stop.name}: {', '.join(map(str, stop.error_args))}\n")
            self._restart(raw=False, run_scripts=False)

    # -- the IDE ------------------------------------------------------------------------------------------------

    @property
    def arch_text(self) -> str:
        """Board type and DRAM, as the IDE shows them."""
        return arch_text(self.board_id, self.memory.dram)

    @property
    def version_text(self) -> str:
        """The firmware's version, as the IDE shows it."""
        return f"K230-{FIRMWARE[self.profile].version}"

    def touch_status(self) -> tuple[int, int, int, int, int]:
        """Virtual touch: supported, open, width, height, events that wait."""
        width, height = self.screen().size if self.touches.is_open else (0, 0)
        return 1, int(self.touches.is_open), width, height, len(self.touches)

    def ide_interrupt(self) -> None:
        """The IDE has come: stop the script; at the prompt of older firmware, leave the REPL."""
        if self.is_script_running():
            self.stop("ide")
        elif not self.ide.has_version_2:
            self.say("\nMPY: soft reboot\n")
            self._restart(raw=False, run_scripts=False)

    def run_for_ide(self) -> None:
        """Let the script that the IDE brought run in a fresh interpreter."""
        if self.ide.has_version_2:
            self._restart(raw=False, run_scripts=False)
        else:
            self.wake()

    # -- console ------------------------------------------------------------------------------------------------

    def _console_write(self, blob: memoryview) -> None:
        data = bytes(blob)
        self._console.append(data.decode("utf-8", "replace"))
        self._to_host(re.sub(rb"(?<!\r)\n", b"\r\n", data))

    def _console_write_bytes(self, blob: memoryview) -> None:
        self._console.append(bytes(blob).decode("utf-8", "replace").replace("\r\n", "\n"))
        self._to_host(bytes(blob))

    def _to_host(self, data: bytes) -> None:
        if self.ide.attached:
            self.ide.capture(data)
        else:
            # An IDE that comes in the middle must find nothing but its own answers from then on.
            self.usb.write(data, is_wanted=lambda: not self.ide.attached)

    def say(self, text: str) -> None:
        """Print on the board's console, as the firmware itself does."""
        self._console_write(memoryview(text.encode()))

    @property
    def log(self) -> str:
        """What the console showed since the board was made (the last few MiB)."""
        return self._console.since(0)

    def console_from(self, position: int) -> tuple[int, str]:
        """The next position, and the console text from `position` on."""
        return self._console.follow(position)

    def wait_for(self, text: str, timeout: float = 60, start: int = 0) -> str:
        """Wait until the console has shown `text` (from log position `start` on); returns the log.

        Raises:
            TimeoutError: it did not; the message ends with the last lines of the console.
        """
        if not self._console.wait_for(text, timeout, start):
            raise TimeoutError(f"the board did not print {text!r} within {timeout} s; it printed:\n{self.log[-2000:]}")
        return self.log

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self, run_scripts: bool = True) -> VirtualK230:
        """Switch on: run boot.py and main.py (unless run_scripts is False), then the REPL."""
        if self._child is not None:
            return self
        self._spawn_first(f"import _boot\n_boot.run(False, {run_scripts})")
        return self

    def __enter__(self) -> VirtualK230:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _spawn_first(self, code: str) -> None:
        """The first life after power on; a child whose power went a moment ago gets the time to end."""
        self._interpreter = self._interpreter or find_interpreter()
        serving = self._serving
        if serving is not None and serving is not threading.current_thread():
            serving.join()
        self._spawn(code)

    def _spawn(self, code: str) -> None:
        assert self._interpreter is not None
        self.next_life = None
        self.interrupts.forget()
        self.was_interrupted = False
        self.state = "boot"
        self.started_at = time.monotonic()
        cards = {name: str(part.root) for name, part in self.card.partitions.items()}
        heap_bytes = int(self.heap_mib * (1 << 20))
        temporary = [holder.name for holder in self._temporary] + [self.usb.folder]
        self._child = Child(self._interpreter, heap_bytes, cards, temporary, code)
        self._serving = self._child.serve(self.hal, self._child_ended)

    def _child_ended(self, child: Child) -> None:
        self.card.forget_open_files()
        for function in self._on_reset:
            function()
        with self.lock:
            follow = self.next_life
            if self._child is child and child.has_failed:
                self.exception = "the interpreter failed; what it said is on standard error"
                logger.error("the interpreter failed")
                follow = None
            if self._child is not child or follow is None:
                self._child = None
                self.state = "off"
                self._console.notice()
                return
            raw, run_scripts = follow
            self.resets += 1
            self._spawn(f"import _boot\n_boot.run({raw}, {run_scripts})")

    def _restart(self, raw: bool, run_scripts: bool) -> None:
        with self.lock:
            child = self._child
            if child is None:
                return
            self.next_life = (raw, run_scripts)
            child.kill()  # before the wait ends: the script must not see its answer any more
            self.wake()

    def restart_at_prompt(self) -> None:
        """Switch on or start afresh, and go to the REPL without boot.py and main.py; its `state` is "repl" then."""
        if self._child is None:
            self.start(run_scripts=False)
            return
        self.say("\nMPY: soft reboot\n")
        self._restart(raw=False, run_scripts=False)

    def reset(self, hard: bool = True) -> None:
        """Reset the board; a hard reset re-enumerates USB. boot.py and main.py run again."""
        if self._child is None:
            self.start()
            return
        if hard:
            self.usb.re_enumerate()
        else:
            self.say("MPY: soft reboot\n")
        self._restart(raw=False, run_scripts=True)

    def power_cut(self) -> None:
        """Take the power away at once; start() switches on again."""
        with self.lock:
            child, self._child = self._child, None
            self.state = "off"
            if child is not None:
                child.kill()
                self.wake()

    def close(self) -> None:
        """Switch off and clean up."""
        atexit.unregister(self.close)
        self.power_cut()
        serving = self._serving
        if serving is not None and serving is not threading.current_thread():
            serving.join(timeout=15)
        self.usb.close()
        for name in ("kpu", "camera"):
            part: Any = getattr(self, name, None)
            if hasattr(part, "close"):
                part.close()
        for holder in self._temporary:
            holder.cleanup()
        self._temporary.clear()
        self.interrupts.close()

    @property
    def is_on(self) -> bool:
        """Does the board have power (a child that runs)?"""
        return self._child is not None

    def child_cpu_s(self) -> float:
        """CPU seconds that the interpreter's process has used; 0 while the board is off."""
        child = self._child
        return 0.0 if child is None else child.cpu_s()

    @property
    def main_running(self) -> bool:
        """Does boot.py or main.py run?"""
        return self.state == "script"

    def run_code(self, code: str, timeout: float = 60) -> str:
        """Run MicroPython source in a fresh child to its end, without boot.py and REPL; returns what it printed.

        Raises:
            TimeoutError: it did not end in time (its process is ended).
        """
        position = self._console.end
        self.start_source(code)
        assert self._serving is not None
        self._serving.join(timeout)
        if self._serving.is_alive():
            self.power_cut()
            raise TimeoutError(f"the script did not end within {timeout} s; it printed:\n{self.log[-2000:]}")
        return self.console_from(position)[1]

    def start_source(self, code: str | bytes) -> None:
        """Switch on and run MicroPython source instead of the card's scripts; the board is off when it has ended.

        Args:
            code: bytes are taken as a file's: a comment need not be UTF-8.

        Raises:
            RuntimeError: the board is on already.
        """
        if self._child is not None:
            raise RuntimeError("the board is on already: run source on a board that is off, or use its REPL")
        self._spawn_first(f"import _boot\n_boot.run_source({code!r})")

    # -- what a person sees and does ----------------------------------------------------------------------------

    @property
    def pty(self) -> str:
        """Path of the board's serial port (a link that stays the same when the board re-enumerates)."""
        return self.usb.path

    @property
    def frames(self) -> int:
        """Frames that the camera has delivered."""
        return int(self.camera.frame)

    @property
    def kpu_runs(self) -> int:
        """How often the KPU has run a model."""
        return int(self.kpu.runs)  # type: ignore[attr-defined]  # set by kpu.register()

    @property
    def kpu_engine(self) -> str:
        """What runs models: "simulator" or "onnx"."""
        return str(self.kpu.engine)  # type: ignore[attr-defined]  # set by kpu.register()

    def point_camera_at(self, source: Any) -> None:
        """Let the camera look at something else from the next frame on: a Camera, or a source as in the constructor.

        Raises:
            ValueError: there is nothing to look at; names the mend.
        """
        camera = self._open_camera(source, self.camera.fps)
        camera.frame, camera.fps = self.camera.frame, self.camera.fps
        camera.version = self.camera.version + 1  # what channels have kept of the other source is out of date
        self.camera = camera

    def touch_events(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Queue finger events ("down" | "move" | "up", x, y) in panel pixels; each TOUCH.read() takes one."""
        for event, x, y in events:
            self.touches.put(event, x, y)

    def touch(self, x: int, y: int) -> None:
        """Tap."""
        self.touch_events([("down", x, y), ("up", x, y)])

    def drag(self, points: list[tuple[int, int]]) -> None:
        """Put the finger down at the first point, move through the others and lift it at the last."""
        middle = [("move", x, y) for x, y in points[1:]]
        self.touch_events([("down", *points[0]), *middle, ("up", *points[-1])])

    def screen(self) -> Any:
        """The LCD as a PIL image of panel size."""
        return self.display.screen()  # type: ignore[attr-defined]  # set by display.register()

    def layer(self, name: str = "OSD1") -> Any:
        """A layer as an RGBA array."""
        return self.display.layer(name)  # type: ignore[attr-defined]  # set by display.register()

    def drawn(self, name: str = "OSD1") -> list[Any]:
        """The draw calls that are on a layer now."""
        return list(self.display.drawn(name))  # type: ignore[attr-defined]  # set by display.register()

    def layer_history(self, name: str = "OSD1") -> list[tuple[float, int]]:
        """(monotonic seconds, camera frame) of the layer's last shows."""
        return list(self.display.history(name))  # type: ignore[attr-defined]  # set by display.register()
