"""result.json holds everything of a RunReport and gives it back."""

import json

from snaploop_host.domain.run_report import (
    ClassRow,
    Golden,
    GoldenDetection,
    RungTried,
    RunReport,
    Thresholds,
    report_from_json,
)


def example():
    return RunReport(
        run_id="7", digest="ab", kmodel_bytes=3, kmodel_version=7, nncase_version="2.11.0", simulator="nncase 2.11.0 k230",
        input=(320, 192), labels=("red",), thresholds=Thresholds(0.4, 0.5), evaluated_images=24, float_map50=0.99, kmodel_map50=0.98,
        float_map50_95=0.9, kmodel_map50_95=0.89, gate_limit_points=0.03, classes=(ClassRow("red", 3, 2, 2, 0.99, 0.98, 0.9, None),),
        rungs=(RungTried("uint8", 3, 1.0, 2.0, 0.98, 0.89, True),), golden=Golden("cd", 9, (GoldenDetection(0, 900, (1, 2, 3, 4)),)),
        pictures=("val_00.jpg",), training={"epochs": 3}, timings_s={"train": 1.0},
    )  # fmt: skip


def test_round_trip():
    raw = json.loads(json.dumps(example().to_json()))
    assert raw["golden"]["detections"] == [{"score_permille": 900, "box_xywh_px": [1, 2, 3, 4], "class": 0}]
    assert report_from_json(raw) == example()
