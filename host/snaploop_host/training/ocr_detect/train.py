"""The train stage: from marked photos to best.pt. Called by `ocr_detect.task`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ...domain.geometry import FloatArray
from ...domain.preprocess import Preprocess
from ...domain.scores import OCR_DETECT, Score
from ...domain.text_metrics import TrueText, score_found_text
from ..job_spec import Parameters, TrainingJob
from ..ocr.quads import read_rgb
from ..ocr.teach import read_warm, teach
from ..pretrained import weights_to_start_from
from ..task import Folders, Report
from .network import map_loss
from .networks import build_network
from .pictures import PlacedPhotos, TextPhoto, changed, read_split
from .task import MOST_VALIDATION_PICTURES, planned_epochs
from .text_map import decode_map, draw_maps

LR_FROM_SCRATCH, LR_KNOWN = 0.003, 0.001
VALIDATION_BATCH = 8


def train(
    job: TrainingJob, size_wh: tuple[int, int], preprocess: Preprocess, folders: Folders, report: Report
) -> dict[str, Any]:
    """As `training.task.Task.train`."""
    parameters = job.parameters
    photos = read_split(folders.data, "train")
    weights, is_warm = weights_to_start_from(job), job.warm_start is not None
    default_rate = LR_KNOWN if weights else LR_FROM_SCRATCH

    def make_network() -> nn.Module:
        torch.manual_seed(parameters.seed)
        network = build_network(parameters.network)
        if weights and is_warm:
            network.load_state_dict(read_warm(weights, OCR_DETECT, parameters.network)["network"])
        elif weights:
            from .doctr_network import take_over

            fitted, tensors = take_over(network, weights)
            report("note", text=f"{fitted} of {tensors} tensors are from {weights}")
        return network

    result = teach(
        job,
        folders,
        report,
        make_network,
        map_loss,
        lambda size: MapBatches(photos, size_wh, size, parameters),
        min(parameters.batch, len(photos)),
        Validation(folders, size_wh, preprocess),
        preprocess,
        planned_epochs(job),
        parameters.lr0 if parameters.lr0 is not None else default_rate,
        "warm" if is_warm else ("pretrained" if weights else "scratch"),
        {"task": OCR_DETECT, "name": parameters.network},
    )
    return result | {"network": parameters.network}


class MapBatches:
    """See `torch_loop.Batches`: pictures (B, 3, H, W) and their maps (B, 3, H, W), both uint8."""

    def __init__(
        self, photos: list[TextPhoto], size_wh: tuple[int, int], batch_size: int, parameters: Parameters
    ) -> None:
        """Read all photos once."""
        self.photos, self.size_wh, self.batch_size, self.parameters = photos, size_wh, batch_size, parameters
        self.images = [read_rgb(photo.image) for photo in photos]

    def __len__(self) -> int:
        """Batches per epoch; the last one is filled up."""
        return math.ceil(len(self.photos) / self.batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every photo once, changed anew."""
        order = np.random.default_rng((self.parameters.seed, number)).permutation(len(self.photos))
        order = np.resize(order, len(self) * self.batch_size)
        for batch in range(first, len(self)):
            rng = np.random.default_rng((self.parameters.seed, number, batch))
            pixels, maps = [], []
            for index in order[batch * self.batch_size : (batch + 1) * self.batch_size]:
                image, quads = self.changed(int(index), rng)
                pixels.append(image.transpose(2, 0, 1))
                maps.append(draw_maps(quads, self.photos[index].to_find, *self.size_wh))
            yield torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(maps))

    def changed(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, list[FloatArray]]:
        """One photo, changed as the parameters say, and its quads."""
        given = self.parameters
        quads = self.photos[index].quads
        return changed(self.images[index], quads, self.size_wh, given.scale, given.shift, rng, given.distort)


class Validation:
    """Scores a network on the validation photos, decoded as on the board."""

    def __init__(self, folders: Folders, size_wh: tuple[int, int], preprocess: Preprocess) -> None:
        """Read them once."""
        examples = PlacedPhotos(read_split(folders.data, "val")[:MOST_VALIDATION_PICTURES], size_wh)
        everything = range(len(examples))
        pixels = preprocess.apply(np.stack([examples.pixels(index) for index in everything]))
        self.pixels = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        self.truths = [examples.truth(index) for index in everything]
        maps = [draw_maps(list(one.polygons), _to_find(one), *size_wh) for one in self.truths]
        self.maps = torch.from_numpy(np.stack(maps))

    def __call__(self, network: nn.Module) -> tuple[Score, float]:
        """hmean, precision and recall; and the loss, the smaller the better."""
        device = next(network.parameters()).device
        found, loss = [], 0.0
        for first in range(0, len(self.pixels), VALIDATION_BATCH):
            logits = network(self.pixels[first : first + VALIDATION_BATCH].to(device)).float()
            loss += float(torch.stack(list(map_loss(logits, self.maps[first : first + len(logits)]).values())).sum())
            found += [decode_map(one) for one in torch.sigmoid(logits[:, 0]).cpu().numpy()]
        return score_found_text(found, self.truths), -loss


def _to_find(truth: TrueText) -> list[bool]:
    return [True] * len(truth.polygons) if truth.unreadable is None else (~truth.unreadable).tolist()
