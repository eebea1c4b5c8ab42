"""socket on the virtual board: real sockets of the PC behind numbers, with the board's manners (see network.py there)."""

import io as _io

import _hal
from _hal import call as _call
from _hal import call_blob as _call_blob
from _hal import token as _token

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IP_ADD_MEMBERSHIP = 3
SOL_SOCKET = 1
SO_REUSEADDR = 2
SO_BROADCAST = 6
SO_KEEPALIVE = 8

_EAGAIN = 11
_PART = 65536
_ACCEPT_MS = 100  # the least that accept() waits


def getaddrinfo(host, port, family=0, kind=0, proto=0, flags=0):
    return [(f, k, p, name, tuple(address)) for f, k, p, name, address in _call("socket.getaddrinfo", host, port)]


class socket(_io.IOBase):
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0, _handle=None):
        self._handle = _call("socket.new", family, kind) if _handle is None else _handle
        self._token = _token(self._handle)
        self._timeout_ms = -1

    def connect(self, address):
        _call("socket.dial", self._handle, address)

    def bind(self, address):
        _call("socket.bind", self._handle, address)

    def listen(self, backlog=2):
        _call("socket.listen", self._handle, backlog)

    def _let_others_run(self, most_ms):
        """With threads: wait for something to read without holding the others up. most_ms: -1 for ever."""
        if _hal.between is not None and most_ms:
            import select

            waiter = select.poll()
            waiter.register(self, select.POLLIN)
            waiter.poll(most_ms)

    def accept(self):
        self._let_others_run(max(_ACCEPT_MS, self._timeout_ms))
        handle, address = _call("socket.accept", self._handle)
        return socket(_handle=handle), tuple(address)

    def send(self, data):
        """Once: perhaps fewer bytes than given, EAGAIN when there is no room."""
        return _call_blob("socket.send", memoryview(data)[:_PART], self._handle)[0]

    def sendall(self, data):
        """Everything, when the socket may wait; once, when it does not block."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.send(view) :]
            except OSError as error:
                if error.errno != _EAGAIN or not _call("socket.wait_writable", self._handle):
                    raise

    def write(self, data):
        """Bytes written; None when there was no room at all."""
        view = memoryview(data)
        n = 0
        while n < len(view):
            try:
                n += self.send(view[n:])
            except OSError as error:
                if error.errno != _EAGAIN:
                    raise
                if _call("socket.wait_writable", self._handle):
                    continue
                return n or None
        return n

    def sendto(self, data, address):
        return _call_blob("socket.sendto", data, self._handle, address)[0]

    def recv(self, n):
        self._let_others_run(self._timeout_ms)
        return bytes(_call_blob("socket.recv", b"", self._handle, n)[1])

    def recvfrom(self, n):
        self._let_others_run(self._timeout_ms)
        address, data = _call_blob("socket.recvfrom", b"", self._handle, n)
        return bytes(data), tuple(address)

    def read(self, n=-1):
        if n >= 0:
            return self.recv(n)
        parts = []
        while True:
            part = self.recv(4096)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def readinto(self, target, n=-1):
        n = len(target) if n < 0 else min(n, len(target))
        data = _call_blob("socket.recv", b"", self._handle, n)[1]
        target[: len(data)] = data
        return len(data)

    def readline(self, limit=-1):
        line = b""
        while not line.endswith(b"\n") and len(line) != limit:
            byte = self.recv(1)
            if not byte:
                break
            line += byte
        return line

    def settimeout(self, seconds):
        _call("socket.settimeout", self._handle, seconds)
        self._timeout_ms = -1 if seconds is None or seconds < 0 else int(seconds * 1000)

    def setblocking(self, blocking):
        self.settimeout(None if blocking else 0)

    def setsockopt(self, level, name, value):
        _call("socket.setsockopt", self._handle, level, name, value if isinstance(value, int) else 0)

    def fileno(self):
        return self._handle

    def makefile(self, mode="rb", buffering=0):
        return self

    def close(self):
        if self._token is not None:
            _call("socket.close", self._handle)
            self._token.close()
            self._token = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()
