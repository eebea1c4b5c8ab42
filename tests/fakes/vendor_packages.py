"""Packages as the vendor's cloud makes them, one per kind of model, with ONNX twins that always give the same known answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fakes.constant_models import constant_model
from fakes.device_board import anchor_heads, gfl_heads

LABELS = ["red", "green", "blue"]
WORD = "k230"
ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]
CHARACTERS = ["", *"0123k", ""]
BOX = (1, 100, 60, 64, 48)  # class index, x, y, w, h in px of the 320x192 input


@dataclass(frozen=True)
class Kind:
    """One kind of package: model_type, input size, labels, outputs, and keys of its config beside those of all."""

    model_type: str
    task: str
    size: tuple[int, int]
    labels: list[str]
    outputs: Callable[[], list[np.ndarray]]
    keys: dict[str, Any]


def _segmented() -> list[np.ndarray]:
    logits = np.zeros((1, 96, 96, 3))
    logits[..., 0] = 1
    logits[:, 24:72, 24:72, 2] = 5
    return [logits]


def _text_map() -> list[np.ndarray]:
    chance = np.zeros((1, 96, 96, 2))
    chance[:, 40:56, 16:80, 0] = 0.95
    return [chance]


def _steps() -> list[np.ndarray]:
    steps = np.full((1, 64, len(CHARACTERS)), -5.0)
    steps[..., -1] = 1
    for place, letter in enumerate(WORD):
        steps[0, 4 + 5 * place : 6 + 5 * place, CHARACTERS.index(letter)] = 6
    return [steps]


def _anchored() -> list[np.ndarray]:
    return anchor_heads([BOX], 320, 192, 3, [number for level in ANCHORS for number in level])


_SEEN = {"confidence_threshold": 0.4}
_BOXES = _SEEN | {"nms_threshold": 0.5, "nms_option": False}

KINDS = {
    "AnchorBaseDet": Kind("AnchorBaseDet", "detect", (320, 192), LABELS, _anchored, _BOXES | {"anchors": ANCHORS}),
    "AnchorFreeDet": Kind("AnchorFreeDet", "detect", (320, 192), LABELS, lambda: anchor_heads([BOX], 320, 192, 3), _BOXES),
    "GFLDet": Kind("GFLDet", "detect", (320, 192), LABELS, lambda: gfl_heads([BOX], 320, 192, 3, 0.9), _BOXES),
    "can2": Kind("can2", "classify", (96, 96), LABELS, lambda: [np.array([[0.0, 4.0, 0.0]])], _SEEN),
    "can2 of two": Kind("can2", "classify", (96, 96), LABELS[:2], lambda: [np.array([[2.5]])], _SEEN),
    "DeepNet": Kind("DeepNet", "segment", (96, 96), ["background", "road", "sky"], _segmented, {}),
    "OCR_DNet": Kind("OCR_DNet", "ocr_detect", (96, 96), ["text"], _text_map, {"mask_threshold": 0.3, "box_threshold": 0.5}),
    "OCR_RCNet": Kind("OCR_RCNet", "ocr_recognize", (256, 32), CHARACTERS, _steps, {"dict_num": len(CHARACTERS), "fixed_length": False}),
    "metric_learning": Kind("metric_learning", "embed", (96, 96), [], lambda: [np.array([[3.0, 4.0, 0.0, 0.0]])], _SEEN),
    "multilabel": Kind("multilabel", "multilabel", (96, 96), LABELS, lambda: [np.array([[3.0, -3.0, 2.0]])], _SEEN),
}  # fmt: skip


def write_package(folder: Path, kind: Kind, nncase: str = "2.11.0", **changes: Any) -> dict[str, Path]:
    """Write mp_deployment_source of this kind into `folder`; its twin, {digest: onnx}, lies beside it. A change to None drops the key."""
    source = folder / "mp_deployment_source"
    made = constant_model(source, "best", kind.size, kind.outputs())
    twins = {digest: path.rename(folder / "best.onnx") for digest, path in made.items()}
    config = {
        "chip_type": "k230",
        "nncase_version": nncase,
        "model_type": kind.model_type,
        "kmodel_path": "best.kmodel",
        "inference_width": kind.size[0],
        "inference_height": kind.size[1],
        "img_size": list(kind.size),
        "num_classes": len(kind.labels),
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "categories": kind.labels,
        **kind.keys,
        **changes,
    }
    config = {key: value for key, value in config.items() if value is not None}
    (source / "deploy_config.json").write_text(json.dumps(config))
    if kind.task == "ocr_recognize":
        (source / "dict.txt").write_text("\n".join(kind.labels))
    results = folder / "det_results"
    results.mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (180, 320, 3), dtype=np.uint8)
    Image.fromarray(picture).save(results / "test_0.jpg")
    return twins


def run_twin(onnx_file: Path) -> Callable[..., list[list[np.ndarray]]]:
    """In place of `compiling.simulator.simulate`: the twin's answers, which are the same whatever the picture."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])

    def run(kmodel: Path, pixels: Path, indices: Sequence[int], results: Path, scratch: Path) -> list[list[np.ndarray]]:
        nothing = np.zeros(session.get_inputs()[0].shape, np.float32)
        return [session.run(None, {"images": nothing}) for _ in indices]

    return run
