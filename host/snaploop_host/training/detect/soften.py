"""The trained detector with ReLU instead of SiLU, trained on for a few epochs. Called by `task`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..job_spec import TrainingJob
from ..softening import softening_parameters, softly, swap_activation
from ..task import Folders, Report
from .export_onnx import export_raw_heads
from .train import train
from .trainer import QuickDetectionTrainer


class SoftenedTrainer(QuickDetectionTrainer):
    """The same training of the same network with another activation."""

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """With the weights of the network before."""
        model = super().get_model(cfg, weights, verbose)
        swap_activation(model)
        return model


def soften(job: TrainingJob, input_wh: tuple[int, int], folders: Folders, onnx_file: Path, report: Report) -> None:
    """Write the softened network's ONNX file; best.pt stays as it is."""
    folder = folders.job / "work" / "softened"
    again = replace(job, warm_start=folders.artifacts / "best.pt", parameters=softening_parameters(job))
    result = train(again, input_wh, folders.data, folder, softly(report), SoftenedTrainer)
    export_raw_heads(folder / result["weights"], onnx_file, *input_wh)
