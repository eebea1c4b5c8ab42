"""A virtual board for the link bench: `virtual-k230 serve` with its usual cable, told over HTTP which script of its card to run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ..demo.children import Child, command_path
from ..demo.json_http import JsonHttp
from ..errors import HostError

PROFILE = "D"
START_WAIT_S = 60
SCRIPT_WAIT_S = 300
LOOK_EVERY_S = 0.05
PROMPT = ">>>"
RESULT = "RESULT "


class BenchBoard:
    """A board at its prompt; `port` is its serial port. Its card lies in `sd` and `data` of this PC."""

    def __init__(self, folder: Path) -> None:
        """Switch it on, its card in this folder (made when missing).

        Raises:
            DemoError: it does not start.
        """
        self.sd, self.data = folder / "sd", folder / "data"
        for card in (self.sd, self.data):
            card.mkdir(parents=True, exist_ok=True)
        argv = [command_path("virtual-k230"), "serve", "--sd", str(self.sd), "--data", str(self.data)]
        self._child = Child("virtual board", [*argv, "--profile", PROFILE, "--port", "0"], folder / "board.log")
        says = self._child.first_json_line(START_WAIT_S)
        self.port = str(says["pty"])
        self._http = JsonHttp("the virtual board", str(says["url"]))
        self._read = 0

    def close(self) -> None:
        """Switch it off."""
        self._child.stop()

    def limit_radio(self, bytes_per_s: int) -> None:
        """What its Wi-Fi carries; 0: as much as this PC does."""
        self._http.post("/faults", {"wifi.bytes_per_s": bytes_per_s or None})

    def run(self, script: Path) -> dict[str, Any]:
        """Run a script of ours in a fresh interpreter; what it says as its result.

        Raises:
            HostError: it gave none; with its last lines.
        """
        (self.sd / script.name).write_bytes(script.read_bytes())
        self._console()  # what came before
        self._http.post("/run", {"path": f"/sdcard/{script.name}"})
        said = ""
        ends = time.monotonic() + SCRIPT_WAIT_S
        while time.monotonic() < ends:
            time.sleep(LOOK_EVERY_S)
            said += self._console()
            lines = [line for line in said.splitlines() if line.startswith(RESULT)]
            if lines and said.rstrip().endswith(PROMPT):
                result: dict[str, Any] = json.loads(lines[-1][len(RESULT) :])
                return result
            if said.partition("exec(open(")[2].rstrip().endswith("\n" + PROMPT):
                break
        raise HostError(f"{script.name} gave no result: {' | '.join(said.splitlines()[-4:])[-400:]}")

    def _console(self) -> str:
        """What the console shows since the last look."""
        answer = self._http.get(f"/console?from={self._read}")
        self._read = answer["next"]
        return str(answer["text"]).replace("\r\n", "\n")
