"""What tasks share to train on with an activation that 8 bits hold better, when no rung of the ladder kept a kmodel close enough.

Outputs of SiLU and Hardswish have no upper end and a thin negative part, both of which take steps from the rest; ReLU has nothing
below zero, and behind it channels can be equalised. Called by the tasks' `soften`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from .job_spec import Parameters, TrainingJob, chosen_epochs
from .task import Report


def swap_activation(network: nn.Module) -> int:
    """Put ReLU where the network has SiLU or Hardswish, in place; how often."""
    swapped = 0
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, (nn.SiLU, nn.Hardswish)):
                setattr(module, name, nn.ReLU(inplace=True))
                swapped += 1
    return swapped


def softening_parameters(job: TrainingJob) -> Parameters:
    """As the job's, for as many epochs as a warm start takes, at its rate, without early stop; never more than the job itself had."""
    given = job.parameters
    epochs = chosen_epochs(replace(given, epochs=None), len(job.train), warm=True)
    epochs = min(epochs, given.epochs or epochs)
    return replace(given, epochs=epochs, patience=epochs, lr0=None, stop_change=None)


def softly(report: Report) -> Report:
    """A report whose epochs are progress of the compile stage: the run's own curve is finished."""

    def told(kind: str, **fields: Any) -> None:
        if kind != "epoch":
            report(kind, **fields)
            return
        text = f"training on with ReLU: epoch {fields['epoch']} of {fields['epochs']}"
        report("stage", stage="compile", state="running", text=text, eta_s=fields.get("eta_s"))

    return told
