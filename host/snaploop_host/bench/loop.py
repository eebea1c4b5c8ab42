"""`snaploop bench loop`: the demo, timed, beside the plain `yolo` command on the same data in the same run (design §10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .figures import Figure
from .memory import PeakMemory

WORK_STAGES = (
    "train",
    "compile and prove",
)  # what a board could not be without; everything else is the loop's own overhead


def measure(out: Path) -> list[Figure]:
    """Run the demo into `out` and a training comparison after it; the figures of the loop bench.

    Raises:
        DemoError: the demo failed.
    """
    from ..demo.command import run_demo
    from ..training.bench import train_vs_yolo_cli

    with PeakMemory() as memory:
        report = run_demo(out=out / "demo")
    comparison = train_vs_yolo_cli(out / "train")
    lap1, lap2 = lap_seconds(report), lap_seconds(report["lap2"])
    return [
        Figure("lap1_s", lap1, "s", 480),
        Figure("overhead_share", overhead_share(report), "share of lap 1", 0.25),
        Figure("lap2_over_lap1", lap2 / lap1, "ratio", 0.5, peer="lap 1", peer_value=lap1),
        Figure(
            "train_vs_yolo_cli",
            comparison["ratio"],
            "ratio",
            1.0,
            peer="yolo detect train, defaults, s",
            peer_value=comparison["yolo_cli_s"],
        ),
        Figure("peak_rss_mib", memory.peak_mib, "MiB, proportional, process tree", 4096),
    ]


def lap_seconds(lap: dict[str, Any]) -> float:
    """All stages of a lap."""
    return sum(stage["seconds"] for stage in lap["stages"])


def overhead_share(lap: dict[str, Any]) -> float:
    """Share of a lap that is neither training nor compiling and proving."""
    work = sum(stage["seconds"] for stage in lap["stages"] if stage["name"] in WORK_STAGES)
    return 1 - work / lap_seconds(lap)
