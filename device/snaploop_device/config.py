"""What `snaploop board install` or a QR code told this board. Read once at start; `change` is for what is agreed on later."""

import json

from snaploop_shared.auth import KEY_BYTES
from snaploop_shared.portable import binascii, parse_json

FILE = "config.json"
DEFAULT_PORT = 8765


class Config:
    """Identity, host, Wi-Fi and preferences of one board. A board without a pairing can photograph and label, not sync."""

    def __init__(self, fields: dict) -> None:
        """Take the fields of config.json; all are optional.

        Raises:
            ValueError: a field is of the wrong kind; the message names it.
        """
        self.board_id = _text(fields, "id")
        self.name = _text(fields, "name") or "board"
        try:
            self.key = binascii.unhexlify(_text(fields, "key").encode())
        except ValueError:
            raise ValueError("config.json: key is not hexadecimal: run `snaploop board install` again")
        if self.key and len(self.key) != KEY_BYTES:
            raise ValueError(
                "config.json: key of {} bytes, {} needed: run `snaploop board install` again".format(
                    len(self.key), KEY_BYTES
                )
            )
        host = fields.get("host") or ["", DEFAULT_PORT]
        wifi = fields.get("wifi") or ["", ""]
        if len(host) != 2 or not isinstance(host[1], int) or len(wifi) != 2:
            raise ValueError("config.json: host must be [address, port], wifi [ssid, key]")
        self.host_address, self.host_port = host
        self.wifi_ssid, self.wifi_key = wifi
        self.road = fields.get("road", "auto")  # auto: USB when a host answers there, else Wi-Fi
        if self.road not in ("auto", "usb", "wifi"):
            raise ValueError("config.json: road {!r} is none of auto, usb, wifi".format(self.road))
        self.label_at_once = bool(
            fields.get("label_at_once", True)
        )  # boxes are drawn best while one knows why one shot
        self.panel = fields.get("panel")  # [w, h]; None: what this kind of board has

    @property
    def is_paired(self) -> bool:
        """Whether a host knows this board."""
        return bool(self.board_id and self.key)


def load(card) -> "tuple[Config, str]":
    """The configuration on the card, and a line for the screen when it could not be used ("" when all is well)."""
    card.finish(FILE, _is_object)
    if not card.has(FILE):
        return Config({}), "not paired yet: open Sync, or run `snaploop board install`"
    try:
        fields = parse_json(card.read(FILE))
        if not isinstance(fields, dict):
            raise ValueError("config.json is not an object")
        return Config(fields), ""
    except (ValueError, TypeError) as error:
        return Config({}), str(error)


def change(card, settings: Config, fields: dict) -> None:
    """Keep these fields of config.json, and let `settings` say them from now on; the other fields stay.

    Raises:
        CardFullError, OSError: the card cannot keep them; nothing changed.
        ValueError: a field is of the wrong kind.
    """
    known = {}
    if card.has(FILE):
        data = card.read(FILE)
        known = parse_json(data) if _is_object(data) else {}
    known.update(fields)
    Config(known)  # refused here, before it is kept
    card.write(FILE, json.dumps(known).encode())
    settings.__init__(known)


def _is_object(data):
    try:
        return isinstance(parse_json(data), dict)
    except ValueError:
        return False


def _text(fields, name):
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ValueError("config.json: {} must be text".format(name))
    return value
