"""What this board is: chip, firmware, panel."""

import gc
import os

from snaploop_shared.portable import hex_of

from . import ports

# Board id → panel (k230-platform §3). There is no panel detection on this platform; config.json "panel" overrules.
_SMALL_PANELS = ("yahboom", "atk")
_OTHER_PANELS = {"dongshanpi": ("ILI9806", 800, 480), "gt6700": ("GC9503", 800, 480)}
_DEFAULT_PANEL = ("ST7701", 800, 480)


class K230Identity(ports.Identity):
    """From os.uname(), machine and gc."""

    def chip_id(self) -> str:
        """machine.chipid() as hex."""
        import machine

        raw = machine.chipid()
        return raw if isinstance(raw, str) else hex_of(raw)

    def machine(self) -> str:
        """For example "k230_canmv_01studio"."""
        return os.uname()[4]

    def firmware(self) -> str:
        """Release and version of the firmware."""
        name = os.uname()
        return "{} {}".format(name[2], name[3])

    def heap_free(self) -> int:
        """Free heap bytes."""
        return gc.mem_free() if hasattr(gc, "mem_free") else 0

    def random_u32(self) -> int:
        """From the system's random source."""
        number = 0
        for byte in os.urandom(4):
            number = number * 256 + byte
        return number or 1

    def panel(self) -> tuple:
        """(display type, w, h)."""
        name = self.machine()
        for word, panel in _OTHER_PANELS.items():
            if word in name:
                return panel
        for word in _SMALL_PANELS:
            if word in name:
                return ("ST7701", 640, 480)
        return _DEFAULT_PANEL
