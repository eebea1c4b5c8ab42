"""A job's diary: events.jsonl for the daemon, state.json for the job itself after a restart. Standard library only.

Called by `job`; the daemon's job runner tails events.jsonl.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class EventWriter:
    """Appends one JSON object per line, flushed at once: {"t": unix ms, "kind": …, …}."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; a line that a kill or a full disk cut off is ended, or the next one would be lost with it."""
        self._file = path.open("a+b", buffering=0)
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def __call__(self, kind: str, **fields: Any) -> None:
        """Write one event."""
        line = json.dumps({"t": int(time.time() * 1000), "kind": kind, **fields}) + "\n"
        self._file.write(line.encode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class FinishedStages:
    """Which stages of the job are done, with what each handed on; survives a kill because the file is replaced whole."""

    def __init__(self, path: Path) -> None:
        """Read `path` where it exists.

        A damaged file counts as none: the stages are done again, from their own checkpoints where they have some.
        """
        self.path = path
        self._stages: dict[str, Any] = {}
        if path.exists():
            try:
                self._stages = _stages(json.loads(path.read_bytes()))
            except ValueError as error:
                logger.warning("%s is damaged (%s): its stages are done again", path, error)

    def get(self, name: str) -> Any:
        """What the stage handed on, or None when it is not finished."""
        return self._stages.get(name, {}).get("result")

    def finish(self, name: str, result: Any, seconds: float) -> None:
        """Remember a finished stage."""
        self._stages[name] = {"result": result, "seconds": round(seconds, 2)}
        write_whole(self.path, json.dumps(self._stages))

    def timings_s(self) -> dict[str, float]:
        """Seconds per finished stage."""
        return {name: stage["seconds"] for name, stage in self._stages.items()}


def _stages(raw: Any) -> dict[str, Any]:
    """What the file holds, when it is what `finish` wrote.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(raw, dict) or not all(
        isinstance(one, dict) and "result" in one and isinstance(one.get("seconds"), (int, float))
        for one in raw.values()
    ):
        raise ValueError("it holds no stages")
    return raw


def write_whole(path: Path, text: str) -> None:
    """Replace `path` by `text`, so that a reader or a kill sees the old content or the new, never half."""
    partial = path.with_suffix(path.suffix + ".part")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
