"""A paired board, and what became of a model on it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadInputError

RECEIVED = "received"
TRIAL = "trial"
CONFIRMED = "confirmed"
ROLLED_BACK = "rolled_back"
REFUSED = "refused"
DEPLOYMENT_STATES = (RECEIVED, TRIAL, CONFIRMED, ROLLED_BACK, REFUSED)

OFFERED = "offered"  # before the board said anything

# What may follow what. A board may repeat its last word, and may begin anew with `received` after any end (a re-offered model).
DEPLOYMENT_MOVES: dict[str, tuple[str, ...]] = {
    OFFERED: DEPLOYMENT_STATES,  # reports may be lost: the first that arrives counts
    RECEIVED: (RECEIVED, TRIAL, CONFIRMED, ROLLED_BACK, REFUSED),
    TRIAL: (TRIAL, CONFIRMED, ROLLED_BACK, REFUSED),
    CONFIRMED: (CONFIRMED, RECEIVED, ROLLED_BACK),
    ROLLED_BACK: (ROLLED_BACK, RECEIVED, REFUSED),  # refused when it was offered again
    REFUSED: (REFUSED, RECEIVED),
}


@dataclass(frozen=True, slots=True)
class Board:
    """A paired K230, named by its chip id; health as of its last `hello`."""

    id: str
    name: str
    key: bytes
    project_id: int
    counter: int
    paired_at_s: float
    last_seen_at_s: float | None = None
    last_road: str = ""
    machine: str = ""
    firmware: str = ""
    nncase: str = ""
    app: str = ""
    panel: str = ""
    free_bytes: int = 0
    heap_free_bytes: int = 0
    model: str = ""
    samples: int = 0

    @property
    def is_trusted(self) -> bool:
        """Whether it has a key; a board whose key was revoked has none until it is paired again."""
        return bool(self.key)

    def __repr__(self) -> str:
        """Without the key: this goes into logs."""
        return f"Board({self.id!r}, {self.name!r})"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model on a board with its outcome; `gap_frames` is how many camera frames the swap cost, when the board said so."""

    board_id: str
    model_digest: str
    state: str
    reason: str
    text: str
    gap_frames: int | None
    updated_at_s: float


def check_deployment_move(before: str, after: str) -> None:
    """Return when `after` may follow `before`.

    Raises:
        BadInputError: no such state, or not a legal move.
    """
    if after not in DEPLOYMENT_STATES:
        raise BadInputError(f"deployment state {after!r} is none of {', '.join(DEPLOYMENT_STATES)}")
    if after not in DEPLOYMENT_MOVES[before]:
        raise BadInputError(f"a deployment that is {before} cannot become {after}")
