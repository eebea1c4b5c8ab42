"""Whether this machine has what a job asks for by name. Asked before an estimate, and before a run trains."""

from __future__ import annotations

from ..compiling.nncase_environment import nncase_version
from .errors import BadJobError
from .job_spec import Parameters


def check_needs(parameters: Parameters) -> None:
    """Hold the compiler's version and the GPU against what is here.

    Raises:
        BadJobError: another nncase, or no such GPU.
    """
    installed = nncase_version() if parameters.nncase is not None else None
    if parameters.nncase != installed:
        raise BadJobError(
            f"nncase={parameters.nncase}: this host compiles with {installed} only, allowed is {installed}; "
            f"for another one: pip install nncase=={parameters.nncase} nncase-kpu=={parameters.nncase}"
        )
    if parameters.device.startswith("cuda"):
        from .device import chosen_device  # torch takes seconds to import

        chosen_device(parameters.device)
