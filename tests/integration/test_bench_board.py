"""What a live frame asks of the firmware, in our app and in the script that `snaploop bench board` sets beside it: calls, not time."""

import json

import numpy as np
import pytest

from snaploop_host.bench import board as bench
from virtual_k230.board import VirtualK230
from virtual_k230.display import DisplayOps
from virtual_k230.hal import Hal

FRAMES = 24
PICTURES = ("image.clear", "image.draw", "image.draw_image", "image.draw_string", "display.show_image")


class Run:
    """A script of the bench on a board: its result, the calls of its last frames, and what its overlay showed in each."""

    def __init__(self, folder, script, layer, monkeypatch, scene="moving", before=""):
        sd, data = bench._card(folder, scene, bench.HEAD, 0)
        plan = {**json.loads((data / "bench.json").read_text()), "batches": 1, "batch": FRAMES}
        (data / "bench.json").write_text(json.dumps(plan))
        self.layer = layer
        self.calls = []
        self.shown = []
        self.ends = []  # of frames, in `calls`
        monkeypatch.setattr(Hal, "invoke", self._wrapped(Hal.invoke))
        monkeypatch.setattr(DisplayOps, "show_image", self._seen(DisplayOps.show_image))
        code = (bench.SCRIPTS / script).read_text().replace("app = App(board)\n", "app = App(board)\n" + before)
        with VirtualK230(sd=sd, data=data, profile="D") as board:
            board.power_cut()
            lines = board.run_code(code).splitlines()
        monkeypatch.undo()
        results = [line for line in lines if line.startswith("RESULT ")]
        assert results, lines[-5:]
        self.result = json.loads(results[-1].removeprefix("RESULT "))

    def _wrapped(self, invoke):
        def wrapped(hal, name, args, blob):
            self.calls.append((name, args))
            return invoke(hal, name, args, blob)

        return wrapped

    def _seen(self, show):
        def seen(display, handle, x, y, layer, *more):
            if layer == self.layer:
                self.shown.append(display._board.images.get(handle).pixels.copy())
                self.ends.append(len(self.calls))
                self.handle = handle
            return show(display, handle, x, y, layer, *more)

        return seen

    def frame(self, back):
        """Names of the calls of the frame so many before the last one, drawing to other pictures and waiting left out."""
        names = []
        for name, args in self.calls[self.ends[-back - 1] : self.ends[-back]]:
            if name in PICTURES and args[0] == self.handle:
                names.append(args[1] if name == "image.draw" else name)
            elif name.startswith(("np.", "postprocess.")):
                names.append(name)
        return names


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Ours and the vendor's, while everything moves; and ours without pictures of tags."""
    folder = tmp_path_factory.mktemp("bench")
    plain = "import snaploop_device.board.k230_tags as tags\ntags.TagPictures.picture = lambda *tag: None\n"
    with pytest.MonkeyPatch.context() as patch:
        ours = Run(folder / "ours", "app_frames.py", "OSD1", patch)
    with pytest.MonkeyPatch.context() as patch:
        vendor = Run(folder / "vendor", "vendor_style_frames.py", "OSD3", patch)
    with pytest.MonkeyPatch.context() as patch:
        drawn = Run(folder / "plain", "app_frames.py", "OSD1", patch, before=plain)
    return ours, vendor, drawn


def test_a_frame_in_which_all_moves_is_few_calls(runs):
    ours, _vendor, _drawn = runs
    assert ours.result["boxes"] == 3
    boxes = ["rectangle"] * 3 + ["image.draw_image"] * 3
    expected = ["postprocess.call", "image.clear", *boxes, "display.show_image"]
    assert [ours.frame(back) for back in range(1, FRAMES)] == [expected] * (FRAMES - 1)


def test_the_vendor_style_script_does_what_the_vendors_classes_do(runs):
    _ours, vendor, _drawn = runs
    assert vendor.result["boxes"] == 3
    decoded = ["np.getitem", "np.transform", "np.transform", "postprocess.call"]  # results[0][0].transpose(), its copy
    boxes = ["np.data", "rectangle", "image.draw_string"] * 3  # the four numbers of a box as integers
    assert vendor.frame(2) == [*decoded, "image.clear", *boxes, "display.show_image"]


def test_a_copied_tag_looks_as_a_drawn_one(runs):
    ours, _vendor, drawn = runs
    assert drawn.frame(2).count("image.draw_string") == 3
    assert all(np.array_equal(ours.shown[-back], drawn.shown[-back]) for back in range(1, FRAMES))
