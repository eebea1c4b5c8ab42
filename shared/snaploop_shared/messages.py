"""Requests of the board and responses of the host: the same signed bytes over USB (`link`) and as HTTP bodies over Wi-Fi.

    "SL1"  kind  head_len u16  body_len u32  head (JSON, UTF-8)  body  mac (32 bytes)

kind is Q (request) or R (response); mac is HMAC-SHA256 with the board's key over everything before it. A request's head holds
m (method), p (path), id (board id), n (counter, grows with every request of a board for ever: a repeated one is refused) and a
(arguments). A response's head holds s (status), n (the counter of its request, so that no other answer can be slipped in) and a.
"""

import json
import struct

from .auth import MAC_BYTES, is_same, sign
from .errors import AuthError, ProtocolError
from .portable import parse_json

MAGIC = b"SL1"
_REQUEST = b"Q"
_RESPONSE = b"R"
_FIXED_BYTES = 3 + 1 + 2 + 4
MAX_HEAD_BYTES = 12 * 1024  # an answer to /samples/missing that lacks all of 60 samples takes 8.5 KiB
MAX_BODY_BYTES = 64 * 1024
PIECE_BYTES = 32 * 1024  # photos and kmodels travel in pieces of this size; a cut link goes on at the last whole piece
HTTP_PATH = "/board/v1"  # POST a request here, the answer is the response; status 200 whenever the response is signed

# Paths of requests (docs/protocol.md lists arguments and answers).
HELLO = "/hello"
MISSING = "/samples/missing"
PHOTO = "/photo"
RECORD = "/record"
MODEL = "/model"
BLOB = "/blob"
DEPLOYMENT = "/deployment"
TRAIN = "/train"
STATUS = "/status"
PAIR = "/pair"  # signed with the key made of a one-time code, see pairing.py

OK = 200
NOTHING = 204
BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
CONFLICT = 409
TOO_LARGE = 413
FAILED = 500
FULL = 507


class Request:
    """What a board asks: method, path, board id, counter, arguments (dict) and body; `unverified` until `check_request`."""

    def __init__(self, method, path, board_id, counter, arguments, body, signed, mac):
        """Keep the fields of a parsed request."""
        self.method = method
        self.path = path
        self.board_id = board_id
        self.counter = counter
        self.arguments = arguments
        self.body = body
        self._signed = signed
        self._mac = mac

    def check(self, key: bytes) -> None:
        """Return when the request was signed with `key`.

        Raises:
            AuthError: it was not.
        """
        if not is_same(sign(key, self._signed), self._mac):
            raise AuthError(
                "request of board {} is not signed with its key: pair the board again".format(self.board_id)
            )


class Response:
    """What the host answers: status, arguments (dict), body."""

    def __init__(self, status, arguments=None, body=b""):
        """Make an answer."""
        self.status = status
        self.arguments = {} if arguments is None else arguments
        self.body = body

    def __repr__(self):
        """For logs and test output."""
        return "Response({}, {}, {} B)".format(self.status, self.arguments, len(self.body))


def encode_request(method, path, arguments, body, board_id: str, counter: int, key: bytes) -> bytes:
    """The signed bytes of a request; `arguments` must be JSON-able, `body` bytes-like (b"" for none).

    Raises:
        ValueError: the head or the body is too long.
    """
    return _encode(_REQUEST, {"m": method, "p": path, "id": board_id, "n": counter, "a": arguments}, body, key)


def decode_request(data: bytes) -> Request:
    """The request in `data`, its signature still unchecked: look its board's key up, then call `check`.

    Raises:
        ProtocolError: not a request.
    """
    head, body, signed, mac = _decode(_REQUEST, data)
    try:
        method, path, board_id, counter, arguments = head["m"], head["p"], head["id"], head["n"], head["a"]
    except KeyError as error:
        raise ProtocolError("request without {}".format(error))
    if (
        not isinstance(counter, int)
        or not isinstance(board_id, str)
        or not isinstance(path, str)
        or not isinstance(arguments, dict)
    ):
        raise ProtocolError("request with a field of the wrong type")
    return Request(method, path, board_id, counter, arguments, body, signed, mac)


def encode_response(response: Response, counter: int, key: bytes) -> bytes:
    """The signed bytes of the answer to the request with this counter."""
    return _encode(_RESPONSE, {"s": response.status, "n": counter, "a": response.arguments}, response.body, key)


def decode_response(data: bytes, counter: int, key: bytes) -> Response:
    """The answer in `data` to our request with this counter.

    Raises:
        ProtocolError: not a response.
        AuthError: not signed with our key, or the answer to another request.
    """
    head, body, signed, mac = _decode(_RESPONSE, data)
    if not is_same(sign(key, signed), mac):
        raise AuthError("the host's answer is not signed with this board's key: pair the board again")
    if head.get("n") != counter:
        raise AuthError("answer to request {} came for request {}".format(head.get("n"), counter))
    return Response(head.get("s", FAILED), head.get("a", {}), body)


def _encode(kind, head, body, key) -> bytes:
    head_bytes = json.dumps(head).encode()
    if len(head_bytes) > MAX_HEAD_BYTES:
        raise ValueError("message head of {} bytes, at most {} fit".format(len(head_bytes), MAX_HEAD_BYTES))
    if len(body) > MAX_BODY_BYTES:
        raise ValueError("message body of {} bytes, at most {} fit".format(len(body), MAX_BODY_BYTES))
    start = MAGIC + kind + struct.pack(">HI", len(head_bytes), len(body)) + head_bytes
    return b"".join((start, body, sign(key, start, body)))


def _decode(kind, data):
    """(head dict, body, signed part, mac) of a message of this kind."""
    if len(data) < _FIXED_BYTES + MAC_BYTES or data[:3] != MAGIC or data[3:4] != kind:
        raise ProtocolError("not a snaploop message: is the other side of the same version?")
    head_len, body_len = struct.unpack(">HI", data[4:_FIXED_BYTES])
    if head_len > MAX_HEAD_BYTES or body_len > MAX_BODY_BYTES:
        raise ProtocolError("message announces a head of {} and a body of {} bytes".format(head_len, body_len))
    end = _FIXED_BYTES + head_len + body_len
    if len(data) != end + MAC_BYTES:
        raise ProtocolError("message of {} bytes, {} announced".format(len(data), end + MAC_BYTES))
    try:
        head = parse_json(data[_FIXED_BYTES : _FIXED_BYTES + head_len])
    except ValueError:
        raise ProtocolError("message head is not JSON")
    if not isinstance(head, dict):
        raise ProtocolError("message head is not an object")
    view = memoryview(data)
    return head, bytes(view[_FIXED_BYTES + head_len : end]), view[:end], bytes(view[end:])
