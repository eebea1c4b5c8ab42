"""What a task brings so that one job runner can train, compile, prove and publish its models.

A task lives in a package of its own (`detect/`, `classify/`, …) whose `task.py` has a `TASK`. The runner (`job`), the gate
(`gate_stage`) and the report (`report_stage`) know nothing of boxes or classes; they ask the task.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..domain.confidence import Tally
from ..domain.geometry import FloatArray
from ..domain.preprocess import Preprocess
from ..domain.scores import METRICS, Score
from .errors import BadJobError
from .job_spec import TrainingJob

Pixels = npt.NDArray[np.uint8]
Outputs = Sequence[npt.NDArray[np.float32]]
Report = Callable[..., None]


@dataclass(frozen=True)
class Folders:
    """Where a job keeps what."""

    job: Path

    @property
    def data(self) -> Path:
        """The data set in the form that the task's trainer reads."""
        return self.job / "work" / "data"

    @property
    def run(self) -> Path:
        """The trainer's own files: checkpoints, curve."""
        return self.job / "work" / "train"

    @property
    def compile(self) -> Path:
        """Pixels, kmodels of every rung, simulator answers."""
        return self.job / "work" / "compile"

    @property
    def artifacts(self) -> Path:
        """What is kept for ever: best.pt, model.onnx, model.kmodel, golden_input.bin, val_NN.jpg, result.json."""
        return self.job / "artifacts"

    @property
    def trained_onnx(self) -> Path:
        """The network of best.pt; model.onnx is another one where the ladder had to change the activation."""
        changed = self.artifacts / "trained.onnx"
        return changed if changed.exists() else self.artifacts / "model.onnx"


@dataclass(frozen=True)
class Effort:
    """What a training will do at most: epochs, steps of each, and validation pictures scored after each.

    Attributes:
        all_validated: how many validation pictures there are.
    """

    epochs: int
    steps: int
    validated: int
    all_validated: int


class Examples(Protocol):
    """The pictures of one side of the data set, as the board would feed them to the model."""

    def __len__(self) -> int:
        """How many."""

    def pixels(self, index: int) -> Pixels:
        """The model input (3, H, W) RGB, cut, scaled and padded by the board's rules."""

    def truth(self, index: int) -> Any:
        """What the task's `score` holds the model's answer against."""

    def classes(self, index: int) -> set[int]:
        """Class indices in the picture: choices of pictures give every class its turn."""


class Task(Protocol):
    """One kind of model, from labelled photos to answers. Stateless: everything that lasts is in the job's folders."""

    name: str
    head: str  # how the board decodes the outputs: snaploop_shared.manifest
    preprocess: Preprocess  # what the kmodel does with uint8 pixels first; float models are fed the same
    iou_threshold: float  # overlap above which the weaker of two boxes goes; 0 where there are no boxes

    def input_wh(self, job: TrainingJob) -> tuple[int, int]:
        """The model's input, width and height in px."""

    def prepare(self, job: TrainingJob, folders: Folders) -> list[str]:
        """Check labels and photos and lay out `folders.data`; returns sentences worth showing.

        Raises:
            BadDatasetError: a photo or label that cannot be used; the message names it and the mend.
        """

    def effort(self, job: TrainingJob) -> Effort:
        """What `train` will do; needs neither prepared folders nor torch."""

    def train(self, job: TrainingJob, folders: Folders, report: Report) -> dict[str, Any]:
        """Train into `folders.artifacts / "best.pt"`, going on where a killed run stopped.

        Reports each epoch with `epoch_curve.EpochCurve`. Returns what result.json tells of it: "epochs", "best_epoch", "epochs_planned",
        "seconds", "start" ("scratch", "pretrained" or "warm"), "curve" and whatever else is worth keeping.
        """

    def varied(self, job: TrainingJob, folders: Folders, photos: int, variants: int) -> list[list[Pixels]]:
        """Pictures for people, with labels drawn: for each of the first training photos (lines, for reading) a row of H×W×3 RGB.

        A row is the photo as the model sees it, then as training changes it in `variants` epochs. `folders` are prepared.
        """

    def export(self, job: TrainingJob, folders: Folders) -> None:
        """Write `folders.artifacts / "model.onnx"`: one float32 input (1, 3, H, W) as `preprocess` leaves it, static shapes."""

    def examples(self, job: TrainingJob, folders: Folders, side: str) -> Examples:
        """The pictures of "train" or "val"."""

    def decode(self, job: TrainingJob, outputs: Outputs) -> Any:
        """The answer in the model's raw outputs, as the board decodes them; keep weak answers, `score` wants the whole curve."""

    def score(self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any]) -> Score:
        """All metrics of the task; answers and truths in the same picture order."""

    def tally(self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any]) -> Tally:
        """The same, counted so that confidence intervals cost little."""

    def qualities(
        self, job: TrainingJob, answers: Sequence[Any], truths: Sequence[Any], threshold: float
    ) -> FloatArray:
        """How right each picture's answer is, 0…1, to find the best and the worst."""

    def golden(self, job: TrainingJob, answers: Sequence[Any], threshold: float) -> tuple[int, Mapping[str, Any]]:
        """Position of the picture with the clearest answer, and that answer as the manifest's "golden" holds it.

        Raises:
            TrainingError: no answer is clear enough to test a board with.
        """

    def draw(self, job: TrainingJob, pixels: Pixels, truth: Any, answer: Any, threshold: float, file: Path) -> None:
        """Write a JPEG for people: the picture with what is true and what the kmodel says."""


@runtime_checkable
class NamesAnswers(Protocol):
    """A task whose answers are not named by the project's classes."""

    def labels(self, job: TrainingJob) -> tuple[str, ...]:
        """What the manifest calls the outputs."""


@runtime_checkable
class CanSoften(Protocol):
    """A task whose network can be trained on with an activation that 8 bits hold better: the ladder's last rungs."""

    def softening(self, job: TrainingJob) -> str:
        """What is done, for people; "" when the network of this job has nothing to change."""

    def soften(self, job: TrainingJob, folders: Folders, onnx_file: Path, report: Report) -> None:
        """Train a copy of best.pt for a few epochs with the other activation, and write its network; best.pt stays."""


def task_named(name: str) -> Task:
    """The task with this name.

    Raises:
        BadJobError: there is none.
    """
    try:
        module = importlib.import_module(f".{name}.task", __package__)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith(__package__):
            known = ", ".join(METRICS)
            raise BadJobError(f"task {name!r} cannot be trained here: known are {known}") from error
        raise
    task: Task = module.TASK
    return task
