"""Pairing without a cable: the camera reads the host's QR code, the board joins its network and tells the host who it is.

Phases: "scan" until a code is seen, "ask" until the host has answered. What is agreed on is given to the app as fields of config.json.
"""

from snaploop_shared import messages
from snaploop_shared.errors import AuthError, ProtocolError, RecordError
from snaploop_shared.pairing import NONCE_BYTES, key_from_code, parse_invitation
from snaploop_shared.portable import hex_of, ticks_since

from .boot_count import REQUESTS_PER_BOOT
from .config import Config
from .wifi_road import WifiRoad

SCAN_EVERY_MS = 300  # looking for a code takes the board some 100 ms
ASK_EVERY_MS = 3000
MOVE_AFTER_MS = 8000  # of looking without seeing a code
PATIENCE_MS = 45000  # association alone takes some 7 s (k230-platform §8.3)
_PAIR_NUMBER = REQUESTS_PER_BOOT - 1  # the last counter of the boot before: later requests of this boot are above it


class Pairing:
    """One attempt after the other, from when the screen was opened until it is closed. `text` and `is_error` are for the screen."""

    def __init__(self, board, settings, boot: int, log) -> None:
        """Begin to scan.

        Args:
            board: the ports.
            settings: the board's Config as it is now: its network is kept when the code names none.
            boot: this start's number, for the counter of the request.
            log: the Log.
        """
        self._board = board
        self._settings = settings
        self._counter = (boot - 1) * REQUESTS_PER_BOOT + _PAIR_NUMBER
        self._log = log
        self._scanned_ms = None
        self._looking_ms = None  # since when no code was seen
        self._asked_ms = None
        self._began_ms = 0
        self._fields = None
        self._key = b""
        self._nonce = b""
        self._road = None
        self.phase = "scan"
        self.text = (
            "point the camera at the QR code on the host's page: there open the project, then 'Pair a board by QR code'"
        )
        self.is_error = False

    def step(self, now_ms: int) -> "dict | None":
        """Go on; the fields of config.json once the host has agreed, else None."""
        if self.phase == "scan":
            if self._scanned_ms is None or ticks_since(now_ms, self._scanned_ms) >= SCAN_EVERY_MS:
                self._scanned_ms = now_ms
                self._scan(now_ms)
            return None
        return self._ask(now_ms)

    def close(self) -> None:
        """Stop; a connection on its way is dropped."""
        if self._road is not None:
            self._road.cancel()
            self._road = None

    def _scan(self, now_ms):
        texts = self._board.camera.codes()
        if texts or self._looking_ms is None:
            self._looking_ms = now_ms
        elif ticks_since(now_ms, self._looking_ms) > MOVE_AFTER_MS and not self.is_error:
            self._looking_ms = now_ms
            self._say(
                "no code seen yet: move nearer or farther, until the code fills the blue frame and is sharp", False
            )
        for text in texts:
            try:
                invitation = parse_invitation(text)
            except RecordError as error:
                self._say(str(error), True)
                continue
            self._begin(invitation, now_ms)
            return

    def _begin(self, invitation, now_ms):
        identity = self._board.identity
        board_id = "".join([digit for digit in identity.chip_id().lower() if digit in "0123456789abcdef"])
        self._nonce = b"".join([identity.random_u32().to_bytes(4, "big") for _ in range(NONCE_BYTES // 4)])
        self._key = key_from_code(invitation.code, board_id, self._nonce)
        wifi = [invitation.ssid, invitation.wifi_key]
        if not invitation.ssid:
            wifi = [self._settings.wifi_ssid, self._settings.wifi_key]
        host = [invitation.address, invitation.port]
        self._fields = {"id": board_id, "key": hex_of(self._key), "name": "", "host": host, "wifi": wifi}
        self._road = WifiRoad(self._board.wifi, Config(self._fields), self._log)
        self._road.is_wanted = True
        self._began_ms = now_ms
        self._asked_ms = None
        self.phase = "ask"
        self._say("found the host: joining {}".format(invitation.ssid or "the network"), False)
        self._log.info("pairing", "a code of {}:{}".format(host[0], host[1]))

    def _ask(self, now_ms):
        road = self._road
        road.step(now_ms)
        answer = road.take_answer()
        if answer is not None:
            return self._on_answer(answer)
        if road.failure:
            self._say(road.failure, True)
            road.failure = ""
        if ticks_since(now_ms, self._began_ms) > PATIENCE_MS:
            text = "the host did not answer: check the Wi-Fi password on its page, then show a new code"
            self._again(self.text if self.is_error else text)
        elif road.is_up and (self._asked_ms is None or ticks_since(now_ms, self._asked_ms) > ASK_EVERY_MS):
            self._asked_ms = now_ms
            self._say("asking {}".format(self._fields["host"][0]), False)
            arguments = {"nonce": hex_of(self._nonce), "machine": self._board.identity.machine()}
            request = messages.encode_request(
                "POST", messages.PAIR, arguments, b"", self._fields["id"], self._counter, self._key
            )
            road.send(request, now_ms)
        return None

    def _on_answer(self, answer):
        try:
            response = messages.decode_response(answer, self._counter, self._key)
        except (AuthError, ProtocolError) as error:
            self._again("this is not the host of the code: {}".format(error))
            return None
        self._fields["name"] = str(response.arguments.get("name", ""))
        self._say("paired with {}".format(response.arguments.get("host", "the host")), False)
        self.close()
        return self._fields

    def _again(self, text):
        self.close()
        self.phase = "scan"
        self._say(text, True)

    def _say(self, text, is_error):
        self.text = text
        self.is_error = is_error
