"""From an ONNX file to a kmodel that was seen to work: compile, simulate, compare with float, climb the ladder or refuse.

Called by `job`. Float and kmodel see the same uint8 pictures and the same decoder, so their difference is quantisation alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..compiling.calibration import choose_stratified
from ..compiling.kmodel_compiler import LADDER, Kmodel, Rung, compile_kmodel
from ..compiling.simulator import simulate
from ..domain.detection_decode import Detections, decode_raw_heads
from ..domain.detection_metrics import Truth, score_detections
from ..domain.run_report import RungTried
from ..domain.scores import DETECT, METRIC_TITLES, METRICS, Score
from .errors import GateRefusedError
from .job_spec import Gate
from .picture_dataset import PictureSplit

logger = logging.getLogger(__name__)

SCORE_FLOOR = 0.001  # as in training's validation
Report = Callable[..., None]
Attempt = tuple[Kmodel, Score, float]  # what a rung made, its score, seconds in the simulator


@dataclass(frozen=True)
class Evaluation:
    """The validation pictures as the board would see them: pixels_file .npy (N, 3, H, W) uint8, truth, gate's choice."""

    pixels_file: Path
    truths: tuple[Truth, ...]
    gate_indices: tuple[int, ...]

    def gate_truths(self) -> list[Truth]:
        """Truth of the pictures that the gate looks at."""
        return [self.truths[index] for index in self.gate_indices]


def letterbox_split(split: PictureSplit, indices: Sequence[int], file: Path) -> list[Truth]:
    """Write the pictures `indices` of a split as one uint8 array (N, 3, H, W), and return their truth in input px."""
    pixels = np.empty((len(indices), 3, split.canvas_h, split.canvas_w), np.uint8)
    truths = []
    for row, index in enumerate(indices):
        example = split.letterboxed(index)
        pixels[row] = example.image.transpose(2, 0, 1)
        truths.append(Truth(example.boxes_xyxy, example.classes))
    np.save(file, pixels)
    return truths


def prepare_evaluation(split: PictureSplit, gate: Gate, folder: Path, seed: int) -> Evaluation:
    """Letterbox all validation pictures and choose the gate's, classes taking turns."""
    file = folder / "val.npy"
    truths = letterbox_split(split, range(len(split)), file)
    chosen = choose_stratified([set(truth.classes.tolist()) for truth in truths], gate.images, seed)
    return Evaluation(file, tuple(truths), tuple(sorted(chosen)))


def prepare_calibration(split: PictureSplit, folder: Path, seed: int) -> tuple[Path, int]:
    """Letterbox training pictures for the compiler, classes taking turns; the file and how many it holds."""
    wanted = max(rung.samples for rung in LADDER)
    held = [set(rows[:, 0].astype(int).tolist()) for rows in split.rows]
    chosen = choose_stratified(held, wanted, seed)
    file = folder / "calibration.npy"
    letterbox_split(split, chosen, file)
    return file, len(chosen)


def run_float(onnx_file: Path, evaluation: Evaluation) -> list[Detections]:
    """What the float model finds in every validation picture, down to the score floor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # its threads spin at barriers: on a busy machine two are slower than one
    session = onnxruntime.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
    pixels = np.load(evaluation.pixels_file, mmap_mode="r")
    return [
        decode_raw_heads(session.run(None, {"images": picture[None].astype(np.float32) / 255}), SCORE_FLOOR)
        for picture in pixels
    ]


def climb(
    available: int, float_score: Score, gate: Gate, attempt: Callable[[int, Rung], Attempt], report: Report
) -> tuple[Kmodel, list[RungTried]]:
    """Try rung by rung until one keeps the kmodel within the gate's limit.

    Args:
        available: how many calibration pictures there are; a rung that only wants more of them is passed over when there are none.
        float_score: of the float model on the gate's pictures.
        gate: the limit.
        attempt: compiles and scores one rung; called with its number and the rung.
        report: gets one note per rung, with the numbers.

    Raises:
        GateRefusedError: no rung passed; the message has each one's numbers.
        CompilingError: the compiler or the simulator failed.
    """
    tried: list[RungTried] = []
    for number, rung in enumerate(LADDER):
        if any(
            min(one.samples, available) == min(rung.samples, available) and one.activations == rung.activations
            for one in LADDER[:number]
        ):
            continue  # too few pictures to make a difference: it would be the same kmodel again
        kmodel, score, seconds = attempt(number, rung)
        lost = max(float_score.values[name] - score.values[name] for name in METRICS[DETECT])
        figures = (kmodel.seconds, seconds, round(score.values["map50"], 4), round(score.values["map50_95"], 4))
        tried.append(RungTried(rung.name, kmodel.size_bytes, *figures, passed=lost <= gate.limit_points))
        line = verdict(tried[-1], float_score, gate)
        logger.info("%s", line)
        report("note", text=line, rung=asdict(tried[-1]))
        if tried[-1].passed:
            return kmodel, tried
    raise GateRefusedError(
        "the kmodel loses too much against the float model: "
        + "; ".join(verdict(one, float_score, gate) for one in tried)
        + ". Label more varied photos and train again, or raise the gate's limit"
    )


def compile_and_score(
    onnx_file: Path,
    calibration_file: Path,
    evaluation: Evaluation,
    folder: Path,
    report: Report,
    number: int,
    rung: Rung,
) -> Attempt:
    """One rung for real: compile in a child process, run the gate's pictures in the simulator, score."""
    report("stage", stage="compile", state="running", text=f"compiling: {rung.name}")
    kmodel = compile_kmodel(onnx_file, calibration_file, rung, folder / f"rung{number}.kmodel", folder / "scratch")
    report(
        "stage", stage="compile", state="running", text=f"{len(evaluation.gate_indices)} pictures in the K230 simulator"
    )
    started = time.monotonic()
    found = simulated_detections(kmodel.path, kmodel.digest, evaluation, folder, report)
    return kmodel, score_detections(found, evaluation.gate_truths()), round(time.monotonic() - started, 2)


def simulated_detections(
    kmodel: Path, digest: str, evaluation: Evaluation, folder: Path, report: Report
) -> list[Detections]:
    """What the kmodel finds in the gate's pictures; answers of an earlier, killed run are taken over."""
    total, last = len(evaluation.gate_indices), -1

    def progress(done: int) -> None:
        nonlocal last
        if done != last:
            last = done
            report(
                "stage",
                stage="compile",
                state="running",
                text=f"simulated {done} of {total} pictures",
                done=done,
                total=total,
            )

    outputs = simulate(
        kmodel,
        evaluation.pixels_file,
        evaluation.gate_indices,
        folder / f"simulated-{digest[:12]}",
        folder / "scratch",
        progress,
    )
    return [decode_raw_heads(heads, SCORE_FLOOR) for heads in outputs]


def verdict(rung: RungTried, float_score: Score, gate: Gate) -> str:
    """One line with the numbers of a rung."""
    figures = ", ".join(
        f"{METRIC_TITLES[name]} {kept:.3f} of {float_score.values[name]:.3f}"
        for name, kept in (("map50", rung.kmodel_map50), ("map50_95", rung.kmodel_map50_95))
    )
    return f"{rung.name}: {figures} ({'within' if rung.passed else 'not within'} {gate.limit_points:g})"
