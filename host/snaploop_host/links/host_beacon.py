"""Answers "who is my host?" of paired boards (shared/pairing.py): a board finds this host again when its address has changed.

Listens for datagrams on the daemon's own port number. Who is not paired gets no answer, so nobody learns that a host is here.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Callable

from snaploop_shared import pairing
from snaploop_shared.errors import AuthError

from ..domain.boards import Board
from ..network import own_address

logger = logging.getLogger(__name__)

EVERYWHERE = "0.0.0.0"
LOOPBACK_BROADCAST = "127.255.255.255"  # for boards on this machine: the virtual ones


class HostBeacon:
    """A thread and a UDP socket, until `close`."""

    def __init__(self, find_board: Callable[[str], Board | None], port: int, is_loopback: bool) -> None:
        """Listen on `port`; with `is_loopback` for boards of this machine only. A port that is taken is a warning."""
        self._find_board = find_board
        self._port = port
        self._is_loopback = is_loopback
        self._wake_read, self._wake_write = os.pipe()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK_BROADCAST if is_loopback else EVERYWHERE, port))
        except OSError as error:
            logger.warning("boards cannot find this host by themselves: UDP port %d: %s", port, error.strerror)
        self._thread = threading.Thread(target=self._run, name="host beacon", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        os.write(self._wake_write, b"!")
        self._thread.join()
        self._socket.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                self._answer(*self._socket.recvfrom(pairing.MAX_DATAGRAM_BYTES + 1))
            except Exception:  # boundary: anybody may send anything
                logger.exception("a datagram could not be answered")

    def _answer(self, data: bytes, sender: tuple[str, int]) -> None:
        board = self._find_board(pairing.asker(data))
        if board is None or not board.is_trusted:
            return
        try:
            pairing.check_question(data, board.key)
        except AuthError as error:
            logger.warning("asked for the host of %s from %s: %s", board.name, sender[0], error)
            return
        address = "127.0.0.1" if self._is_loopback else own_address(sender[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reply:
            reply.sendto(pairing.encode_answer(data, address, self._port, board.key), sender)
        logger.info("board %s at %s asked where its host is", board.name, sender[0])
