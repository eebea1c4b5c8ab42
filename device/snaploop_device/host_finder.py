"""Asks the network where this board's host is, when it is not at its address any more (shared/pairing.py has the datagrams)."""

from snaploop_shared.errors import AuthError
from snaploop_shared.pairing import MAX_DATAGRAM_BYTES, NONCE_BYTES, decode_answer, encode_question
from snaploop_shared.portable import ticks_since

ASK_EVERY_MS = 5000
LISTEN_MS = 2000  # after a question; a host answers within milliseconds


class HostFinder:
    """Used by the app while the Wi-Fi road is lost."""

    def __init__(self, wifi, identity, settings, log) -> None:
        """`wifi` and `identity` are the board's ports, `settings` its Config."""
        self._wifi = wifi
        self._identity = identity
        self._settings = settings
        self._log = log
        self._asked_ms = None
        self._nonce = b""
        self._socket = None

    def step(self, now_ms: int, is_lost: bool) -> "tuple[str, int] | None":
        """Ask now and then while the host is lost; (address, port) when it says it is somewhere else."""
        if self._socket is not None:
            found = self._listen()
            if found is not None or ticks_since(now_ms, self._asked_ms) > LISTEN_MS:
                self._close()
            if found is not None:
                return found
        elif is_lost and self._settings.is_paired:
            if self._asked_ms is None or ticks_since(now_ms, self._asked_ms) > ASK_EVERY_MS:
                self._asked_ms = now_ms
                self._ask()
        return None

    def _ask(self):
        self._nonce = b"".join([self._identity.random_u32().to_bytes(4, "big") for _ in range(NONCE_BYTES // 4)])
        try:
            self._socket = self._wifi.datagrams()
            question = encode_question(self._settings.board_id, self._nonce, self._settings.key)
            self._socket.broadcast(question, self._settings.host_port)
        except OSError as error:
            self._log.warning("finder", "cannot ask for the host: {}".format(error))
            self._close()

    def _listen(self):
        settings = self._settings
        try:
            data = self._socket.receive(MAX_DATAGRAM_BYTES)
        except OSError as error:
            self._log.warning("finder", "cannot hear the host: {}".format(error))
            return None
        if not data:
            return None
        try:
            found = decode_answer(data, settings.board_id, self._nonce, settings.key)
        except AuthError as error:
            self._log.warning("finder", "{}".format(error))
            return None
        if found == (settings.host_address, settings.host_port):
            return None  # it is where we look, and just does not take connections
        self._log.info("finder", "the host is at {}:{}".format(found[0], found[1]))
        return found

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None
