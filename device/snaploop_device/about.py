"""What the app found on this board, in words: the About screen shows it, hello tells the host the same."""

from . import APP_VERSION


def hello(board, settings, state, card, model: str, samples: int) -> dict:
    """The arguments of hello (docs/protocol.md).

    Args:
        board: the ports.
        settings: the board's Config.
        state: the app's state.
        card: the card.
        model: digest of the live model, "" without one.
        samples: how many are on the card.
    """
    return {
        "name": settings.name,
        "machine": board.identity.machine(),
        "firmware": board.identity.firmware(),
        "nncase": board.kpu.version(),
        "app": APP_VERSION,
        "panel": [state.panel_w, state.panel_h],
        "free_bytes": card.free_bytes(),
        "heap_free": board.identity.heap_free(),
        "model": model,
        "samples": samples,
    }


def facts(told: dict, state, settings) -> "list[tuple[str, str]]":
    """(name, value) lines.

    Args:
        told: the arguments of hello.
        state: the app's state (links, panel, touch).
        settings: the board's Config.
    """
    touch = "touch" if state.has_touch else "no touch"
    links = (("USB", state.usb), ("Wi-Fi as " + state.wifi_address, state.wifi))
    up = [road for road, link in links if link == "connected"]
    return [
        ("board", told["machine"]),
        ("firmware", told["firmware"]),
        ("nncase", told["nncase"]),
        ("app", "snaploop " + told["app"]),
        ("panel", "{}x{}, {}".format(told["panel"][0], told["panel"][1], touch)),
        ("memory", "{} KB of the script's heap free".format(told["heap_free"] // 1024)),
        ("card", "{} GB free, {} photos".format(_tenths(told["free_bytes"] * 10 >> 30), told["samples"])),
        ("host", _host(settings)),
        ("link", ", ".join(up) or "no road is up"),
        ("model", told["model"][:12] or "none"),
        ("name", "{}, id {}".format(told["name"], settings.board_id or "not paired")),
    ]


def _tenths(number):
    return "{}.{}".format(number // 10, number % 10)


def _host(settings):
    if settings.host_address:
        return "{}:{}".format(settings.host_address, settings.host_port)
    if settings.is_paired:
        return "over USB only"
    return "none: `snaploop board install`, or Pair"
