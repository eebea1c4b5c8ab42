"""The IDE's side of the board's USB protocol, written from the protocol notes alone (K230 platform notes §9.4 to §9.6)."""

from __future__ import annotations

import hashlib
import struct
import time

import serial

ATTACH = (b"\x30\x8d\x04\x00\x00\x00", b"\x30\x80\x0c\x00\x00\x00", b"\x30\x87\x04\x00\x00\x00")
NONE, VERIFY_OK = 1024, 1031


class IdeClient:
    """Talks over one serial port; every wait ends after `timeout_s` with a TimeoutError."""

    def __init__(self, port: str, timeout_s: float = 180) -> None:
        self._port = serial.Serial(port, 115200, timeout=timeout_s, write_timeout=timeout_s)
        self._timeout_s = timeout_s

    def close(self) -> None:
        self._port.close()

    def send(self, command: int, length: int = 0, payload: bytes = b"") -> None:
        self._port.write(struct.pack("<BBI", 0x30, command, length) + payload)

    def receive(self, n_bytes: int) -> bytes:
        data = self._port.read(n_bytes)
        if len(data) < n_bytes:
            raise TimeoutError(f"{len(data)} of {n_bytes} bytes came: {data!r}")
        return data

    def ask(self, command: int, n_bytes: int, payload: bytes = b"") -> bytes:
        self.send(command, n_bytes if not payload else len(payload), payload)
        return self.receive(n_bytes)

    def numbers(self, command: int, count: int = 1, payload: bytes = b"") -> tuple[int, ...]:
        self.send(command, len(payload) or 4 * count, payload)
        return self.numbers_now(count)

    def numbers_now(self, count: int) -> tuple[int, ...]:
        """Numbers that answer what was sent before."""
        return struct.unpack(f"<{count}I", self.receive(4 * count))

    def silent(self, seconds: float = 0.2) -> bool:
        """Does nothing arrive for so long?"""
        self._port.timeout = seconds
        data = self._port.read(1)
        self._port.timeout = self._timeout_s
        return not data

    # -- session ----------------------------------------------------------------------------------------------------

    def attach(self) -> None:
        """Send status queries until the magic number comes; console text that was on its way is skipped."""
        self._port.write(ATTACH[0])
        seen = b""
        while not seen.endswith(b"\xaa\xbb\xee\xff"):
            seen += self.receive(1)

    def handshake(self) -> tuple[int, ...]:
        """All three packets of the older IDE; returns the firmware's version."""
        self.attach()
        self._port.write(ATTACH[1])
        version = struct.unpack("<3I", self.receive(12))
        self._port.write(ATTACH[2])
        self.receive(4)
        return version

    def is_running(self) -> bool:
        return bool(self.numbers(0x87)[0])

    def run(self, source: str) -> None:
        self.send(0x05, len(source) + 1, source.encode() + b"\n")

    def stop(self) -> None:
        self.send(0x06)

    def leave(self) -> None:
        self.send(0x0C)

    def console(self) -> str:
        (length,) = self.numbers(0x8E)
        return self.ask(0x8F, length).decode() if length else ""

    def console_until(self, text: str) -> str:
        seen = ""
        deadline = time.monotonic() + self._timeout_s
        while text not in seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} did not come; the console showed {seen!r}")
            seen += self.console()
            time.sleep(0.02)
        return seen

    def wait_until_running(self, wanted: bool) -> None:
        deadline = time.monotonic() + self._timeout_s
        while self.is_running() != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the script {'does not start' if wanted else 'does not stop'}")
            time.sleep(0.02)

    # -- files ------------------------------------------------------------------------------------------------------

    def info(self, name: str, data: bytes, chunk_bytes: int = 4096) -> bytes:
        return struct.pack("<i68s32s", chunk_bytes, name.encode(), hashlib.sha256(data).digest())

    def create(self, name: str, data: bytes, chunk_bytes: int = 4096) -> int:
        self.send(0x20, 104, self.info(name, data, chunk_bytes))
        return self.numbers(0xA0)[0]

    def write(self, chunk: bytes) -> int:
        self.send(0x21, len(chunk), chunk)
        return self.numbers(0xA0)[0]

    def upload(self, name: str, data: bytes) -> int:
        """The status that ends it."""
        status = self.create(name, data)
        for start in range(0, len(data), 4096):
            if status != NONE:
                return status
            status = self.write(data[start : start + 4096])
        return self.numbers(0xA1)[0] if status == NONE else status

    def frame(self) -> tuple[int, int, bytes]:
        """Width, height and JPEG; zeros when there is none."""
        width, height, n_bytes = self.numbers(0x81, 3)
        return width, height, self.ask(0x82, n_bytes) if n_bytes else b""

    # -- version 2 --------------------------------------------------------------------------------------------------

    def capabilities(self) -> tuple[int, ...]:
        self.send(0xA2, 8, b"\0")
        return struct.unpack("<2I", self.receive(8))

    def path_command(self, command: int, *paths: str) -> int:
        body = b"".join(path.encode() + b"\0" for path in paths)
        return self.numbers(command, 1, body)[0]

    def list(self, path: str) -> tuple[int, list[tuple[str, int, int]]]:
        """Status, and (name, kind, size) of each entry."""
        body = path.encode() + b"\0"
        status, length, count = self.numbers(0xA6, 3, body)
        data, entries = self.receive(length), []
        while data:
            kind, n_name, size, _ = struct.unpack_from("<BBII", data)
            entries.append((data[10 : 10 + n_name].decode(), kind, size))
            data = data[10 + n_name :]
        assert len(entries) == count
        return status, entries

    def read(self, path: str, offset: int = 0, n_bytes: int = 131072) -> tuple[int, int, bytes]:
        """Status, size of the whole file, data."""
        body = struct.pack("<II", offset, n_bytes) + path.encode() + b"\0"
        status, length, size = self.numbers(0xA7, 3, body)
        return status, size, self.receive(length)

    def stat(self, path: str) -> tuple[int, ...]:
        return self.numbers(0xA5, 4, path.encode() + b"\0")
