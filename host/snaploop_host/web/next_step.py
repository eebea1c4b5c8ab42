"""What a person should do next, in one line: the empty states of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..domain.scores import CLASSIFY, DETECT, EMBED, MULTILABEL, OCR_DETECT, OCR_RECOGNIZE, SEGMENT

LABELLING = {
    DETECT: "drag boxes around the things",
    CLASSIFY: "tap the class of each photo",
    MULTILABEL: "tap every label that is there",
    EMBED: "tap what each photo shows",
    SEGMENT: "trace around the things",
    OCR_DETECT: "drag boxes around the texts",
    OCR_RECOGNIZE: "drag boxes around the texts and say what they read",
}
"""How photos are labelled on the board, for each task."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """Where in the loop we are (0 capture … 4 live), a line, and the address and name of the button that does it, if one does."""

    stage: int
    text: str
    address: str = ""
    button: str = ""


CAPTURE, LABEL, SYNC, TRAIN, LIVE = range(5)


def next_step(
    counts: dict[str, Any],
    run: dict[str, Any] | None,
    models: list[dict[str, Any]],
    boards: list[dict[str, Any]],
    ports: Sequence[dict[str, Any]] = (),
) -> NextStep:
    """The next step of a project.

    Args:
        counts: as `Overview.project`.
        run: the active or newest run.
        models: newest first.
        boards: those of the project.
        ports: the served serial ports.
    """
    name, labelling = counts["name"], LABELLING[counts["task"]]
    if run is not None and run["is_active"]:
        return NextStep(TRAIN, "Training is at work. The board gets the model by itself when it has passed the check.")
    if not boards and not counts["photos"]:
        plugged = next((one["port"] for one in ports if one["state"] == "open"), None)
        if plugged is None:
            return NextStep(
                CAPTURE, "Plug your board into this computer with a USB cable: it shows up below, at Boards."
            )
        address = f"/projects/{name}/install?port={quote(str(plugged))}"
        return NextStep(CAPTURE, "A board is plugged in.", address, "Install the app")
    if not counts["photos"]:
        return NextStep(CAPTURE, f"On the board: tap the shutter, {labelling}, then open Sync.")
    if counts["photos_to_train"]:
        if counts["states"]["new"] >= counts["photos_to_train"]:
            return NextStep(
                LABEL,
                f"{counts['states']['new']} photos wait for their labels: {labelling} on the board's Label screen.",
            )
        return NextStep(CAPTURE, f"{counts['photos_to_train']} more labelled photos and training can start.")
    good = next((model for model in models if model["is_gate_passed"]), None)
    if good is None:
        if run is not None and run["state"] in ("failed", "refused"):
            return NextStep(
                TRAIN, "The last training brought no model; its line below says why. More photos help most."
            )
        return NextStep(TRAIN, "Enough photos: start the training, here or on the board.")
    states = {board["state"] for board in good["boards"]}
    if "confirmed" in states:
        return NextStep(
            LIVE, "The newest model is live. Photograph what it gets wrong: the next lap starts from there."
        )
    if states & {"rolled_back", "refused"}:
        return NextStep(LIVE, "The board did not keep the newest model: see the reason at Boards.")
    return NextStep(SYNC, "A new model waits: open Sync on the board, then Live.")
