"""`snaploop bench board`: the board app's own work per live frame beside a vendor-style script, a shot, a swap, the heap (design §10).

All on the virtual board, whose calls into the firmware cost the same for both scripts. Camera and KPU are left out of both; the KPU
port of ours answers with prepared tensors. Numbers of a real board differ; the ratio is what is compared.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from snaploop_device.card import Card
from snaploop_device.layout import PHOTO_H, PHOTO_W
from snaploop_device.log import Log
from snaploop_device.model_files import GOLDEN, KMODEL, ModelFiles
from snaploop_shared import manifest as manifests
from snaploop_shared import model_slots
from snaploop_shared.portable import sha256_hex

from ..errors import HostError
from ..links.board_files import board_files
from .figures import Figure

PAIRS = 5
OLDER_PAIRS = 3
WARM_UP_FRAMES = 50  # every frame of a scene three times: what comes again is known then
BATCHES = 7  # the middle one counts: a neighbour on this machine spoils some of them
BATCH_FRAMES = 64  # some collections of garbage, and many ticks of the clock, which has milliseconds
HEAP_FRAMES = 5000
SHOTS = 9
SCRIPT_TIMEOUT_S = 300
INPUT_W, INPUT_H = 320, 192
LABELS = ["red", "yellow", "green"]
HEAD = manifests.HEAD_GFL  # what training makes
OLDER_HEAD = manifests.HEAD_DFL6  # of models that were trained before
GOAL = 0.7
KEY = bytes(range(32))
SCRIPTS = Path(__file__).parent / "board_scripts"


def _things(shift: int, step: int) -> list[list[int]]:
    """Three boxes (class index, x, y, w, h in input px, score in percent), moved by so much, scored a little differently at each step."""
    boxes = [[0, 24 + shift, 40, 48, 96], [1, 136, 24 + shift, 64, 64], [2, 232 - shift, 72, 48, 80]]
    return [[*box, 80 + (7 * step + 3 * box[0]) % 16] for box in boxes]


SCENES = {
    "moving": [_things(16 * (step % 4), step) for step in range(16)],  # boxes and scores differ with every frame
    # A camera on a table: the boxes tremble by a pixel, and every eighth frame something has moved.
    "steady": [_things(16 * (step // 8) + step % 2, step // 8) for step in range(16)],
}


def measure(out: Path) -> list[Figure]:
    """Run the pairs, the long run and the swap; the figures of the board bench.

    Raises:
        HostError: a script failed on the board; its last lines are in the message.
    """
    steady, _ = _compare("steady", HEAD, PAIRS, heap_frames=0)
    moving, last = _compare("moving", HEAD, PAIRS, heap_frames=HEAP_FRAMES)
    older = {scene: _compare(scene, OLDER_HEAD, OLDER_PAIRS, heap_frames=0)[0] for scene in ("steady", "moving")}
    return [
        _ratio("app_frame_vs_vendor_style", steady, GOAL),
        _ratio("app_frame_vs_vendor_style_all_moving", moving, GOAL),
        _ratio(f"app_frame_vs_vendor_style_{OLDER_HEAD}", older["steady"], None),
        _ratio(f"app_frame_vs_vendor_style_{OLDER_HEAD}_all_moving", older["moving"], None),
        Figure("shot_blocks_ms", last["shot_us"] / 1000, "ms", 150),
        Figure("swap_frames_lost", last["swap_lost"], "frames", 0),
        Figure("heap_growth_bytes_5000_frames", last["heap_growth"], "bytes", 0),
    ]


def _ratio(name: str, times: list[tuple[float, float]], goal: float | None) -> Figure:
    peer = "vendor-style PipeLine + YOLO loop, ms per frame without KPU and camera"
    vendor_ms = statistics.median(vendor for _, vendor in times) / 1000
    return Figure(
        name, statistics.median(ours / vendor for ours, vendor in times), "ratio", goal, peer=peer, peer_value=vendor_ms
    )


def _compare(scene: str, head: str, pairs: int, heap_frames: int) -> tuple[list[tuple[float, float]], dict[str, Any]]:
    """Pairs of (ours, vendor's) microseconds per frame, and what the last run of ours said."""
    times: list[tuple[float, float]] = []
    ours: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(pairs):
            card = _card(Path(folder) / str(pair), scene, head, heap_frames if pair == pairs - 1 else 0)
            names = ["app_frames.py", "vendor_style_frames.py"]
            results = {name: _run(card, name) for name in (names if pair % 2 == 0 else reversed(names))}
            ours, vendor = (results[name] for name in names)
            times.append((_checked("our app", ours), _checked("the vendor-style script", vendor)))
    return times, ours


def _checked(name: str, result: dict[str, Any]) -> float:
    expected = len(_things(0, 0))
    if result["boxes"] != expected:
        raise HostError(f"{name} drew {result['boxes']} boxes of {expected}: nothing to compare")
    return float(result["frame_us"])


def _card(folder: Path, scene: str, head: str, heap_frames: int) -> tuple[Path, Path]:
    """(sd, data) folders of a board with our app and two models, the older one live."""
    sd, data = folder / "sd", folder / "data"
    for path, content in board_files().items():
        target = sd / path.removeprefix("/sdcard/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.name != "main.py":
            target.write_bytes(content)
    files = ModelFiles(Card(_made(data / "snaploop")), KEY, PHOTO_W, PHOTO_H, Log(echo=lambda _line: None))
    slots = model_slots.ModelSlots()
    for serial in (1, 2):
        digest = _keep_model(files, data / "snaploop", serial, head)
        if serial == 1:
            slots.move("offer", digest, serial)
            for event in ("verified", "start_trial", "confirm"):
                slots.move(event)
            files.keep_slots(slots)
    plan = {
        **SCENES,
        "scene": scene,
        "head": head,
        "classes": len(LABELS),
        "width": INPUT_W,
        "height": INPUT_H,
        "warm_up": WARM_UP_FRAMES,
        "batches": BATCHES,
        "batch": BATCH_FRAMES,
        "heap_frames": heap_frames,
        "shots": SHOTS,
    }
    settings = {"id": "be0c4", "key": KEY.hex(), "road": "usb"}
    (data / "snaploop" / "config.json").write_text(json.dumps(settings))
    (data / "bench.json").write_text(json.dumps(plan))
    return sd, data


def _made(folder: Path) -> str:
    folder.mkdir(parents=True)
    return str(folder)


def _keep_model(files: ModelFiles, root: Path, serial: int, head: str) -> str:
    """Put a model on the card whose golden input shows nothing; its digest."""
    kmodel = bytes([serial]) * 200_000
    golden = bytes(3 * INPUT_W * INPUT_H)
    fields = {
        "v": manifests.VERSION,
        "serial": serial,
        "digest": sha256_hex(kmodel),
        "bytes": len(kmodel),
        "task": "detect",
        "head": head,
        "input": [INPUT_W, INPUT_H],
        "labels": LABELS,
        "score_permille": 400,
        "iou_permille": 500,
        "nncase": "2.11.0",
        "kmodel_version": 7,
        "golden": {"digest": sha256_hex(golden), "bytes": len(golden), "detections": []},
        "scores": {"kmodel_map50": 0.9},
    }
    manifest = manifests.parse(json.dumps(fields).encode())
    files.keep_manifest(manifest, manifests.signature(manifest.raw, KEY))
    folder = root / files.folder(manifest.digest)
    (folder / KMODEL).write_bytes(kmodel)
    (folder / GOLDEN).write_bytes(golden)
    return str(manifest.digest)


def _run(card: tuple[Path, Path], name: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "virtual_k230", "run", str(SCRIPTS / name)]
    argv += ["--sd", str(card[0]), "--data", str(card[1]), "--profile", "D"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SCRIPT_TIMEOUT_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        last = (done.stdout + done.stderr).splitlines()[-3:]
        raise HostError(f"{name} gave no result on the virtual board: {' | '.join(last)}")
    result: dict[str, Any] = json.loads(lines[-1][len("RESULT ") :])
    return result
