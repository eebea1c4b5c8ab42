"""The segmentation network for real: training that goes on after a kill, starts warm, stops at NaN; the export against torch."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fakes.shape_pictures import CLASSES, PHOTO, draw_scene, jpeg

pytest.importorskip("torch")

SIZE = (96, 64)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """ultralytics, with its settings in a folder of the test's."""
    from snaploop_host.training.ultralytics_runtime import isolate_ultralytics

    isolate_ultralytics(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A job's folder with four photos."""
    root = tmp_path_factory.mktemp("job")
    rng = np.random.default_rng(3)
    photos = []
    for number in range(4):
        image, outlines = draw_scene(rng)
        (root / f"{number}.jpg").write_bytes(jpeg(image))
        boxes = [
            {
                "class": cls,
                "box_xywh_px": [*corners.min(axis=0).tolist(), *np.ptp(corners, axis=0).tolist()],
                "points_px": corners.tolist(),
            }
            for cls, corners in outlines
        ]
        photos.append({"image": str(root / f"{number}.jpg"), "width": PHOTO[0], "height": PHOTO[1], "boxes": boxes})
    dataset = {"train": photos[:3], "val": photos[3:]}
    raw = {"run_id": "1", "task": "segment", "classes": list(CLASSES), "dataset": dataset}
    (root / "job.json").write_text(json.dumps(raw))
    return root


def run(folder, work, parameters, warm_start=None):
    """Train in `work`; what train says and what it reported."""
    from snaploop_host.training.job_spec import read_job
    from snaploop_host.training.segment.task import TASK
    from snaploop_host.training.task import Folders

    raw = json.loads((folder / "job.json").read_text())
    raw |= {"parameters": {"imgsz": 96, "batch": 3} | parameters, "warm_start": warm_start and str(warm_start)}
    work.mkdir(exist_ok=True)
    (work / "job.json").write_text(json.dumps(raw))
    job, folders = read_job(work / "job.json"), Folders(work)
    folders.artifacts.mkdir(exist_ok=True)
    TASK.prepare(job, folders)
    reported = []
    result = TASK.train(job, folders, lambda kind, **fields: reported.append((kind, fields)))
    return result, reported


@pytest.mark.slow
def test_a_killed_training_goes_on_and_the_next_starts_warm(libraries, folder, tmp_path):
    class Killed(Exception):
        pass

    import snaploop_host.training.torch_loop as torch_loop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_loop, "CHECKPOINT_INTERVAL_S", 0.0)  # keep every batch
        add = torch_loop.EpochCurve.add

        def add_twice(curve, epoch, *rest):
            add(curve, epoch, *rest)
            if epoch == 2:
                raise Killed

        patch.setattr(torch_loop.EpochCurve, "add", add_twice)
        with pytest.raises(Killed):
            run(folder, tmp_path / "one", {"epochs": 4})
    result, reported = run(folder, tmp_path / "one", {"epochs": 4})
    assert ("note", {"text": "training continues after epoch 1"}) in reported
    assert [fields["epoch"] for kind, fields in reported if kind == "epoch"][-1] == 4
    assert [row["epoch"] for row in result["curve"]] == [1, 2, 3, 4] and result["start"] == "scratch"

    best = tmp_path / "one" / "artifacts" / "best.pt"
    warm, reported = run(folder, tmp_path / "two", {"epochs": 1}, warm_start=best)
    assert warm["start"] == "warm" and warm["learning_rate"] < result["learning_rate"]
    note = reported[0][1]["text"]
    taken, total = int(note.split()[0]), int(note.split()[2])
    assert taken == total > 300


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_training_with_the_mend(libraries, folder, tmp_path, monkeypatch):
    from snaploop_host.training.errors import TrainingError
    from snaploop_host.training.segment.loss import BalancedLoss

    forward = BalancedLoss.forward

    def overflown(self, *arguments):
        return {name: term * float("nan") for name, term in forward(self, *arguments).items()}

    monkeypatch.setattr(BalancedLoss, "forward", overflown)
    with pytest.raises(TrainingError, match=r"not a number any more in epoch 1: train with a smaller lr0"):
        run(folder, tmp_path / "job", {"epochs": 3})


@pytest.mark.slow
def test_the_exported_logits_are_the_networks_own_at_both_sizes(libraries, tmp_path):
    import onnxruntime
    import torch
    from torch.nn import functional

    from snaploop_host.training.segment.export_onnx import OUTPUT_NAMES, export_logits
    from snaploop_host.training.segment.network import SegmentNetwork, save_weights

    torch.manual_seed(0)
    network = SegmentNetwork(3).eval()
    save_weights(tmp_path / "best.pt", network.state_dict())
    export_logits(tmp_path / "best.pt", tmp_path / "m.onnx", 3, *SIZE)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUT_NAMES)
    assert [output.shape for output in session.get_outputs()] == [[1, 64, 96, 3], [1, 16, 24, 3]]
    pixels = np.random.default_rng(0).random((1, 3, SIZE[1], SIZE[0]), dtype=np.float32)
    full, coarse = session.run(None, {"images": pixels})
    with torch.inference_mode():
        logits = network(torch.from_numpy(pixels))
    enlarged = functional.interpolate(logits, scale_factor=4, mode="bilinear").permute(0, 2, 3, 1).numpy()
    assert coarse == pytest.approx(logits.permute(0, 2, 3, 1).numpy(), abs=1e-3)
    assert full[:, 2:-2, 2:-2] == pytest.approx(enlarged[:, 2:-2, 2:-2], abs=1e-3)
    assert (full.argmax(-1) == enlarged.argmax(-1)).mean() > 0.999  # at the border all classes shrink alike
