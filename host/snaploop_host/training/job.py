"""One training job, start to end, as a process of its own: `python -m snaploop_host.training.job JOB_DIR`.

JOB_DIR/job.json says what to do. The process leaves events.jsonl (one JSON object per line), log.txt and artifacts/ with best.pt,
model.onnx, model.kmodel, golden_input.bin, val_NN.jpg and result.json (`domain.run_report.RunReport`). Started by the daemon's job runner.

Stages: prepare → estimate → train → export → compile (calibrate, compile, simulate, gate; climbs the ladder) → report.
A finished stage is never done twice: killed at any moment and started again with the same folder, the job goes on where it was.
SIGTERM and SIGINT end it with a "cancelled" event. A kmodel that the gate refuses is reported like any other, with the verdict in
result.json; only one that answers nothing at all ends the job with an "error" event that has "refused": true.
Exit code: 0 done, 1 failed, 3 cancelled.

This module wires: it is the only one in `training` that knows the order, and with `gate_stage` and `report_stage` the only place
where `compiling` is used.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiling.dotnet import ensure_runtime
from ..compiling.errors import CompilingError
from ..compiling.ladder import Rung, rungs_for, softened_rungs
from ..domain.durations import duration_text
from ..domain.gate import choose, finds_nothing
from ..domain.run_report import FORCED, REFUSED, RungTried
from ..domain.scores import Score, guessing_text, scores_text
from ..files import is_full
from .errors import BadJobError, GateRefusedError, JobCancelled, TooLongError, TrainingError
from .estimate import check_limit, estimate, learn
from .job_events import EventWriter, FinishedStages, write_whole
from .job_spec import TrainingJob, read_job
from .machine import FILE, Measurements, machine_name, yardstick_s
from .machine_needs import check_needs
from .pretrained import settle, settled
from .stopping import why_ended
from .task import CanSoften, Folders, Report, Task, task_named
from .ultralytics_runtime import isolate_ultralytics

if TYPE_CHECKING:
    from .gate_stage import Attempt, Evaluation

logger = logging.getLogger(__name__)

DONE, FAILED, CANCELLED = 0, 1, 3


def run_job(folder: Path, report: EventWriter) -> None:
    """Run all stages that are not finished yet; result.json is there when it returns.

    Raises:
        TrainingError, CompilingError: one line that names the thing and the mend.
    """
    job = read_job(folder / "job.json")
    task = task_named(job.task)
    folders, stages = Folders(folder), FinishedStages(folder / "state.json")
    for path in (folders.artifacts, folders.compile):
        path.mkdir(parents=True, exist_ok=True)
    if job.warm_start and not job.warm_start.is_file():
        raise BadJobError(
            f"weights to start from are missing: {job.warm_start}; train from scratch, or choose another model"
        )
    ensure_runtime()  # before minutes of training, not after
    check_needs(job.parameters)

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

    job = settled(job, stage("prepare", lambda: _prepare(task, job, folders, report)))
    measured = Measurements(folder.parent / FILE, machine_name())
    estimated = stage("estimate", lambda: _estimate(task, job, folders, report, measured))
    training = stage("train", lambda: _train(task, job, folders, report))
    stage("export", lambda: _export(task, job, folders))
    stage("compile", lambda: _compile(task, job, folders, report))
    took = {"estimate": estimated, "took_s": round(sum(stages.timings_s().values()), 1)}
    result = stage("report", lambda: _report(task, job, folders, report, {**training, **took}, stages))
    _hold_against_estimate(task, job, report, training, estimated, stages, measured)
    shutil.rmtree(folders.compile, ignore_errors=True)
    report("done", **result)


def _prepare(task: Task, job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    notes = task.prepare(job, folders)
    for note in notes:
        report("note", text=note)
    sizes = {"train": len(job.train), "val": len(job.val), "input": list(task.input_wh(job))}
    return {**sizes, "notes": notes, **settle(job)}


def _estimate(
    task: Task, job: TrainingJob, folders: Folders, report: EventWriter, measured: Measurements
) -> dict[str, Any]:
    found = estimate(task, job, folders, measured)
    report("estimate", **found.to_json())
    check_limit(found, job, task.input_wh(job))
    return found.to_json()


def _hold_against_estimate(
    task: Task,
    job: TrainingJob,
    report: EventWriter,
    training: dict[str, Any],
    estimated: dict[str, Any],
    stages: FinishedStages,
    measured: Measurements,
) -> None:
    """Say what the run really took, and remember it for the next estimate."""
    timings = stages.timings_s()
    yardstick = (estimated["yardstick_s"] + yardstick_s()) / 2
    learn(task, job, training, timings, stages.get("compile")["rungs"], measured, yardstick)
    took, expected = sum(timings.values()), estimated["seconds"]
    text = f"took {duration_text(took)}, estimated {duration_text(expected)}"
    if training["epochs"] < training["epochs_planned"]:
        for_these = expected - (training["epochs_planned"] - training["epochs"]) * estimated["seconds_per_epoch"]
        text += f" ({duration_text(for_these)} for the {training['epochs']} epochs it trained)"
    report("took", seconds=round(took, 1), estimated_s=expected, text=text)


def _train(task: Task, job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    training = task.train(job, folders, report)
    ended_by, text = why_ended(training, job.parameters)
    report("note", text=text)
    return {**training, "ended_by": ended_by}


def _export(task: Task, job: TrainingJob, folders: Folders) -> dict[str, Any]:
    task.export(job, folders)
    return {"onnx_bytes": (folders.artifacts / "model.onnx").stat().st_size}


def _evaluation(
    task: Task, job: TrainingJob, folders: Folders, onnx_file: Path, seen: int | None = None
) -> tuple[Evaluation, list[Any]]:
    """Pixels and truth of the validation pictures, and what a float model answers to all of them.

    Cheap, so it is made again after a restart instead of kept.
    """
    from .gate_stage import prepare_evaluation, run_float

    examples = task.examples(job, folders, "val")
    evaluation = prepare_evaluation(examples, job.gate, folders.compile, job.parameters.seed)
    evaluation = evaluation if seen is None else evaluation.widened(seen)
    return evaluation, run_float(task, job, onnx_file, evaluation)


def _compile(task: Task, job: TrainingJob, folders: Folders, report: EventWriter) -> dict[str, Any]:
    from .gate_stage import Prover, climb, prepare_calibration

    onnx_file = folders.trained_onnx
    evaluation, answers = _evaluation(task, job, folders, onnx_file)
    float_score = task.score(job, [answers[index] for index in evaluation.gate_indices], evaluation.gate_truths())
    is_blind = finds_nothing(float_score.values)
    if is_blind:
        text = (
            f"the trained model finds next to nothing ({scores_text(float_score.values)} on {float_score.images} validation pictures): "
            "label more photos, or train for more epochs"
        )
        if not job.gate.force:
            raise TrainingError(f"{text}; force=true compiles it all the same")
        report("note", text=text)
    if doubt := guessing_text(task.name, float_score.values, len(job.classes)):
        report("note", text=doubt)
    calibration_file, available = prepare_calibration(
        task.examples(job, folders, "train"), folders.compile, job.parameters.seed
    )
    prover = Prover(task, job, folders, evaluation, answers, report)
    tried: list[RungTried] = []
    attempts: dict[int, Attempt] = {}

    def attempt(source: Path, rung: Rung) -> Attempt:
        return prover.attempt(source, calibration_file, len(tried), rung)

    is_good = climb(rungs_for(onnx_file, available), partial(attempt, onnx_file), report, tried, attempts)
    softening = task.softening(job) if isinstance(task, CanSoften) else ""
    said: dict[str, Any] = {}
    if not is_good and choose(tried)[1] == REFUSED and isinstance(task, CanSoften) and softening:
        softened = folders.compile / "softened.onnx"
        said = _soften(task, job, folders, softened, softening, task.soften, evaluation, float_score, report)
        rungs = [dataclasses.replace(rung, name=f"{softening}: {rung.name}") for rung in softened_rungs(available)]
        climb(rungs, partial(attempt, softened), report, tried, attempts)
    place, verdict = choose(tried, job.gate.force)
    verdict = FORCED if is_blind else verdict  # what has nothing to lose passes every limit
    taken = attempts[place]
    if taken.onnx_file != onnx_file:  # model.onnx is what the kmodel was made of
        _copy_whole(onnx_file, folders.artifacts / "trained.onnx")
        _copy_whole(taken.onnx_file, folders.artifacts / "model.onnx")
    shutil.copyfile(taken.kmodel.path, folders.artifacts / "model.kmodel")
    return {
        "digest": taken.kmodel.digest,
        "peak_mib": taken.kmodel.peak_mib,
        "rungs": [asdict(rung) for rung in tried],
        "taken": place,
        "images": taken.tried.images,
        "verdict": verdict,
        "softened": said and {**said, "is_taken": taken.onnx_file != onnx_file},
    }


def _soften(
    task: Task,
    job: TrainingJob,
    folders: Folders,
    onnx_file: Path,
    what: str,
    train_on: Callable[[TrainingJob, Folders, Path, Report], None],
    evaluation: Evaluation,
    before: Score,
    report: EventWriter,
) -> dict[str, Any]:
    """Change the network and train on into `onnx_file`; what `RunReport.softened` says of it."""
    from .gate_stage import run_float

    started = time.monotonic()
    report("note", text=f"no way of quantising kept within the limit: the network is changed to {what}")
    train_on(job, folders, onnx_file, report)
    seconds = time.monotonic() - started
    answers = run_float(task, job, onnx_file, evaluation)
    found = task.score(job, [answers[index] for index in evaluation.gate_indices], evaluation.gate_truths())
    text = f"{what}: {scores_text(found.values)} before quantising, {scores_text(before.values)} without that change"
    report("note", text=f"{text}; took {duration_text(seconds)}")
    return {
        "what": what,
        "seconds": round(seconds, 1),
        "scores": {name: round(one, 4) for name, one in found.values.items()},
    }


def _copy_whole(source: Path, target: Path) -> None:
    """Copy, whole or not at all."""
    partial = target.with_suffix(".part")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _report(
    task: Task,
    job: TrainingJob,
    folders: Folders,
    report: EventWriter,
    training: dict[str, Any],
    stages: FinishedStages,
) -> dict[str, Any]:
    from .gate_stage import run_float, simulated
    from .report_stage import write_report

    gate_result = stages.get("compile")
    evaluation, answers = _evaluation(task, job, folders, folders.trained_onnx, gate_result["images"])
    deployed = run_float(task, job, folders.artifacts / "model.onnx", evaluation)
    raw = simulated(folders, folders.artifacts / "model.kmodel", gate_result["digest"], evaluation, report)
    written = write_report(
        task,
        job,
        folders.artifacts,
        evaluation,
        task.score(job, deployed, evaluation.truths),
        [answers[index] for index in evaluation.gate_indices],
        [task.decode(job, one) for one in raw],
        gate_result,
        training,
        stages.get("prepare").get("notes", []),
        stages.timings_s(),
    )
    write_whole(folders.artifacts / "result.json", json.dumps(written.to_json(), indent=1))
    return written.flat_scores() | {"digest": written.digest}


def main(arguments: list[str] | None = None) -> int:
    """Run the job whose folder is named on the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m snaploop_host.training.job JOB_DIR (a folder with job.json)\n")
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
        return _fail(report, visible_errors, str(error), refused=isinstance(error, (GateRefusedError, TooLongError)))
    except ModuleNotFoundError as error:
        logger.exception("job failed")
        return _fail(report, visible_errors, f"{error.name} is not installed: pip install 'snaploop[train]'")
    except MemoryError:
        logger.exception("job failed")
        text = "there is not enough memory for this: close other programs, or train with a smaller imgsz"
        return _fail(report, visible_errors, text)
    except (
        Exception
    ) as error:  # boundary: whatever a library throws must end as one line for the user and a trace in the log
        logger.exception("job failed")
        if is_full(folder):  # each library has other words for it
            return _fail(report, visible_errors, f"the disk of {folder} is full: free some, then let the run go on")
        return _fail(report, visible_errors, f"{type(error).__name__}: {error} (details in {folder / 'log.txt'})")
    finally:
        report.close()
    return DONE


def _fail(report: EventWriter, visible_errors: int, text: str, refused: bool = False) -> int:
    try:
        report("error", text=text, refused=refused)
        os.write(visible_errors, (text + "\n").encode())
    except OSError as error:  # a full disk: the daemon sees that by itself
        logger.error("the last word cannot be written: %s", error)
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
