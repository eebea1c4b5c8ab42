"""Benches of training: our trainer against the plain `yolo detect train` command on the same pictures and epochs.

Called by `snaploop bench loop` and `snaploop bench train`. Heavy: minutes per pair.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .bench_pictures import CLASSES, write_pictures
from .job_spec import read_job
from .ultralytics_runtime import offline_environment

PICTURES, EPOCHS, PAIRS = 96, 3, 3
LONG_SIDE_PX = 320
TIME_LIMIT_S = 1800


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
        ratio, yolo_cli_s and ours_s (medians), pairs (seconds of each, ours first), and what was compared in words.

    Raises:
        RuntimeError: one of the sides failed; the message has its last words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="vs-yolo-", dir=folder)).resolve()
    job = _write_job(root, epochs, pictures)
    taken = []
    for turn in range(pairs):
        ours = _run(_our_command(job, root / f"ours{turn}"), root)
        theirs = _run(_yolo_command(root, epochs, root / f"yolo{turn}"), root)
        taken.append((round(ours, 2), round(theirs, 2)))
    return {
        "ratio": round(statistics.median(ours / theirs for ours, theirs in taken), 3),
        "yolo_cli_s": statistics.median(theirs for _, theirs in taken),
        "ours_s": statistics.median(ours for ours, _ in taken),
        "pairs": taken,
        "what": f"yolo detect train, defaults, imgsz {LONG_SIDE_PX}, {epochs} epochs, {pictures} photos",
    }


def _write_job(root: Path, epochs: int, pictures: int) -> Path:
    """A job folder with made-up photos, and the same set in YOLO's layout."""
    from .detect.yolo_layout import write_layout

    folder = root / "job"
    folder.mkdir()
    content = {
        "run_id": "bench",
        "task": "detect",
        "project": "bench",
        "classes": list(CLASSES),
        "dataset": {
            "train": write_pictures(root / "train", pictures, seed=1),
            "val": write_pictures(root / "val", pictures // 4, seed=2),
        },
        "parameters": {"epochs": epochs, "imgsz": LONG_SIDE_PX, "patience": epochs},
        "warm_start": None,
    }
    (folder / "job.json").write_text(json.dumps(content))
    write_layout(read_job(folder / "job.json"), root / "layout")
    return folder


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
    train(job, TASK.input_wh(job), out / "data", out / "train", lambda *_, **__: None, None)


if __name__ == "__main__":
    train_only(Path(sys.argv[1]), Path(sys.argv[2]))
