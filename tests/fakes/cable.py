"""A USB cable for tests: a pseudo-terminal whose far end is a board that speaks the link."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from pathlib import Path

from snaploop_shared.errors import LinkLostError
from snaploop_shared.link import CLOSED, OPEN, TO_HOST_WINDOW_FRAMES, Link
from snaploop_shared.portable import ticks_ms


class Cable:
    """The board's end; `port` is what the host opens. `plug` links the port to a fixed path, as udev does; `unplug` takes it away."""

    def __init__(self, port: Path) -> None:
        self.port = port
        self.link = Link(True, TO_HOST_WINDOW_FRAMES)
        self.session = 0
        self.plug()

    def plug(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave, termios.TCSANOW)
        self.port.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        self.port.unlink()
        os.close(self._master)

    def write(self, data: bytes) -> None:
        while data:
            _, ready, _ = select.select([], [self._master], [], 5)
            assert ready, "the host does not read"
            data = data[os.write(self._master, data[:2048]) :]

    def ask(self, message: bytes, timeout_s: float = 180) -> bytes | None:
        """The host's answer to a message, None when it keeps silent for `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        is_sent = False
        while time.monotonic() < deadline:
            if self.link.state == CLOSED:
                self.session += 1
                self.link.open(self.session, ticks_ms())
                is_sent = False
            if self.link.state == OPEN and not is_sent:
                self.link.send(message)
                is_sent = True
            answers: list[bytes] = []
            ready, _, _ = select.select([self._master], [], [], 0.01)
            if ready:
                try:
                    answers = self.link.receive(os.read(self._master, 4096), ticks_ms())
                except OSError:  # nobody has the other end open at this moment
                    time.sleep(0.01)
            try:
                self.write(self.link.output(ticks_ms()))
            except LinkLostError:
                continue
            if answers:
                return answers[0]
        return None
