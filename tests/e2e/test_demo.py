"""The acceptance test of the whole loop: `snaploop demo` as a newcomer runs it, held to what it promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.packaged import mark_with_package

SNAPLOOP = Path(sys.executable).with_name("snaploop")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a demo with its defaults left behind."""
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run([SNAPLOOP, "demo", "--out", out], capture_output=True, text=True, timeout=1700, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_both_laps_keep_what_the_demo_promises(demo: Path) -> None:
    report = json.loads((demo / "report.json").read_text())
    for lap in (report, report["lap2"]):
        model, live = lap["model"], lap["live"]
        assert model["kmodel_map50"] >= 0.85
        assert abs(model["float_map50"] - model["kmodel_map50"]) <= 0.03
        assert abs(model["float_map50_95"] - model["kmodel_map50_95"]) <= 0.03
        assert model["evaluated_images"] >= 12
        assert "nncase 2.11" in model["simulator"]
        assert live["kpu"] == "simulator"
        assert live["true_boxes"] >= 4
        assert live["found"] >= 0.8 * live["true_boxes"]
        assert live["false"] <= 0.3 * live["true_boxes"]
        assert live["swap_gap_frames"] <= 3
        assert min(lap["synced"].values()) == lap["photos"] // 2
        assert sum(lap["synced"].values()) == lap["photos"]
        assert lap["boxes"] >= lap["photos"]
    assert report["model"]["digest"] != report["lap2"]["model"]["digest"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_report_shows_pictures_that_exist(demo: Path) -> None:
    page = (demo / "report.html").read_text()
    for kind in ("screens", "photos"):
        files = sorted((demo / kind).iterdir())
        assert len(files) >= 8
        for file in files:
            assert f'"{kind}/{file.name}"' in page


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_app_was_never_restarted(demo: Path) -> None:
    assert (demo / "card/data/snaploop/boot_count").read_text().strip() == "1"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_left_running(demo: Path) -> None:
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(demo) not in running


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_package_of_its_model_marks_a_photo_on_a_board_without_the_app(demo: Path, tmp_path: Path) -> None:
    said, painted = mark_with_package(demo / "host", "demo", tmp_path)
    found = re.findall(r"(red|yellow|green) 0\.\d+ at (\d+),(\d+) size (\d+)x(\d+)", said)
    assert found, said
    for _, *box in found:
        x, y, w, h = map(int, box)
        assert painted[max(y - 4, 0) : y + h + 5, max(x - 4, 0) : x + w + 5].any(), box
