"""network on the virtual board: one Wi-Fi station whose access point and address belong to this PC."""

from _hal import call as _call

STA_IF = 0
AP_IF = 1


class _Found:
    """One access point of a scan."""

    def __init__(self, row):
        self.ssid, self.bssid, self.channel, self.rssi, self.security, self.band, self.hidden = row

    def __repr__(self):
        return '{"ssid":"%s", "bssid":%s, "channel":%d, "rssi":%d, "security":"%s", "band":"%s", "hidden":%d}' % (
            self.ssid, self.bssid, self.channel, self.rssi, self.security, self.band, self.hidden
        )  # fmt: skip


class WLAN:
    IF_STA = 0
    IF_AP = 1

    def __init__(self, interface=STA_IF, kind=None):
        self._interface = interface

    def active(self, state=None):
        if state is not None:
            print("network(rt_smart) not support set active state")
        return True

    def connect(self, ssid, key=None, info=None):
        return _call("wlan.connect", ssid, key)

    def disconnect(self):
        _call("wlan.disconnect")
        return True

    def isconnected(self):
        return _call("wlan.isconnected")

    def scan(self):
        return [_Found(row) for row in _call("wlan.scan")]

    def ifconfig(self, setting=None):
        if setting is not None:
            return True
        return tuple(_call("wlan.ifconfig"))

    def status(self, what=None):
        if what == "rssi":
            found = self.scan()
            return found[0].rssi if found else 0
        return 3 if self.isconnected() else 0

    def config(self, what=None, **settings):
        if what == "mac":
            return b"\x02\x00\x4c\x4f\x4f\x50"
        return True
