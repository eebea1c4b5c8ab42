"""An ONNX file says itself what its input is normalised with."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")
pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")

import onnx
import torch

from snaploop_host.domain.preprocess import IMAGENET, UNIT_RANGE
from snaploop_host.training.write_onnx import write_onnx


@pytest.mark.parametrize(
    ("preprocess", "mean"), [(UNIT_RANGE, "0.0,0.0,0.0"), (IMAGENET, "0.485,0.456,0.406")], ids=["unit", "imagenet"]
)
def test_metadata_names_mean_and_std(tmp_path, preprocess, mean):
    write_onnx(torch.nn.Conv2d(3, 1, 1), tmp_path / "n.onnx", 8, 4, ["y"], preprocess)
    noted = {one.key: one.value for one in onnx.load(str(tmp_path / "n.onnx")).metadata_props}
    assert noted["mean"] == mean and len(noted["std"].split(",")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["n.onnx"]
