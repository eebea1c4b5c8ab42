"""Which network learns, and which weights it starts from: a file in the weights folder, else the library's own when there is a network.

No torch until a file must be looked into or fetched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..domain.scores import DETECT, SEGMENT
from ..domain.training_parameters import AUTO, MOBILENET, OWN_NETWORK, PRETRAINED, SCRATCH
from .download import DownloadError, download
from .job_spec import TrainingJob

WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin")
WANTS_PHOTOS = "it wants hundreds of photos then, network=own learns from fewer"
ONE_NETWORK: Mapping[str, str] = {DETECT: "yolov8n", SEGMENT: "yolo26n"}
"""Task → the network of ultralytics that it always uses, by the name its weights are published under."""


@dataclass(frozen=True)
class Published:
    """Where a library offers weights, and their SHA-256 where the file's name does not tell it."""

    address: str
    sha256: str = ""


_ASSETS = (
    "https://github.com/ultralytics/assets/releases/download/v8.4.0"  # the release that ultralytics 8.4 itself takes
)
_ULTRALYTICS = {
    "yolov8n": Published(f"{_ASSETS}/yolov8n.pt", "f59b3d833e2ff32e194b5bb8e08d211dc7c5bdf144b90d2c8412c47ccfc83b36"),
    "yolo26n": Published(f"{_ASSETS}/yolo26n.pt", "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef"),
}


def weights_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`weights/` where the host was started, when it is there; else $SNAPLOOP_WEIGHTS, which the daemon sets to its data folder's."""
    here = Path("weights")
    return here if here.is_dir() else Path(environ.get("SNAPLOOP_WEIGHTS") or here)


def pretrained_file(folder: Path, name: str) -> Path | None:
    """Weights of a network: any file that begins with its name."""
    if not folder.is_dir():
        return None
    found = (path for path in folder.iterdir() if path.name.startswith(name) and path.suffix in WEIGHTS_SUFFIXES)
    return min(found, default=None)


def network_of(job: TrainingJob) -> str:
    """The name of the network that learns: as asked; of "auto" the last model's, else timm's if there are weights for it, else ours."""
    if job.task in ONE_NETWORK:
        return ONE_NETWORK[job.task]
    asked = job.parameters.network
    if asked != AUTO:
        return asked
    if job.warm_start is not None:
        from .whole_photo.network import name_in

        return name_in(job.warm_start)
    is_here = job.may_use_pretrained and pretrained_file(weights_folder(), MOBILENET) is not None
    return MOBILENET if is_here or job.parameters.start == PRETRAINED else OWN_NETWORK


def weights_to_start_from(job: TrainingJob) -> Path | None:
    """The file: of the project's last model, or pretrained; None from scratch."""
    if job.warm_start is not None:
        return job.warm_start
    name = network_of(job)
    return None if name == OWN_NETWORK or not job.may_use_pretrained else pretrained_file(weights_folder(), name)


def settle(job: TrainingJob) -> dict[str, Any]:
    """What a run begins with, said once: weights that come or go later do not change a run that is taken up again."""
    return {"network": network_of(job), "has_weights": weights_to_start_from(job) is not None}


def settled(job: TrainingJob, start: Mapping[str, Any]) -> TrainingJob:
    """The job with what `settle` found; as it is when nothing was found, by an older version."""
    if "network" not in start:
        return job
    begin = job.parameters.start if start["has_weights"] else SCRATCH
    return replace(job, parameters=replace(job.parameters, network=start["network"], start=begin))


def provide_weights(job: TrainingJob) -> list[str]:
    """Fetch pretrained weights where they are wanted and not there; a sentence about what the run starts from."""
    if job.warm_start is not None:
        return []
    name = network_of(job)
    if name == OWN_NETWORK and job.parameters.network != AUTO:
        return ["our own network starts from scratch: nobody has weights for it"] * (job.parameters.start == PRETRAINED)
    if not job.may_use_pretrained:
        return [f"{name} starts from scratch" + (f": {WANTS_PHOTOS}" if _has_choice(job, name) else "")]
    if (found := weights_to_start_from(job)) is not None:
        return [f"{name} starts from {found}"]
    wanted, folder = (MOBILENET if name == OWN_NETWORK else name), weights_folder()
    published = _published(wanted)
    try:
        fetched = download(published.address, folder, published.sha256)
    except DownloadError as error:
        mend = f"no weights: {error}; put {error.file} into {folder}/ for a better start"
        if name == OWN_NETWORK:
            return [f"our own network learns from scratch ({mend})"]
        return [f"{name} starts from scratch ({mend})" + (f": {WANTS_PHOTOS}" if _has_choice(job, name) else "")]
    return [f"{wanted} starts from {fetched}, fetched from its library"]


def _has_choice(job: TrainingJob, name: str) -> bool:
    return job.task not in ONE_NETWORK and name != OWN_NETWORK


def _published(name: str) -> Published:
    """The library's own weights of this network."""
    if name in _ULTRALYTICS:
        return _ULTRALYTICS[name]
    if name == MOBILENET:
        from timm.models import get_pretrained_cfg

        return Published(str(getattr(get_pretrained_cfg(name), "url", "")))
    from .ocr.doctr_library import published

    return Published(str(published(name)["url"]))
