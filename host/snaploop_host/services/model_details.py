"""Everything about one model or one run, as plain JSON-able dicts: for the API, `snaploop models show`, and their pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..domain.models import Model
from ..domain.run_report import RunReport, report_from_json
from ..domain.runs import Run
from ..errors import NotFoundError
from ..ports import Jobs, Store
from .overview import deployment_fields, model_fields

_PICTURE = re.compile(r"val_\d\d\.jpg")


class ModelDetails:
    """Read-only questions about what a run left behind."""

    def __init__(self, store: Store, jobs: Jobs) -> None:
        """Wire it up."""
        self._store = store
        self._jobs = jobs

    def report(self, run_id: int) -> RunReport | None:
        """What the run's job reported; None where it made no model, or its files are gone or of another kind."""
        try:
            return report_from_json(json.loads(self._jobs.artifact(run_id, "result.json").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def model(self, model: Model) -> dict[str, Any]:
        """The model with its manifest, run, report and what became of it on boards."""
        run = self._store.run(model.run_id)
        report = self.report(model.run_id)
        deployed = [one for one in self._store.deployments() if one.model_digest == model.digest]
        return model_fields(model) | {
            "project": self._store.project(model.project_id).name,
            "manifest": json.loads(model.manifest),
            "run": {"id": run.id, "state": run.state, "text": run.text, "photos": self._photos(run)},
            "report": None if report is None else report.to_json(),
            "files": {name: str(path) for name, path in self._files(model.run_id).items()},
            "deployments": [deployment_fields(one) for one in deployed],
        }

    def picture(self, run_id: int, name: str) -> Path:
        """A picture of a run: truth and the kmodel's answer.

        Raises:
            NotFoundError: there is none.
        """
        path = self._jobs.artifact(run_id, name)
        if not _PICTURE.fullmatch(name) or not path.is_file():
            raise NotFoundError(f"run {run_id} has no picture {name}")
        return path

    def _photos(self, run: Run) -> dict[str, int]:
        sides = [item.split for item in self._store.dataset_version(run.dataset_version_id).items]
        return {side: sides.count(side) for side in ("train", "val")}

    def _files(self, run_id: int) -> dict[str, Path]:
        names = ("model.kmodel", "model.onnx", "trained.onnx", "best.pt", "result.json")
        paths = {name: self._jobs.artifact(run_id, name) for name in names}
        return {name: path for name, path in paths.items() if path.is_file()}
