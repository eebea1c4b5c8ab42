"""The trained network with ReLU instead of SiLU, trained on for a few epochs. Called by `task`."""

from __future__ import annotations

from pathlib import Path

from ...domain.preprocess import UNIT_RANGE
from ..detect.augment import augmentation_of
from ..epoch_curve import EpochCurve
from ..job_spec import TrainingJob
from ..softening import softening_parameters, softly, swap_activation
from ..task import Folders, Report
from ..torch_loop import Plan, fit
from .export_onnx import export_network
from .loss import BalancedLoss, class_weights
from .network import SegmentNetwork, take_over
from .picture_dataset import MaskedPhotos, TrainingBatches
from .train import LR_KNOWN, Judge


def soften(job: TrainingJob, input_wh: tuple[int, int], folders: Folders, onnx_file: Path, report: Report) -> None:
    """Write the softened network's ONNX file; best.pt stays as it is."""
    folder, parameters = folders.job / "work" / "softened", softening_parameters(job)
    epochs = parameters.epochs or 1
    photos, judge = MaskedPhotos(job.train, *input_wh), Judge(MaskedPhotos(job.val, *input_wh), len(job.classes) + 1)
    network = SegmentNetwork(judge.classes)
    take_over(network, folders.artifacts / "best.pt")
    swap_activation(network)
    batches = TrainingBatches(photos, parameters.batch, parameters.seed, augmentation_of(parameters))
    loss = BalancedLoss(class_weights(photos, judge.classes))
    curve = EpochCurve(folder / "curve.jsonl", epochs, softly(report))
    plan = Plan(epochs, epochs, LR_KNOWN)
    fitted = fit(network, loss, batches, judge, UNIT_RANGE, parameters, plan, folder, curve, report)
    network.cpu().load_state_dict(fitted.weights)
    export_network(network, onnx_file, judge.classes, *input_wh)
