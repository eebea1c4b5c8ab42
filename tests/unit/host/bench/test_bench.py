"""Benches: figures in the promised form, the loop bench's arithmetic on a known report, and memory that is really seen."""

import json
from pathlib import Path

import pytest

from snaploop_host.bench import command, loop
from snaploop_host.bench.figures import Figure, as_json
from snaploop_host.bench.memory import tree_pss_kib


def lap(train_s: float, other_s: float) -> dict[str, object]:
    return {
        "stages": [
            {"name": "photograph, label and sync", "seconds": other_s},
            {"name": "train", "seconds": train_s},
            {"name": "compile and prove", "seconds": 20.0},
        ]
    }


def test_loop_figures_come_from_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("snaploop_host.demo.command.run_demo", lambda out: lap(60.0, 20.0) | {"lap2": lap(10.0, 5.0)})
    monkeypatch.setattr(
        "snaploop_host.training.bench.train_vs_yolo_cli",
        lambda folder: {"ratio": 0.4, "yolo_cli_s": 41.0, "ours_s": 16.4},
    )
    figures = {figure.name: figure for figure in loop.measure(tmp_path)}
    assert figures["overhead_share"].value == pytest.approx(0.2)
    assert figures["overhead_share"].met
    assert figures["lap2_over_lap1"].value == pytest.approx(0.35)
    assert figures["train_vs_yolo_cli"].value == 0.4
    assert figures["peak_rss_mib"].value > 1


def test_json_is_what_the_design_promises() -> None:
    figures = [Figure("a", 0.5, "ratio", 0.6, peer="b", peer_value=2.0), Figure("c", 5, "fps", 60, at_most=False)]
    content = json.loads(as_json("loop", figures))
    assert content["bench"] == "loop"
    assert content["machine"]["cores"] >= 1
    assert [row["met"] for row in content["figures"]] == [True, False]
    assert set(content["figures"][0]) == {"name", "value", "unit", "peer", "peer_value", "goal", "met"}


def test_table_and_json_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(command.BENCHES, "loop", lambda out: [Figure("overhead_share", 0.2, "share", 0.25)])
    command.run_bench("loop", tmp_path, as_json_object=True)
    assert json.loads(capsys.readouterr().out)["figures"][0]["name"] == "overhead_share"
    command.run_bench("loop", tmp_path, as_json_object=False)
    assert "overhead_share" in capsys.readouterr().out


def test_memory_of_the_tree_grows_with_what_is_held() -> None:
    before = tree_pss_kib()
    held = bytearray(b"x" * (64 << 20))
    assert tree_pss_kib() - before > 50 * 1024
    del held
