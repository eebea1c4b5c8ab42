"""network on the virtual board: a Wi-Fi station and an access point whose addresses belong to this PC; no cable."""

from _hal import call as _call

STA_IF = 0
AP_IF = 1
WLAN_AUTO = 0
WLAN_USB = 1
WLAN_SDIO = 2
WLAN_SPI = 3

_is_new = _call("board.profile")["has_new_network"]
_MAX_SSID = 32
_MAX_KEY = 64
# RT-Thread's numbers
_SECURITY = {
    "SECURITY_OPEN": 0,
    "SECURITY_WEP_PSK": 1,
    "SECURITY_WEP_SHARED": 0x8001,
    "SECURITY_WPA_TKIP_PSK": 0x00200002,
    "SECURITY_WPA_TKIP_8021X": 0x10200002,
    "SECURITY_WPA_AES_PSK": 0x00200004,
    "SECURITY_WPA_AES_8021X": 0x10200004,
    "SECURITY_WPA2_AES_PSK": 0x00400004,
    "SECURITY_WPA2_AES_8021X": 0x10400004,
    "SECURITY_WPA2_TKIP_PSK": 0x00400002,
    "SECURITY_WPA2_TKIP_8021X": 0x10400002,
    "SECURITY_WPA2_MIXED_PSK": 0x00400006,
    "SECURITY_WPA_WPA2_MIXED_PSK": 0x00600000,
    "SECURITY_WPA_WPA2_MIXED_8021X": 0x10600000,
    "SECURITY_WPA2_AES_CMAC": 0x00400010,
    "SECURITY_WPS_OPEN": 0x10000000,
    "SECURITY_WPS_SECURE": 0x10000004,
    "SECURITY_WPA3_AES_PSK": 0x00800004,
    "SECURITY_UNKNOWN": -1,
}
_BANDS = {0: "5G", 1: "2.4G"}


def _check_names(ssid, key):
    if not 0 < len(ssid) <= _MAX_SSID:
        raise OSError("SSID can't be empty, and can't longer than %d" % _MAX_SSID)
    if key is not None and not 8 <= len(key) <= _MAX_KEY:
        raise OSError("Key length(%d) should be 8 - %d" % (len(key), _MAX_KEY))


class rt_wlan_info:
    """One access point: ssid and bssid as bytes, channel, rssi, security, band, hidden."""

    def __init__(self, ssid=b"", bssid=bytes(6), channel=1, rssi=-99, security=0, band=1, hidden=0):
        self.ssid = ssid.encode() if isinstance(ssid, str) else ssid
        self.bssid = bytes(bssid)
        self.channel = channel
        self.rssi = rssi
        self.security = security
        self.band = band
        self.hidden = hidden

    def __repr__(self):
        security = [name for name, number in _SECURITY.items() if number == self.security]
        return '{"ssid":"%s", "bssid":%s, "channel":%d, "rssi":%d, "security":"%s", "band":"%s", "hidden":%d}' % (
            self.ssid.decode(), ":".join(["%02X" % byte for byte in self.bssid]), self.channel, self.rssi,
            security[0] if security else "UNKNOWN", _BANDS.get(self.band, "UNKNOWN"), self.hidden
        )  # fmt: skip


class _Interface:
    def _is_active(self):
        return True

    def active(self, *state):
        """A question only: the interface cannot be switched."""
        if not state:
            return self._is_active()
        if _is_new:
            print("Network (rt-smart) is always active and cannot be disabled.")
        else:
            print("network(rt_smart) not support set active state")
        return None if _is_new else True

    def ifconfig(self, *setting):
        if not setting:
            return tuple(_call("wlan.ifconfig", self._is_station))
        if isinstance(setting[0], str):
            if setting[0] != "dhcp":
                raise ValueError("unknown config param")
            return _call("wlan.set_ifconfig", self._is_station, None)
        return _call("wlan.set_ifconfig", self._is_station, setting[0])


