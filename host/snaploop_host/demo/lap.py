"""One lap of the loop on a virtual board: photograph and label by touch, sync, train, swap, check the live screen."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snaploop_device import layout
from snaploop_device.screens.label import BOX_THICKNESS_PX

from .errors import DemoError
from .finger import Finger
from .host_api import HostApi
from .json_http import JsonHttp
from .live_check import LabelledBox
from .report import LapReport, PhotoShown, Stage
from .subjects import Subjects

logger = logging.getLogger(__name__)

SHOWN_PHOTOS = 12
SHOWN_TRAINING_SHARE = (
    0.6  # the board's screen is photographed when this share of the epochs is done, so that there is a curve
)
SCREEN_WAIT_S = 30
LIVE_LOOK_S = 0.5  # enough for the old model to draw its boxes on a picture that it has seen before
SYNC_WAIT_S = 180
SWAP_WAIT_S = 300  # fetching, a golden run and a trial in Canaan's simulator, seconds per frame
INFERENCE_WAIT_S = 120
# A run that was under way when the picture changed, one of the new picture, and one more that tells that its boxes were drawn
# (Canaan's simulator answers the same picture from its cache).
RUNS_UNTIL_DRAWN = 3


@dataclass(frozen=True)
class LapPlan:
    """What one lap does: which pictures are photographed, on which roads they travel, which unseen ones are checked live."""

    title: str
    photo_numbers: list[int]
    roads: list[str]  # photos are shared out evenly among these, in order
    live_numbers: list[int]
    before_number: (
        int  # in view when the live screen is photographed before the swap; best one that the old model has seen
    )


@dataclass(frozen=True)
class Scene:
    """The people and things of a lap."""

    finger: Finger
    board: JsonHttp
    host: HostApi
    subjects: Subjects
    out: Path


def run_lap(plan: LapPlan, scene: Scene, known_photos: int) -> LapReport:
    """Do the lap.

    Args:
        plan: what to do.
        scene: with whom.
        known_photos: how many photos the board has from earlier laps.

    Raises:
        DemoError: something that was promised did not happen.
    """
    report = LapReport(plan.title)
    with _stage(report, "photograph, label and sync"):
        _photograph(plan, scene, report, known_photos)
    report.synced = scene.host.new_photos_by_road(report.photos, known_photos)
    old_models = {str(model["digest"]) for model in scene.host.models()}
    run_id = _start_training(scene)
    _look_at_live(plan, scene, report)
    scene.host.wait_for_epochs(run_id, SHOWN_TRAINING_SHARE)
    _screenshot(scene, report, layout.SYNC, f"{plan.title}: training, seen on the board")
    run = scene.host.wait_for_run(run_id)
    scene.subjects.show(scene.board, plan.live_numbers[0])
    scene.finger.tap(layout.SYNC, f"tab:{layout.LIVE}")
    report.stages += [Stage(name, seconds) for name, seconds in run.stage_seconds]
    report.epochs = run.epochs
    report.warm_started = run.is_warm_started
    report.model = scene.host.new_model(old_models)
    with _stage(report, "swap"):
        report.swap_gap_frames = scene.host.wait_for_deployment(str(report.model["digest"]), SWAP_WAIT_S)
    with _stage(report, "live check"):
        _check_live(plan, scene, report)
    _screenshot(scene, report, layout.LIVE, f"{plan.title}: live after the swap")
    scene.finger.tap(layout.LIVE, f"tab:{layout.CAPTURE}")
    return report


def _photograph(plan: LapPlan, scene: Scene, report: LapReport, known_photos: int) -> None:
    numbers = plan.photo_numbers
    per_road = -(-len(numbers) // len(plan.roads))
    # The next scene is built up while the frozen photo of this one is labelled, on a connection of its own.
    set_builder = JsonHttp("the virtual board", scene.board.url)
    with ThreadPoolExecutor(1, "set builder") as builder:
        coming = builder.submit(scene.subjects.show, set_builder, numbers[0])
        for position in range(len(numbers)):
            if position % per_road == 0:
                if position:
                    _wait_until_sent(scene, known_photos + position)
                _choose_road(scene, plan.roads[position // per_road])
            truth = coming.result()
            scene.finger.start_tap(layout.CAPTURE, "shutter")
            scene.finger.wait_for("the label screen after the shot", lambda texts: "Save" in texts, SCREEN_WAIT_S)
            if position + 1 < len(numbers):
                coming = builder.submit(scene.subjects.show, set_builder, numbers[position + 1])
            report.boxes += len(scene.finger.draw_boxes(truth))
            if position == min(2, len(numbers) - 1):
                _screenshot(scene, report, layout.LABEL, f"{plan.title}: labelling with the finger")
            scene.finger.start_tap(layout.LABEL, "save" if truth else "empty")
            scene.finger.wait_for("the capture screen after Save", lambda texts: "Save" not in texts, SCREEN_WAIT_S)
            report.photos += 1
    _wait_until_sent(scene, known_photos + len(numbers))
    report.shown_photos = _newest_photos(scene, report.photos)


def _choose_road(scene: Scene, road: str) -> None:
    scene.finger.tap(layout.CAPTURE, f"tab:{layout.SYNC}")
    scene.finger.tap(layout.SYNC, f"road:{road}")
    scene.finger.tap(layout.SYNC, f"tab:{layout.CAPTURE}")


def _wait_until_sent(scene: Scene, photos: int) -> None:
    """Look at the sync screen until it says that everything is on the host, then go back to Capture."""
    scene.finger.tap(layout.CAPTURE, f"tab:{layout.SYNC}")
    wanted = f"all {photos} photos sent"
    scene.finger.wait_for(f"“{wanted}”", lambda texts: wanted in texts, SYNC_WAIT_S)
    scene.finger.tap(layout.SYNC, f"tab:{layout.CAPTURE}")


def _start_training(scene: Scene) -> int:
    known = scene.host.run_ids()
    scene.finger.tap(layout.CAPTURE, f"tab:{layout.SYNC}")
    scene.finger.tap(layout.SYNC, "train")
    deadline = time.monotonic() + SCREEN_WAIT_S
    while not (started := scene.host.run_ids() - known):
        if time.monotonic() > deadline:
            raise DemoError(f"Train was pressed, but no run began; the panel says: {' | '.join(scene.finger.texts())}")
        time.sleep(0.1)
    run_id = max(started)
    title = f"Run {run_id}:"
    scene.finger.wait_for(title, lambda texts: any(text.startswith(title) for text in texts), SCREEN_WAIT_S)
    return run_id


def _look_at_live(plan: LapPlan, scene: Scene, report: LapReport) -> None:
    """Photograph the live screen as it is before the swap, then leave it: live video would take a core from the training."""
    scene.subjects.show(scene.board, plan.before_number)
    scene.finger.tap(layout.SYNC, f"tab:{layout.LIVE}")
    time.sleep(LIVE_LOOK_S)
    _screenshot(scene, report, layout.LIVE, f"{plan.title}: live before the swap")
    scene.finger.tap(layout.LIVE, f"tab:{layout.SYNC}")


def _check_live(plan: LapPlan, scene: Scene, report: LapReport) -> None:
    for number in plan.live_numbers:
        truth = scene.subjects.show(scene.board, number)
        _wait_for_fresh_boxes(scene)
        report.live.add(truth, scene.finger.boxes(BOX_THICKNESS_PX))
    report.kpu = str(scene.board.get("/state")["kpu_engine"])


def _wait_for_fresh_boxes(scene: Scene) -> None:
    wanted = _kpu_runs(scene) + RUNS_UNTIL_DRAWN
    deadline = time.monotonic() + INFERENCE_WAIT_S
    while _kpu_runs(scene) < wanted:
        if time.monotonic() > deadline:
            raise DemoError(f"no inference in {INFERENCE_WAIT_S} s; the panel says: {' | '.join(scene.finger.texts())}")
        time.sleep(0.05)


def _kpu_runs(scene: Scene) -> int:
    runs = scene.board.get("/state")["kpu_runs"]
    assert isinstance(runs, int)
    return runs


def _newest_photos(scene: Scene, count: int) -> list[PhotoShown]:
    folder = scene.out / "photos"
    folder.mkdir(exist_ok=True)
    shown = []
    for sample in scene.host.newest_samples(min(count, SHOWN_PHOTOS)):
        file = folder / f"{sample.name}.jpg"
        file.write_bytes(scene.host.photo(sample.photo))
        boxes = [LabelledBox(*box) for box in sample.boxes]
        shown.append(PhotoShown(str(file.relative_to(scene.out)), sample.width, sample.height, boxes))
    return shown


def _screenshot(scene: Scene, report: LapReport, screen: str, caption: str) -> None:
    folder = scene.out / "screens"
    folder.mkdir(exist_ok=True)
    file = folder / f"{len(list(folder.iterdir())):02d}-{screen}.png"
    file.write_bytes(scene.board.get_bytes("/screen.png"))
    report.screens.append((caption, str(file.relative_to(scene.out))))


@contextmanager
def _stage(report: LapReport, name: str) -> Iterator[None]:
    logger.info("%s: %s", report.title, name)
    started = time.monotonic()
    yield
    report.stages.append(Stage(name, time.monotonic() - started))
