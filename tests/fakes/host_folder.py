"""A host on a folder, for tests: a project "lights", one paired board, a training worker that only pretends to train."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fakes.board_client import BoardClient, jpeg
from snaploop_host.app import DATABASE, Host, open_host
from snaploop_host.config import Config
from snaploop_host.domain.training_parameters import check_parameters
from snaploop_shared.sample_record import Box

CLASSES = ("red", "yellow", "green")
PRETENDING_WORKER = (sys.executable, str(Path(__file__).with_name("pretending_worker.py")))


@functools.cache
def _empty_database() -> bytes:
    """A database as the migrations make it, made once: it takes a host five times as long to open without (test_store.py looks at them)."""
    with tempfile.TemporaryDirectory(prefix="snaploop_tests_") as folder:
        open_host(Config(Path(folder))).close()
        assert not list(Path(folder).glob(f"{DATABASE}-*")), "something of the database is in another file still"
        return (Path(folder) / DATABASE).read_bytes()


def make_host(folder: Path, **config: object) -> Host:
    """A host with its project."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / DATABASE).write_bytes(_empty_database())
    host = open_host(Config(folder, **config), worker=PRETENDING_WORKER)  # type: ignore[arg-type]
    host.train.check_parameters = _checked
    if not host.store.projects():
        host.store.add_project("lights", "detect", CLASSES, 1000.0)
    return host


def _checked(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """As ever, but let pass what steers the pretending worker."""
    steering = {name: value for name, value in given.items() if name == "pretend"}
    return check_parameters(task, {name: value for name, value in given.items() if name != "pretend"}) | steering


def pair_client(host: Host, road: str = "usb", board_id: str = "a1b2c3d4", project: str = "lights") -> BoardClient:
    """A paired board that asks the host directly."""
    board, _ = host.pair.pair(board_id, "desk", project)
    return BoardClient(board.id, board.key, lambda data: host.board_api.handle(data, road))


@contextlib.contextmanager
def board_with_photos(folder: Path) -> Iterator[BoardClient]:
    """A board whose host, its `host`, has twelve labelled photos: six of red, five of yellow, one of green; runs end with it."""
    host = make_host(folder)
    board = pair_client(host)
    board.host = host  # type: ignore[attr-defined]
    for number in range(12):
        name = "green" if number == 3 else ("red", "yellow")[number % 2]
        board.send_sample(f"b{number}-000000", jpeg(number), [Box(name, 1, 1, 20, 20)])
    yield board
    for run in host.store.runs():
        host.jobs.stop(run.id)
    host.close()


def write_artifacts(
    folder: Path, passed: bool = True, kmodel: bytes = b"LDMK\x07\x00\x00\x00kmodel", **changes: object
) -> None:
    """What a good job leaves in its artifacts folder."""
    golden = bytes(3 * 192 * 320)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "best.pt").write_bytes(b"weights")
    (folder / "model.kmodel").write_bytes(kmodel)
    (folder / "golden_input.bin").write_bytes(golden)
    scores = {
        "float": {"map50": 0.95, "map50_95": 0.8},
        "kmodel": {"map50": 0.94, "map50_95": 0.79} if passed else {"map50": 0.5, "map50_95": 0.3},
    }
    result = {
        "run_id": "1",
        "task": "detect",
        "head": "dfl6",
        "digest": hashlib.sha256(kmodel).hexdigest(),
        "input": [320, 192],
        "labels": list(CLASSES),
        "thresholds": {"score": 0.4, "iou": 0.5},
        "nncase_version": "2.11.0",
        "kmodel_bytes": len(kmodel),
        "kmodel_version": 7,
        **{f"{form}_score": {"images": 24, "values": values} for form, values in scores.items()},
        "classes": [],
        "rungs": [],
        "pictures": [],
        "training": {},
        "timings_s": {},
        "evaluated_images": 24,
        "simulator": "nncase 2.11.0",
        "golden": {
            "input_sha256": hashlib.sha256(golden).hexdigest(),
            "input_bytes": len(golden),
            "answer": {"detections": [[0, 900, 10, 20, 30, 40]]},
        },
        "gate_limit_points": 0.03,
    }
    (folder / "result.json").write_text(json.dumps(result | changes))
