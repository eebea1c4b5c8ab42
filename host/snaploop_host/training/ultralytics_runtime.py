"""Ultralytics kept to itself: no network, no analytics, no files outside the job folder.

Must be called before anything imports ultralytics, because that import reads the environment and writes its settings file.
Called at the start of every process of ours that trains or exports.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

QUIET_SETTINGS = (
    "sync",
    "clearml",
    "comet",
    "dvc",
    "mlflow",
    "raytune",
    "tensorboard",
    "wandb",
    "vscode_msg",
    "openvino_msg",
)


def offline_environment(folder: Path) -> dict[str, str]:
    """Environment variables that keep ultralytics, matplotlib and torch off the network and inside `folder`."""
    return {
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_VERBOSE": "false",
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "TORCH_HOME": str(folder / "torch"),
    }


def isolate_ultralytics(folder: Path) -> None:
    """Point this process's ultralytics at `folder` (created) and switch its integrations off.

    Raises:
        RuntimeError: ultralytics was imported already, so its settings would have gone to the home directory.
    """
    if "ultralytics" in sys.modules and os.environ.get("YOLO_OFFLINE") != "1":
        raise RuntimeError("ultralytics was imported before isolate_ultralytics: call this first")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(offline_environment(folder))
    from PIL import Image

    opener = Image.open
    from ultralytics import settings

    # ultralytics replaces Pillow's open by one that, for every broken picture, looks for (and may install) a HEIF plugin.
    Image.open = opener

    if settings.get("sync"):
        settings.update(dict.fromkeys(QUIET_SETTINGS, False))
