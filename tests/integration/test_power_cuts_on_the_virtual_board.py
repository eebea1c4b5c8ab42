"""Power cut on real MicroPython, in the middle of a photo and of a label: a sample of what tests/unit/device does for every write."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from fakes.desk import Desk, says, tap, texts, wait

CLASSES = ("red", "green")


def promised(desk):
    """name → (digest in its record, rev) of every sample on the card now."""
    records = [json.loads(path.read_bytes()) for path in desk.samples.glob("*.json")]
    return {one["name"]: (one["photo"], one["rev"]) for one in records}


def label_at(board):
    """A box, and Save."""
    tap(board, "label", "class:red", CLASSES)
    board.drag([(100, 100), (180, 160), (220, 200)])
    tap(board, "label", "save", CLASSES)


def test_photo_and_label_that_were_called_saved_survive_a_cut(tmp_path, capsys):
    desk = Desk(tmp_path)
    desk.install(road="wifi")
    project = {"name": "lights", "task": "detect", "classes": list(CLASSES), "host": "pc"}
    (tmp_path / "data/snaploop/project.json").write_text(json.dumps(project))
    counts = Counter()
    with desk.board() as board:
        for number, writes in enumerate((1, 3, 5, 7, 9, 11)):
            wait("the app", lambda: any("Capture" in text for text in texts(board)), board)
            tap(board, "capture", "shutter", CLASSES)
            says(board, "Save")
            label_at(board)
            says(board, "saved b{}-000001: 1 box".format(number + 1))
            before = promised(desk)
            board.faults.set("card.power_cut", writes)
            tap(board, "capture", "shutter", CLASSES)
            wait("the cut or the photo", lambda: not board.is_on or "Save" in texts(board), board)
            counts["cut in the photo"] += not board.is_on
            if board.is_on:
                label_at(board)
                counts["cut in the label"] += 1
            wait("the cut", lambda: not board.is_on, board)
            end = len(board.log)
            board.start()
            board.wait_for("snaploop 0.1.0 start", 30, start=end)
            wait("the screen", lambda: any("Capture" in text for text in texts(board)), board)
            after = promised(desk)
            for name, (photo, rev) in before.items():
                assert after[name] == (photo, rev)
                assert hashlib.sha256((desk.samples / f"{name}.jpg").read_bytes()).hexdigest() == photo
            assert not list(desk.samples.glob("*.part"))
            assert {path.stem for path in desk.samples.glob("*.jpg")} == set(after)
            counts["cuts"] += 1
            counts["photos checked"] += len(before)
            assert len(before) >= number + 1
        says(board, "Capture")
    with capsys.disabled():
        print(f"\npower cuts on the virtual board: {dict(counts)}, nothing lost")
    assert counts["cuts"] == 6 and counts["cut in the photo"] and counts["cut in the label"]
