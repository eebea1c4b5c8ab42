"""The network that draws the map: a small residual backbone, a feature pyramid, and a head at full resolution.

Half a million parameters, trained from scratch; doctr's (`doctr_network`) has eight times as many and wants pretrained weights. Only
convolutions, ReLU, additions and a last sigmoid, all of which the KPU computes.
Called by `ocr_detect.networks` and `ocr_detect.task`.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from ..residual import Block, convolution

CHANNELS = (16, 32, 64, 96, 128)  # at strides 2, 4, 8, 16, 32
PYRAMID = 48
RARE = -3.0  # logit that the maps begin with: most pixels are no text


class TextMapNetwork(nn.Module):
    """Pixels (N, 3, H, W) in 0…1 to logits (N, 2, H, W): cores of text, and whole text; H and W multiples of 32."""

    def __init__(self) -> None:
        """With random weights."""
        super().__init__()
        self.stem = convolution(3, CHANNELS[0], 3, 2)
        pairs = itertools.pairwise(CHANNELS)
        self.stages = nn.ModuleList([Block(inputs, outputs, 2) for inputs, outputs in pairs])
        self.sides = nn.ModuleList([nn.Conv2d(channels, PYRAMID, 1) for channels in CHANNELS[1:]])
        self.smooth = convolution(PYRAMID, PYRAMID, 3, 1)
        last = nn.ConvTranspose2d(16, 2, 2, 2)
        self.head = nn.Sequential(
            convolution(PYRAMID, 24, 3, 1),
            nn.ConvTranspose2d(24, 16, 2, 2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            last,
        )
        if last.bias is not None:
            nn.init.constant_(last.bias, RARE)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The logits."""
        features, levels = self.stem(pixels), []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        merged = self.sides[-1](levels[-1])
        for level, side in zip(levels[-2::-1], list(self.sides)[-2::-1], strict=True):
            merged = functional.interpolate(merged, scale_factor=2, mode="nearest") + side(level)
        answer: torch.Tensor = self.head(self.smooth(merged))
        return answer


class VendorForm(nn.Module):
    """The network as boards and the vendor's scripts want it: (1, H, W, 2) in 0…1, channel 0 the cores."""

    def __init__(self, network: nn.Module) -> None:
        """Around a trained network."""
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Chances of pixels (1, 3, H, W)."""
        return torch.sigmoid(self.network(pixels)).permute(0, 2, 3, 1)


def map_loss(logits: torch.Tensor, maps: torch.Tensor) -> dict[str, torch.Tensor]:
    """Cross-entropy on all text and the hardest three times as many other pixels, and overlap (dice): "cores" and "texts".

    Args:
        logits: (N, 2, H, W).
        maps: (N, 3, H, W) uint8 of `text_map.draw_maps`.
    """
    maps = maps.to(logits.device).float()
    counts = maps[:, 2]
    terms = {}
    for channel, (name, weight) in enumerate((("cores", 1.0), ("texts", 0.4))):
        wanted, logit = maps[:, channel], logits[:, channel]
        each = functional.binary_cross_entropy_with_logits(logit, wanted, reduction="none") * counts
        positive = wanted * counts
        texts = positive.sum()
        others = each * (1 - positive)
        hardest = min(
            max(int(3 * texts), others.numel() // 100), others.numel()
        )  # of a batch without text: one in a hundred
        mined = torch.topk(others.flatten(), hardest).values
        balanced = ((each * positive).sum() + mined.sum()) / (texts + len(mined))
        chance = torch.sigmoid(logit) * counts
        dice = 1 - (2 * (chance * positive).sum() + 1) / (chance.sum() + texts + 1)
        terms[name] = weight * (balanced + dice)
    return terms
