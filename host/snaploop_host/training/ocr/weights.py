"""Which weights a run starts from: a file in `weights/`, else the library's own when there is a network. No torch until one is fetched.

Called by the two text tasks.
"""

from __future__ import annotations

from pathlib import Path

from ...domain.training_parameters import OWN_NETWORK, PRETRAINED
from ..download import DownloadError, download
from ..job_spec import TrainingJob
from ..whole_photo.weights import WEIGHTS_FOLDER, pretrained_file

WANTS_PHOTOS = "it wants hundreds of photos then, network=own learns from fewer"


def weights_to_start_from(job: TrainingJob) -> Path | None:
    """The file: of the project's last model, or pretrained; None from scratch."""
    if job.warm_start is not None:
        return job.warm_start
    if job.parameters.network == OWN_NETWORK or not job.may_use_pretrained:
        return None
    return pretrained_file(WEIGHTS_FOLDER, job.parameters.network)


def provide_weights(job: TrainingJob) -> list[str]:
    """Fetch pretrained weights where they are wanted and not there; a sentence about what the run starts from, where that is news."""
    name = job.parameters.network
    if job.warm_start is not None:
        return []
    if name == OWN_NETWORK:
        return ["our own network starts from scratch: nobody has weights for it"] * (job.parameters.start == PRETRAINED)
    if not job.may_use_pretrained:
        return [f"{name} starts from scratch: {WANTS_PHOTOS}"]
    if (found := weights_to_start_from(job)) is not None:
        return [f"{name} starts from {found}"]
    from .doctr_library import published

    try:
        fetched = download(published(name)["url"], WEIGHTS_FOLDER)
    except DownloadError as error:
        mend = f"{error}; put {error.file} into {WEIGHTS_FOLDER}/"
        return [f"{name} starts from scratch ({mend}): {WANTS_PHOTOS}"]
    return [f"{name} starts from {fetched}, fetched from doctr"]
