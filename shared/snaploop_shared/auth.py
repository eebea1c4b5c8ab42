"""Signatures: HMAC-SHA256 over messages and manifests, with the 256-bit key that a board got when it was paired.

MicroPython has no hmac module, so RFC 2104 is spelled out here over hashlib (checked against CPython's in the tests).
"""

from .portable import hashlib

KEY_BYTES = 32
MAC_BYTES = 32
_BLOCK_BYTES = 64


def sign(key: bytes, *parts: "bytes | bytearray | memoryview") -> bytes:
    """The 32-byte HMAC-SHA256 of the parts joined.

    Raises:
        ValueError: the key is not 32 bytes long.
    """
    if len(key) != KEY_BYTES:
        raise ValueError("a board key is {} bytes, got {}".format(KEY_BYTES, len(key)))
    padded = key + bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in padded]))
    for part in parts:
        inner.update(part)
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in padded]))
    outer.update(inner.digest())
    return outer.digest()


def is_same(left: bytes, right: bytes) -> bool:
    """Whether two signatures are equal, in a time that does not tell where they differ."""
    if len(left) != len(right):
        return False
    difference = 0
    for a, b in zip(left, right):  # MicroPython's zip has no strict=
        difference |= a ^ b
    return difference == 0
