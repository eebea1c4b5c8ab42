"""The demo's report: numbers for scripts in the promised form, a page that names every picture, promises judged."""

import json
from pathlib import Path

from snaploop_host.bench.loop import lap_seconds, overhead_share
from snaploop_host.demo.command import verdicts
from snaploop_host.demo.live_check import LabelledBox, LiveResult
from snaploop_host.demo.report import LapReport, PhotoShown, Stage, write_html, write_json


def lap(title: str, kmodel: float = 0.95, found: int = 9) -> LapReport:
    return LapReport(
        title,
        stages=[Stage("photograph, label and sync", 30.0), Stage("train", 50.0), Stage("compile and prove", 20.0)],
        photos=12,
        boxes=20,
        synced={"usb": 6, "wifi": 6},
        model={
            "digest": "ab" * 32,
            "input": [320, 192],
            "kmodel_bytes": 3_200_000,
            "float_map50": 0.96,
            "kmodel_map50": kmodel,
            "float_map50_95": 0.8,
            "kmodel_map50_95": 0.79,
            "evaluated_images": 24,
            "simulator": "nncase 2.11.0 k230",
            "id": 7,
        },
        live=LiveResult(frames=6, true_boxes=10, found=found, false=0),
        kpu="simulator",
        shown_photos=[PhotoShown("photos/b1-000001.jpg", 640, 360, [LabelledBox("red <1>", 5, 6, 70, 80)])],
        epochs=[{"epoch": 1, "loss": 3.0, "map50": 0.1}, {"epoch": 2, "loss": 2.0, "map50": 0.9}],
        screens=[("live", "screens/00-live.png")],
    )


def test_json_has_the_promised_form(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", [lap("Lap 1"), lap("Lap 2")])
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report) == {"stages", "photos", "boxes", "synced", "model", "live", "lap2"}
    assert set(report["lap2"]) == set(report) - {"lap2"}
    assert "id" not in report["model"]
    assert report["live"] == {
        "frames": 6,
        "true_boxes": 10,
        "found": 9,
        "false": 0,
        "kpu": "simulator",
        "swap_gap_frames": 0,
    }
    assert lap_seconds(report) == 100
    assert round(overhead_share(report), 6) == 0.3


def test_page_names_pictures_and_escapes_what_people_type(tmp_path: Path) -> None:
    laps = [lap("Lap 1"), lap("Lap 2")]
    write_html(
        tmp_path / "report.html", "cats & dogs", laps, {"red <1>": (230, 57, 70)}, verdicts(laps, is_built_in=True)
    )
    page = (tmp_path / "report.html").read_text()
    assert 'href="photos/b1-000001.jpg"' in page
    assert 'src="screens/00-live.png"' in page
    assert "cats &amp; dogs" in page
    assert "<1>" not in page
    assert "#e63946" in page
    assert page.count("✓") + page.count('class="number kept"') >= 8


def test_promises_are_judged() -> None:
    assert all(verdict.is_kept for verdict in verdicts([lap("Lap 1")], is_built_in=True))
    broken = [
        verdict.text
        for verdict in verdicts([lap("Lap 1", kmodel=0.80, found=7)], is_built_in=True)
        if not verdict.is_kept
    ]
    assert len(broken) == 3
    assert [verdict.is_kept for verdict in verdicts([lap("Lap 1", kmodel=0.80)], is_built_in=False)] == [False, True]
