"""Messages over Wi-Fi: each is the body of an HTTP POST to the daemon. One message at a time; the requester uses it."""

from snaploop_shared.messages import HTTP_PATH, MAX_BODY_BYTES, MAX_HEAD_BYTES
from snaploop_shared.portable import has_passed

NAME = "wifi"
JOIN_EVERY_MS = 20000  # association takes some 7 s (k230-platform §8.3)
LOOK_EVERY_MS = 1000
CONNECT_EVERY_MS = 5000  # a failed connect blocks for a second or two: not in every step
MAX_ANSWER_BYTES = MAX_BODY_BYTES + MAX_HEAD_BYTES + 4096
_RECEIVE_BYTES = 16 * 1024


class WifiRoad:
    """The road over Wi-Fi. It is up once the board has an address and the host did not just refuse a connection."""

    name = NAME

    def __init__(self, wifi, config, log) -> None:
        """`wifi` is the board's Wifi port."""
        self._wifi = wifi
        self._config = config
        self._log = log
        self._connection = None
        self._out = None  # memoryview of what is still to send
        self._parts = []  # what came of the answer
        self._answer = None
        self._joined_ms = None
        self._looked_ms = None
        self._refused_ms = None
        self._is_reused = False
        self._message = b""
        self.address = ""
        self.is_wanted = False
        self.failure = ""
        self.heard_ms = 0

    @property
    def is_configured(self) -> bool:
        """Whether the pairing told a host address (and a network, unless the board is on one already)."""
        return bool(self._config.host_address)

    @property
    def is_up(self) -> bool:
        """Whether sending makes sense."""
        return bool(self.address) and self._refused_ms is None

    @property
    def is_lost(self) -> bool:
        """Whether we are in a network and the host takes no connection."""
        return self.is_wanted and bool(self.address) and self._refused_ms is not None

    def look_again(self) -> None:
        """The host may take connections now."""
        self._close()
        self._refused_ms = None

    @property
    def status(self) -> str:
        """For the screen."""
        if not self.is_wanted or not self.is_configured or not (self.address or self._config.wifi_ssid):
            return "off"
        if self._refused_ms is not None:
            return "failed"
        return "connected" if self.address else "connecting"

    def send(self, message: bytes, now_ms: int) -> None:
        """Begin to send a message; failures show in `failure`."""
        self.failure = ""
        self._message = message
        self._answer = None
        self._parts = []
        self.heard_ms = now_ms
        self._is_reused = self._connection is not None
        if self._connection is None and not self._connect(now_ms):
            return
        self._begin()

    def take_answer(self) -> "bytes | None":
        """The answer, once."""
        answer, self._answer = self._answer, None
        return answer

    def cancel(self) -> None:
        """Forget the message on the way."""
        self._close()

    def step(self, now_ms: int) -> bool:
        """Look after the radio and move bytes; True when some moved."""
        if not self.is_wanted or not self.is_configured:
            self._close()
            return False
        self._look_after_radio(now_ms)
        if self._connection is None or self._message == b"":
            return False
        try:
            return self._move(now_ms)
        except OSError as error:
            self._lost("connection to the host broke: {}".format(error), now_ms)
            return False

    def _look_after_radio(self, now_ms):
        if self._refused_ms is not None and has_passed(now_ms, self._refused_ms, CONNECT_EVERY_MS):
            self._refused_ms = None
        if self._looked_ms is not None and not has_passed(now_ms, self._looked_ms, LOOK_EVERY_MS):
            return
        self._looked_ms = now_ms
        self.address = self._wifi.address()
        if not self.address and self._config.wifi_ssid:
            if self._joined_ms is None or has_passed(now_ms, self._joined_ms, JOIN_EVERY_MS):
                self._joined_ms = now_ms
                self._log.info("wifi", "joining {}".format(self._config.wifi_ssid))
                self._wifi.join(self._config.wifi_ssid, self._config.wifi_key)

    def _connect(self, now_ms):
        try:
            self._connection = self._wifi.connect(self._config.host_address, self._config.host_port)
        except OSError as error:
            self._refused_ms = now_ms
            text = "no host at {}:{} ({}): is `snaploop serve` running?"
            self._fail(text.format(self._config.host_address, self._config.host_port, error))
            return False
        return True

    def _begin(self):
        head = "POST {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n".format(
            HTTP_PATH, self._config.host_address, self._config.host_port, len(self._message)
        )
        self._parts = []
        # In one piece: two small sends would wait for each other's acknowledgement (Nagle's algorithm, 40 ms a request).
        self._out = memoryview(head.encode() + self._message)

    def _move(self, now_ms):
        moved = False
        while self._out is not None:
            # All that is left at once, as much as fits is taken: small sends would wait for each other (see `_begin`).
            count = self._connection.send(self._out)
            if not count:
                return moved
            moved = True
            self.heard_ms = now_ms
            self._out = self._out[count:] if count < len(self._out) else None
        while True:
            data = self._connection.receive(_RECEIVE_BYTES)
            if data is None:
                return moved
            if not data:
                self._lost("the host closed the connection", now_ms)
                return moved
            moved = True
            self.heard_ms = now_ms
            self._parts.append(data)
            if self._finish_if_whole():
                return True

    def _finish_if_whole(self):
        """Parse what came; True when the exchange is over."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = [data]
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                self._close()
                self._fail("the host's answer is no HTTP: is another program on its port?")
                return True
            return False
        status, length, keeps = _parse_head(data[:end])
        if length < 0 or length > MAX_ANSWER_BYTES:
            self._close()
            self._fail("HTTP answer {} of {} bytes: is another program on the host's port?".format(status, length))
            return True
        if len(data) < end + 4 + length:
            return False
        body = data[end + 4 : end + 4 + length]
        self._message = b""
        self._parts = []
        if not keeps:
            self._close()
        if status == 200:
            self._answer = body
        else:
            self._fail("the host says {}: {}".format(status, _one_line(body)))
        return True

    def _lost(self, text, now_ms):
        """The connection broke. One that was kept from the last exchange may simply have timed out: try a fresh one once."""
        reused = self._is_reused
        message = self._message
        self._close()
        if reused and message:
            self._is_reused = False
            self._message = message
            if self._connect(now_ms):
                self._begin()
            return
        self._fail(text)

    def _fail(self, text):
        self.failure = text
        self._message = b""
        self._log.warning("wifi", text)

    def _close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._out = None
        self._parts = []
        self._message = b""


def _parse_head(head):
    """(status, content length or -1, whether the connection stays)."""
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ")
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    length = -1
    keeps = lines[0].startswith(b"HTTP/1.1")
    for line in lines[1:]:
        colon = line.find(b":")
        name = line[:colon].strip().lower()
        value = line[colon + 1 :].strip().lower()
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b"connection" and value == b"close":
            keeps = False
    return status, length, keeps


def _one_line(body):
    text = bytes(body[:200])
    return "".join([chr(byte) if 32 <= byte < 127 else " " for byte in text]).strip()
