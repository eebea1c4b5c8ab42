"""The daemon as the demo sees it: its JSON API, read only. Nothing here starts or changes anything; that is the finger's work."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from .errors import DemoError
from .json_http import JsonHttp

logger = logging.getLogger(__name__)

RUN_WAIT_S = 1800
LOOK_EVERY_S = 0.5
# What the job calls its stages, and under which of our stages their time is counted.
TRAIN_STAGES = ("prepare", "estimate", "train")


@dataclass(frozen=True)
class SampleSeen:
    """A sample on the host; boxes are (class, x, y, w, h) in photo px."""

    name: str
    photo: str
    width: int
    height: int
    boxes: list[tuple[str, float, float, float, float]]


@dataclass(frozen=True)
class RunSeen:
    """A finished training: seconds for training and for compiling and proving, epochs with their metrics."""

    stage_seconds: list[tuple[str, float]]
    epochs: list[dict[str, float]]
    is_warm_started: bool


class HostApi:
    """Questions to one daemon about one project."""

    def __init__(self, http: JsonHttp, project: str) -> None:
        """Ask through `http`."""
        self._http = http
        self._project = project

    def new_photos_by_road(self, expected: int, known: int) -> dict[str, int]:
        """How many of the newest photos came over which road.

        Raises:
            DemoError: the host does not have all of them.
        """
        project = self._http.get(f"/api/projects/{self._project}")
        if project["photos"] != known + expected:
            raise DemoError(f"the board sent {known + expected} photos, the host has {project['photos']}")
        roads = [sample["road"] for sample in self._http.get(f"/api/projects/{self._project}/samples?limit={expected}")]
        return {road: roads.count(road) for road in ("usb", "wifi")}

    def newest_samples(self, count: int) -> list[SampleSeen]:
        """The newest samples."""
        return [
            SampleSeen(
                sample["name"],
                sample["photo"],
                sample["width_px"],
                sample["height_px"],
                [(box["class"], *map(float, box["xywh_px"])) for box in sample["boxes"]],
            )
            for sample in self._http.get(f"/api/projects/{self._project}/samples?limit={count}")
        ]

    def photo(self, digest: str) -> bytes:
        """The photo's bytes."""
        return self._http.get_bytes(f"/photos/{digest}.jpg")

    def run_ids(self) -> set[int]:
        """Ids of all runs of the project."""
        return {run["id"] for run in self._http.get(f"/api/runs?project={self._project}")}

    def wait_for_epochs(self, run_id: int, share: float) -> None:
        """Return when this share of the run's epochs is done, or the run has left training."""
        deadline = time.monotonic() + RUN_WAIT_S
        while time.monotonic() < deadline:
            run = self._http.get(f"/api/runs/{run_id}")
            is_past_training = run["stage"] not in ("", *TRAIN_STAGES)
            if is_past_training or not run["is_active"] or (run["epochs"] and run["epoch"] >= share * run["epochs"]):
                return
            time.sleep(LOOK_EVERY_S)

    def wait_for_run(self, run_id: int) -> RunSeen:
        """The run, once it has succeeded.

        Raises:
            DemoError: it ended otherwise, or takes longer than RUN_WAIT_S.
        """
        deadline = time.monotonic() + RUN_WAIT_S
        said = ""
        while time.monotonic() < deadline:
            run = self._http.get(f"/api/runs/{run_id}")
            if run["stage"] != said:
                said = run["stage"]
                logger.info("run %s: %s", run_id, said)
            if not run["is_active"]:
                if run["state"] != "succeeded":
                    raise DemoError(f"run {run_id} {run['state']}: {run['text']}")
                return _run_seen(run)
            time.sleep(LOOK_EVERY_S)
        raise DemoError(f"run {run_id} is not done after {RUN_WAIT_S} s")

    def models(self) -> list[dict[str, Any]]:
        """Models of the project, newest first."""
        return list(self._http.get(f"/api/models?project={self._project}"))

    def new_model(self, known_digests: set[str]) -> dict[str, Any]:
        """The newest model, which must be one we have not seen.

        Raises:
            DemoError: the run made none.
        """
        model = next(iter(self.models()), None)
        if model is None or model["digest"] in known_digests:
            raise DemoError("the run succeeded, but there is no new model")
        return model

    def wait_for_deployment(self, digest: str, timeout_s: float) -> int:
        """Frames shown without a model during the swap, once the board has confirmed the model.

        Raises:
            DemoError: the board refused it or rolled it back, or says nothing in time.
        """
        deadline = time.monotonic() + timeout_s
        state = "not heard of it"
        while time.monotonic() < deadline:
            for board in self._http.get(f"/api/boards?project={self._project}"):
                for deployment in board["deployments"]:
                    if deployment["model_digest"] == digest:
                        state = deployment["state"]
                        if state == "confirmed":
                            return int(deployment["gap_frames"] or 0)
                        if state in ("refused", "rolled_back"):
                            raise DemoError(f"the board {state} model {digest[:12]}: {deployment['text']}")
            time.sleep(LOOK_EVERY_S)
        raise DemoError(f"the board did not confirm model {digest[:12]} in {timeout_s:.0f} s: {state}")


def _run_seen(run: dict[str, Any]) -> RunSeen:
    """Seconds from the job's own stage events; the time before its first event (queue, start of the process) counts as training."""
    events = run["events"]
    ended_ms = run["ended_at_s"] * 1000
    first_compile_ms = next(
        (
            event["t"]
            for event in events
            if event["kind"] == "stage" and event.get("stage", event.get("name")) not in TRAIN_STAGES
        ),
        ended_ms,
    )
    training_s = first_compile_ms / 1000 - run["created_at_s"]
    proving_s = (ended_ms - first_compile_ms) / 1000
    curve = [{"epoch": point["epoch"], "loss": point["loss"], **point["scores"]} for point in run["curve"]]
    epochs = [{key: value for key, value in point.items() if value is not None} for point in curve]
    return RunSeen(
        [("train", training_s), ("compile and prove", proving_s)], epochs, run["warm_start_run_id"] is not None
    )
