"""A reliable stream of messages over the frames of `frames`: bytes and time come in, messages and bytes go out. No I/O in here.

The board is the client and opens every session with a random number; the host answers. Data frames carry sequence numbers,
every frame carries the sender's cumulative ack, a window bounds what is on the way, and what is lost is sent again from the
first missing frame (go-back-N). A new session number, or RESET from a host that was restarted, begins anew; requests are
idempotent, so the caller simply asks again.

    client   CLOSED --open()--> OPENING --SYNACK--> OPEN --silence, RESET--> CLOSED
    server   CLOSED --SYN--> OPEN --SYN with another session--> OPEN (everything of the old one is forgotten)
"""

from . import frames
from .errors import LinkLostError, ProtocolError
from .frames import Decoder, Frame
from .portable import has_passed

CLOSED = "closed"
OPENING = "opening"
OPEN = "open"

TO_BOARD_WINDOW_FRAMES = 4  # 4 × 983 bytes fit the 4096-byte stdin ring of the board (k230-platform §9.2)
TO_HOST_WINDOW_FRAMES = 16
SYN_EVERY_MS = 1000
RESEND_AFTER_MS = 400  # a board that saves a photo or loads a model is silent for some 100 ms
RESEND_AT_MOST_EVERY_MS = 3000
NAK_HOLD_MS = 20  # one gap makes a burst of NAKs: answer the first
LOST_AFTER_MS = 15000  # a model load or a golden run on the board may take seconds
MAX_MESSAGE_BYTES = 80 * 1024  # bounds what a peer can make us hold; bodies travel in pieces of 32 KiB


