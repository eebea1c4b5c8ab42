"""One training, from dataset version to gated kmodel: its states and the moves between them.

queued --> running --> succeeded     the kmodel passed the gate and is offered to boards
   |          |-----> refused        trained and compiled, but the kmodel loses too much against the float model
   |          |-----> failed         with the reason
   |--------->|-----> cancelled      by a person
   |--------------> failed           it could not even start
cancelled, failed --> queued         a person lets it go on where it was
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import IllegalMoveError

QUEUED = "queued"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELLED = "cancelled"
REFUSED = "refused"

MOVES: dict[str, tuple[str, ...]] = {
    QUEUED: (RUNNING, CANCELLED, FAILED),
    RUNNING: (SUCCEEDED, FAILED, CANCELLED, REFUSED),
    SUCCEEDED: (),
    FAILED: (QUEUED,),
    CANCELLED: (QUEUED,),
    REFUSED: (),
}
ACTIVE = (QUEUED, RUNNING)


@dataclass(frozen=True, slots=True)
class Run:
    """One training. Progress fields are those of the newest events of its job; `eta_s`: seconds to go.

    Attributes:
        scores: metric name → 0…1 on the validation photos, of the newest epoch that was validated.
    """

    id: int
    project_id: int
    dataset_version_id: int
    state: str
    created_at_s: float
    started_at_s: float | None = None
    ended_at_s: float | None = None
    stage: str = ""
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    eta_s: float | None = None
    text: str = ""
    attempts: int = 0
    warm_start_run_id: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is waiting or at work."""
        return self.state in ACTIVE


def check_move(run: Run, after: str) -> str:
    """The state itself, when the run may go there.

    Raises:
        IllegalMoveError: it may not.
    """
    if after not in MOVES[run.state]:
        raise IllegalMoveError(f"run {run.id} is {run.state} and cannot become {after}")
    return after
