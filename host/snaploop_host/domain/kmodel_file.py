"""A kmodel's header: whether the file is whole, and of which generation. Pure, no I/O.

nncase's own loader hangs on a file that was cut short and aborts on other damage, so files from elsewhere are looked at here first.
Layout (measured on nncase 2.11 output): u32 "LDMK", u32 version, u32 flags, u32 alignment, u32 modules, 3 x u32; then the modules, each
char kind[16], 4 x u32, u64 length counted from the module's own start. All little endian.
"""

from __future__ import annotations

import struct

from ..errors import BadInputError

MAGIC = b"LDMK"
VERSION = 7  # nncase 2.x; firmware with runtime 2.9 and 2.11 runs it
_HEADER = struct.Struct("<4s7I")
_MODULE = struct.Struct("<16s4IQ")


def check_kmodel(data: bytes, name: str) -> int:
    """The format version of a whole kmodel.

    Raises:
        BadInputError: no kmodel, of another generation, or cut short; the message begins with `name`.
    """
    if data[:4] != MAGIC:
        raise BadInputError(f"{name} is no kmodel (it begins with {data[:4]!r}): take the package as it was downloaded")
    cut = f"{name} is cut short ({len(data)} bytes): download the package again"
    if len(data) < _HEADER.size:
        raise BadInputError(cut)
    _, version, _, _, modules, *_ = _HEADER.unpack_from(data)
    if version != VERSION:
        raise BadInputError(
            f"{name} is a kmodel of version {version}, boards of today run version {VERSION}: train it for nncase 2.x"
        )
    at = _HEADER.size
    for _ in range(modules):
        length = _MODULE.unpack_from(data, at)[5] if at + _MODULE.size <= len(data) else 0
        if length < _MODULE.size or at + length > len(data):
            raise BadInputError(cut)
        at += length
    return int(version)
