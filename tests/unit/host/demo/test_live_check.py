"""The demo's judgement of the live screen: a box counts once, in the right class and place only."""

from snaploop_host.demo.live_check import LabelledBox, LiveResult, drawn_boxes, iou

RED = (230, 57, 70)
GREEN = (56, 176, 0)


def test_counts_found_missed_false_and_doubles() -> None:
    result = LiveResult()
    truth = [LabelledBox("red", 10, 10, 50, 100), LabelledBox("green", 200, 10, 50, 100)]
    result.add(
        truth,
        [
            LabelledBox("red", 12, 12, 50, 100),
            LabelledBox("red", 11, 11, 50, 100),
            LabelledBox("red", 200, 10, 50, 100),
        ],
    )
    assert (result.frames, result.true_boxes, result.found, result.false) == (1, 2, 1, 2)
    assert result.found_share == 0.5


def test_no_truth_is_no_success() -> None:
    assert LiveResult().found_share == 0.0


def test_iou_of_touching_and_equal_boxes() -> None:
    box = LabelledBox("a", 0, 0, 10, 10)
    assert iou(box, box) == 1.0
    assert iou(box, LabelledBox("a", 10, 0, 10, 10)) == 0.0


def test_reads_only_detections_from_the_draw_log() -> None:
    calls = [
        ["rectangle", 0, 360, 800, 120, [255, 20, 20, 20], 1, True],
        ["rectangle", 30, 40, 50, 60, [255, *RED], 3, False],
        ["rectangle", 30, 400, 50, 60, [255, *RED], 3, False],
        ["rectangle", 300, 40, 50, 60, list(GREEN), 1, False],
        ["string", 30, 20, 16, "red 90", [255, *RED]],
    ]
    assert drawn_boxes(calls, {RED: "red", GREEN: "green"}, 3, (640, 360)) == [LabelledBox("red", 30, 40, 50, 60)]
