"""When a training ends before its last epoch, which weights it leaves, and how that is said; called by the loops and by `job`.

Standard library only. Two rules end it: patience (the score gained nothing for so many epochs), and requirement S0-11, which looks
at the loss alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from .job_spec import Parameters

EPOCHS, PATIENCE, STOP_RULE = "epochs", "patience", "stop rule"

AS_GOOD = 0.01
"""A model counts as good as the one it began with when its strict metric is within this: the gate's point, and about what two seeds
differ by (docs/lab_log.md). Weights that learnt from more photos are preferred within it; beyond it the old ones are kept."""


def is_stable(losses: Sequence[float], parameters: Parameters) -> bool:
    """Whether the stop rule is given and holds: the last `stop_epochs` changes of the loss were all below `stop_change`."""
    if parameters.stop_change is None or len(losses) <= parameters.stop_epochs:
        return False
    last = losses[-parameters.stop_epochs - 1 :]
    return all(abs(after - before) < parameters.stop_change for before, after in itertools.pairwise(last))


def why_ended(training: Mapping[str, Any], parameters: Parameters) -> tuple[str, str]:
    """Which rule ended a training, and a sentence about it.

    Args:
        training: what `training.task.Task.train` returned.
        parameters: of the job.
    """
    trained, planned, epoch = training["epochs"], training["epochs_planned"], training["best_epoch"]
    best = f"the best was epoch {epoch}" if epoch else "no epoch came near the model it started from, which is kept"
    if trained >= planned:
        return EPOCHS, f"training ended after all {planned} epochs; {best}"
    began = f"training ended after epoch {trained} of {planned}"
    losses = [sum(row["losses"].values()) for row in training["curve"]]
    if is_stable(losses, parameters):
        return STOP_RULE, (
            f"{began} by the stop rule: the loss changed by less than {parameters.stop_change:g} "
            f"for {parameters.stop_epochs} epochs in a row; {best}"
        )
    since = f"nothing better since epoch {epoch}" if epoch else best
    return PATIENCE, f"{began}: {since} (patience {trained - epoch})"
