"""cryptolib on the virtual board: aes in ECB, CBC and CTR mode; one object goes one direction."""

from binascii import hexlify as _hexlify

from _hal import call_blob as _call_blob

_MODES = {1: 0, 2: 16, 6: 16}  # mode -> length of the initialisation vector


class aes:
    def __init__(self, key, mode, IV=None):
        if mode not in _MODES:
            raise ValueError("mode")
        if len(key) not in (16, 32):
            raise ValueError("key")
        if _MODES[mode] and (IV is None or len(IV) != 16):
            raise ValueError("IV")
        self._key = _hexlify(key).decode()
        self._mode = mode
        self._chain = _hexlify(IV).decode() if _MODES[mode] else ""
        self._is_decrypting = None

    def _run(self, data, out, is_decrypting):
        if self._is_decrypting is not None and self._is_decrypting != is_decrypting:
            raise ValueError("can't encrypt & decrypt")
        if out is not None and len(out) < len(data):
            raise ValueError("output too small")
        chain, result = _call_blob("cryptolib.aes", data, self._mode, self._key, self._chain, is_decrypting)
        self._chain = chain
        self._is_decrypting = is_decrypting
        if out is None:
            return bytes(result)
        out[: len(result)] = result
        return out

    def encrypt(self, data, out=None):
        return self._run(data, out, False)

    def decrypt(self, data, out=None):
        return self._run(data, out, True)
