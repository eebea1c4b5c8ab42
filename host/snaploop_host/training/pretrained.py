"""Which network learns, and which weights it starts from: a file in `weights/`, else the library's own when there is a network to fetch it.

Of the tasks that have a choice of networks (parameter `network`). No torch until a file must be looked into or fetched.
"""

from __future__ import annotations

from pathlib import Path

from ..domain.training_parameters import AUTO, MOBILENET, OWN_NETWORK, PRETRAINED
from .download import DownloadError, download
from .job_spec import TrainingJob

WEIGHTS_FOLDER = Path("weights")
WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin")
WANTS_PHOTOS = "it wants hundreds of photos then, network=own learns from fewer"


def pretrained_file(folder: Path, name: str) -> Path | None:
    """Weights of a network: any file that begins with its name."""
    if not folder.is_dir():
        return None
    found = (path for path in folder.iterdir() if path.name.startswith(name) and path.suffix in WEIGHTS_SUFFIXES)
    return min(found, default=None)


def network_of(job: TrainingJob) -> str:
    """The name of the network that learns: as asked; of "auto" the last model's, else timm's if there are weights for it, else ours."""
    asked = job.parameters.network
    if asked != AUTO:
        return asked
    if job.warm_start is not None:
        from .whole_photo.network import name_in

        return name_in(job.warm_start)
    is_here = job.may_use_pretrained and pretrained_file(WEIGHTS_FOLDER, MOBILENET) is not None
    return MOBILENET if is_here or job.parameters.start == PRETRAINED else OWN_NETWORK


def weights_to_start_from(job: TrainingJob) -> Path | None:
    """The file: of the project's last model, or pretrained; None from scratch."""
    if job.warm_start is not None:
        return job.warm_start
    name = network_of(job)
    return None if name == OWN_NETWORK or not job.may_use_pretrained else pretrained_file(WEIGHTS_FOLDER, name)


def provide_weights(job: TrainingJob) -> list[str]:
    """Fetch pretrained weights where they are wanted and not there; a sentence about what the run starts from, where that is news."""
    if job.warm_start is not None:
        return []
    name = network_of(job)
    if name == OWN_NETWORK:
        return ["our own network starts from scratch: nobody has weights for it"] * (job.parameters.start == PRETRAINED)
    if not job.may_use_pretrained:
        return [f"{name} starts from scratch: {WANTS_PHOTOS}"]
    if (found := weights_to_start_from(job)) is not None:
        return [f"{name} starts from {found}"]
    try:
        fetched = download(_published(name), WEIGHTS_FOLDER)
    except DownloadError as error:
        mend = f"{error}; put {error.file} into {WEIGHTS_FOLDER}/"
        return [f"{name} starts from scratch ({mend}): {WANTS_PHOTOS}"]
    return [f"{name} starts from {fetched}, fetched from its library"]


def _published(name: str) -> str:
    """The address of the library's own weights."""
    if name == MOBILENET:
        from timm.models import get_pretrained_cfg

        return str(getattr(get_pretrained_cfg(name), "url", ""))
    from .ocr.doctr_library import published

    return str(published(name)["url"])
