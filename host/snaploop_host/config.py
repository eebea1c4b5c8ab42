"""The host's configuration: one read-only object, read once from options and environment. Called by app.py and cli/ only."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BadInputError

DEFAULT_HOST = "127.0.0.1"  # nobody else can reach it until the user says so with --listen
DEFAULT_PORT = 8230


@dataclass(frozen=True, slots=True)
class Config:
    """Where the data is, where to listen, which serial ports to serve ("auto" looks for boards by USB id)."""

    data_dir: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    usb_ports: tuple[str, ...] = ()
    finds_usb_boards: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach us."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def data_dir(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The data folder: the option, else $SNAPLOOP_DATA, else $XDG_DATA_HOME/snaploop, else ~/.local/share/snaploop."""
    if given is not None:
        return given.expanduser().absolute()
    if chosen := environ.get("SNAPLOOP_DATA"):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "snaploop"


def parse_address(text: str, default_host: str = DEFAULT_HOST) -> tuple[str, int]:
    """(host, port) of "ADDR:PORT", ":PORT", "PORT", "ADDR" or "[v6]:PORT".

    Raises:
        BadInputError: the port is no number from 0 to 65535.
    """
    host, _, port = text.strip().rpartition(":")
    if text.strip().endswith("]") or (not host and not port.isdigit()):  # no port given
        host, port = text.strip(), str(DEFAULT_PORT)
    elif ":" in host and not host.startswith("["):
        raise BadInputError(f"address {text!r}: write an IPv6 address as [ADDR]:PORT")
    if not port.isdigit() or int(port) > 65535:
        raise BadInputError(
            f"address {text!r}: give ADDR:PORT with a port from 0 to 65535, such as 0.0.0.0:{DEFAULT_PORT}"
        )
    return host.strip("[]") or default_host, int(port)
