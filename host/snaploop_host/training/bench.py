"""Benches of training: our trainer against the plain `yolo detect train` command on the same pictures and epochs.

And a first lap as the job that users start, with a second lap that goes on from it. Called by `snaploop bench loop` and
`snaploop bench train`. Heavy: minutes per pair. Every training is a process of its own, so that its start counts.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bench_pictures import CLASSES, write_pictures
from .job_events import FinishedStages
from .job_spec import read_job
from .stopping import AS_GOOD
from .ultralytics_runtime import offline_environment

PICTURES, EPOCHS, PAIRS = 96, 3, 3
LONG_SIDE_PX = 320
TIME_LIMIT_S = 1800
SIZE = (640, 480)  # px of the made-up photos: ours trains at 320×256, the command at 320×320
METRIC = "map50_95"


@dataclass(frozen=True)
class FirstLap:
    """What a whole job took and reached.

    Attributes:
        folder: of the bench; the job's own is `folder / "lap1"`.
        train_s: seconds of its train stage.
        compile_gate_s: seconds of export, compiling, simulating and judging, all rungs.
        rungs: how many of the ladder were tried.
        map50_95: of the float model on the validation photos, the best epoch's.
    """

    folder: Path
    train_s: float
    compile_gate_s: float
    rungs: int
    map50_95: float


def train_vs_yolo_cli(
    folder: Path, pairs: int = PAIRS, epochs: int = EPOCHS, pictures: int = PICTURES
) -> dict[str, Any]:
    """Seconds of our training as a share of the plain command's, both whole processes, alternating.

    Same photos, same epochs, same long side of 320 px; the command has its defaults otherwise (square input, one thread fewer than
    cores, plots).

    Args:
        folder: where pictures and runs go; created, and kept for a look at the logs.
        pairs: how often each side runs; the ratio is the median over the pairs.
        epochs: of each run.
        pictures: training photos; a quarter as many for validation.

    Returns:
        ratio, yolo_cli_s and ours_s (medians), pairs (seconds of each, ours first), ours_map50_95 (the lowest of the pairs) and
        yolo_map50_95 (the highest), each the best epoch's by its own side's validation of the same photos, and what was compared.

    Raises:
        RuntimeError: one of the sides failed; the message has its last words.
    """
    from .detect.yolo_layout import write_layout

    root = _fresh_folder(folder, "vs-yolo-")
    parameters = {"epochs": epochs, "imgsz": LONG_SIDE_PX, "patience": epochs}
    job = _write_job(root / "job", _made_photos(root, "train", pictures, 1), _validation(root, pictures), parameters)
    write_layout(read_job(job / "job.json"), root / "layout")
    taken, reached = [], []
    for turn in range(pairs):
        ours = _run(_our_command(job, root / f"ours{turn}"), root)
        theirs = _run(_yolo_command(root, epochs, root / f"yolo{turn}"), root)
        taken.append((round(ours, 2), round(theirs, 2)))
        reached.append((_best_of_ours(root / f"ours{turn}"), _best_of_yolo(root / f"yolo{turn}")))
    return {
        "ratio": round(statistics.median(ours / theirs for ours, theirs in taken), 3),
        "yolo_cli_s": statistics.median(theirs for _, theirs in taken),
        "ours_s": statistics.median(ours for ours, _ in taken),
        "pairs": taken,
        "ours_map50_95": min(ours for ours, _ in reached),
        "yolo_map50_95": max(theirs for _, theirs in reached),
        "what": f"yolo detect train, defaults, imgsz {LONG_SIDE_PX}, {epochs} epochs, {pictures} photos",
    }


def first_lap(folder: Path, pictures: int, more_pictures: int, epochs: int | None = None) -> FirstLap:
    """Run a whole job with the recipe's defaults, from scratch, at 320 px; photos for the second lap are made beside it.

    Raises:
        RuntimeError: the job failed; the message has its last words.
    """
    root = _fresh_folder(folder, "laps-")
    first, more = _made_photos(root, "first", pictures, 1), _made_photos(root, "more", more_pictures, 3)
    validation = _validation(root, pictures)
    parameters = {"imgsz": LONG_SIDE_PX, "epochs": epochs, "start": "scratch"}
    job = _write_job(root / "lap1", first, validation, parameters)
    best = job / "artifacts" / "best.pt"
    _write_job(root / "lap2", first + more, validation, {"imgsz": LONG_SIDE_PX}, warm_start=str(best))
    _run([sys.executable, "-m", "snaploop_host.training.job", str(job)], root)
    stages = FinishedStages(job / "state.json")
    took = stages.timings_s()
    return FirstLap(
        folder=root,
        train_s=took["train"],
        compile_gate_s=took["export"] + took["compile"],
        rungs=len(stages.get("compile")["rungs"]),
        map50_95=_best(stages.get("train")["curve"]),
    )


def second_lap(lap1: FirstLap) -> dict[str, Any]:
    """Train with the photos added, starting from the first lap's model; validation photos are the same.

    Returns:
        seconds_to_metric: from the start of the process to the end of the first epoch that is as good as the first lap's best (within
            AS_GOOD), or of the whole training when none was; is_reached; and map50_95, the best.

    Raises:
        RuntimeError: the training failed; the message has its last words.
    """
    out = lap1.folder / "lap2-out"
    seconds = _run(_our_command(lap1.folder / "lap2", out), lap1.folder)
    rows = json.loads((out / "result.json").read_text())["curve"]
    wanted = lap1.map50_95 - AS_GOOD
    reached = next((place for place, row in enumerate(rows) if row["metrics"][METRIC] >= wanted), None)
    after = rows[reached + 1 :] if reached is not None else []
    took = seconds - sum(row["seconds"] for row in after)
    return {"seconds_to_metric": took, "is_reached": reached is not None, METRIC: _best(rows)}


def _fresh_folder(folder: Path, prefix: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=folder)).resolve()


def _made_photos(root: Path, name: str, count: int, seed: int) -> list[dict[str, Any]]:
    return write_pictures(root / name, count, seed, SIZE)


def _validation(root: Path, pictures: int) -> list[dict[str, Any]]:
    return _made_photos(root, "val", pictures // 4, 2)


def _write_job(
    folder: Path,
    train: list[dict[str, Any]],
    validation: list[dict[str, Any]],
    parameters: dict[str, Any],
    warm_start: str | None = None,
) -> Path:
    """A job folder for these photos."""
    folder.mkdir()
    content = {
        "run_id": "bench",
        "task": "detect",
        "project": "bench",
        "classes": list(CLASSES),
        "dataset": {"train": train, "val": validation},
        "parameters": parameters,
        "warm_start": warm_start,
    }
    (folder / "job.json").write_text(json.dumps(content))
    return folder


def _best(curve: list[dict[str, Any]]) -> float:
    return float(max(row["metrics"].get(METRIC, 0.0) for row in curve))


def _best_of_ours(out: Path) -> float:
    return _best(json.loads((out / "result.json").read_text())["curve"])


def _best_of_yolo(out: Path) -> float:
    """From the table that the command writes."""
    with (out / "results.csv").open(newline="") as file:
        rows = [{name.strip(): value for name, value in row.items()} for row in csv.DictReader(file)]
    return max(float(row["metrics/mAP50-95(B)"]) for row in rows)


def _our_command(job: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "snaploop_host.training.bench", str(job), str(out)]


def _yolo_command(root: Path, epochs: int, out: Path) -> list[str]:
    program = "from ultralytics.cfg import entrypoint; entrypoint()"  # what the `yolo` script runs
    settings = [
        "detect",
        "train",
        "model=yolov8n.yaml",
        f"data={root / 'layout' / 'data.yaml'}",
        f"imgsz={LONG_SIDE_PX}",
        f"epochs={epochs}",
    ]
    return [sys.executable, "-c", program, *settings, f"project={out.parent}", f"name={out.name}", "device=cpu"]


def _run(command: list[str], root: Path) -> float:
    """Wall seconds of a command.

    Raises:
        RuntimeError: it failed.
    """
    source = Path(__file__).resolve().parents[2]
    shared = source.parent / "shared"
    paths = [str(source), *([str(shared)] if shared.is_dir() else []), os.environ.get("PYTHONPATH", "")]
    environ = {
        **os.environ,
        **offline_environment(root / "settings"),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    started = time.monotonic()
    ran = subprocess.run(command, cwd=root, env=environ, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"{command[1:4]} failed: {ran.stderr.decode(errors='replace')[-400:]}")
    return time.monotonic() - started


def train_only(job_folder: Path, out: Path) -> None:
    """Our side of a pair: prepare and train, nothing else."""
    from .ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(out / "settings")
    from .detect.task import TASK
    from .detect.train import train
    from .detect.yolo_layout import write_layout

    job = read_job(job_folder / "job.json")
    write_layout(job, out / "data")
    result = train(job, TASK.input_wh(job), out / "data", out / "train", lambda *_, **__: None)
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    train_only(Path(sys.argv[1]), Path(sys.argv[2]))
