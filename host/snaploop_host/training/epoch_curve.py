"""Turns finished epochs into events, and keeps them in a file so that a resumed run has the whole curve.

Used by every task's trainer.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..domain.scores import scores_text
from .task import Report


class EpochCurve:
    """The curve of one run: `curve.jsonl` at `path`, and an "epoch" event for each epoch.

    Args:
        path: the file; what an earlier, killed run wrote there stays.
        epochs: how many are planned.
        report: gets the events.
    """

    def __init__(self, path: Path, epochs: int, report: Report) -> None:
        self.path, self.epochs, self.report = path, epochs, report
        self._previous = time.monotonic()
        self._recent: deque[float] = deque(maxlen=5)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._start_file = path.with_name("start.json")

    def add(
        self,
        epoch: int,
        losses: Mapping[str, float],
        metrics: Mapping[str, float] | None,
        validation_s: float = 0.0,
    ) -> None:
        """Report one finished epoch (1 is the first); no metrics where it was not validated.

        Args:
            epoch: its number.
            losses: term → mean over the epoch.
            metrics: name → score on the validation photos.
            validation_s: how much of the epoch's time went into these.
        """
        now = time.monotonic()
        seconds, self._previous = now - self._previous, now
        self._recent.append(seconds)
        fields = {
            "epoch": epoch,
            "epochs": self.epochs,
            "losses": {name: round(value, 4) for name, value in losses.items()},
            "metrics": {name: round(value, 4) for name, value in (metrics or {}).items()},
            "seconds": round(seconds, 2),
            "validation_s": round(validation_s, 3),
            "eta_s": round(statistics.median(self._recent) * (self.epochs - epoch), 1),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(fields) + "\n")
        self.report("epoch", **fields)

    def begin(self, metrics: Mapping[str, float]) -> None:
        """Report what the weights to start from score on the validation photos, and keep it beside the curve."""
        self._start_file.write_text(json.dumps({name: round(value, 4) for name, value in metrics.items()}))
        self.report("note", text=f"the model it starts from scores {scores_text(metrics)} on these validation photos")
        self._previous = time.monotonic()

    @property
    def start_metrics(self) -> dict[str, float] | None:
        """What `begin` was told, also in an earlier, killed run; None when the weights were not worth a look."""
        return json.loads(self._start_file.read_text()) if self._start_file.exists() else None

    def metrics_of(self, epoch: int) -> dict[str, float]:
        """The scores after an epoch; 0 is what the training started from."""
        if epoch == 0:
            return self.start_metrics or {}
        return dict(next(row["metrics"] for row in self.rows() if row["epoch"] == epoch))

    def losses(self) -> list[float]:
        """The loss of every epoch so far, its terms summed."""
        return [sum(row["losses"].values()) for row in self.rows()]

    def rows(self) -> list[dict[str, Any]]:
        """One row per epoch; an epoch repeated after a kill counts once, its later run."""
        rows = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:  # a kill cut this line off; the epoch was trained again
                continue
            rows[row["epoch"]] = row
        names = ("epoch", "losses", "metrics", "seconds", "validation_s")
        return [{name: rows[epoch].get(name, 0.0) for name in names} for epoch in sorted(rows)]
