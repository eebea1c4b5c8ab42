"""Peak memory of this process and everything it started, sampled while a bench runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

SAMPLE_EVERY_S = 1.0


class PeakMemory:
    """Within its `with` block, `peak_mib` is the largest proportional set size of the process tree seen so far, in MiB.

    Proportional: a page that n processes share counts 1/n in each (smaps_rollup), so that forked loaders are not counted twice.
    """

    def __init__(self) -> None:
        """Nothing is sampled yet."""
        self.peak_mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.is_set():
            started = time.monotonic()
            self.peak_mib = max(self.peak_mib, tree_pss_kib() / 1024)
            # Reading smaps of a large process takes milliseconds; never spend more than a twentieth of the time on it.
            self._done.wait(max(SAMPLE_EVERY_S, 20 * (time.monotonic() - started)))


def tree_pss_kib(root: str = "self") -> int:
    """Proportional set size of a process and all its descendants, KiB; processes that end meanwhile count as nothing."""
    children: dict[int, list[int]] = {}
    own = int(Path("/proc", root, "stat").read_text().split()[0])
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, left = 0, [own]
    while left:
        pid = left.pop()
        left += children.get(pid, [])
        total += _pss_kib(pid)
    return total


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
