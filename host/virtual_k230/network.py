"""Wi-Fi and sockets of the virtual board: WLAN state here, real TCP/UDP sockets of this PC behind handles.

The virtual network is the PC itself. Differences of the board's sockets that programs notice are kept: accept() gives
EAGAIN after 100 ms, recv(n) gathers n bytes until the timeout, only numeric addresses are connected to.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import time
from typing import Any

from .hal import Hal, HalError, Reply

logger = logging.getLogger(__name__)

ACCEPT_MS = 100
MAX_SOCKETS = 16  # reference §8.2


class Link:
    """One socket and its timeout in seconds (None: block)."""

    def __init__(self, handle: socket.socket) -> None:
        self.sock = handle
        self.timeout_s: float | None = None
        handle.setblocking(False)


class NetworkOps:
    """Operations of the modules network and socket."""

    def __init__(self, board: Any, wifi: str | None = None) -> None:
        self._board = board
        self._links: dict[int, Link] = {}
        self._expected = tuple(wifi.split(":", 1)) if wifi else None
        self.up = True
        """Is the access point on? Switched by tests and POST /wifi."""
        self.ssid: str | None = None
        self.bytes_per_s: float = 0
        """Throttle of sends and receives together; 0: none."""

    # -- WLAN ---------------------------------------------------------------------------------------------------

    def connect(self, ssid: str, key: str | None) -> bool:
        """Join; True when the access point is on and name and key are right."""
        right = self._expected is None or (ssid, key or "") == (self._expected[0], (*self._expected, "")[1])
        self.ssid = ssid if self.up and right else None
        return self.ssid is not None

    def isconnected(self) -> bool:
        """Has it joined, and is the access point still on?"""
        return self.up and self.ssid is not None

    def disconnect(self) -> None:
        """Leave."""
        self.ssid = None

    def set_up(self, up: bool) -> None:
        """Switch the access point; off also breaks open connections."""
        self.up = up
        if not up:
            self.ssid = None
            for link in self._links.values():
                try:
                    link.sock.shutdown(socket.SHUT_RDWR)
                except OSError:  # it was not connected
                    continue

    def ifconfig(self) -> list[str]:
        """Address, mask, gateway and DNS; zeros while not connected."""
        if not self.isconnected():
            return ["0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0"]
        return ["127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1"]

    def scan(self) -> list[list[Any]]:
        """[ssid, bssid hex, channel, rssi, security, band, hidden] of each access point."""
        if not self.up:
            return []
        name = self._expected[0] if self._expected else "virtual-k230"
        return [[name, "02004c4f4f50", 6, -42, "SECURITY_WPA2_AES_PSK", "2.4G", 0]]

    # -- sockets ------------------------------------------------------------------------------------------------

    def fileno(self, number: int) -> int:
        """The real file descriptor of a socket, for waiting."""
        return self._get(number).sock.fileno()

    def _get(self, number: int) -> Link:
        link = self._links.get(number)
        if link is None:
            raise HalError("OSError", errno.EBADF)
        return link

    def _need_network(self) -> None:
        if not self.isconnected():
            raise HalError("OSError", errno.ENETUNREACH)

    def new(self, family: int, kind: int) -> int:
        """A new socket; ENOMEM beyond the board's 16."""
        if len(self._links) >= MAX_SOCKETS:
            raise HalError("OSError", errno.ENOMEM)
        return self._add(socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == 2 else socket.SOCK_STREAM))

    def _add(self, handle: socket.socket) -> int:
        number: int = self._board.new_handle()
        self._links[number] = Link(handle)
        return number

    def close(self, number: int) -> bool:
        """Close; False when the number is not (or no longer) ours."""
        link = self._links.pop(number, None)
        if link is not None:
            link.sock.close()
        return link is not None

    def close_all(self) -> None:
        """Close every socket (reset)."""
        for number in list(self._links):
            self.close(number)

    def _wait(self, link: Link, mask: int, deadline: float | None) -> bool:
        left_ms = -1.0 if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
        return bool(self._board.wait_fds({link.sock.fileno(): mask}, left_ms))

    def _deadline(self, link: Link) -> float | None:
        return None if link.timeout_s is None else time.monotonic() + link.timeout_s

    def _throttle(self, n: int) -> None:
        if self.bytes_per_s > 0:
            self._board.wait_fds({}, 1000 * n / self.bytes_per_s)

    def dial(self, number: int, address: list[Any]) -> None:
        """Connect to a numeric IPv4 address, as socket.connect() does."""
        self._need_network()
        link = self._get(number)
        _numeric(address)
        code = link.sock.connect_ex((address[0], address[1]))
        if code == errno.EINPROGRESS:
            if link.timeout_s == 0:
                raise HalError("OSError", errno.EINPROGRESS)
            if not self._wait(link, select.POLLOUT, self._deadline(link)):
                raise HalError("OSError", errno.ETIMEDOUT)
            code = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise HalError("OSError", code)

    def bind(self, number: int, address: list[Any]) -> None:
        """Bind to an address of this PC."""
        _call(lambda: self._get(number).sock.bind((address[0] or "0.0.0.0", address[1])))

    def listen(self, number: int, backlog: int) -> None:
        """Become a listening socket."""
        _call(lambda: self._get(number).sock.listen(backlog))

    def accept(self, number: int) -> list[Any]:
        """[number, address]; EAGAIN after 100 ms even when blocking, as on the board."""
        link = self._get(number)
        wait_s = ACCEPT_MS / 1000 if link.timeout_s is None else max(link.timeout_s, ACCEPT_MS / 1000)
        if not self._wait(link, select.POLLIN, time.monotonic() + wait_s):
            raise HalError("OSError", errno.EAGAIN)
        handle, address = _call(link.sock.accept)
        return [self._add(handle), list(address)]

    def send(self, number: int, everything: bool, blob: memoryview) -> int:
        """Send once, or everything; returns the bytes sent."""
        self._need_network()
        link = self._get(number)
        deadline = self._deadline(link)
        sent = 0
        while sent < len(blob):
            try:
                n = link.sock.send(blob[sent : sent + 65536])
                sent += n
                self._throttle(n)
            except BlockingIOError:
                if link.timeout_s == 0:
                    break
                if not self._wait(link, select.POLLOUT, deadline):
                    if sent:
                        break
                    raise HalError("OSError", errno.ETIMEDOUT) from None
                continue
            except OSError as error:
                raise HalError("OSError", error.errno or errno.EIO) from None
            if not everything:
                break
        if sent == 0 and len(blob):
            raise HalError("OSError", errno.EAGAIN)
        return sent

    def sendto(self, number: int, address: list[Any], blob: memoryview) -> int:
        """Send one datagram."""
        self._need_network()
        return int(_call(lambda: self._get(number).sock.sendto(blob, (address[0], address[1]))))

    def recv(self, number: int, n: int, gather: bool) -> Reply:
        """Receive bytes: n of them, or fewer at the timeout or the peer's end, as the board does (gather=False: what is there)."""
        self._need_network()
        link = self._get(number)
        deadline = self._deadline(link)
        data = bytearray()
        while len(data) < n:
            try:
                part = link.sock.recv(min(n - len(data), 1 << 16))
            except BlockingIOError:
                if link.timeout_s == 0 or not self._wait(link, select.POLLIN, deadline):
                    if link.timeout_s == 0 and not data:
                        raise HalError("OSError", errno.EAGAIN) from None
                    break
                continue
            except OSError as error:
                raise HalError("OSError", error.errno or errno.EIO) from None
            if not part:
                break
            data += part
            self._throttle(len(part))
            if not gather:
                break
        return Reply(None, data)

    def recvfrom(self, number: int, n: int) -> Reply:
        """One datagram and where it came from."""
        link = self._get(number)
        if not self._wait(link, select.POLLIN, self._deadline(link)):
            raise HalError("OSError", errno.EAGAIN if link.timeout_s == 0 else errno.ETIMEDOUT)
        data, address = _call(lambda: link.sock.recvfrom(n))
        return Reply(list(address), data)

    def settimeout(self, number: int, seconds: float | None) -> None:
        """None or negative: block; 0: do not wait."""
        self._get(number).timeout_s = None if seconds is None or seconds < 0 else seconds

    def setsockopt(self, number: int, level: int, name: int, value: int) -> None:
        """Set SO_REUSEADDR; other options are accepted and change nothing."""
        if (level, name) == (1, 2):  # SOL_SOCKET, SO_REUSEADDR: the two that MicroPython programs set
            self._get(number).sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, value)

    def getaddrinfo(self, host: str, port: int) -> list[Any]:
        """[[family, type, proto, name, [ip, port]]] for IPv4."""
        try:
            found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            raise HalError("OSError", errno.ENOENT) from None
        return [[2, 1, 0, "", list(item[4])] for item in found]

    def register(self, hal: Hal) -> None:
        """Answer the operations of canmv/network.py and canmv/socket.py."""
        for name in ("connect", "isconnected", "disconnect", "ifconfig", "scan"):
            hal.op(f"wlan.{name}", getattr(self, name))
        for name in (
            "new", "close", "dial", "bind", "listen", "accept", "send", "sendto", "recv", "recvfrom", "settimeout",
            "setsockopt", "getaddrinfo",
        ):  # fmt: skip
            hal.op(f"socket.{name}", getattr(self, name))


def _numeric(address: list[Any]) -> None:
    try:
        socket.inet_aton(address[0])
    except OSError:
        raise HalError("OSError", errno.EINVAL) from None


def _call(action: Any) -> Any:
    try:
        return action()
    except OSError as error:
        raise HalError("OSError", error.errno or errno.EIO) from None
