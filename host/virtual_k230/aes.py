"""AES for ucryptolib: ECB, CBC and CTR with 128- and 256-bit keys, in plain Python.

Small on purpose: scripts cipher a few blocks. No protection against timing attacks: it is for a virtual board only.
Source: FIPS 197 and NIST SP 800-38A; the tests hold it against their vectors.
"""

from __future__ import annotations

import functools

MODE_ECB, MODE_CBC, MODE_CTR = 1, 2, 6
BLOCK = 16


def _times2(byte: int) -> int:
    return (byte << 1 ^ 0x1B) & 0xFF if byte & 0x80 else byte << 1


def _multiply(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = _times2(a), b >> 1
    return product


def _make_sbox() -> bytes:
    inverse = [0] * 256
    for a in range(1, 256):
        inverse[a] = next(b for b in range(1, 256) if _multiply(a, b) == 1)
    box = bytearray()
    for value in inverse:
        doubled = value << 8 | value  # its upper byte, shifted, is value rotated
        turned = value
        for shift in range(1, 5):
            turned ^= doubled >> (8 - shift) & 0xFF
        box.append(turned ^ 0x63)
    return bytes(box)


@functools.cache
def _boxes() -> tuple[bytes, bytes]:
    """The S-box and its inverse; computed at first use: 40 ms that most boards never need."""
    box = _make_sbox()
    return box, bytes(box.index(value) for value in range(256))


def expand_key(key: bytes) -> list[bytes]:
    """The round keys, 16 bytes each.

    Raises:
        ValueError: the key has not 16 or 32 bytes.
    """
    if len(key) not in (16, 32):
        raise ValueError("key")
    sbox, _ = _boxes()
    n_words = len(key) // 4
    words = [key[at : at + 4] for at in range(0, len(key), 4)]
    factor = 1
    for at in range(n_words, 4 * (n_words + 7)):
        word = words[-1]
        if at % n_words == 0:
            word = bytes(sbox[byte] for byte in word[1:] + word[:1])
            word = bytes((word[0] ^ factor, *word[1:]))
            factor = _times2(factor)
        elif n_words > 6 and at % n_words == 4:
            word = bytes(sbox[byte] for byte in word)
        words.append(_xor(word, words[at - n_words]))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


_SHIFTED = tuple((column * 4 + row + 4 * row) % 16 for column in range(4) for row in range(4))
_UNSHIFTED = tuple((column * 4 + row - 4 * row) % 16 for column in range(4) for row in range(4))


def _mix(state: bytes, factors: tuple[int, int, int, int]) -> bytes:
    mixed = bytearray()
    for at in range(0, 16, 4):
        column = state[at : at + 4]
        for row in range(4):
            value = 0
            for i in range(4):
                value ^= _multiply(column[i], factors[(i - row) % 4])
            mixed.append(value)
    return bytes(mixed)


def encrypt_block(block: bytes, keys: list[bytes]) -> bytes:
    """One block of 16 bytes."""
    sbox, _ = _boxes()
    state = _xor(block, keys[0])
    for key in keys[1:]:
        state = bytes(sbox[state[at]] for at in _SHIFTED)
        if key is not keys[-1]:
            state = _mix(state, (2, 3, 1, 1))
        state = _xor(state, key)
    return state


def decrypt_block(block: bytes, keys: list[bytes]) -> bytes:
    """The inverse of encrypt_block."""
    _, inverse = _boxes()
    state = block
    for key in reversed(keys[1:]):
        state = _xor(state, key)
        if key is not keys[-1]:
            state = _mix(state, (14, 11, 13, 9))
        state = bytes(inverse[state[at]] for at in _UNSHIFTED)
    return _xor(state, keys[0])


def transform(mode: int, key: bytes, chain: bytes, data: bytes, is_decrypting: bool) -> tuple[bytes, bytes]:
    """Encrypt or decrypt.

    Args:
        mode: MODE_ECB, MODE_CBC or MODE_CTR.
        key: 16 or 32 bytes.
        chain: CBC: the last cipher block or the IV; CTR: the counter block followed by unused key stream; ECB: empty.
        data: whole blocks for ECB and CBC, any number of bytes for CTR.
        is_decrypting: the direction.

    Returns:
        The result, and the chain for the next call.

    Raises:
        ValueError: an unknown mode, a key or data of a wrong length.
    """
    if mode not in (MODE_ECB, MODE_CBC, MODE_CTR):
        raise ValueError("mode")
    keys = expand_key(key)
    if mode == MODE_CTR:
        return _counter_mode(keys, chain, data)
    if len(data) % BLOCK:
        raise ValueError("blksize % 16")
    result = []
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK]
        if is_decrypting:
            plain = decrypt_block(block, keys)
            if mode == MODE_CBC:
                plain, chain = _xor(plain, chain), block
            result.append(plain)
        else:
            cipher = encrypt_block(_xor(block, chain) if mode == MODE_CBC else block, keys)
            chain = cipher if mode == MODE_CBC else chain
            result.append(cipher)
    return b"".join(result), chain


def _counter_mode(keys: list[bytes], chain: bytes, data: bytes) -> tuple[bytes, bytes]:
    counter, stream = int.from_bytes(chain[:BLOCK], "big"), chain[BLOCK:]
    while len(stream) < len(data):
        stream += encrypt_block(counter.to_bytes(BLOCK, "big"), keys)
        counter = (counter + 1) % (1 << 128)
    return _xor(data, stream[: len(data)]), counter.to_bytes(BLOCK, "big") + stream[len(data) :]
