"""Wi-Fi: joins without holding the screen up, and connections that never block (k230-platform §8)."""

import select
import socket

from . import ports

BROADCAST = "255.255.255.255"
CONNECT_S = 2  # on a local network the answer comes in milliseconds
_AGAIN = (11, 115, 116)  # EAGAIN, EINPROGRESS, ETIMEDOUT as the firmware has them


class K230Connection(ports.Connection):
    """A connected socket, polled."""

    def __init__(self, sock) -> None:
        """Take the socket over."""
        self._socket = sock
        sock.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def send(self, data) -> int:
        """Send what fits now."""
        try:
            return self._socket.send(data) or 0
        except OSError as error:
            if error.args[0] in _AGAIN:
                return 0
            raise

    def receive(self, limit: int) -> "bytes | None":
        """What arrived. recv(n) waits for n bytes on this firmware unless the socket does not block."""
        if not self._poll.poll(0):
            return None
        try:
            return self._socket.recv(limit)
        except OSError as error:
            if error.args[0] in _AGAIN:
                return None
            raise

    def close(self) -> None:
        """Close it."""
        self._poll.unregister(self._socket)
        self._socket.close()


class K230Datagrams(ports.Datagrams):
    """A UDP socket, polled."""

    def __init__(self) -> None:
        """Open it."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if hasattr(socket, "SO_BROADCAST"):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def broadcast(self, data, port) -> None:
        """Send to the network's broadcast address."""
        self._socket.sendto(data, (BROADCAST, port))

    def receive(self, limit: int) -> bytes:
        """What arrived."""
        if not self._poll.poll(0):
            return b""
        try:
            return self._socket.recvfrom(limit)[0]
        except OSError as error:
            if error.args[0] in _AGAIN:
                return b""
            raise

    def close(self) -> None:
        """Close it."""
        self._poll.unregister(self._socket)
        self._socket.close()


class K230Wifi(ports.Wifi):
    """network.WLAN in station mode."""

    def __init__(self) -> None:
        """The radio is first touched by `join` or `address`."""
        self._wlan = None
        self._is_joining = False
        self._is_missing = False

    def join(self, ssid: str, key: str) -> None:
        """Begin to join; in a thread where the firmware has them, since connect() blocks for seconds."""
        if self._is_joining or self._radio() is None:
            return
        self._is_joining = True
        try:
            import _thread
        except ImportError:
            self._connect(ssid, key)
            return
        _thread.start_new_thread(self._connect, (ssid, key))

    def address(self) -> str:
        """Our address. isconnected() and ifconfig() are the only trustworthy answers (§8.1)."""
        wlan = self._radio()
        if wlan is None or self._is_joining or not wlan.isconnected():
            return ""
        address = wlan.ifconfig()[0]
        return "" if address == "0.0.0.0" else address

    def connect(self, address: str, port: int) -> K230Connection:
        """Open a connection."""
        sock = socket.socket()
        try:
            sock.settimeout(CONNECT_S)
            sock.connect(socket.getaddrinfo(address, port)[0][-1])
        except OSError:
            sock.close()
            raise
        return K230Connection(sock)

    def datagrams(self) -> K230Datagrams:
        """A new UDP socket."""
        return K230Datagrams()

    def close(self) -> None:
        """The connections belong to their users; the radio stays on, as the firmware wants."""
        self._wlan = None

    def _radio(self):
        if self._wlan is None and not self._is_missing:
            try:
                import network

                self._wlan = network.WLAN(network.STA_IF)
            except (ImportError, OSError, RuntimeError) as error:
                self._is_missing = True
                print("no Wi-Fi:", error)
        return self._wlan

    def _connect(self, ssid, key):
        try:
            self._wlan.connect(ssid, key)
        except (OSError, RuntimeError) as error:
            print("Wi-Fi:", ssid, error)
        finally:
            self._is_joining = False
