"""One training job, start to end, as a process of its own: `python -m snaploop_host.training.detect_job JOB_DIR`.

JOB_DIR/job.json says what to do. The process leaves events.jsonl (one JSON object per line), log.txt and artifacts/ with best.pt,
model.onnx, model.kmodel, golden_input.bin, val_NN.jpg and result.json (`domain.run_report.RunReport`). Started by the daemon's job runner.

Stages: prepare → train → export → compile (calibrate, compile, simulate, gate; climbs the ladder) → report.
A finished stage is never done twice: killed at any moment and started again with the same folder, the job goes on where it was.
SIGTERM and SIGINT end it with a "cancelled" event; an "error" event has "refused": true when the gate said no.
Exit code: 0 done, 1 failed, 3 cancelled.

This module wires: it is the only one in `training` that knows the order, and with `gate_stage` and `report_stage` the only place
where `compiling` is used.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..compiling.dotnet import ensure_runtime
from ..compiling.errors import CompilingError
from ..compiling.nncase_environment import nncase_version
from .errors import BadJobError, GateRefusedError, JobCancelled, TrainingError
from .job_events import EventWriter, FinishedStages, write_whole
from .job_spec import TrainingJob, read_job
from .ultralytics_runtime import isolate_ultralytics
from .yolo_layout import write_layout

logger = logging.getLogger(__name__)

DONE, FAILED, CANCELLED = 0, 1, 3
LEAST_MAP50 = 0.02  # below it minutes of compiling and simulating would be for nothing
PRETRAINED = Path("weights/yolov8n.pt")  # used when somebody put it there; never downloaded


@dataclass(frozen=True)
class Folders:
    """Where the job keeps what."""

    job: Path

    @property
    def data(self) -> Path:
        """The data set in YOLO's layout."""
        return self.job / "work" / "data"

    @property
    def run(self) -> Path:
        """The training library's run folder."""
        return self.job / "work" / "train"

    @property
    def compile(self) -> Path:
        """Pixels, kmodels of every rung, simulator answers."""
        return self.job / "work" / "compile"

    @property
    def artifacts(self) -> Path:
        """What is kept for ever."""
        return self.job / "artifacts"


def run_job(folder: Path, report: EventWriter) -> None:
    """Run all stages that are not finished yet; result.json is there when it returns.

    Raises:
        TrainingError, CompilingError: one line that names the thing and the mend.
    """
    job = read_job(folder / "job.json")
    folders, stages = Folders(folder), FinishedStages(folder / "state.json")
    for path in (folders.artifacts, folders.compile):
        path.mkdir(parents=True, exist_ok=True)
    if job.warm_start and not job.warm_start.is_file():
        raise BadJobError(
            f"weights to start from are missing: {job.warm_start}; train from scratch, or choose another model"
        )
    ensure_runtime()  # before minutes of training, not after
    nncase_version()

    def stage(name: str, work: Callable[[], Any]) -> Any:
        if (earlier := stages.get(name)) is not None:
            report("stage", stage=name, state="skipped", text="done before the restart")
            return earlier
        report("stage", stage=name, state="started")
        started = time.monotonic()
        result = work()
        stages.finish(name, result, time.monotonic() - started)
        report("stage", stage=name, state="finished", seconds=round(time.monotonic() - started, 2))
        return result

    stage("prepare", lambda: _prepare(job, folders, report))
    training = stage("train", lambda: _train(job, folders, report))
    stage("export", lambda: _export(job, folders))
    stage("compile", lambda: _compile(job, folders, report))
    result = stage("report", lambda: _report(job, folders, report, training, stages))
    shutil.rmtree(folders.compile, ignore_errors=True)
    report(
        "done",
        **{key: result[key] for key in ("digest", "float_map50", "kmodel_map50", "float_map50_95", "kmodel_map50_95")},
    )


