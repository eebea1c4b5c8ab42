"""Streams of asyncio over the board's sockets."""

import socket as _socket

from . import core

_WOULD_WAIT = (11, 115)  # EAGAIN, EINPROGRESS


class Stream:
    """Reads and writes that wait without holding other tasks up."""

    def __init__(self, sock, extra=None):
        self.s = sock
        self.e = extra or {}
        self.out_buf = b""

    def get_extra_info(self, name):
        return self.e[name]

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        await self.wait_closed()

    def close(self):
        """Nothing yet, as on the board: wait_closed() closes."""

    async def wait_closed(self):
        self.s.close()

    async def read(self, n=-1):
        """At most n bytes; all until the end for n < 0. b"" at the end."""
        parts = []
        while True:
            await core._io_queue.queue_read(self.s)
            part = self.s.recv(n if n >= 0 else 4096)
            if n >= 0 or not part:
                parts.append(part)
                return b"".join(parts)
            parts.append(part)

    async def readinto(self, target):
        await core._io_queue.queue_read(self.s)
        return self.s.readinto(target)

    async def readexactly(self, n):
        parts = []
        while n:
            await core._io_queue.queue_read(self.s)
            part = self.s.recv(n)
            if not part:
                raise EOFError
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    async def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            await core._io_queue.queue_read(self.s)
            part = self.s.readline()
            if not part:
                break
            line += part
        return line

    def write(self, data):
        """Kept until drain(), except what goes out at once."""
        if not self.out_buf:
            sent = self.s.write(data)
            if sent == len(data):
                return
            data = data[sent or 0 :]
        self.out_buf += data

    async def drain(self):
        if not self.out_buf:
            await core.sleep_ms(0)
            return
        view = memoryview(self.out_buf)
        while view:
            await core._io_queue.queue_write(self.s)
            view = view[self.s.write(view) or 0 :]
        self.out_buf = b""


StreamReader = Stream
StreamWriter = Stream


async def open_connection(host, port, ssl=None, server_hostname=None):
    """(reader, writer) of a connection; ssl: True or an SSLContext."""
    sock = _socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(_socket.getaddrinfo(host, port)[0][-1])
    except OSError as error:
        if error.errno not in _WOULD_WAIT:
            raise
    await core._io_queue.queue_write(sock)
    if ssl:
        import ssl as tls

        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT) if ssl is True else ssl
        sock = context.wrap_socket(sock, server_hostname=server_hostname or host)
    stream = Stream(sock)
    return stream, stream


class Server:
    """A listening socket whose connections become tasks."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        self.close()
        await self.wait_closed()

    def close(self):
        self.task.cancel()

    async def wait_closed(self):
        await self.task

    async def _serve(self, sock, serve_one):
        try:
            while True:
                await core._io_queue.queue_read(sock)
                try:
                    accepted, address = sock.accept()
                except OSError:
                    continue  # the peer has gone again
                accepted.setblocking(False)
                stream = Stream(accepted, {"peername": address})
                core.create_task(serve_one(stream, stream))
        except core.CancelledError:
            return
        finally:
            sock.close()


async def start_server(serve_one, host, port, backlog=5):
    """Listen; serve_one(reader, writer) runs for each connection."""
    sock = _socket.socket()
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    sock.bind(_socket.getaddrinfo(host, port)[0][-1])
    sock.listen(backlog)
    sock.setblocking(False)
    server = Server()
    server.task = core.create_task(server._serve(sock, serve_one))
    await core.sleep_ms(0)
    return server
