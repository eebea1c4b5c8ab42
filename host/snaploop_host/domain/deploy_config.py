"""deploy_config.json: what the vendor's scripts and runtimes read beside a kmodel (K230 platform notes §7.5). Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snaploop_shared.manifest import ANCHORS, HEAD_ANCHORBASE, HEAD_ANCHORFREE, STRIDES, TEXT_MASK_PERMILLE

from .preprocess import IMAGENET, UNIT_RANGE, Preprocess
from .scores import CLASSIFY, DETECT, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT

CHIP = "k230"


@dataclass(frozen=True)
class Role:
    """What the vendor calls a task: the word in its scripts' names, the model type, and the pixels that its kmodels want."""

    name: str
    model_type: str
    preprocess: Preprocess


ROLES: Mapping[str, Role] = {
    DETECT: Role("det", "GFLDet", UNIT_RANGE),
    CLASSIFY: Role("cls", "can2", IMAGENET),
    SEGMENT: Role("seg", "DeepNet", UNIT_RANGE),
    OCR_DETECT: Role("ocrdet", "OCR_DNet", UNIT_RANGE),
    OCR_RECOGNIZE: Role("ocrrec", "OCR_RCNet", UNIT_RANGE),
    EMBED: Role("ml", "metric_learning", IMAGENET),
    MULTILABEL: Role("multl", "multilabel", IMAGENET),
}

_DETECTORS: Mapping[str, str] = {HEAD_ANCHORBASE: "AnchorBaseDet", HEAD_ANCHORFREE: "AnchorFreeDet"}
"""Heads of imported models that have a model type of their own."""


def deploy_config(manifest: Mapping[str, Any], kmodel_name: str) -> dict[str, Any]:
    """The file's content for a model.

    Args:
        manifest: the parsed JSON of the model's manifest (snaploop_shared.manifest).
        kmodel_name: file name beside the config.
    """
    role = ROLES[manifest["task"]]
    width, height = manifest["input"]
    labels = list(manifest["labels"])
    score = round(manifest["score_permille"] / 1000, 3)
    content: dict[str, Any] = {
        "chip_type": CHIP,
        "nncase_version": manifest["nncase"],
        "model_type": _DETECTORS.get(manifest.get("head", ""), role.model_type),
        "kmodel_path": kmodel_name,
        "inference_width": width,
        "inference_height": height,
        "img_size": [width, height],
        "num_classes": len(labels),
        "categories": labels,
        "confidence_threshold": score,
        "nms_threshold": round(manifest["iou_permille"] / 1000, 3),
        "mean": list(role.preprocess.mean),
        "std": list(role.preprocess.std),
    }
    if manifest["task"] == DETECT:
        content["nms_option"] = False  # False: boxes of different classes may overlap
    if anchors := manifest.get("anchors"):
        per_stride = ANCHORS // len(STRIDES)
        content["anchors"] = [anchors[start : start + per_stride] for start in range(0, ANCHORS, per_stride)]
    if manifest["task"] == OCR_DETECT:
        content |= {"mask_threshold": manifest.get("mask_permille", TEXT_MASK_PERMILLE) / 1000, "box_threshold": score}
    if manifest["task"] == OCR_RECOGNIZE:
        content |= {"dict_num": len(labels), "fixed_length": False}
    return content