def _prepare(job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    notes = write_layout(job, folders.data)
    for note in notes:
        report("note", text=note)
    return {"train": len(job.train), "val": len(job.val), "input": list(job.input_wh()), "notes": notes}


def _train(job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    from .train_stage import train

    pretrained = PRETRAINED if PRETRAINED.exists() else None
    result = train(job, folders.data, folders.run, report, pretrained)
    shutil.copyfile(folders.run / result.pop("weights"), folders.artifacts / "best.pt")
    return result


def _export(job: TrainingJob, folders: Folders) -> dict[str, Any]:
    from .export_onnx import export_raw_heads

    export_raw_heads(folders.artifacts / "best.pt", folders.artifacts / "model.onnx", *job.input_wh())
    return {"onnx_bytes": (folders.artifacts / "model.onnx").stat().st_size}


def _evaluation(job: TrainingJob, folders: Folders) -> Any:
    """Pixels, truth, and the float model's findings; cheap, so it is made again after a restart instead of kept."""
    from ..domain.detection_metrics import score_detections
    from .gate_stage import prepare_evaluation, run_float
    from .picture_dataset import PictureSplit

    evaluation = prepare_evaluation(
        PictureSplit(folders.data, "val", *job.input_wh()), job.gate, folders.compile, job.parameters.seed
    )
    found = run_float(folders.artifacts / "model.onnx", evaluation)
    gate_score = score_detections([found[index] for index in evaluation.gate_indices], evaluation.gate_truths())
    return evaluation, found, gate_score


def _compile(job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    from .gate_stage import climb, compile_and_score, prepare_calibration
    from .picture_dataset import PictureSplit

    evaluation, _, float_score = _evaluation(job, folders)
    if float_score.map50 < LEAST_MAP50:
        raise TrainingError(
            f"the trained model finds next to nothing (mAP50 {float_score.map50:.3f} on {float_score.images} validation pictures): "
            "label more photos, or train for more epochs"
        )
    split = PictureSplit(folders.data, "train", *job.input_wh())
    calibration_file, available = prepare_calibration(split, folders.compile, job.parameters.seed)
    attempt = partial(
        compile_and_score, folders.artifacts / "model.onnx", calibration_file, evaluation, folders.compile, report
    )
    kmodel, tried = climb(available, float_score, job.gate, attempt, report)
    shutil.copyfile(kmodel.path, folders.artifacts / "model.kmodel")
    return {"digest": kmodel.digest, "peak_mib": kmodel.peak_mib, "rungs": [asdict(rung) for rung in tried]}


def _report(
    job: TrainingJob, folders: Folders, report: EventWriter, training: dict[str, Any], stages: FinishedStages
) -> dict[str, Any]:
    from ..domain.detection_metrics import score_detections
    from .gate_stage import simulated_detections
    from .report_stage import write_report

    evaluation, found, float_gate = _evaluation(job, folders)
    gate_result = stages.get("compile")
    kmodel_found = simulated_detections(
        folders.artifacts / "model.kmodel", gate_result["digest"], evaluation, folders.compile, report
    )
    kmodel_score = score_detections(kmodel_found, evaluation.gate_truths())
    float_all = score_detections(found, evaluation.truths)
    written = write_report(
        job,
        folders.artifacts,
        evaluation,
        found,
        float_all,
        float_gate,
        kmodel_found,
        kmodel_score,
        gate_result,
        training,
        stages.timings_s(),
    ).to_json()
    write_whole(folders.artifacts / "result.json", json.dumps(written, indent=1))
    return written


def main(arguments: list[str] | None = None) -> int:
    """Run the job whose folder is named on the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m snaploop_host.training.detect_job JOB_DIR (a folder with job.json)\n")
        return FAILED
    folder = Path(arguments[0]).resolve()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _cancel)
    visible_errors = os.dup(2)
    report = EventWriter(folder / "events.jsonl")
    try:
        _everything_into(folder / "log.txt")
        isolate_ultralytics(folder / "work" / "ultralytics")
        run_job(folder, report)
    except JobCancelled:
        logger.info("cancelled")
        report("cancelled", text="stopped on request; start it again to go on")
        return CANCELLED
    except (TrainingError, CompilingError) as error:
        logger.error("%s", error)
        return _fail(report, visible_errors, str(error), refused=isinstance(error, GateRefusedError))
    except ModuleNotFoundError as error:
        logger.exception("job failed")
        return _fail(report, visible_errors, f"{error.name} is not installed: pip install 'snaploop[train]'")
    except (
        Exception
    ) as error:  # boundary: whatever a library throws must end as one line for the user and a trace in the log
        logger.exception("job failed")
        return _fail(report, visible_errors, f"{type(error).__name__}: {error} (details in {folder / 'log.txt'})")
    finally:
        report.close()
    return DONE


def _fail(report: EventWriter, visible_errors: int, text: str, refused: bool = False) -> int:
    report("error", text=text, refused=refused)
    os.write(visible_errors, (text + "\n").encode())
    return FAILED


def _cancel(_number: int, _frame: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # a second signal must not interrupt the cleaning up
        signal.signal(number, signal.SIG_IGN)
    raise JobCancelled


def _everything_into(log: Path) -> None:
    """Send our log and whatever libraries print, from C too, to log.txt."""
    sys.stdout.flush()
    sys.stderr.flush()
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)


if __name__ == "__main__":
    sys.exit(main())
