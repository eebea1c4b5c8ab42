"""Ultralytics' detection trainer, made quick on a CPU for a few hundred pictures.

What differs from `yolo detect train`, and why (measured figures in docs/lab_log.md):
- all cores compute (the library leaves one idle) unless others need them (`thread_tuner`);
- pictures lie on the board's rectangular canvas instead of a padded square;
- half precision where the processor or GPU has it, with the loss kept in float32; activations lie channels-last;
- the data set stays decoded in memory and every augmentation is a single interpolation;
- validation uses the board's decoder and our metric, so the curve shows what the gate will judge;
- checkpoints go to disk every few seconds and at the end, not every epoch.

Called by `train` inside the job process. Everything else (model, loss, optimiser groups, resume) is the library's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import EarlyStopping, ModelEMA, strip_optimizer

from ...domain.detection_decode import STRIDES_PX, decode_heads
from ...domain.detection_metrics import Truth, score_detections
from ...domain.scores import Score
from ..device import FLOAT32, Device
from ..errors import TrainingError
from ..job_spec import Parameters
from ..stopping import AS_GOOD, is_stable
from ..thread_tuner import ThreadTuner
from .augment import augmentation_of
from .gfl_head import CornerLoss, distances_from_centres, model_description
from .picture_dataset import PictureSplit, TrainingBatches
from .task import MOST_VALIDATION_PICTURES

SCORE_FLOOR = 0.001  # average precision needs the whole curve; the field's customary floor
CHECKPOINT_INTERVAL_S = 10.0  # at most this much training is lost when the process is killed
VALIDATION_BATCH = 16
ALL_RETRIES = 3  # of the library's own, after which it lets the error through


class QuickDetectionTrainer(DetectionTrainer):
    """Trains yolov8n on the splits of `layout`; `on_epoch(trainer, score)` is called after every epoch."""

    model: Any  # the library declares these as what they are before training starts
    ema: Any
    best_fitness: Any

    def __init__(
        self,
        layout: Path,
        classes: list[str],
        canvas: tuple[int, int],
        parameters: Parameters,
        overrides: dict[str, Any],
        on_epoch: Callable[[QuickDetectionTrainer, Score | None], None],
        losses: list[float],
        device: Device,
    ) -> None:
        """Wire the library to our data; training starts with `train()`. `losses` are those of epochs before a restart."""
        self.losses = losses
        self.validation_s = 0.0
        self.layout, self.class_names, self.canvas = layout, classes, canvas
        self.parameters, self.on_epoch = parameters, on_epoch
        self.place = device
        self.tuner: ThreadTuner | None = None
        self.score: Score | None = None
        self._last_checkpoint = time.monotonic()
        self._best_dirty = False
        super().__init__(overrides=overrides)
        self.add_callback("on_train_start", lambda _: self._start_tuning())
        self.add_callback("on_train_batch_start", lambda _: self._batch_starts())
        self.add_callback("on_train_batch_end", lambda _: self._batch_ends())
        self.add_callback("on_train_epoch_start", lambda _: self._start_epoch())
        self.add_callback("on_fit_epoch_end", lambda _: self.on_epoch(self, self.score))

    def keep_start_unless_reached(self, on_start: Callable[[Score], None]) -> None:
        """Judge the weights it starts from before the first step, tell `on_start`, and keep them until an epoch is as good."""
        self.add_callback("on_train_start", lambda _: self._judge_start(on_start))

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        """yolov8n with the board's head."""
        return super().get_model(model_description(), weights, verbose)

    # --- data -------------------------------------------------------------------------------------------------------

    def get_dataset(self) -> dict[str, Any]:
        """What the library calls the data: names and split labels only, the pictures come from our own loader."""
        names = dict(enumerate(self.class_names))
        return {
            "train": "train",
            "val": "val",
            "nc": len(names),
            "names": names,
            "channels": 3,
            "path": str(self.layout),
        }

    def get_dataloader(
        self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train"
    ) -> TrainingBatches:
        """Our batches of one split."""
        split = PictureSplit(self.layout, dataset_path, *self.canvas)
        if mode == "val":
            self._load_validation(split)
        rules = augmentation_of(self.parameters)
        return TrainingBatches(split, batch_size, self.parameters.seed, rules, self.parameters.mosaic)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Everything to the device; pixels 0…255 to 0…1, as the kmodel's own input stage does."""
        for name, value in batch.items():
            batch[name] = value.to(self.device, non_blocking=True)
        batch["img"] = batch["img"].float() / 255
        return batch

    def _load_validation(self, split: PictureSplit) -> None:
        examples = [split.letterboxed(index) for index in range(min(len(split), MOST_VALIDATION_PICTURES))]
        self._validation_pixels = torch.from_numpy(np.stack([one.image for one in examples])).permute(0, 3, 1, 2)
        self._validation_truth = [Truth(one.boxes_xyxy, one.classes) for one in examples]

    def _start_epoch(self) -> None:
        closing = self.epoch >= self.epochs - self.parameters.plain_epochs(self.epochs)
        self.train_loader.start_epoch(self.epoch, 0.0 if closing else self.parameters.mosaic)
        self._oom_retries = ALL_RETRIES  # the library would halve the batch without a word; `train` does it with one

    # --- arithmetic -------------------------------------------------------------------------------------------------

    def _setup_train(self) -> None:
        super()._setup_train()
        stopper = _Stopper(self._is_stable)
        stopper.__dict__.update(self.stopper.__dict__)
        self.stopper = stopper
        self.model = self.model.to(memory_format=torch.channels_last)
        self.ema.ema = self.ema.ema.to(memory_format=torch.channels_last)
        self._shape_ema()
        self.model.criterion = CornerLoss(self.model)
        self.scaler = torch.amp.GradScaler(self.place.kind, enabled=self.place.scales_gradients)
        if self.place.precision != FLOAT32:
            self._compute_in_half()
        # The library asks for repeatable algorithms, and torch then also fills all memory it takes with NaN: time for nothing.
        deterministic: Any = torch.utils.deterministic  # its stubs lack the switch
        deterministic.fill_uninitialized_memory = False

    def _is_stable(self) -> bool:
        """The stop rule, with the epoch that has just been trained."""
        terms: dict[str, Any] = self.tloss or {}
        self.losses.append(sum(float(value) for value in terms.values()))
        return is_stable(self.losses, self.parameters)

    def _compute_in_half(self) -> None:
        """Run the network's forward pass in half precision, but not the loss (the library's own AMP is for GPUs and takes both).

        Set on this instance, after the average was copied from it, so that nothing of it gets into a checkpoint.
        """
        plain = self.model.predict

        def predict(*arguments: Any, **named: Any) -> Any:
            with self.place.arithmetic():
                return plain(*arguments, **named)

        self.model.predict = predict

    def resume_training(self, ckpt: dict[str, Any] | None) -> None:
        """Continue from last.pt, with our averaging."""
        super().resume_training(ckpt)
        self._shape_ema()

    def _shape_ema(self) -> None:
        """Average over the last few dozen steps: a run has hundreds of steps, not the library's hundred thousand."""
        horizon = self.parameters.ema_steps
        self.ema.decay = lambda updates: (1 - 1 / horizon) * (1 - 0.5 ** (updates / horizon))

    def build_optimizer(self, *arguments: Any, **named: Any) -> torch.optim.Optimizer:
        """The library's optimiser groups, stepped by the fused kernel (a quarter of the time for 3 M parameters)."""
        optimizer = super().build_optimizer(*arguments, **named)
        for group in optimizer.param_groups:
            if "fused" in group:
                group["fused"] = True
                group["foreach"] = False
        return optimizer

    def _start_tuning(self) -> None:
        if self.place.kind == "cpu":
            self.tuner = ThreadTuner(len(os.sched_getaffinity(0)), torch.set_num_threads, self.parameters.threads)

    def _batch_starts(self) -> None:
        self._batch_started = time.monotonic()

    def _batch_ends(self) -> None:
        loss: Any = self.loss
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is not a number any more in epoch {self.epoch + 1}: train with a smaller lr0 "
                f"than {self.args.lr0:g}, or with bf16 off"
            )
        if self.tuner:
            self.tuner.step_done(time.monotonic() - self._batch_started, self.batch_size)

    # --- validation and checkpoints -----------------------------------------------------------------------------------

    def validate(self) -> tuple[dict[str, float], float | None]:
        """Score the averaged model on the validation pictures with the board's decoder and our metric."""
        started = time.monotonic()
        self.score = score_raw_heads(self.ema.ema, self._validation_pixels, self._validation_truth, self.place)
        fitness = self.score.values["map50_95"]
        self.validation_s = time.monotonic() - started
        if self.best_fitness is None or fitness > self.best_fitness:
            self.best_fitness = fitness
        return {"metrics/mAP50(B)": self.score.values["map50"], "metrics/mAP50-95(B)": fitness}, fitness

    def _judge_start(self, on_start: Callable[[Score], None]) -> None:
        _, fitness = self.validate()
        assert self.score is not None and fitness is not None
        on_start(self.score)
        self.best_fitness = self.stopper.best_fitness = fitness - AS_GOOD
        self._keep_weights()

    def _keep_weights(self) -> None:
        self._best_weights = {name: value.clone() for name, value in self.ema.ema.state_dict().items()}
        self._best_dirty = True

    def save_model(self) -> bool:
        """Keep the best weights in memory; write last.pt (and best.pt when it changed) every few seconds and at the end."""
        if self.fitness == self.best_fitness:
            self._keep_weights()
        ending = self.stop or self.epoch + 1 >= self.epochs
        if not ending and time.monotonic() - self._last_checkpoint < CHECKPOINT_INTERVAL_S:
            return False
        if self._best_dirty:
            self._write_best()
        self._write_last()
        self._last_checkpoint = time.monotonic()
        return True

    def _write_last(self) -> None:
        """last.pt as the library writes it, but whole or not at all."""
        last, best = self.last, self.best
        self.last, self.best = last.with_suffix(".part"), best.with_suffix(".unused")
        try:
            super().save_model()
            self.last.replace(last)
            self.best.unlink(missing_ok=True)
        finally:
            self.last, self.best = last, best

    def _write_best(self) -> None:
        """best.pt in the library's form, written beside and renamed, so that a kill leaves the old one or the new one."""
        average = self.ema.ema
        current = {name: value.clone() for name, value in average.state_dict().items()}
        average.load_state_dict(self._best_weights)
        partial = self.best.with_suffix(".part")
        plain: Any = ModelEMA(average).ema.half().to(memory_format=torch.contiguous_format)
        plain.criterion = None
        plain.model[-1].dfl = distances_from_centres().half()
        torch.save(
            {"epoch": self.epoch, "model": None, "ema": plain, "train_args": vars(self.args), "optimizer": None},
            partial,
        )
        partial.replace(self.best)
        average.load_state_dict(current)
        self._best_dirty = False

    def final_eval(self) -> None:
        """Make best.pt a plain model; its score is the best epoch's, so there is nothing to validate again."""
        if self.best.exists():
            strip_optimizer(self.best)


