"""What a board can be set to: the numbers and texts of VirtualK230, each refused with a line that says what fits."""

from __future__ import annotations

import math
import re

# (smallest, largest, unit) of what VirtualK230 takes. MicroPython's WebAssembly build has 2 GiB at most, and needs some heap to start.
_RANGES = {
    "heap": (0.25, 512.0, "MiB"),
    "USB round trip": (0.0, 10_000.0, "ms"),
    "camera": (0.0, 1000.0, "frames per second"),
    "panel side": (8.0, 4096.0, "pixels"),
}


def check_number(name: str, value: float) -> None:
    """Refuse what is out of range.

    Args:
        name: "heap", "USB round trip", "camera" or "panel side".
        value: in the unit of that name: MiB, ms, frames per second, pixels.

    Raises:
        ValueError: the message names both ends.
    """
    low, high, unit = _RANGES[name]
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} of {value:g} {unit}: use {low:g} to {high:g}")


def check_wifi(wifi: str | None) -> None:
    """Refuse a network that is not SSID:KEY (SSID: has no key).

    Raises:
        ValueError: there is no colon, or nothing before it.
    """
    if wifi is not None and not re.match(r"[^:]+:", wifi):
        raise ValueError(f"Wi-Fi {wifi!r}: give SSID:KEY, or SSID: for a network without a key")


def check_nncase_version(version: str | None) -> None:
    """Refuse what is no version.

    Raises:
        ValueError: it is not X.Y.Z.
    """
    if version is not None and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"nncase version {version!r}: give three numbers such as 2.9.0")
