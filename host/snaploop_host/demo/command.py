"""`snaploop demo`: a host, a virtual board, two laps of the loop, a report. Everything is done with the commands a person would use."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from snaploop_shared import palette

from ..diagnosis import require_loop_tools
from ..errors import BadInputError
from .children import Child, command_path, run_command
from .errors import DemoError
from .finger import Finger
from .host_api import HostApi
from .json_http import JsonHttp
from .lap import LapPlan, Scene, run_lap
from .report import LapReport, Stage, Verdict, write_html, write_json
from .subjects import AnnotatedPictures, Subjects, TrafficLights

logger = logging.getLogger(__name__)

PANEL_PX = (800, 480)
FIRST_PHOTOS = 84
SECOND_PHOTOS = 12
LIVE_SCENES = (3, 2)  # in lap 1 and 2; each costs a frame in Canaan's simulator, 4 to 6 s
UNSEEN = (
    10_032,
    10_039,
    10_041,
    10_047,
    10_050,
)  # built-in scenes shown live only: a red, a yellow and a green light in each
START_WAIT_S = 60
# Firmware profile with the nncase runtime that we compile for (k230-platform §0.1).
PROFILE = "D"
WIFI = "snaploop-demo"
SENSOR_FPS = 30  # as the usual camera module has; a still picture at full speed would take a core from the training


def run_demo(
    out: Path,
    camera: Path | None = None,
    labels: Path | None = None,
    photos: int = FIRST_PHOTOS,
    more_photos: int = SECOND_PHOTOS,
) -> dict[str, Any]:
    """Do two laps and leave report.html and report.json in `out`.

    Args:
        out: folder for everything; what an earlier demo left there is removed.
        camera: a folder of pictures instead of the built-in scene; needs `labels`.
        labels: their Pascal VOC files, or the folder that holds Annotations/.
        photos: how many photos the first lap takes.
        more_photos: how many the second lap takes.

    Returns:
        The content of report.json.

    Raises:
        BadInputError: pictures, labels or the folder cannot be used; MissingToolError: a program is not installed.
        DemoError: a stage failed (the children's logs are in out/logs), or a promise was not kept (the report is there then).
    """
    subjects = _subjects(camera, labels)
    plans = _plans(subjects, photos, more_photos)
    require_loop_tools()  # before an earlier report is removed, and before minutes of photographing
    _empty(out)
    laps: list[LapReport] = []
    with ExitStack() as children:
        started = time.monotonic()
        scene = _set_up(children, subjects, out)
        set_up = Stage("start host and board, install, pair", time.monotonic() - started)
        for plan in plans:
            lap = run_lap(plan, scene, known_photos=sum(done.photos for done in laps))
            if not laps:
                lap.stages.insert(0, set_up)
            laps.append(lap)
            _say(lap)
    content = write_json(out / "report.json", laps)
    colours = palette.colours(subjects.classes)
    promises = verdicts(laps, is_built_in=camera is None)
    write_html(out / "report.html", subjects.title, laps, colours, promises)
    broken = [f"{promise.lap}: {promise.text}: {promise.value}" for promise in promises if not promise.is_kept]
    if broken:
        raise DemoError(f"the loop closed, but not as promised (see {out / 'report.html'}): {'; '.join(broken)}")
    return content


def verdicts(laps: list[LapReport], is_built_in: bool) -> list[Verdict]:
    """What the demo promises, and whether each lap kept it; the scores of somebody's own pictures are not promised."""
    found = []
    for lap in laps:
        model = lap.model
        for name, key in (("mAP50", "map50"), ("mAP50-95", "map50_95")):
            gained = float(model[f"kmodel_{key}"]) - float(model[f"float_{key}"])  # type: ignore[arg-type]  # JSON numbers
            text = f"the kmodel loses at most 0.03 {name} against the float model"
            found.append(Verdict(lap.title, text, f"{gained:+.3f}", gained >= -0.03))
        if is_built_in:
            score = float(model["kmodel_map50"])  # type: ignore[arg-type]  # JSON number
            found.append(Verdict(lap.title, "the kmodel reaches mAP50 0.85", f"{score:.3f}", score >= 0.85))
            share = lap.live.found_share
            text = "80 % of the true boxes are on the live screen"
            found.append(Verdict(lap.title, text, f"{share:.0%}", share >= 0.8))
    return found


def _subjects(camera: Path | None, labels: Path | None) -> Subjects:
    if camera is None and labels is None:
        return TrafficLights()
    if camera is None or labels is None:
        raise BadInputError("--camera and --labels go together: the pictures, and their Pascal VOC files")
    return AnnotatedPictures(camera, labels, classes_at_most=len(palette.PALETTE))


def _plans(subjects: Subjects, photos: int, more_photos: int) -> list[LapPlan]:
    if subjects.count is None:
        unseen = list(UNSEEN)
        available = list(range(photos + more_photos))
    else:
        needed = more_photos + sum(LIVE_SCENES)
        if subjects.count < needed + 8:
            raise BadInputError(
                f"{subjects.count} annotated pictures are too few: {needed + 8} are needed for two laps and the live check"
            )
        photos = min(photos, subjects.count - needed)
        # Every picture has a number of its own; spread them, since neighbours in a folder are often alike.
        stride = next(step for step in range(int(subjects.count * 0.618), 10**6) if _is_coprime(step, subjects.count))
        order = [position * stride % subjects.count for position in range(subjects.count)]
        available, unseen = (
            order[: photos + more_photos],
            order[photos + more_photos : photos + more_photos + sum(LIVE_SCENES)],
        )
    return [
        LapPlan("Lap 1", available[:photos], ["usb", "wifi"], unseen[: LIVE_SCENES[0]], unseen[0]),
        LapPlan("Lap 2", available[photos:], ["usb", "wifi"], unseen[LIVE_SCENES[0] :], unseen[LIVE_SCENES[0] - 1]),
    ]


def _is_coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def _empty(out: Path) -> None:
    """Make the folder; remove what an earlier demo left in it, nothing else.

    Raises:
        BadInputError: it cannot be made, or it holds what no demo made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_strange = any(out.iterdir()) and not (out / "card" / "sdcard").is_dir()
    except OSError as error:
        raise BadInputError(f"{out} cannot be made ({error.strerror}): choose another folder with --out") from error
    if is_strange:
        raise BadInputError(f"{out} holds things that no demo made: choose an empty or new folder with --out")
    for name in ("host", "card", "logs", "photos", "screens"):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("report.html", "report.json"):
        (out / name).unlink(missing_ok=True)


def _set_up(children: ExitStack, subjects: Subjects, out: Path) -> Scene:
    """Start a virtual board with an empty card and a host, and put the app on the board as a kit owner would."""
    snaploop, virtual = command_path("snaploop"), command_path("virtual-k230")
    logs, card, data = out / "logs", out / "card", out / "host"
    wifi_key = secrets.token_hex(8)
    for folder in (card / "sdcard", card / "data"):
        folder.mkdir(parents=True)
    board_argv = [virtual, "serve", "--sd", str(card / "sdcard"), "--data", str(card / "data"), "--profile", PROFILE]
    board_argv += [
        "--camera",
        subjects.camera,
        "--kpu",
        "sim",
        "--wifi",
        f"{WIFI}:{wifi_key}",
        "--port",
        "0",
        "--fps",
        str(SENSOR_FPS),
    ]
    board_child = children.enter_context(Child("virtual board", board_argv, logs / "board.log"))
    project = "demo"
    classes = ",".join(subjects.classes)
    run_command("projects add", [snaploop, "projects", "add", project, "--classes", classes, "--data", str(data)])
    board_says = board_child.first_json_line(START_WAIT_S)
    serve_argv = [
        snaploop,
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--usb",
        str(board_says["pty"]),
        "--data",
        str(data),
        "--json",
        "--end-jobs",
    ]
    host_child = children.enter_context(Child("host", serve_argv, logs / "host.log"))
    host_says = host_child.first_json_line(START_WAIT_S)
    address = str(host_says["url"]).removeprefix("http://").rstrip("/")
    install = [
        snaploop,
        "board",
        "install",
        "--port",
        str(board_says["pty"]),
        "--name",
        "virtual-1",
        "--project",
        project,
    ]
    install += ["--wifi", f"{WIFI}:{wifi_key}", "--host", address, "--data", str(data)]
    run_command("board install", install)
    board = JsonHttp("the virtual board", str(board_says["url"]))
    host = HostApi(JsonHttp("the host", str(host_says["url"])), project)
    finger = Finger(board, PANEL_PX, subjects.classes)
    finger.wait_for("the app's first screen", lambda texts: "Capture" in texts, START_WAIT_S)
    # Classes come with the first sync, so their names tell that the board has found its host.
    finger.wait_for("the first sync", lambda texts: all(name in texts for name in subjects.classes[:4]), START_WAIT_S)
    logger.info("host %s, board %s", host_says["url"], board_says["url"])
    return Scene(finger, board, host, subjects, out)


def _say(lap: LapReport) -> None:
    model = lap.model
    logger.info(
        "%s: %.0f s; %s photos (%s); kmodel mAP50 %s (float %s), mAP50-95 %s (float %s); live %s of %s boxes, %s false",
        lap.title,
        lap.seconds,
        lap.photos,
        ", ".join(f"{count} over {road}" for road, count in lap.synced.items()),
        model.get("kmodel_map50"),
        model.get("float_map50"),
        model.get("kmodel_map50_95"),
        model.get("float_map50_95"),
        lap.live.found,
        lap.live.true_boxes,
        lap.live.false,
    )
