"""A virtual CanMV K230: real MicroPython under Node with the board's modules emulated by Python on this PC.

Stands alone: imports nothing but its own files and third-party libraries. Use `VirtualK230` from Python or the
`virtual-k230` command.
"""

from .board import VirtualK230
from .hal import HalError, Reply

__all__ = ["HalError", "Reply", "VirtualK230"]
