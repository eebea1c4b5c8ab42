"""`snaploop try`: a host and a virtual board with an empty card, and their two pages; the person at the mouse does the rest."""

from __future__ import annotations

import logging
import time
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ..errors import BadInputError
from .children import Child, command_path
from .errors import DemoError

logger = logging.getLogger(__name__)

PROFILE = "D"  # the firmware whose nncase runtime we compile for (k230-platform §0.1)
START_WAIT_S = 60
LOOK_EVERY_S = 1.0
SENSOR_FPS = 30
GREETING = """
  host    {host}      projects, photos, training
  board   {board}      its screen; the mouse is your finger

1. On the host's page make a project with your own classes.
2. At Boards there, click "Install the app": the virtual board is plugged in.
   (Or on the board's page: "Put the snaploop app on the card", then pair it by QR code.)
3. On the board: photograph, label, Sync, Train, Live.

Ctrl-C ends both; everything stays in {out}, and `snaploop try` goes on from there.
"""


def run_hands_on(out: Path, camera: str, opens_browser: bool, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        out: folder of the card and of the host's data; what an earlier run left there is gone on with.
        camera: what the board's camera sees, as `virtual-k230 serve --camera` takes it.
        opens_browser: whether to open the two pages.
        say: gets their addresses and what to do.

    Raises:
        BadInputError: the folder cannot be made.
        DemoError: host or board ended by itself; holds its last words.
    """
    card = out / "card"
    try:
        for folder in (card / "sdcard", card / "data"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{out} cannot be made ({error.strerror}): choose another folder with --out") from error
    logs = out / "logs"
    board_argv = [command_path("virtual-k230"), "serve", "--sd", str(card / "sdcard"), "--data", str(card / "data")]
    board_argv += ["--profile", PROFILE, "--camera", camera, "--port", "0", "--fps", str(SENSOR_FPS)]
    with ExitStack() as stack:
        board = stack.enter_context(Child("virtual board", board_argv, logs / "board.log"))
        board_says = board.first_json_line(START_WAIT_S)
        host_argv = [command_path("snaploop"), "serve", "--listen", "127.0.0.1:0", "--usb", str(board_says["pty"])]
        host_argv += ["--data", str(out / "host"), "--json", "--end-jobs"]
        host = stack.enter_context(Child("host", host_argv, logs / "host.log"))
        urls = [str(host.first_json_line(START_WAIT_S)["url"]), str(board_says["url"])]
        say(GREETING.format(host=urls[0], board=urls[1], out=out))
        if opens_browser:
            for url in urls:
                webbrowser.open_new_tab(url)
        try:
            _watch([board, host])
        except KeyboardInterrupt:
            logger.info("ending host and board")


def _watch(children: list[Child]) -> None:
    """Return never; raise DemoError when one has ended."""
    while True:
        for child in children:
            if not child.is_running:
                raise DemoError(f"{child.name} ended: {child.log_end()}")
        time.sleep(LOOK_EVERY_S)
