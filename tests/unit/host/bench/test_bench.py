"""Benches: figures in the promised form, the loop bench's arithmetic on a known report, and memory that is really seen."""

import json
from pathlib import Path

import pytest

from snaploop_host.bench import command, loop, train
from snaploop_host.bench.figures import Figure, as_json
from snaploop_host.bench.memory import tree_pss_kib
from snaploop_host.training import bench as training_bench
from snaploop_host.training.bench import FirstLap, second_lap


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


def test_train_figures_come_from_pairs_and_laps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lap1 = FirstLap(tmp_path, train_s=90.0, compile_gate_s=100.0, rungs=1, map50_95=0.9)
    compared = {"ratio": 0.3, "yolo_cli_s": 80.0, "what": "yolo", "ours_map50_95": 0.8, "yolo_map50_95": 0.81}
    monkeypatch.setattr("snaploop_host.training.bench.train_vs_yolo_cli", lambda *_: compared)
    monkeypatch.setattr("snaploop_host.training.bench.first_lap", lambda *_: lap1)
    monkeypatch.setattr(
        "snaploop_host.training.bench.second_lap",
        lambda _: {"seconds_to_metric": 45.0, "is_reached": True, "map50_95": 0.91},
    )
    figures = {figure.name: figure for figure in train.measure(tmp_path, train.QUICK)}
    assert {name: figure.met for name, figure in figures.items()} == {
        "train_vs_yolo_cli": True,
        "train_map50_95": True,
        "lap2_time_to_metric": False,
        "compile_gate_s": True,
        "peak_gib": True,
    }
    assert figures["lap2_time_to_metric"].value == pytest.approx(0.5)
    assert "reached" in figures["lap2_time_to_metric"].unit and "NOT" not in figures["lap2_time_to_metric"].unit
    monkeypatch.setattr(
        "snaploop_host.training.bench.second_lap",
        lambda _: {"seconds_to_metric": 9.0, "is_reached": False, "map50_95": 0.88},
    )
    figures = {figure.name: figure for figure in train.measure(tmp_path, train.QUICK)}
    assert figures["lap2_time_to_metric"].value == 1.0  # soon over, but never as good
    assert "NOT reached, 0.880 at best" in figures["lap2_time_to_metric"].unit


@pytest.mark.parametrize(
    ("scores", "seconds", "is_reached"), [((0.5, 0.9, 0.95), 13.0, True), ((0.5, 0.6, 0.7), 18.0, False)]
)
def test_the_second_lap_is_timed_to_the_epoch_that_is_as_good(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scores: tuple[float, ...], seconds: float, is_reached: bool
) -> None:
    lap1 = FirstLap(tmp_path, train_s=90.0, compile_gate_s=100.0, rungs=1, map50_95=0.9)
    (tmp_path / "lap2-out").mkdir()
    curve = [{"seconds": 5.0, "metrics": {"map50_95": score}} for score in scores]
    (tmp_path / "lap2-out" / "result.json").write_text(json.dumps({"curve": curve}))
    monkeypatch.setattr(training_bench, "_run", lambda *_: 18.0)  # three epochs of 5 s, and 3 s to start
    assert second_lap(lap1) == {"seconds_to_metric": seconds, "is_reached": is_reached, "map50_95": max(scores)}


def test_the_best_score_of_the_plain_command_is_read_from_its_table(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("epoch,  metrics/mAP50-95(B)\n1, 0.1\n2, 0.4\n3, 0.3\n")
    assert training_bench._best_of_yolo(tmp_path) == 0.4
