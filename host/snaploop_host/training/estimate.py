"""How long a run will take, said before it trains: measured steps of the real network times what the plan asks for.

The steps come from this machine's last run of the same task, input and batch, else from a probe: the real trainer on a few of the
photos. Compiling and checking come from the machine's last run; before the first, from REFERENCE, scaled by how quick and free it is.

Called by `job` as its second stage, and as a process of its own by the daemon: `python -m snaploop_host.training.estimate JOB_DIR`
prints one JSON object, for nothing of this may be imported there.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..domain.durations import duration_text
from ..domain.photo_labels import WHOLE_PHOTO_TASKS
from ..domain.scores import DETECT, OCR_DETECT, OCR_RECOGNIZE, SEGMENT
from ..domain.training_parameters import DOCTR_CRNN, DOCTR_DB, MOBILENET, OWN_NETWORK, SCRATCH
from ..parent_process import end_with_parent
from .errors import TooLongError, TrainingError
from .job_spec import Parameters, Photo, TrainingJob, read_job, typical_size
from .machine import FILE, Measurements, RestRate, TrainingRate, machine_name, yardstick_s
from .machine_needs import check_needs
from .pretrained import ONE_NETWORK, network_of
from .task import Effort, Folders, Task, task_named

PROBE_PHOTOS = 2  # batches of them
PROBE_STEPS, UNMEASURED_STEPS = 16, 6  # the first find out how many threads help, and wake caches
PROBE_PICTURES = 16  # for validation
FEWEST_EPOCHS = 5  # fewer are no advice
SMALLEST_SIDE = 96


@dataclass(frozen=True)
class Reference:
    """What two quiet cores took (docs/lab_log.md) for an input of `px`: a compilation, and a simulated picture when both cores simulate."""

    px: int
    compile_s: float
    simulate_s: float


_OWN = Reference(224 * 224, 5.1, 0.54)
_TIMMS = Reference(96 * 96, 9.8, 0.3)
REFERENCE = {
    DETECT: Reference(320 * 192, 13.1, 2.7),
    **dict.fromkeys(WHOLE_PHOTO_TASKS, _OWN),
    **dict.fromkeys((f"{task} {MOBILENET}" for task in WHOLE_PHOTO_TASKS), _TIMMS),
    SEGMENT: Reference(320 * 192, 18.8, 2.6),
    OCR_DETECT: Reference(320 * 192, 6.3, 0.97),
    f"{OCR_DETECT} {DOCTR_DB}": Reference(320 * 192, 30.0, 9.0),
    OCR_RECOGNIZE: Reference(128 * 32, 3.3, 0.24),
    f"{OCR_RECOGNIZE} {DOCTR_CRNN}": Reference(128 * 32, 19.0, 1.4),
}
REFERENCE_YARDSTICK_S, REFERENCE_CORES = 0.23, 2
SIMULATOR_START_S = 0.12  # of a simulated picture; the rest goes with its pixels
OTHER_S = 1.5  # prepare, export, float scores, report


@dataclass(frozen=True)
class Estimate:
    """Seconds of a whole run, and of its parts.

    Attributes:
        source: "measured by a probe" or "learnt from the last run".
        rest_source: the same of what comes after training.
        seconds_per_epoch: of training, validation included.
        fixed_s: of training, once.
        rest_s: everything but training.
        yardstick_s: how free the machine was (`machine.yardstick_s`).
        another_rung_s: what each further way of quantising would take, if the first ones lose too much; not in `seconds`.
    """

    seconds: float
    effort: Effort
    seconds_per_epoch: float
    fixed_s: float
    rest_s: float
    probe_s: float
    source: str
    rest_source: str
    yardstick_s: float = 0.0
    another_rung_s: float = 0.0

    @property
    def text(self) -> str:
        """For people."""
        epochs = self.effort.epochs
        training = self.fixed_s + epochs * self.seconds_per_epoch
        return (
            f"estimated {duration_text(self.seconds)}: {duration_text(training)} to train {epochs} epochs "
            f"(less when it ends early), {duration_text(self.rest_s)} to compile and check "
            f"(each further way of quantising: {duration_text(self.another_rung_s)} more); {self.source}"
        )

    def for_epochs(self, epochs: int) -> float:
        """Seconds of a run that ends after so many."""
        return self.probe_s + self.fixed_s + epochs * self.seconds_per_epoch + self.rest_s

    def to_json(self) -> dict[str, Any]:
        """For events and for the report."""
        raw = dataclasses.asdict(self)
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in raw.items()}
        return {**rounded, "text": self.text}


def estimate(task: Task, job: TrainingJob, folders: Folders, measured: Measurements) -> Estimate:
    """The estimate of a prepared job; trains on a few photos for some seconds when this machine never trained the like.

    Raises:
        TrainingError: whatever keeps the probe from training would keep the run from it.
    """
    size, batch, started = task.input_wh(job), job.parameters.batch, time.monotonic()
    kind = _kind(job)
    rate, yardstick = measured.training(kind, size, batch), yardstick_s()
    if rate is not None:
        rate = rate.at(yardstick)
    else:
        rate = _probe(task, job, folders, size)
        yardstick = (yardstick + yardstick_s()) / 2
        rate = dataclasses.replace(rate, probed_at_s=time.time(), yardstick_s=yardstick)
        measured.keep(kind, size, batch, rate)
    source = "measured by a probe" if rate.probed_at_s else "learnt from the last run"
    probe_s = time.monotonic() - started
    rest, rest_source = measured.rest(kind, size), "learnt from the last run"
    if rest is not None:
        rest = rest.at(yardstick)
    else:
        rest, rest_source = _expected_rest(kind, size, yardstick), "scaled from a known machine"
    effort = task.effort(job)
    pictures = min(job.gate.images, effort.all_validated)
    rest_s = rest.rungs * rest.compile_s + rest.looks * pictures * rest.simulate_s + rest.other_s
    another_s = rest.compile_s + pictures * rest.simulate_s
    epoch_s = effort.steps * rate.step_s + effort.validated * rate.picture_s
    whole = probe_s + rate.fixed_s + effort.epochs * epoch_s + rest_s
    return Estimate(whole, effort, epoch_s, rate.fixed_s, rest_s, probe_s, source, rest_source, yardstick, another_s)


def check_limit(found: Estimate, job: TrainingJob, size_wh: tuple[int, int]) -> None:
    """Refuse a run that is estimated above the limit the user set.

    Raises:
        TooLongError: it is; the line has both durations, and what would fit.
    """
    limit = job.parameters.max_minutes
    if limit is None or found.seconds <= 60 * limit:
        return
    raise TooLongError(
        f"estimated {duration_text(found.seconds)} vs {duration_text(60 * limit)} allowed (max_minutes={limit:g}): "
        + advice(found, 60 * limit, size_wh)
    )


def advice(found: Estimate, limit_s: float, size_wh: tuple[int, int]) -> str:
    """Which epochs or which image size would fit into a limit."""
    ways = []
    epochs = int((limit_s - found.for_epochs(0)) / found.seconds_per_epoch) if found.seconds_per_epoch else 0
    if epochs >= FEWEST_EPOCHS:
        ways.append(f"epochs={epochs}")
    longest = max(size_wh)
    for side in range(longest - 32, SMALLEST_SIDE - 1, -32):
        share = (side / longest) ** 2  # of the pixels, and so of nearly all the work
        training = found.effort.epochs * found.seconds_per_epoch * share
        if found.probe_s + found.fixed_s + training + found.rest_s * share <= limit_s:
            ways.append(f"imgsz={side}")
            break
    allow = f"allow max_minutes={-(-found.seconds // 60):g}"
    return f"train with {' or '.join(ways)}, or {allow}" if ways else f"nothing shorter fits: {allow}"


def learn(
    task: Task,
    job: TrainingJob,
    training: dict[str, Any],
    stages_s: dict[str, float],
    rungs: Sequence[Any],
    measured: Measurements,
    yardstick: float = 0.0,
) -> None:
    """Keep what a finished run took, for the next one's estimate.

    Args:
        task: of the run.
        job: what it was.
        training: what `training.task.Task.train` returned.
        stages_s: seconds of each stage.
        rungs: `RungTried.to_json` of every rung.
        measured: where it is kept.
        yardstick: how free the machine was meanwhile.
    """
    size, effort = task.input_wh(job), task.effort(job)
    rate = _rate(training["curve"][1:] or training["curve"], effort.steps, effort.validated, 0.0)
    trained = len(training["curve"])
    epochs_s = trained * (effort.steps * rate.step_s + effort.validated * rate.picture_s)
    fixed = max(0.0, stages_s.get("train", epochs_s) - epochs_s)
    measured.keep(
        _kind(job), size, job.parameters.batch, dataclasses.replace(rate, fixed_s=fixed, yardstick_s=yardstick)
    )
    pictures = max(1, min(job.gate.images, effort.all_validated))
    compiled, simulated = (sum(rung[name] for rung in rungs) for name in ("compile_seconds", "simulate_seconds"))
    other = (
        sum(seconds for name, seconds in stages_s.items() if name not in ("train", "estimate")) - compiled - simulated
    )
    looked, count = max(1, sum(rung["images"] for rung in rungs)), max(1, len(rungs))
    rest = RestRate(compiled / count, simulated / looked, max(0.0, other), count, looked / pictures, yardstick)
    measured.keep(_kind(job), size, 0, rest)


def _kind(job: TrainingJob) -> str:
    """What measurements are kept by: the task, and the network where it is another than our own."""
    name = network_of(job)
    return job.task if name == OWN_NETWORK or job.task in ONE_NETWORK else f"{job.task} {name}"


def _expected_rest(kind: str, size_wh: tuple[int, int], yardstick: float) -> RestRate:
    """From the reference: as much slower as a fixed piece of work is here and now; pictures are simulated side by side."""
    known, slower = REFERENCE[kind], yardstick / REFERENCE_YARDSTICK_S
    per_px = (known.simulate_s - SIMULATOR_START_S) / known.px
    simulate = (SIMULATOR_START_S + per_px * size_wh[0] * size_wh[1]) * REFERENCE_CORES / len(os.sched_getaffinity(0))
    return RestRate(known.compile_s * slower, simulate * slower, OTHER_S * slower)


def _probe(task: Task, job: TrainingJob, folders: Folders, size_wh: tuple[int, int]) -> TrainingRate:
    """The real trainer on a few photos: the first epochs are left out of the account."""
    small, place = _small_job(job, size_wh), Folders(folders.job / "work" / "probe")
    shutil.rmtree(place.job, ignore_errors=True)
    place.artifacts.mkdir(parents=True)
    if task.name not in WHOLE_PHOTO_TASKS:  # these read photos where they lie, and would miss classes in so few
        task.prepare(small, place)
    steps = task.effort(small).steps
    epochs = max(2, math.ceil(PROBE_STEPS / steps))
    small = dataclasses.replace(small, parameters=dataclasses.replace(small.parameters, epochs=epochs, patience=epochs))
    training = task.train(small, place, lambda *_, **__: None)
    shutil.rmtree(place.job, ignore_errors=True)
    effort, curve = task.effort(small), training["curve"]
    rate = _rate(curve[math.ceil(UNMEASURED_STEPS / steps) :], effort.steps, effort.validated, 0.0)
    epoch_s = effort.steps * rate.step_s + effort.validated * rate.picture_s
    return dataclasses.replace(rate, fixed_s=max(0.0, sum(row["seconds"] for row in curve) - len(curve) * epoch_s))


def _rate(rows: Sequence[dict[str, Any]], steps: int, pictures: int, fixed_s: float) -> TrainingRate:
    validation = statistics.fmean(row["validation_s"] for row in rows)
    step = max(0.0, statistics.fmean(row["seconds"] for row in rows) - validation) / steps
    return TrainingRate(step, validation / max(1, pictures), fixed_s)


def _small_job(job: TrainingJob, size_wh: tuple[int, int]) -> TrainingJob:
    """The same network, input and batch on few photos, those with labels and of the usual shape first."""
    width, height = typical_size(job)

    def fittest(photos: Sequence[Photo], count: int) -> tuple[Photo, ...]:
        shape = [(abs(math.log(photo.width * height / (photo.height * width))), not photo.boxes) for photo in photos]
        return tuple(photos[index] for index in sorted(range(len(photos)), key=shape.__getitem__)[:count])

    given: Parameters = job.parameters
    parameters = dataclasses.replace(
        given, stop_change=None, imgsz=max(size_wh), start=SCRATCH, network=network_of(job)
    )
    return dataclasses.replace(
        job,
        train=fittest(job.train, PROBE_PHOTOS * given.batch),
        val=fittest(job.val, PROBE_PICTURES),
        parameters=parameters,
        warm_start=None,
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the estimate of the job whose folder is named: {"seconds", "text", …}, or {"error": line}."""
    from .ultralytics_runtime import isolate_ultralytics

    folder = Path((sys.argv[1:] if arguments is None else arguments)[0]).resolve()
    visible = os.dup(1)
    os.dup2(2, 1)  # libraries print what they like
    try:
        isolate_ultralytics(folder / "work" / "ultralytics")
        job = read_job(folder / "job.json")
        check_needs(job.parameters)
        task, folders = task_named(job.task), Folders(folder)
        folders.artifacts.mkdir(parents=True, exist_ok=True)
        task.prepare(job, folders)
        found = estimate(task, job, folders, Measurements(folder.parent / FILE, machine_name()))
        # The run to come knows what was measured here, and does not measure it again.
        found = dataclasses.replace(found, seconds=found.seconds - found.probe_s, probe_s=0.0)
        answer = found.to_json()
        try:
            check_limit(found, job, task.input_wh(job))
        except TooLongError as error:
            answer["refused"] = str(error)
    except TrainingError as error:
        answer = {"error": str(error)}
    except ModuleNotFoundError as error:
        answer = {"error": f"{error.name} is not installed: pip install 'snaploop[train]'"}
    os.write(visible, (json.dumps(answer) + "\n").encode())
    return 0


if __name__ == "__main__":
    end_with_parent()  # who asked is gone: nobody wants the answer
    sys.exit(main())
