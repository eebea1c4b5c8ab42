"""AES against the vectors of FIPS 197 and NIST SP 800-38A."""

from __future__ import annotations

import pytest

from virtual_k230 import aes

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
KEY_256 = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
IV = bytes(range(16))
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")


@pytest.mark.parametrize(
    ("mode", "key", "chain", "cipher"),
    [
        (aes.MODE_ECB, KEY, b"", "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"),
        (aes.MODE_ECB, KEY_256, b"", "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"),
        (aes.MODE_CBC, KEY, IV, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
        (
            aes.MODE_CTR,
            KEY,
            bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff",
        ),
    ],
)
def test_vectors_in_both_directions(mode: int, key: bytes, chain: bytes, cipher: str) -> None:
    expected = bytes.fromhex(cipher)
    assert aes.transform(mode, key, chain, PLAIN, False)[0] == expected
    assert aes.transform(mode, key, chain, expected, True)[0] == PLAIN


@pytest.mark.parametrize("mode", [aes.MODE_CBC, aes.MODE_CTR])
def test_the_chain_goes_on_between_calls(mode: int) -> None:
    whole, _ = aes.transform(mode, KEY, IV, PLAIN, False)
    cut = 16 if mode == aes.MODE_CBC else 5
    first, chain = aes.transform(mode, KEY, IV, PLAIN[:cut], False)
    second, _ = aes.transform(mode, KEY, chain, PLAIN[cut:], False)
    assert first + second == whole


def test_wrong_lengths_and_modes() -> None:
    with pytest.raises(ValueError, match="key"):
        aes.transform(aes.MODE_ECB, b"short", b"", PLAIN, False)
    with pytest.raises(ValueError, match="blksize % 16"):
        aes.transform(aes.MODE_ECB, KEY, b"", b"x", False)
    with pytest.raises(ValueError, match="mode"):
        aes.transform(3, KEY, b"", PLAIN, False)
