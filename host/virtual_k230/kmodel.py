"""Reading a kmodel's header: is it whole, and of the generation that this board's firmware runs?

nncase's own loader hangs on a file that was cut short and aborts on other damage, so `kpu.py` looks here first.
Layout (measured on nncase 2.11 output): u32 "LDMK", u32 version, u32 flags, u32 alignment, u32 modules, 3 x u32; then
the modules, each char kind[16], 4 x u32, u64 length counted from the module's own start. All little endian.
"""

from __future__ import annotations

import struct

MAGIC = b"LDMK"
VERSION = 7
"""What nncase 2.x writes; firmware with runtime 2.9 and 2.11 expects it."""

_HEADER = struct.Struct("<4s7I")
_MODULE = struct.Struct("<16s4IQ")


class KmodelError(Exception):
    """The file cannot be run; the message says why."""


def check_kmodel(data: bytes | memoryview) -> None:
    """Accept a whole kmodel of our generation.

    Raises:
        KmodelError: no kmodel, another version, or cut short.
    """
    if len(data) < _HEADER.size or bytes(data[:4]) != MAGIC:
        raise KmodelError("not a kmodel: it does not begin with LDMK")
    _, version, _, _, modules, *_ = _HEADER.unpack_from(data)
    if version != VERSION:
        raise KmodelError(f"kmodel version {version}, this firmware runs version {VERSION}")
    at = _HEADER.size
    for number in range(modules):
        if at + _MODULE.size > len(data):
            raise KmodelError(f"cut short: {len(data)} bytes, module {number} of {modules} begins at {at}")
        length = _MODULE.unpack_from(data, at)[5]
        if length < _MODULE.size or at + length > len(data):
            raise KmodelError(f"cut short: {len(data)} bytes, module {number} of {modules} ends at {at + length}")
        at += length
