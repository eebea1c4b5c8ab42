"""The virtual board's Wi-Fi station and access point: who has joined what, and how well it goes.

The virtual network is the PC itself: whoever has joined reaches its loopback addresses. Faults are switched here:
`set_up` (the access point goes and comes), `join_s` (how long joining takes), `slow_start_s` (the first seconds after
joining carry little). Facts: K230 platform notes §8.1 and §8.3.
"""

from __future__ import annotations

import time
from typing import Any

from .hal import HalError

_STATION_MAC = [0x02, 0x00, 0x4C, 0x4F, 0x4F, 0x50]
_AP_BSSID = [0x02, 0x00, 0x4C, 0x4F, 0x4F, 0x51]
_SECURITY_OPEN, _SECURITY_WPA2 = 0, 0x00400004  # as RT-Thread numbers them
_BAND_2_4_GHZ = 1
_RSSI = -42
_SLOW_START_BYTES_PER_S = 5000  # 0.04 Mbit/s, measured on a board (§8.3)
_NO_ADDRESS = ["0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0"]
_LOOPBACK = ["127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1"]


class WlanOps:
    """Operations of network.WLAN and network.LAN.

    Args:
        board: the board; its console and waits are used.
        wifi: "SSID:KEY" of the only network in reach; by default any name and key are right.
    """

    def __init__(self, board: Any, wifi: str | None = None) -> None:
        self._board = board
        self._expected = tuple(wifi.split(":", 1)) if wifi else None
        self.up = True
        """Is the access point on? Switched by tests and POST /wifi."""
        self.ssid: str | None = None
        """The network that the station has joined."""
        self.join_s: float = 0
        """How long joining takes."""
        self.slow_start_s: float = 0
        """For so long after joining the link carries only 5 KB/s, as some boards do for 10 to 20 s."""
        self._joined_at = 0.0
        self._station_mac = list(_STATION_MAC)
        self._auto_reconnect = False
        self._access_point: dict[str, Any] | None = None
        self._country = 0
        self._address: list[str] | None = None
        self._default_device = "w0"

    def connect(self, ssid: str, key: str | None) -> bool:
        """Join; True when the access point is on and name and key are right."""
        if self.join_s > 0:
            self._board.wait_fds({}, self.join_s * 1000)
        right = self._expected is None or (ssid, key or "") == (self._expected[0], (*self._expected, "")[1])
        self.ssid = ssid if self.up and right else None
        self._joined_at = time.monotonic()
        return self.ssid is not None

    def isconnected(self) -> bool:
        """Has it joined, and is the access point still on?"""
        return self.up and self.ssid is not None

    def disconnect(self) -> None:
        """Leave."""
        self.ssid = None

    def set_up(self, up: bool) -> None:
        """Switch the access point; with auto_reconnect the station comes back by itself."""
        self.up = up
        if not up and not self._auto_reconnect:
            self.ssid = None

    def slow_bytes_per_s(self) -> float:
        """What the link carries just after joining; 0: no such limit now."""
        is_slow = self.slow_start_s > 0 and time.monotonic() - self._joined_at < self.slow_start_s
        return _SLOW_START_BYTES_PER_S if is_slow else 0

    def rssi(self) -> int | None:
        """Signal strength in dBm; None without a connection."""
        return _RSSI if self.isconnected() else None

    def ifconfig(self, is_station: bool) -> list[str]:
        """Address, mask, gateway and DNS; zeros while there is no link."""
        is_linked = self.isconnected() if is_station else self._access_point is not None
        if not is_linked:
            return list(_NO_ADDRESS)
        return list(self._address or _LOOPBACK) if is_station else list(_LOOPBACK)

    def set_ifconfig(self, is_station: bool, setting: list[str] | None) -> bool:
        """Fixed addresses, or None for DHCP. Only what ifconfig() says changes: the PC's loopback stays what it is."""
        if setting is not None and len(setting) != 4:
            raise HalError("ValueError", f"requested length 4 but object has length {len(setting)}")
        if is_station:
            self._address = setting
        return True

    def scan(self, ssid: str | None = None) -> list[list[Any]]:
        """[ssid, bssid, channel, rssi, security, band, hidden] of each access point in reach."""
        if not self.up:
            return []
        name = self._expected[0] if self._expected else "virtual-k230"
        is_open = self._expected is not None and (*self._expected, "")[1] == ""
        row = [name, _AP_BSSID, 6, _RSSI, _SECURITY_OPEN if is_open else _SECURITY_WPA2, _BAND_2_4_GHZ, 0]
        return [row] if ssid in (None, "", name) else []

    def joined(self) -> list[Any] | None:
        """The access point that the station has joined, as a row of scan()."""
        if self.ssid is None or not self.isconnected():
            return None
        return [self.ssid, _AP_BSSID, 6, _RSSI, _SECURITY_WPA2, _BAND_2_4_GHZ, 0]

    def mac(self, address: list[int] | None = None) -> list[int]:
        """The station's hardware address, after setting it."""
        if address is not None:
            if len(address) != 6:
                raise HalError("ValueError", f"requested length 6 but object has length {len(address)}")
            self._station_mac = list(address)
        return self._station_mac

    def auto_reconnect(self, wanted: bool | None = None) -> bool:
        """Does the station join again by itself when the access point comes back?"""
        if wanted is not None:
            self._auto_reconnect = wanted
        return self._auto_reconnect

    def start_ap(self, ssid: str, key: str | None, channel: int, hidden: int) -> bool:
        """Be an access point. Nobody is there to join it, but its address works for servers on the board."""
        security = _SECURITY_WPA2 if key else _SECURITY_OPEN
        self._access_point = {"row": [ssid, _AP_BSSID, channel, 0, security, _BAND_2_4_GHZ, hidden]}
        return True

    def stop_ap(self) -> bool:
        """Stop being one; False when it was none."""
        was, self._access_point = self._access_point, None
        return was is not None

    def ap_info(self) -> list[Any] | None:
        """Our own access point as a row of scan(); None when it is off."""
        return None if self._access_point is None else self._access_point["row"]

    def country(self, code: int | None = None) -> int:
        """Country code of the access point."""
        if code is not None:
            self._country = code
        return self._country

    def default_device(self, name: str | None = None) -> str | None:
        """The interface that traffic takes: "w0" (station) or "w1" (access point); None refuses an unknown name."""
        if name is not None:
            if name not in ("w0", "w1"):
                return None
            self._default_device = name
        return self._default_device

    def has_link(self) -> bool:
        """Can sockets reach anybody?"""
        return self.isconnected() or self._access_point is not None
