"""A board as the host sees it: signed requests with a growing counter, over any road. Not a mock: it speaks the real protocol."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from snaploop_shared import messages
from snaploop_shared.portable import sha256_hex
from snaploop_shared.sample_record import LABELLED, Box, SampleRecord

Carry = Callable[[bytes], "bytes | None"]


def jpeg(shade: int = 0, width: int = 64, height: int = 36) -> bytes:
    """A small picture; another one for each shade."""
    picture = Image.new("RGB", (width, height), (shade * 24 % 256, 80, shade * 5 % 256))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


class BoardClient:
    """Asks a host as a board does."""

    def __init__(self, board_id: str, key: bytes, carry: Carry) -> None:
        self.board_id = board_id
        self.key = key
        self.carry = carry
        self.counter = 1 << 20

    def ask(
        self, method: str, path: str, arguments: dict[str, Any] | None = None, body: bytes = b""
    ) -> messages.Response:
        self.counter += 1
        return self.ask_with(self.counter, method, path, arguments, body)

    def ask_with(
        self, counter: int, method: str, path: str, arguments: dict[str, Any] | None = None, body: bytes = b""
    ) -> messages.Response:
        sent = messages.encode_request(method, path, arguments or {}, body, self.board_id, counter, self.key)
        answer = self.carry(sent)
        assert answer is not None, "the host kept silent"
        return messages.decode_response(answer, counter, self.key)

    def hello(self) -> messages.Response:
        about = {
            "name": "b",
            "machine": "k230_canmv",
            "firmware": "1.4",
            "nncase": "2.11.0",
            "app": "0.1",
            "panel": [800, 480],
        }
        return self.ask(
            "POST",
            messages.HELLO,
            about | {"free_bytes": 28_000_000_000, "heap_free": 3_000_000, "model": "", "samples": 2},
        )

    def send_photo(self, data: bytes, piece_bytes: int = messages.PIECE_BYTES, offset: int = 0) -> messages.Response:
        digest = sha256_hex(data)
        while True:
            piece = data[offset : offset + piece_bytes]
            answer = self.ask("PUT", messages.PHOTO, {"digest": digest, "offset": offset, "size": len(data)}, piece)
            if answer.status != messages.OK or answer.arguments["offset"] == len(data):
                return answer
            offset = answer.arguments["offset"]

    def record(
        self,
        name: str,
        data: bytes,
        boxes: list[Box],
        rev: int = 1,
        state: str = LABELLED,
        size: tuple[int, int] = (64, 36),
    ) -> bytes:
        return SampleRecord(name, sha256_hex(data), len(data), size[0], size[1], rev, state, boxes).to_json()

    def send_sample(
        self, name: str, data: bytes, boxes: list[Box], rev: int = 1, size: tuple[int, int] = (64, 36)
    ) -> messages.Response:
        answer = self.send_photo(data)
        assert answer.status == messages.OK, answer
        return self.ask("PUT", messages.RECORD, {}, self.record(name, data, boxes, rev, size=size))