class Link:
    """One side of the link. `receive` what came, write what `output` gives, as often as you like."""

    def __init__(self, is_client: bool, window_frames: int) -> None:
        """Make a closed link; `window_frames` is how many data frames may be on the way to the other side."""
        self.is_client = is_client
        self.state = CLOSED
        self.session = 0
        self.resent_frames = 0
        self.heard_ms = 0  # when the last frame of this session came
        self._window = window_frames
        self._decoder = Decoder()
        self._clear()

    def open(self, session: int, now_ms: int) -> None:
        """Client: begin a session; `session` is a fresh random number from 1 to 2**32 - 1."""
        self._clear()
        self.session = session
        self.state = OPENING
        self.heard_ms = now_ms
        self._syn_ms = None

    def close(self) -> None:
        """Forget the session and everything in flight."""
        self._clear()
        self.state = CLOSED

    def send(self, message: bytes) -> None:
        """Queue a message for the other side.

        Raises:
            ValueError: it is empty or longer than MAX_MESSAGE_BYTES.
            LinkLostError: the link is not open.
        """
        if not message or len(message) > MAX_MESSAGE_BYTES:
            raise ValueError("message of {} bytes, 1 to {} fit".format(len(message), MAX_MESSAGE_BYTES))
        if self.state == CLOSED:
            raise LinkLostError("the link is closed: open it before sending")
        step = frames.MAX_PAYLOAD_BYTES
        view = memoryview(message)
        for start in range(0, len(message), step):
            kind = frames.DATA_END if start + step >= len(message) else frames.DATA
            self._queue.append((kind, view[start : start + step]))

    def probe(self) -> None:
        """Say something with the next output, so that a host that was restarted and knows nothing of the session answers RESET."""
        self._ack_due = self.state == OPEN

    def is_idle(self) -> bool:
        """Whether everything sent was acknowledged."""
        return not self._queue

    def take_text(self) -> bytes:
        """Console text that the other side printed between frames."""
        return self._decoder.take_text()

    @property
    def damaged_frames(self) -> int:
        """How many received frames were damaged and dropped."""
        return self._decoder.damaged

    def receive(self, data: bytes, now_ms: int) -> "list[bytes]":
        """Take bytes from the wire; the whole messages that they complete, in order.

        Raises:
            ProtocolError: the peer sends a message longer than MAX_MESSAGE_BYTES; the link is closed then.
        """
        messages = []
        for frame in self._decoder.feed(data):
            if frame.kind == frames.SYN:
                self._on_syn(frame, now_ms)
            elif frame.session != self.session or self.state == CLOSED:
                self._on_stranger(frame)
            else:
                self.heard_ms = now_ms
                self._on_frame(frame, messages, now_ms)
        return messages

    def output(self, now_ms: int) -> bytes:
        """The bytes to write now; empty when there is nothing to say. Call it after `receive` and at least every 100 ms.

        Raises:
            LinkLostError: an open link with something in flight, or an opening one, heard nothing for LOST_AFTER_MS.
        """
        out = self._replies
        self._replies = []
        if self.state == OPENING:
            if self._syn_ms is None or has_passed(now_ms, self._syn_ms, SYN_EVERY_MS):
                self._syn_ms = now_ms
                out.append(frames.encode(Frame(frames.SYN, self.session, 0, 0)))
        elif self.state == OPEN:
            if self._queue and has_passed(now_ms, self.heard_ms, LOST_AFTER_MS):
                self.close()
                raise LinkLostError(
                    "no answer for {} s: is the host still running and the cable in?".format(LOST_AFTER_MS // 1000)
                )
            self._send_data(out, now_ms)
            if self._ack_due:
                kind = frames.NAK if self._gap_seen else frames.ACK
                out.append(frames.encode(Frame(kind, self.session, 0, self._next_in)))
        if self.state != OPENING:
            self._ack_due = False
            self._gap_seen = False
        return b"".join(out)

    def _clear(self) -> None:
        self._queue = []  # (kind, payload) of frames that are not acknowledged, the first has number _base
        self._base = 0
        self._in_flight = 0  # how many of _queue were sent
        self._sent_ms = 0
        self._resend_ms = RESEND_AFTER_MS
        self._next_in = 0  # number of the next data frame we want
        self._parts = []
        self._parts_bytes = 0
        self._ack_due = False
        self._gap_seen = False
        self._replies = []
        self.heard_ms = 0
        self._syn_ms = None
        self._nak_ms = None

    def _send_data(self, out: "list[bytes]", now_ms: int) -> None:
        if self._in_flight and has_passed(now_ms, self._sent_ms, self._resend_ms):
            self.resent_frames += self._in_flight
            self._in_flight = 0
            self._resend_ms = min(self._resend_ms * 2, RESEND_AT_MOST_EVERY_MS)
        while self._in_flight < len(self._queue) and self._in_flight < self._window:
            kind, payload = self._queue[self._in_flight]
            out.append(frames.encode(Frame(kind, self.session, self._base + self._in_flight, self._next_in, payload)))
            if self._in_flight == 0:
                self._sent_ms = now_ms
            self._in_flight += 1
            self._ack_due = False

    def _on_syn(self, frame: Frame, now_ms: int) -> None:
        if self.is_client:
            return
        if frame.session != self.session or self.state != OPEN:
            self._clear()
            self.session = frame.session
            self.state = OPEN
        self.heard_ms = now_ms
        self._replies.append(frames.encode(Frame(frames.SYNACK, self.session, 0, 0)))

    def _on_stranger(self, frame: Frame) -> None:
        """A frame of another session: a host says so once per frame, a client keeps quiet."""
        if not self.is_client and frame.kind != frames.RESET:
            self._replies.append(frames.encode(Frame(frames.RESET, frame.session, 0, 0)))

    def _on_frame(self, frame: Frame, messages: "list[bytes]", now_ms: int) -> None:
        if frame.kind == frames.SYNACK:
            if self.is_client and self.state == OPENING:
                self.state = OPEN
        elif frame.kind == frames.RESET:
            if self.is_client:
                self.close()
        elif self.state == OPEN:
            self._on_ack(frame, now_ms)
            if frame.kind in (frames.DATA, frames.DATA_END):
                self._on_data(frame, messages)

    def _on_ack(self, frame: Frame, now_ms: int) -> None:
        done = frame.ack - self._base
        if done < 0 or done > len(self._queue):
            return  # old news, or nonsense
        if done:
            self._queue = self._queue[done:]
            self._base += done
            self._in_flight = max(0, self._in_flight - done)
            self._sent_ms = now_ms
            self._resend_ms = RESEND_AFTER_MS
        if frame.kind == frames.NAK and self._in_flight:
            if self._nak_ms is None or has_passed(now_ms, self._nak_ms, NAK_HOLD_MS):
                self._nak_ms = now_ms
                self.resent_frames += self._in_flight
                self._in_flight = 0

    def _on_data(self, frame: Frame, messages: "list[bytes]") -> None:
        self._ack_due = True
        if frame.seq != self._next_in:
            self._gap_seen = self._gap_seen or frame.seq > self._next_in
            return
        self._next_in += 1
        self._parts.append(frame.payload)
        self._parts_bytes += len(frame.payload)
        if self._parts_bytes > MAX_MESSAGE_BYTES:
            self.close()
            raise ProtocolError("the other side sent a message of more than {} bytes".format(MAX_MESSAGE_BYTES))
        if frame.kind == frames.DATA_END:
            messages.append(b"".join(self._parts))
            self._parts = []
            self._parts_bytes = 0
