"""hashlib on the virtual board: md5, sha1, sha256 with update() and digest() only; digest() ends the object."""

from _hal import call_blob
from uhashlib import sha256 as _sha256


class sha256:
    def __init__(self, data=b""):
        self._hash = _sha256(data)

    def update(self, data):
        if self._hash is None:
            raise ValueError("hash is final")
        self._hash.update(data)

    def digest(self):
        if self._hash is None:
            raise ValueError("hash is final")
        digest = self._hash.digest()
        self._hash = None
        return digest


class _Remote:
    """Hashes that this interpreter lacks, calculated on the Python side from all the data."""

    def __init__(self, data=b""):
        self._data = bytearray(data)

    def update(self, data):
        if self._data is None:
            raise ValueError("hash is final")
        self._data.extend(data)

    def digest(self):
        if self._data is None:
            raise ValueError("hash is final")
        digest = bytes(call_blob("hashlib.digest", self._data, self._name)[1])
        self._data = None
        return digest


class sha1(_Remote):
    _name = "sha1"


class md5(_Remote):
    _name = "md5"
