"""Pairing without a cable, and finding the host again: what a QR code says, and the two datagrams of "who is my host?".

A QR code holds `snaploop:` and a JSON object: h [address, port] of the host, c a one-time code of 32 hex digits, w [ssid, key] of the
Wi-Fi network ("" each: keep what the board has). The board makes its key from the code, its id and a random nonce, so that the key
itself never travels; its POST /pair is signed with it and carries the nonce. Who has not seen the code cannot make the key.

A board whose host does not answer at its address any more broadcasts a question to the host's port (UDP), and the host answers with
the address it has now. Both are signed with the board's key: nobody else gets an answer, and nobody else can give one.
"""

import json

from .auth import MAC_BYTES, is_same, sign
from .errors import AuthError, RecordError
from .portable import binascii, hex_of, parse_json

SCHEME = "snaploop:"
CODE_DIGITS = 32
NONCE_BYTES = 16
MAX_DATAGRAM_BYTES = 512

_PAIR_WORD = b"snaploop pair 1\n"  # a signature made for one purpose can never pass for one made for another
_WHO = b"snaploop who"
_HERE = b"snaploop here"


class Invitation:
    """What a QR code says: host address and port, the one-time code, Wi-Fi name and key ("" each when not said)."""

    def __init__(self, address: str, port: int, code: str, ssid: str = "", wifi_key: str = "") -> None:
        """Keep the fields."""
        self.address = address
        self.port = port
        self.code = code
        self.ssid = ssid
        self.wifi_key = wifi_key

    def text(self) -> str:
        """What goes into the QR code."""
        return SCHEME + json.dumps({"h": [self.address, self.port], "c": self.code, "w": [self.ssid, self.wifi_key]})


def parse_invitation(text: str) -> Invitation:
    """The invitation in the text of a QR code.

    Raises:
        RecordError: it is none.
    """
    if not text.startswith(SCHEME):
        raise RecordError("this QR code is not from a snaploop host")
    try:
        fields = parse_json(text[len(SCHEME) :].encode())
        address, port = fields["h"]
        ssid, wifi_key = fields["w"]
        code = fields["c"]
        is_right = isinstance(port, int) and 0 < port < 65536 and len(code) == CODE_DIGITS
        for one in (address, ssid, wifi_key, code):
            is_right = is_right and isinstance(one, str)
    except (ValueError, KeyError, TypeError):
        is_right = False
    if not is_right:
        raise RecordError("this snaploop QR code is damaged or of another version: update board or host")
    return Invitation(address, port, code, ssid, wifi_key)


def key_from_code(code: str, board_id: str, nonce: bytes) -> bytes:
    """The 32-byte key that board and host make of a one-time code.

    Raises:
        ValueError: a code of another length.
    """
    if len(code) != CODE_DIGITS or len(nonce) != NONCE_BYTES:
        raise ValueError("a pairing code has {} digits, a nonce {} bytes".format(CODE_DIGITS, NONCE_BYTES))
    return sign(code.encode(), _PAIR_WORD, board_id.encode(), b"\n", nonce)


def encode_question(board_id: str, nonce: bytes, key: bytes) -> bytes:
    """The datagram that asks for the host of this board."""
    said = _WHO + b" " + board_id.encode() + b" " + hex_of(nonce).encode()
    return said + b" " + hex_of(sign(key, said)).encode()


def asker(data: bytes) -> str:
    """The board id in a question, "" when it is none; check it with `check_question`."""
    words = bytes(data).split(b" ")
    if len(data) > MAX_DATAGRAM_BYTES or len(words) != 5 or b" ".join(words[:2]) != _WHO:
        return ""
    try:
        return words[2].decode()
    except ValueError:  # UnicodeError on CPython
        return ""


def check_question(data: bytes, key: bytes) -> bytes:
    """The nonce of a genuine question.

    Raises:
        AuthError: the board with this key did not ask it.
    """
    return _checked(data, key, 5)[3]


def encode_answer(question: bytes, address: str, port: int, key: bytes) -> bytes:
    """The datagram that answers a checked question: here is the host."""
    words = bytes(question).split(b" ")
    said = b" ".join((_HERE, words[2], words[3], address.encode(), str(port).encode()))
    return said + b" " + hex_of(sign(key, said)).encode()


def decode_answer(data: bytes, board_id: str, nonce: bytes, key: bytes) -> "tuple[str, int]":
    """(address, port) of the host, from an answer to the question with this nonce.

    Raises:
        AuthError: not from this board's host, or the answer to another question.
    """
    words = _checked(data, key, 7)
    port = words[5]
    is_ours = words[:2] == _HERE.split(b" ") and words[2] == board_id.encode() and words[3] == hex_of(nonce).encode()
    if not is_ours or not port.isdigit() or not 0 < int(port) < 65536:
        raise AuthError("a datagram that answers another question")
    return words[4].decode(), int(port)


def _checked(data, key, count):
    data = bytes(data)
    words = data.split(b" ")
    end = data.rfind(b" ")
    if len(data) > MAX_DATAGRAM_BYTES or len(words) != count or len(words[-1]) != 2 * MAC_BYTES:
        raise AuthError("a datagram of another kind")
    try:
        mac = binascii.unhexlify(words[-1])
    except ValueError:
        raise AuthError("a datagram of another kind")
    if not is_same(sign(key, data[:end]), mac):
        raise AuthError("a datagram with a wrong signature")
    return words
