"""`snaploop bench train`: training beside the plain `yolo` command, a second lap, compile and gate, and memory (design §10)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .figures import Figure
from .memory import PeakMemory


@dataclass(frozen=True)
class Amount:
    """How much is trained; `epochs` and `lap_epochs` of None are those of the recipe."""

    pairs: int
    epochs: int
    pictures: int
    more_pictures: int
    lap_epochs: int | None = None


# The plain command learns nothing in its first twenty epochs of so few photos: scores compare from some forty on.
WHOLE = Amount(pairs=1, epochs=40, pictures=96, more_pictures=12)
QUICK = Amount(pairs=1, epochs=3, pictures=40, more_pictures=8, lap_epochs=60)


def measure(out: Path, amount: Amount) -> list[Figure]:
    """Train in pairs, then a first lap as a whole job and a second lap that starts from it; the figures of the train bench.

    Raises:
        RuntimeError: a process failed; the message has its last words.
    """
    from ..training.bench import AS_GOOD, LONG_SIDE_PX, first_lap, second_lap, train_vs_yolo_cli

    compared = train_vs_yolo_cli(out, amount.pairs, amount.epochs, amount.pictures)
    with PeakMemory() as memory:
        lap1 = first_lap(out, amount.pictures, amount.more_pictures, amount.lap_epochs)
    lap2 = second_lap(lap1)
    lap2_share = lap2["seconds_to_metric"] / lap1.train_s
    return [
        Figure(
            "train_vs_yolo_cli",
            compared["ratio"],
            "ratio",
            0.6,
            peer=f"{compared['what']}, s",
            peer_value=compared["yolo_cli_s"],
        ),
        Figure(
            "train_map50_95",
            compared["ours_map50_95"],
            "mAP50-95, the lowest of the pairs; goal: the command's - 0.02",
            compared["yolo_map50_95"] - 0.02,
            at_most=False,
            peer="mAP50-95 of the command, the highest of the pairs",
            peer_value=compared["yolo_map50_95"],
        ),
        Figure(
            "lap2_time_to_metric",
            lap2_share if lap2["is_reached"] else max(1.0, lap2_share),  # never reached is never quicker
            f"ratio; mAP50-95 {lap1.map50_95:.3f} "
            + (f"reached within {AS_GOOD:g}" if lap2["is_reached"] else "NOT reached")
            + f", {lap2['map50_95']:.3f} at best",
            1 / 3,
            peer="training of the first lap, s",
            peer_value=lap1.train_s,
        ),
        Figure("compile_gate_s", lap1.compile_gate_s, f"s, {LONG_SIDE_PX} px, {lap1.rungs} rungs", 180),
        Figure("peak_gib", memory.peak_mib / 1024, "GiB, train + compile + gate, proportional, process tree", 6),
    ]
