"""Messages over the USB cable: the shared link, fed from the console stream. One message at a time; the requester uses it."""

from snaploop_shared.errors import LinkLostError, ProtocolError
from snaploop_shared.link import CLOSED, OPEN, TO_HOST_WINDOW_FRAMES, Link
from snaploop_shared.portable import has_passed

NAME = "usb"
REOPEN_AFTER_MS = 1000  # after a lost or refused session
PROBE_EVERY_MS = 2000  # while an answer is awaited in silence: a host that was restarted says so then


class UsbRoad:
    """The road over the cable. It is up once a host answered."""

    name = NAME

    def __init__(self, stream, identity, log) -> None:
        """`stream` is the board's UsbStream."""
        self._stream = stream
        self._identity = identity
        self._log = log
        self._link = Link(True, TO_HOST_WINDOW_FRAMES)
        self._answers = []
        self._closed_ms = None
        self._probed_ms = None  # when we last spoke up; None while no answer is awaited
        self.is_wanted = False
        self.failure = ""  # why the message on the way will not be answered
        self.heard_ms = 0

    @property
    def is_up(self) -> bool:
        """Whether a host answers on the cable."""
        return self._link.state == OPEN

    @property
    def status(self) -> str:
        """For the screen."""
        if not self.is_wanted:
            return "off"
        return "connected" if self.is_up else "waiting"

    def send(self, message: bytes, now_ms: int) -> None:
        """Begin to send a message.

        Raises:
            LinkLostError: no host.
        """
        self.failure = ""
        self._answers = []
        self.heard_ms = now_ms
        self._link.send(message)
        self._probed_ms = now_ms

    def take_answer(self) -> "bytes | None":
        """The answer, once."""
        if not self._answers:
            return None
        self._probed_ms = None
        return self._answers.pop(0)

    def cancel(self) -> None:
        """Forget the message on the way; a late answer will not be mistaken for the next one's."""
        self._probed_ms = None
        self._link.close()
        self._closed_ms = None

    def step(self, now_ms: int) -> bool:
        """Take what came, say what is to be said; True when bytes came."""
        if not self.is_wanted:
            if self._link.state != CLOSED:
                self._link.close()
            return False
        data = self._stream.read()
        was_up = self.is_up
        try:
            if data.strip():  # empty cells say nothing (see k230_usb.py)
                self.heard_ms = now_ms
                self._answers.extend(self._link.receive(data, now_ms))
            elif self._probed_ms is not None and has_passed(now_ms, self._probed_ms, PROBE_EVERY_MS):
                self._probed_ms = now_ms
                self._link.probe()
            if self._link.state == CLOSED:
                self._reopen(was_up, now_ms)
            out = self._link.output(now_ms)
        except (LinkLostError, ProtocolError) as error:
            self.failure = str(error)
            self._log.warning("usb", self.failure)
            self._link.close()
            self._closed_ms = now_ms
            return bool(data)
        if out:
            self._stream.write(out)
        return bool(data)

    def _reopen(self, was_up, now_ms):
        if was_up:
            self.failure = "the host began anew"
            self._closed_ms = now_ms
        if self._closed_ms is None or has_passed(now_ms, self._closed_ms, REOPEN_AFTER_MS):
            self._closed_ms = now_ms
            self._link.open(self._identity.random_u32(), now_ms)
