"""yolov8's detection head in the form that the K230 firmware's own C function decodes (`aicube.gfldet_post_process`).

Two things differ from the library's head: 17 distance bins for 16, and distances that are counted from a cell's top left corner instead
of its centre. Both are learnt, so they cost nothing; a model trained the library's way cannot be converted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from ultralytics.nn.tasks import yaml_model_load
from ultralytics.utils import loss as library_loss

from ...domain.detection_decode import DISTANCE_BINS

MODEL = "yolov8n.yaml"


def model_description() -> dict[str, Any]:
    """The library's yolov8n with as many bins as the firmware reads."""
    description: dict[str, Any] = yaml_model_load(MODEL)
    return {**description, "reg_max": DISTANCE_BINS}


class CornerLoss(library_loss.v8DetectionLoss):
    """The library's detection loss with distances from the cells' top left corners, fed with float32: box ends need the digits."""

    def __call__(self, preds: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss terms (box, class, distance bins) and their detached values, whatever arithmetic the network ran in."""
        with torch.autocast(self.device.type, enabled=False), _anchors_at_corners():
            wide = {
                name: value.float() if isinstance(value, torch.Tensor) else [one.float() for one in value]
                for name, value in self.parse_output(preds).items()
            }
            return self.loss(wide, batch)


@contextlib.contextmanager
def _anchors_at_corners() -> Iterator[None]:
    """The library gives the offset within a cell as a plain number in the middle of its loss: exchange the function that takes it."""
    module: Any = library_loss
    make_anchors = module.make_anchors

    def at_corners(feats: Any, strides: Any, _offset: float) -> Any:
        return make_anchors(feats, strides, 0.0)

    module.make_anchors = at_corners
    try:
        yield
    finally:
        module.make_anchors = make_anchors


def distances_from_centres() -> nn.Sequential:
    """The library's last step before the boxes, for weights that count from corners: soft-max over the bins, then distances from centres.

    For a best.pt, in place of the head's `dfl`. Of torch's own layers, so that the library's predict, val and export read the file
    rightly wherever this package is not. (N, 4 x bins, cells) → (N, 4, cells): left, top, right, bottom in cells.
    """
    mean: Any = nn.Conv1d(4 * DISTANCE_BINS, 4, 1, groups=4)
    with torch.no_grad():
        mean.weight.copy_(torch.arange(float(DISTANCE_BINS)).view(1, DISTANCE_BINS, 1).expand(4, -1, -1))
        mean.bias.copy_(torch.tensor([0.5, 0.5, -0.5, -0.5]))
    layers = [nn.Unflatten(1, (4, DISTANCE_BINS)), nn.Softmax(2), nn.Flatten(1, 2), mean]
    return nn.Sequential(*layers).requires_grad_(False)


class MergedHead(nn.Module):
    """One level of a trained head as the board wants it: (1, C, h, w) features → (1, h, w, classes + 4 × bins), logits first.

    Both branches end in a 1×1 convolution; here one convolution with block-diagonal weights does the work of both. Concatenating
    their outputs instead is miscompiled by nncase 2.11 without a word (nncase-k230.md §2).
    """

    def __init__(self, boxes: nn.Sequential, classes: nn.Sequential) -> None:
        """Merge the two branches of a level; weights are copied."""
        super().__init__()
        ends: list[Any] = [boxes[-1], classes[-1]]
        box_end, class_end = ends
        self.boxes, self.classes = boxes[:-1], classes[:-1]
        wide, out = class_end.in_channels + box_end.in_channels, class_end.out_channels + box_end.out_channels
        end: Any = nn.Conv2d(wide, out, 1)
        with torch.no_grad():
            end.weight.zero_()
            end.weight[: class_end.out_channels, : class_end.in_channels] = class_end.weight
            end.weight[class_end.out_channels :, class_end.in_channels :] = box_end.weight
            end.bias.copy_(torch.cat([class_end.bias, box_end.bias]))
        self.end = end

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits and bins, channels last."""
        merged: torch.Tensor = self.end(torch.cat([self.classes(features), self.boxes(features)], 1))
        return merged.permute(0, 2, 3, 1)
