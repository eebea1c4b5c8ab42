"""doctr's trained network with ReLU instead of Hardswish, trained on for a few epochs. Called by `ocr_detect.task`."""

from __future__ import annotations

from pathlib import Path

from ...domain.preprocess import Preprocess
from ...domain.scores import OCR_DETECT
from ..epoch_curve import EpochCurve
from ..job_spec import TrainingJob
from ..ocr.teach import judge_by
from ..softening import softening_parameters, softly, swap_activation
from ..task import Folders, Report
from ..torch_loop import Plan, fit
from ..write_onnx import write_onnx
from .network import VendorForm, map_loss
from .networks import trained_network
from .pictures import read_split
from .train import LR_KNOWN, MapBatches, Validation


def soften(
    job: TrainingJob,
    size_wh: tuple[int, int],
    preprocess: Preprocess,
    folders: Folders,
    onnx_file: Path,
    outputs: list[str],
    report: Report,
) -> None:
    """Write the softened network's ONNX file; best.pt stays as it is."""
    folder, parameters = folders.job / "work" / "softened", softening_parameters(job)
    epochs, photos = parameters.epochs or 1, read_split(folders.data, "train")
    network = trained_network(folders.artifacts / "best.pt")
    swap_activation(network)
    fitted = fit(
        network,
        map_loss,
        MapBatches(photos, size_wh, min(parameters.batch, len(photos)), parameters),
        judge_by(OCR_DETECT, Validation(folders, size_wh, preprocess)),
        preprocess,
        parameters,
        Plan(epochs, epochs, LR_KNOWN),
        folder,
        EpochCurve(folder / "curve.jsonl", epochs, softly(report)),
        report,
    )
    network.cpu().load_state_dict(fitted.weights)
    write_onnx(VendorForm(network), onnx_file, *size_wh, outputs)
