"""One request at a time, over whichever road works: signs it, waits for the answer, goes on over the other road when one fails."""

from snaploop_shared.errors import AuthError, LinkLostError, ProtocolError
from snaploop_shared.messages import BLOB, UNAUTHORIZED, decode_response, encode_request
from snaploop_shared.portable import has_passed

from .boot_count import REQUESTS_PER_BOOT

STALLED_MS = 20000  # more than the link's own patience (LOST_AFTER_MS): a host may be busy importing torch
STALLED_WITH_CHOICE_MS = 5000  # when the other road is up, do not wait that long


class Requester:
    """Asks the host. `ask`, then `step` until it gives a result."""

    def __init__(self, config, boot_count: int, usb, wifi, keep_boot_count, log) -> None:
        """`keep_boot_count(n)` stores a boot count that had to jump (see `_on_counter`)."""
        self._config = config
        self._boot_count = boot_count
        self._number = 0
        self._roads = (usb, wifi)
        self._order = self._roads
        self._keep_boot_count = keep_boot_count
        self._log = log
        self._request = None  # (method, path, arguments, body)
        self._road = None
        self._tried = []
        self._counter = 0
        self._jumped = False
        self.road = "auto"
        self.last_road = ""  # the road of the last answer
        self.has_moved = False  # whether the last step moved bytes

    @property
    def is_busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._request is not None

    @property
    def has_road(self) -> bool:
        """Whether a request could go out now."""
        return bool([road for road in self._roads if self._allows(road) and road.is_up])

    def ask(self, method: str, path: str, arguments: dict, body: "bytes" = b"") -> None:
        """Begin a request; one at a time. Over USB first, but what answers with many bytes comes over Wi-Fi first.

        What comes by USB has to pass the small ring of stdin as text (k230-platform §9.7), some times slower than Wi-Fi.
        """
        self._request = (method, path, arguments, body)
        self._order = (self._roads[1], self._roads[0]) if path == BLOB else self._roads
        self._tried = []
        self._road = None
        self._jumped = False

    def cancel(self) -> None:
        """Forget the request."""
        if self._road is not None:
            self._road.cancel()
        self._request = None
        self._road = None

    def step(self, now_ms: int) -> "tuple | None":
        """Move bytes on both roads. ("answer", Response) or ("failed", text) once per request, else None."""
        self.has_moved = False
        for road in self._roads:
            road.is_wanted = self._config.is_paired and self._allows(road)
            if road.step(now_ms):
                self.has_moved = True
        if self._request is None:
            return None
        if self._road is None:
            return self._send(now_ms)
        answer = self._road.take_answer()
        if answer is not None:
            return self._on_answer(answer, now_ms)
        if self._road.failure or not self._road.is_wanted or self._is_stalled(now_ms):
            text = self._road.failure or "no answer by {}: is the host busy, or this board not paired with it?".format(
                self._road.name
            )
            self._road.cancel()
            self._tried.append(self._road)
            self._road = None
            return self._send(now_ms, text)
        return None

    def _allows(self, road):
        return self.road in ("auto", road.name)

    def _is_stalled(self, now_ms):
        others = [road for road in self._roads if road is not self._road and self._allows(road) and road.is_up]
        limit = STALLED_WITH_CHOICE_MS if others and not self._tried else STALLED_MS
        return has_passed(now_ms, self._road.heard_ms, limit)

    def _send(self, now_ms, failure="no road to the host"):
        """Send the request over the first road that is up and was not tried; the failure when there is none."""
        for road in self._order:
            if road in self._tried or not self._allows(road) or not road.is_up:
                continue
            method, path, arguments, body = self._request
            self._number += 1
            self._counter = self._boot_count * REQUESTS_PER_BOOT + self._number
            message = encode_request(
                method, path, arguments, body, self._config.board_id, self._counter, self._config.key
            )
            self._road = road
            try:
                road.send(message, now_ms)
            except LinkLostError as error:
                failure = str(error)
                self._tried.append(road)
                self._road = None
                continue
            return None
        self._request = None
        return ("failed", failure)

    def _on_answer(self, answer, now_ms):
        try:
            response = decode_response(answer, self._counter, self._config.key)
        except (AuthError, ProtocolError) as error:
            self._road.cancel()
            self._tried.append(self._road)
            self._road = None
            return self._send(now_ms, str(error))
        self.last_road = self._road.name
        self._road = None
        if response.status == UNAUTHORIZED and "counter" in response.arguments and not self._jumped:
            self._on_counter(response.arguments["counter"])
            return self._send(now_ms)
        self._request = None
        return ("answer", response)

    def _on_counter(self, host_counter):
        """The host has seen higher counters (the card was changed, or boot_count lost): jump above them, once per request."""
        self._jumped = True
        self._boot_count = host_counter // REQUESTS_PER_BOOT + 1
        self._number = 0
        self._log.warning("requester", "counter jumps to boot {}".format(self._boot_count))
        self._keep_boot_count(self._boot_count)