class _Station(_Interface):
    _is_station = True

    def connect(self, ssid=None, key=None, *, info=None):
        if ssid is None:
            if info is None:
                raise OSError("should set ssid or ap")
            ssid = info.ssid.decode()
        _check_names(ssid, key)
        if not _call("wlan.connect", ssid, key):
            print("run connect failed.")
            return False
        return True

    def disconnect(self):
        _call("wlan.disconnect")
        return True

    def isconnected(self):
        return _call("wlan.isconnected")

    def scan(self, ssid=None):
        return [rt_wlan_info(*row) for row in _call("wlan.scan", ssid)]

    def status(self, *what):
        if not what:
            return self.isconnected()
        if what[0] == "rssi":
            rssi = _call("wlan.rssi")
            if rssi is None:
                print("run sta get rssi failed.")
                return -99
            return rssi
        if what[0] == "ap":
            row = _call("wlan.joined")
            if row is None:
                print("run get ap info failed.")
                return None
            return rt_wlan_info(*row)
        raise ValueError("unknown status param")

    def config(self, *what, mac=None, auto_reconnect=None):
        if what == ("mac",):
            return bytes(_call("wlan.mac"))
        if what == ("auto_reconnect",):
            return _call("wlan.auto_reconnect")
        if mac is None and auto_reconnect is None:
            if len(what) != 1:
                raise TypeError("must query one param.\n")
            return True
        if mac is not None:
            _call("wlan.mac", list(mac))
        if auto_reconnect is not None:
            _call("wlan.auto_reconnect", bool(auto_reconnect))
        return True


class _AccessPoint(_Interface):
    _is_station = False

    def disconnect(self, mac):
        print("run ap deauth failed.")  # nobody has joined
        return False

    def config(self, *what, ssid=None, key=None, channel=1, band=None, hidden=0, info=None, country=None):
        if ssid is not None or (info is not None and key is not None):
            name = ssid if ssid is not None else info.ssid.decode()
            _check_names(name, key)
            return _call("wlan.start_ap", name, key, channel if info is None else info.channel, hidden)
        if country is not None:
            _call("wlan.country", country)
            return True
        if what == ("info",):
            return self.info()
        if what == ("country",):
            return _call("wlan.country")
        if len(what) != 1:
            raise TypeError("must query one param")
        return True

    def info(self):
        row = _call("wlan.ap_info")
        if row is None:
            print("run get ap info failed.")
            return None
        return rt_wlan_info(*row)

    def status(self, *what):
        if not what:
            return _call("wlan.ap_info") is not None
        if what[0] == "stations":
            return []
        raise ValueError("unknown status param")

    def stop(self):
        if not _call("wlan.stop_ap"):
            print("run stop failed.")
            return False
        return True


for _name, _number in _SECURITY.items():
    for _kind in (_Station, _AccessPoint):
        setattr(_kind, _name, _number)
for _kind in (_Station, _AccessPoint):
    _kind.BAND_5GHZ = 0
    _kind.BAND_2_4GHZ = 1

_station = _Station()
_access_point = _AccessPoint()


def WLAN(interface=STA_IF, *device):
    """The one station or access point of the board."""
    if device and not _is_new:
        raise TypeError("function expected at most 1 arguments, got 2")
    return _station if interface == STA_IF else _access_point


class LAN(_Interface):
    """A network dongle at the USB host port. None is plugged into the virtual board."""

    _is_station = False

    def __init__(self, itf=None):
        self._mac = bytes(6)

    def _is_active(self):
        return False

    def isconnected(self):
        return False

    def status(self, *what):
        if what:
            raise ValueError("unknown status param")
        return 0

    def ifconfig(self, *setting):
        if not setting:
            return ("0.0.0.0",) * 4
        print("set ifconfig dhcp failed." if setting[0] == "dhcp" else "set ifconfig static failed.")
        return False

    def config(self, *what, mac=None):
        if mac is not None:
            print("run set mac failed.")
            return None
        if len(what) != 1:
            raise TypeError("must query one param")
        if what[0] != "mac":
            raise ValueError("unknown config param")
        print("run get mac failed.")
        return self._mac


if _is_new:

    def get_dev_list():
        return ["w0", "w1"]

    def get_default_dev():
        return _call("wlan.default_device")

    def set_default_dev(name):
        if not 0 < len(name) < 32:
            raise ValueError("invalid device name")
        if _call("wlan.default_device", name) is None:
            print("run set default netdev failed.")
            return False
        return True
