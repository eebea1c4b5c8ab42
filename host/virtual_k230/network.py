"""Sockets of the virtual board: real TCP, UDP and TLS sockets of this PC behind handles (Wi-Fi: wlan.py).

The virtual network is the PC itself. What programs notice of the board's sockets is kept (K230 platform notes §8.2 and
the vendor's port): accept() gives EAGAIN after 100 ms, recv(n) gathers n bytes until the timeout and then says so on the
console, connect() tells how it went, only numeric addresses are connected to, buffers hold 64 240 bytes.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from typing import Any

from .hal import Hal, HalError, Reply
from .wlan import WlanOps

logger = logging.getLogger(__name__)

ACCEPT_MS = 100
MAX_SOCKETS = 16  # reference §8.2
BUFFER_BYTES = 64_240
_AF_INET = 2
_KINDS = {1: socket.SOCK_STREAM, 2: socket.SOCK_DGRAM}
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Link:
    """One socket and its timeout in seconds (None: block)."""

    def __init__(self, handle: socket.socket) -> None:
        self.sock = handle
        self.timeout_s: float | None = None
        handle.setblocking(False)


class NetworkOps(WlanOps):
    """Operations of the modules network and socket."""

    def __init__(self, board: Any, wifi: str | None = None) -> None:
        super().__init__(board, wifi)
        self._links: dict[int, Link] = {}
        self.bytes_per_s: float = 0
        """Throttle of sends and receives together; 0: none."""

    def set_up(self, up: bool) -> None:
        """Switch the access point; off also breaks open connections."""
        super().set_up(up)
        if not up:
            self.drop_links()

    def drop_links(self) -> None:
        """Break every open connection, as a deauthentication does."""
        for link in self._links.values():
            try:
                link.sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it was not connected
                continue

    # -- sockets ------------------------------------------------------------------------------------------------

    def fileno(self, number: int) -> int:
        """The real file descriptor of a socket, for waiting."""
        return self._get(number).sock.fileno()

    def _get(self, number: int) -> Link:
        link = self._links.get(number)
        if link is None:
            raise HalError("OSError", errno.EBADF)
        return link

    def has_pending(self, number: int) -> bool:
        """Has TLS decrypted bytes that select() cannot see?"""
        sock = self._get(number).sock
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    def _need_network(self) -> None:
        if not self.has_link():
            raise HalError("OSError", errno.ENETUNREACH)

    def new(self, family: int, kind: int) -> int:
        """A new socket; ENOMEM beyond the board's 16."""
        if kind not in _KINDS:
            raise HalError("OSError", errno.EINVAL)
        if family != _AF_INET:
            raise HalError("OSError", errno.EAFNOSUPPORT)
        if len(self._links) >= MAX_SOCKETS:
            self._board.say(f"socket_socket() -> errno {errno.ENOMEM}\n")
            raise HalError("OSError", errno.ENOMEM)
        sock = socket.socket(socket.AF_INET, _KINDS[kind])
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES // 2)  # Linux doubles it
        return self._add(sock)

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
        """Close every socket (reset); the radio stays joined, as on the board."""
        for number in list(self._links):
            self.close(number)

    def _wait(self, link: Link, mask: int, deadline: float | None) -> bool:
        left_ms = -1.0 if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)
        return bool(self._board.wait_fds({link.sock.fileno(): mask}, left_ms))

    def _deadline(self, link: Link) -> float | None:
        return None if link.timeout_s is None else time.monotonic() + link.timeout_s

    def _throttle(self, n: int) -> None:
        rate = min((rate for rate in (self.bytes_per_s, self.slow_bytes_per_s()) if rate > 0), default=0)
        if rate > 0:
            self._board.wait_fds({}, 1000 * n / rate)

    def dial(self, number: int, address: list[Any]) -> None:
        """Connect to a numeric IPv4 address, as socket.connect() does; the console hears how it went."""
        link = self._get(number)
        _numeric(address)
        if not self.has_link():
            self._board.say("connect to server faild!\n")
            raise HalError("OSError", errno.ENETUNREACH)
        code = link.sock.connect_ex((address[0], address[1]))
        if code == errno.EINPROGRESS:
            if link.timeout_s == 0:
                raise HalError("OSError", errno.EAGAIN)
            if not self._wait(link, select.POLLOUT, self._deadline(link)):
                self._board.say("connect timeout\n")
                raise HalError("OSError", errno.ETIMEDOUT)
            code = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._board.say("connect to server faild!\n")
            raise HalError("OSError", code)
        self._board.say("connect success\n")

    def bind(self, number: int, address: list[Any]) -> None:
        """Bind to an address of this PC."""
        link = self._get(number)
        host = address[0] or "0.0.0.0"
        _numeric([host])
        _call(lambda: link.sock.bind((host, address[1])))

    def listen(self, number: int, backlog: int) -> None:
        """Become a listening socket."""
        _call(lambda: self._get(number).sock.listen(backlog))

    def accept(self, number: int) -> list[Any]:
        """[number, address]; EAGAIN after 100 ms even when blocking, as on the board."""
        link = self._get(number)
        wait_s = max(link.timeout_s or 0, ACCEPT_MS / 1000)
        if not self._wait(link, select.POLLIN, time.monotonic() + wait_s):
            raise HalError("OSError", errno.EAGAIN)
        if len(self._links) >= MAX_SOCKETS:
            raise HalError("OSError", errno.ENOMEM)
        handle, address = _call(link.sock.accept)
        return [self._add(handle), list(address)]

    def send(self, number: int, blob: memoryview) -> int:
        """Send once; how many bytes fitted. EAGAIN when none did, whatever the timeout: scripts have to try again."""
        self._need_network()
        link = self._get(number)
        try:
            n = link.sock.send(blob) if len(blob) else 0
        except _WOULD_BLOCK:
            raise HalError("OSError", errno.EAGAIN) from None
        except OSError as error:
            raise HalError("OSError", error.errno or errno.EIO) from None
        self._throttle(n)
        return n

    def wait_writable(self, number: int) -> bool:
        """Wait for room to send, as long as the socket's timeout allows; False: none came."""
        link = self._get(number)
        return link.timeout_s != 0 and self._wait(link, select.POLLOUT, self._deadline(link))

    def sendto(self, number: int, address: list[Any], blob: memoryview) -> int:
        """Send one datagram; a broadcast reaches every listener on this PC."""
        self._need_network()
        link = self._get(number)
        _numeric(address)
        host = address[0]
        if host == "255.255.255.255":
            host = "127.255.255.255"
        if host.endswith(".255"):
            link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return int(_call(lambda: link.sock.sendto(blob, (host, address[1]))))

    def recv(self, number: int, n: int) -> Reply:
        """N bytes, or fewer at the timeout (which the console hears of) or the peer's end.

        A socket that does not block gives what is there, perhaps nothing: as on the board it raises no EAGAIN.
        """
        return self._gather(number, n, "recv timeout!\n", None)

    def recvfrom(self, number: int, n: int) -> Reply:
        """Datagrams until n bytes are there or the timeout is over, and where the last one came from.

        The board gathers here too: a script that wants single datagrams sets a timeout or does not block.
        """
        sender = ["0.0.0.0", 0]
        reply = self._gather(number, n, "recvfrom timeout!\n", sender)
        return Reply(sender, reply.blob)

    def _gather(self, number: int, n: int, complaint: str, sender: list[Any] | None) -> Reply:
        link = self._get(number)
        if link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise HalError("OSError", errno.ENOTCONN)
        deadline = self._deadline(link)
        data = bytearray()
        while len(data) < n:
            try:
                part, address = link.sock.recvfrom(n - len(data)) if sender is not None else (
                    link.sock.recv(min(n - len(data), 1 << 16)), None
                )  # fmt: skip
            except _WOULD_BLOCK as reason:
                if link.timeout_s == 0:
                    break
                mask = select.POLLOUT if isinstance(reason, ssl.SSLWantWriteError) else select.POLLIN
                if not self._wait(link, mask, deadline):
                    if deadline is not None and time.monotonic() >= deadline:
                        self._board.say(complaint)
                    break
                continue
            except OSError:  # the port ends its loop at any other error and gives what it has
                logger.debug("socket %d: receiving ended", number, exc_info=True)
                break
            if sender is not None and address is not None:
                sender[:] = address
            if not part and sender is None:
                break
            data += part
            self._throttle(len(part))
            if link.timeout_s == 0:
                break
        return Reply(None, data)

    def settimeout(self, number: int, seconds: float | None) -> None:
        """None or negative: block; 0: do not wait."""
        self._get(number).timeout_s = None if seconds is None or seconds < 0 else seconds

    def setsockopt(self, number: int, level: int, name: int, value: int) -> None:
        """Set SO_REUSEADDR, SO_KEEPALIVE or SO_BROADCAST; EINVAL for what the board's network stack does not know."""
        options = {2: socket.SO_REUSEADDR, 4: socket.SO_REUSEADDR, 6: socket.SO_BROADCAST, 8: socket.SO_KEEPALIVE,
                   32: socket.SO_BROADCAST}  # fmt: skip
        if level in (1, 0xFFF):
            if name not in options:
                raise HalError("OSError", errno.EINVAL)
            self._get(number).sock.setsockopt(socket.SOL_SOCKET, options[name], value)
        elif level not in (0, 6):  # IPPROTO_IP (multicast) and IPPROTO_TCP are accepted and change nothing
            raise HalError("OSError", errno.EINVAL)

    def tls(self, number: int, is_server: bool, hostname: str | None, key: str | None, certificate: str | None) -> None:
        """Speak TLS from here on. As on the board, nobody's certificate is verified.

        Args:
            number: a connected socket.
            is_server: the board is the server; it then needs key and certificate.
            hostname: for the server name indication.
            key: PEM text.
            certificate: PEM text.
        """
        link = self._get(number)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
        if not is_server:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if key and certificate:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
                pem.write(certificate + "\n" + key + "\n")
                pem.flush()
                _tls_call(lambda: context.load_cert_chain(pem.name))
        elif is_server:
            raise HalError("ValueError", "a TLS server needs key and cert")
        secured: ssl.SSLSocket = _call(
            lambda: context.wrap_socket(
                link.sock, server_side=is_server, server_hostname=hostname or None, do_handshake_on_connect=False
            )
        )
        link.sock = secured
        deadline = self._deadline(link) if link.timeout_s else None
        while True:
            try:
                _tls_call(secured.do_handshake)
                return
            except _WOULD_BLOCK as reason:
                mask = select.POLLOUT if isinstance(reason, ssl.SSLWantWriteError) else select.POLLIN
                if not self._wait(link, mask, deadline):
                    raise HalError("OSError", errno.ETIMEDOUT) from None

    def getaddrinfo(self, host: str, port: int) -> list[Any]:
        """[[family, type, proto, name, [ip, port]]] for IPv4; the console hears of names that do not resolve."""
        try:
            found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            self._board.say(f"Failed to resolve hostname: {host}\n")
            raise HalError("OSError", -1) from None
        return [[_AF_INET, 1, 0, "", list(item[4])] for item in found[:1]]

    def register(self, hal: Hal) -> None:
        """Answer the operations of canmv/network.py, canmv/socket.py and canmv/ssl.py."""
        for name in ("connect", "isconnected", "disconnect", "rssi", "ifconfig", "set_ifconfig", "scan", "joined", "mac",
                     "auto_reconnect", "start_ap", "stop_ap", "ap_info", "country", "default_device"):  # fmt: skip
            hal.op(f"wlan.{name}", getattr(self, name))
        for name in ("new", "close", "dial", "bind", "listen", "accept", "send", "wait_writable", "sendto", "recv", "recvfrom",
                     "settimeout", "setsockopt", "tls", "getaddrinfo"):  # fmt: skip
            hal.op(f"socket.{name}", getattr(self, name))


def _tls_call(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except _WOULD_BLOCK:
        raise
    except ssl.SSLError as error:
        raise HalError("OSError", f"(-1, '{error.reason or error}')") from None
    except OSError as error:
        raise HalError("OSError", error.errno or errno.EIO) from None


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
