"""report.html and report.json of a demo: what happened, in pictures and numbers, for a person and for a script."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import jinja2

from .live_check import LabelledBox, LiveResult

MODEL_FIELDS = (
    "digest",
    "input",
    "kmodel_bytes",
    "float_map50",
    "kmodel_map50",
    "float_map50_95",
    "kmodel_map50_95",
    "evaluated_images",
    "simulator",
)


@dataclass(frozen=True)
class Stage:
    """A stretch of the loop and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class PhotoShown:
    """A photo with the boxes that the finger drew, for the report's page."""

    file: str
    width: int
    height: int
    boxes: list[LabelledBox]


@dataclass(frozen=True)
class Verdict:
    """A promise of the demo, the measured value, and whether it was kept."""

    lap: str
    text: str
    value: str
    is_kept: bool


@dataclass
class LapReport:
    """Everything that one lap of the loop left behind."""

    title: str
    stages: list[Stage] = field(default_factory=list)
    photos: int = 0
    boxes: int = 0
    synced: dict[str, int] = field(default_factory=dict)
    model: dict[str, object] = field(default_factory=dict)
    live: LiveResult = field(default_factory=LiveResult)
    kpu: str = ""
    swap_gap_frames: int = 0
    shown_photos: list[PhotoShown] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    screens: list[tuple[str, str]] = field(default_factory=list)  # (caption, file)
    warm_started: bool = False

    @property
    def seconds(self) -> float:
        """The whole lap."""
        return sum(stage.seconds for stage in self.stages)

    def numbers(self) -> dict[str, object]:
        """The lap as report.json holds it."""
        return {
            "stages": [{"name": stage.name, "seconds": round(stage.seconds, 2)} for stage in self.stages],
            "photos": self.photos,
            "boxes": self.boxes,
            "synced": self.synced,
            "model": {name: self.model.get(name) for name in MODEL_FIELDS},
            "live": {
                "frames": self.live.frames,
                "true_boxes": self.live.true_boxes,
                "found": self.live.found,
                "false": self.live.false,
                "kpu": self.kpu,
                "swap_gap_frames": self.swap_gap_frames,
            },
        }


def write_json(path: Path, laps: list[LapReport]) -> dict[str, object]:
    """Write report.json: the first lap's numbers, and the second's under "lap2"."""
    content = laps[0].numbers()
    if len(laps) > 1:
        content["lap2"] = laps[1].numbers()
    path.write_text(json.dumps(content, indent=1) + "\n")
    return content


def write_html(
    path: Path,
    title: str,
    laps: list[LapReport],
    colours: dict[str, tuple[int, int, int]],
    verdicts: list[Verdict],
) -> None:
    """Write report.html; pictures are named relative to it.

    Args:
        path: the file to write.
        title: what was photographed.
        laps: in order.
        colours: class name to (r, g, b), as the board draws them.
        verdicts: what was promised, and whether it was kept.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("snaploop_host.demo"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("report.html.j2")
    hexed = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in colours.items()}
    path.write_text(
        template.render(
            title=title,
            laps=[
                {**asdict(lap), "seconds": lap.seconds, "live": lap.live, "curves": curves(lap.epochs)} for lap in laps
            ],
            colours=hexed,
            verdicts=verdicts,
            total_seconds=sum(lap.seconds for lap in laps),
        )
    )


@dataclass(frozen=True)
class Curve:
    """One line of a chart: its name, colour and the points of an SVG polyline."""

    name: str
    colour: str
    points: str
    last: float


CHART_PX = (560, 180)
CHART_LINES = (("map50", "mAP50", "#2f6fde"), ("map50_95", "mAP50-95", "#e07b1f"), ("loss", "loss (scaled)", "#8a94a6"))


def curves(epochs: list[dict[str, float]]) -> list[Curve]:
    """The lines of the training chart: metrics from 0 to 1, the loss scaled to its largest value."""
    found = []
    for key, name, colour in CHART_LINES:
        points = [(epoch["epoch"], epoch[key]) for epoch in epochs if key in epoch]
        if not points:
            continue
        top = max(1.0 if key.startswith("map") else max(value for _, value in points), 1e-9)
        last_epoch = max(epoch for epoch, _ in points) or 1
        coordinates = " ".join(
            f"{epoch / last_epoch * CHART_PX[0]:.1f},{(1 - value / top) * CHART_PX[1]:.1f}" for epoch, value in points
        )
        found.append(Curve(name, colour, coordinates, points[-1][1]))
    return found
