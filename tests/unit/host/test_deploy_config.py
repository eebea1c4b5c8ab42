"""deploy_config.json fits the models that training makes."""

from __future__ import annotations

import pytest

from snaploop_host.domain.deploy_config import ROLES, deploy_config
from snaploop_host.domain.scores import METRICS
from snaploop_host.training.task import task_named

ALWAYS = {
    "chip_type", "nncase_version", "model_type", "kmodel_path", "inference_width", "inference_height", "img_size",
    "num_classes", "categories", "confidence_threshold", "nms_threshold", "mean", "std",
}  # fmt: skip
MORE = {
    "detect": {"nms_option"},
    "ocr_detect": {"mask_threshold", "box_threshold"},
    "ocr_recognize": {"dict_num", "fixed_length"},
}


@pytest.mark.parametrize("task", METRICS)
def test_every_task_has_its_keys_and_the_pixels_that_its_kmodels_want(task):
    manifest = {
        "task": task, "labels": ["a", "b"], "input": [320, 192], "score_permille": 412, "iou_permille": 500, "nncase": "2.11.0",
    }  # fmt: skip
    config = deploy_config(manifest, "m.kmodel")
    assert set(config) == ALWAYS | MORE.get(task, set())
    assert (config["img_size"], config["num_classes"], config["confidence_threshold"]) == ([320, 192], 2, 0.412)
    preprocess = task_named(task).preprocess
    assert (tuple(config["mean"]), tuple(config["std"])) == (preprocess.mean, preprocess.std)
    assert ROLES[task].preprocess == preprocess