class _Stopper(EarlyStopping):
    """The library's patience, and the stop rule."""

    def __init__(self, is_stable: Callable[[], bool]) -> None:
        super().__init__()
        self.is_stable = is_stable

    def __call__(self, epoch: int, fitness: float | None) -> bool:
        """Whether training ends; asked once in every epoch."""
        is_stable = self.is_stable()
        return bool(super().__call__(epoch, fitness)) or is_stable


def score_raw_heads(model: nn.Module, pixels: torch.Tensor, truths: list[Truth], place: Device) -> Score:
    """Score a float detection model on letterboxed pictures.

    Args:
        model: a yolov8 DetectionModel in evaluation mode.
        pixels: (N, 3, H, W) uint8 RGB.
        truths: per picture, boxes in input px.
        place: where the model lies, and in which precision to compute it.
    """
    found = []
    height, width = pixels.shape[2:]
    with torch.inference_mode(), place.arithmetic():
        for start in range(0, len(pixels), VALIDATION_BATCH):
            _, raw = model(pixels[start : start + VALIDATION_BATCH].to(place.name).float() / 255)
            merged = torch.cat([raw["scores"], raw["boxes"]], 1).float().permute(0, 2, 1).cpu()
            shapes = [(height // stride, width // stride) for stride in STRIDES_PX]
            levels = merged.split([rows * columns for rows, columns in shapes], dim=1)
            for picture in zip(*levels, strict=True):
                heads = [level.reshape(*shape, -1).numpy() for level, shape in zip(picture, shapes, strict=True)]
                found.append(decode_heads(heads, SCORE_FLOOR))
    return score_detections(found, truths)
