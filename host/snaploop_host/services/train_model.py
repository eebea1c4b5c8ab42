"""Train a project: make a dataset version, queue a run, follow its job, publish what it made. The app calls `step` every second.

The job's process outlives the daemon. What it says stands in its events; a daemon that starts reads them from the beginning
(`resume`), so nothing is lost when it was killed: running jobs are adopted, jobs that died with the machine are started again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..domain.class_balance import ClassCount, class_counts
from ..domain.datasets import TRAIN, VAL, DatasetItem, DatasetVersion, split_samples
from ..domain.gate import split_settings
from ..domain.models import GATE_IMAGES, GATE_IMAGES_AGAIN, GATE_LIMIT_POINTS
from ..domain.photo_labels import WHOLE_PHOTO_TASKS, PhotoLabels, label_problem
from ..domain.projects import TEXT_TASKS, Project
from ..domain.runs import CANCELLED, FAILED, QUEUED, REFUSED, RUNNING, SUCCEEDED, Run, check_move
from ..domain.samples import LABELLED, Sample
from ..domain.scores import OCR_RECOGNIZE, SEGMENT
from ..domain.text_labels import reading_problem
from ..domain.training_parameters import (
    AUTO,
    NETWORK,
    OWN_NETWORK,
    PRETRAINED,
    SCRATCH,
    WARM,
    check_parameters,
    default_network,
    with_settings,
)
from ..errors import CannotTrainError, HostError
from ..ports import Blobs, Jobs, Store
from .publish_model import RESULT, PublishModel

logger = logging.getLogger(__name__)

MIN_PHOTOS = 8  # fewer leave a validation side of one or two photos, whose scores mean nothing
MAX_ATTEMPTS = 3  # a job that dies with the machine three times is not started again


class TrainModel:
    """Start, follow and cancel runs; one job works at a time, the others wait in order."""

    def __init__(
        self, store: Store, blobs: Blobs, jobs: Jobs, publish: PublishModel, clock: Callable[[], float] = time.time
    ) -> None:
        """Wire it up; only one process per data folder may call `step` and `resume` (app.py holds a lock file for it)."""
        self._store = store
        self._blobs = blobs
        self._jobs = jobs
        self.publisher = publish
        self._clock = clock
        self._lock = threading.Lock()
        self.check_parameters: Callable[[str, Mapping[str, Any]], dict[str, Any]] = check_parameters

    def start(self, project_id: int, parameters: Mapping[str, Any] | None = None) -> Run:
        """The queued run on the project's labelled photos.

        Args:
            project_id: the project.
            parameters: for this job, such as {"epochs": 40}, over the project's own settings; None takes one of these back.

        Raises:
            BadInputError: a parameter that there is not, or that may not have this value.
            CannotTrainError: too few labelled photos, labels that teach nothing, a class that the project does not have, or an active run.
        """
        with self._lock:
            project = self._store.project(project_id)
            given = self._parameters(project, parameters or {})
            self._check_idle(project)
            samples = self._labelled(project)
            _check_trainable(project, samples, given)
            warm = self._warm_start_run(project, given)
            version = self._make_version(project, samples)
            run = self._store.add_run(project_id, version.id, None if warm is None else warm.id, self._clock())
            self._jobs.prepare(run.id, self._job(run.id, project, version.items, warm, given))
        logger.info(
            "run %d of %s is queued with %d photos (%d for validation)",
            run.id,
            project.name,
            len(samples),
            len(version.side(VAL)),
        )
        return run

    def estimate(self, project_id: int, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """How long a run would take: {"seconds", "text", "refused" when it is above max_minutes, …}; measures for some seconds.

        Raises:
            BadInputError, CannotTrainError: what would keep the run from starting.
            MissingToolError: the training libraries are not installed.
        """
        return self._jobs.ask("estimate", self._would_be(project_id, parameters or {}))

    def preview(self, project_id: int, parameters: Mapping[str, Any] | None = None) -> bytes:
        """A PNG: some photos as training would change them, with their labels drawn.

        Raises:
            BadInputError, CannotTrainError, MissingToolError: as `estimate`.
        """
        picture: bytes = self._jobs.ask("preview", self._would_be(project_id, parameters or {}))["picture"]
        return picture

    def balance(self, project_id: int) -> tuple[ClassCount, ...]:
        """Labelled examples of each class on both sides, as a run that started now would have them."""
        project = self._store.project(project_id)
        samples = self._labelled(project)
        sides = split_samples(samples, self._store.last_split(project.id))

        def shown(side: str) -> list[str]:
            return [box.class_name for one in samples if sides[one.photo] == side for box in one.boxes]

        return class_counts(project.classes, shown(TRAIN), shown(VAL))

    def settings_used(self, project_id: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the project's own settings that a run with these parameters would have.

        Raises:
            BadInputError: a parameter that there is not, or that may not have this value.
        """
        project = self._store.project(project_id)
        used, own = self._parameters(project, parameters), self.check_parameters(project.task, parameters)
        return {name: value for name, value in used.items() if name not in own}

    def said_of_time(self, run_id: int) -> dict[str, str]:
        """What a run's job said of its time: {"estimate": line, "took": line}, empty as long as it did not."""
        events = self._jobs.events(run_id)
        return {"estimate": "", "took": ""} | {
            str(one["kind"]): _text_of(one) for one in events if one.get("kind") in ("estimate", "took")
        }

    def go_on(self, run_id: int) -> Run:
        """A cancelled or failed run, queued again: its job goes on at its last checkpoint, with the photos it had.

        Raises:
            NotFoundError: no such run.
            CannotTrainError: it did not end that way, its files are gone, or another run of the project is active.
        """
        with self._lock:
            run = self._store.run(run_id)
            project = self._store.project(run.project_id)
            if run.state not in (CANCELLED, FAILED):
                raise CannotTrainError(f"run {run_id} is {run.state}: only a cancelled or failed run goes on")
            self._check_idle(project)
            if not self._jobs.is_prepared(run_id):
                raise CannotTrainError(f"the files of run {run_id} are gone: start a new training")
            queued = replace(run, state=check_move(run, QUEUED), ended_at_s=None, attempts=0, text="")
            self._store.save_run(queued)
        logger.info("run %d of %s is queued again", run_id, project.name)
        return queued

    def cancel(self, run_id: int) -> Run:
        """The cancelled run; its job's process has ended.

        Raises:
            NotFoundError: no such run.
            CannotTrainError: it has ended already.
        """
        with self._lock:
            run = self._store.run(run_id)
            if not run.is_active:
                raise CannotTrainError(f"run {run_id} is {run.state} already")
            ended = self._end(_with_progress(run, self._jobs.events(run_id)), CANCELLED, "cancelled")
        self._jobs.stop(run_id)  # takes seconds: not under the lock, boards may ask meanwhile
        return ended

    def resume(self) -> None:
        """After a start of the daemon: adopt jobs whose process works on, start those again whose process is gone."""
        with self._lock:
            for run in self._store.runs():
                if not run.is_active and self._jobs.is_running(run.id):
                    logger.warning("run %d is %s but its process works on: stopped", run.id, run.state)
                    self._jobs.stop(run.id)
            for run in self._store.active_runs():
                if run.state != RUNNING or _last_word(self._jobs.events(run.id)) is not None:
                    continue
                if self._jobs.is_running(run.id):
                    logger.info("run %d works on: adopted", run.id)
                elif run.attempts >= MAX_ATTEMPTS:
                    self._end(run, FAILED, f"its process was lost {run.attempts} times: see the job's log")
                else:
                    logger.warning("run %d lost its process: started again", run.id)
                    self._store.save_run(replace(run, attempts=run.attempts + 1))
                    self._jobs.start(run.id)

    def catch_up(self) -> None:
        """Take what running jobs said while nobody looked after them, and end those that are done. Starts nothing."""
        with self._lock:
            for run in self._store.active_runs():
                if run.state == RUNNING:
                    self._follow(run)

    def step(self) -> None:
        """Take what running jobs said, end runs that are done, start the next in the queue."""
        with self._lock:
            is_busy = False
            for run in self._store.active_runs():
                if run.state == RUNNING:
                    is_busy = self._follow(run).is_active or is_busy
            waiting = [run for run in self._store.active_runs() if run.state == QUEUED]
            if waiting and not is_busy:
                self._begin(waiting[0])

    def curve(self, run_id: int) -> list[dict[str, Any]]:
        """{"epoch", "loss", "scores": {metric: 0…1}} of each epoch in order; no scores where an epoch was not validated."""
        epochs = {}
        for event in self._jobs.events(run_id):
            if event.get("kind") == "epoch" and isinstance(event.get("epoch"), int):
                epochs[event["epoch"]] = {
                    "epoch": event["epoch"],
                    **_epoch_values(event),
                }  # a resumed job may repeat one
        return [epochs[number] for number in sorted(epochs)]

    def events(self, run_id: int) -> list[dict[str, Any]]:
        """All events of a run, oldest first."""
        return self._jobs.events(run_id)

    def _begin(self, run: Run) -> None:
        try:
            self._jobs.start(run.id)
        except HostError as error:
            self._end(run, FAILED, str(error))
            return
        check_move(run, RUNNING)
        self._store.save_run(replace(run, state=RUNNING, started_at_s=self._clock(), attempts=run.attempts + 1))
        logger.info("run %d begins", run.id)

    def _follow(self, run: Run) -> Run:
        is_running = self._jobs.is_running(run.id)  # asked before reading, so that its last words are read
        events = self._jobs.events(run.id)
        now = _with_progress(run, events)
        last = _last_word(events)
        if last is None and not is_running:
            return self._end(now, FAILED, f"its process ended without a word: {self._jobs.last_words(run.id)}")
        if last is None or is_running:  # a process that said its last word may still be closing its files
            if now != run:
                self._store.save_run(now)
            return now
        if last["kind"] == "error":
            return self._end(
                now, REFUSED if last.get("refused") else FAILED, _text_of(last) or "failed without saying why"
            )
        if last["kind"] == "cancelled":
            return self._end(now, CANCELLED, "cancelled")
        try:
            model = self.publisher.publish(now)
        except HostError as error:
            return self._end(now, FAILED, str(error))
        return self._end(now, SUCCEEDED if model.is_gate_passed else REFUSED, model.gate_text)

    def _end(self, run: Run, state: str, text: str) -> Run:
        ended = replace(run, state=check_move(run, state), ended_at_s=self._clock(), eta_s=None, text=text)
        self._store.save_run(ended)
        logger.info("run %d %s: %s", run.id, state, text)
        return ended

    def _would_be(self, project_id: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The job that `start` would queue; nothing is stored."""
        project = self._store.project(project_id)
        given = self._parameters(project, parameters)
        samples = self._labelled(project)
        _check_trainable(project, samples, given)
        warm = self._warm_start_run(project, given)
        return self._job(0, project, self._items(project, samples), warm, given)

    def _parameters(self, project: Project, given: Mapping[str, Any]) -> dict[str, Any]:
        return with_settings(project.task, project.settings, given, self.check_parameters)

    def _items(self, project: Project, samples: list[Sample]) -> list[DatasetItem]:
        sides = split_samples(samples, self._store.last_split(project.id))
        return [
            DatasetItem(one.id, one.name, one.photo, one.width_px, one.height_px, one.boxes, sides[one.photo], one.void)
            for one in samples
        ]

    def _make_version(self, project: Project, samples: list[Sample]) -> DatasetVersion:
        items = self._items(project, samples)
        return self._store.add_dataset_version(project.id, project.classes, items, self._clock())

    def _check_idle(self, project: Project) -> None:
        active = next((run for run in self._store.runs(project.id) if run.is_active), None)
        if active is not None:
            raise CannotTrainError(
                f"run {active.id} of {project.name} is {active.state} already: wait for it or cancel it"
            )

    def _labelled(self, project: Project) -> list[Sample]:
        return [sample for sample in self._store.samples(project.id) if sample.state == LABELLED]

    def _warm_start_run(self, project: Project, given: Mapping[str, Any]) -> Run | None:
        """The run to start from, when the parameter `start` lets it: that of the last good model, if it is of the same network.

        Raises:
            CannotTrainError: start=warm, and there is none.
        """
        start, network = given.get("start", AUTO), given.get(NETWORK, default_network(project.task))
        found = None if start in (SCRATCH, PRETRAINED) else self._last_good_run(project)
        other = self._network_of(found) if found and network != AUTO else network
        if start == WARM and found is None:
            raise CannotTrainError(
                f"start=warm: {project.name} has no model of these classes to start from: give start=auto or scratch"
            )
        if start == WARM and other != network:
            raise CannotTrainError(
                f"start=warm: the last model of {project.name} is of the network {other}, not {network}: "
                f"give network={other}, or start=auto"
            )
        return found if other == network else None

    def _network_of(self, run: Run) -> str:
        """The network that a finished run trained; of a task without a choice, and before there was one, it is our own."""
        try:
            trained = json.loads(self._jobs.artifact(run.id, RESULT).read_bytes()).get("training", {})
        except (OSError, ValueError, AttributeError) as error:
            raise CannotTrainError(
                f"the files of run {run.id}, whose model this would start from, are damaged ({error!r}): give start=scratch"
            ) from error
        return str(trained.get(NETWORK, trained.get("backbone", OWN_NETWORK)))  # "backbone": runs of older versions

    def _last_good_run(self, project: Project) -> Run | None:
        """The run of the last good model, when its classes are today's and its weights are still there."""
        model = self._store.offered_model(project.id)
        if model is None or not self._jobs.artifact(model.run_id, "best.pt").exists():
            return None
        run = self._store.run(model.run_id)
        return run if self._store.dataset_version(run.dataset_version_id).classes == project.classes else None

    def _job(
        self,
        run_id: int,
        project: Project,
        items: Sequence[DatasetItem],
        warm: Run | None,
        parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        index = {name: number for number, name in enumerate(project.classes)}

        def entry(item: DatasetItem) -> dict[str, Any]:
            boxes = [
                {"class": index[box.class_name], "box_xywh_px": [box.x, box.y, box.w, box.h]}
                | ({"points_px": [list(point) for point in box.points]} if box.points else {})
                | ({"text": box.text} if box.text else {})
                for box in item.boxes
            ]
            image = str(self._blobs.path(item.photo))
            size = {"width": item.width_px, "height": item.height_px}
            void = {"void_px": item.void} if item.void else {}
            return {"image": image, "name": item.name, **size, "boxes": boxes, **void}

        settings, gate = split_settings(parameters)
        return {
            "run_id": run_id,
            "task": project.task,
            "project": project.name,
            "classes": list(project.classes),
            "dataset": {side: [entry(item) for item in items if item.split == side] for side in (TRAIN, VAL)},
            "parameters": settings,
            "warm_start": None if warm is None else str(self._jobs.artifact(warm.id, "best.pt")),
            "gate": {
                "limit_points": GATE_LIMIT_POINTS,
                "images": GATE_IMAGES if warm is None else GATE_IMAGES_AGAIN,
                **gate,
            },
        }


def _check_trainable(project: Project, samples: list[Sample], parameters: Mapping[str, Any]) -> None:
    if len(samples) < MIN_PHOTOS:
        raise CannotTrainError(
            f"{project.name} has {len(samples)} labelled photos, training needs {MIN_PHOTOS}: take and label some more"
        )
    if not any(sample.boxes for sample in samples) and project.task in WHOLE_PHOTO_TASKS:
        raise CannotTrainError(f"no photo of {project.name} has a class: tap one for each photo on the Label screen")
    shown = {box.class_name for sample in samples for box in sample.boxes}
    if not shown and project.task == SEGMENT:
        raise CannotTrainError(
            f"no photo of {project.name} has an outline: trace one around each thing that the camera should find"
        )
    if not shown and project.task in TEXT_TASKS:
        raise CannotTrainError(f"no photo of {project.name} has a text marked: drag a box around each text")
    if not shown:
        raise CannotTrainError(
            f"no photo of {project.name} has a box: drag one around each thing that the camera should find"
        )
    strangers = sorted(shown - set(project.classes))
    if strangers:
        names = ", ".join(strangers)
        raise CannotTrainError(
            f"boxes of {names}, which {project.name} does not have: add it with `snaploop projects classes {project.name}`"
        )
    _check_box_limit(samples, parameters.get("box_limit"))
    if project.task in WHOLE_PHOTO_TASKS:
        photos = [PhotoLabels(sample.name, frozenset(box.class_name for box in sample.boxes)) for sample in samples]
        if problem := label_problem(project.task, project.classes, photos):
            raise CannotTrainError(problem)
    if project.task == OCR_RECOGNIZE:
        texts = [(sample.name, box.text) for sample in samples for box in sample.boxes]
        if problem := reading_problem(texts, str(parameters.get("dictionary") or "")):
            raise CannotTrainError(problem)


def _check_box_limit(samples: list[Sample], limit: int | None) -> None:
    fullest = max(samples, key=lambda sample: len(sample.boxes))
    if limit is not None and len(fullest.boxes) > limit:
        above = sum(len(sample.boxes) > limit for sample in samples)
        raise CannotTrainError(
            f"box_limit={limit}: {above} photos have more labels, {fullest.name} has {len(fullest.boxes)}: "
            f"allow {len(fullest.boxes)}, or delete labels"
        )


def _last_word(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The event with which the job ended, if it did; a job that was started again speaks again after it."""
    if events and events[-1].get("kind") in ("done", "error", "cancelled"):
        return events[-1]
    return None


def _text_of(event: Mapping[str, Any]) -> str:
    return " ".join(str(event.get("text") or event.get("error") or event.get("message") or "").split())[
        :600
    ]  # one line


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _epoch_values(event: Mapping[str, Any]) -> dict[str, Any]:
    """Sum of the event's "losses", and its "metrics" when the epoch was validated."""
    losses = _numbers(event.get("losses"))
    return {"loss": sum(losses.values()) if losses else None, "scores": _numbers(event.get("metrics"))}


def _numbers(values: object) -> dict[str, float]:
    known = {name: _number(value) for name, value in values.items()} if isinstance(values, dict) else {}
    return {str(name): value for name, value in known.items() if value is not None}


def _with_progress(run: Run, events: list[dict[str, Any]]) -> Run:
    """The run with the newest stage, epoch, scores and time to go that its events tell."""
    fields: dict[str, Any] = {}
    for event in events:
        if event.get("kind") == "stage":
            fields["stage"] = str(event.get("stage") or "")[:40]
            fields["text"] = _text_of(event)
            fields["eta_s"] = _number(event.get("eta_s"))
        elif event.get("kind") == "epoch":
            fields["epoch"] = int(event.get("epoch") or 0)
            fields["epochs"] = int(event.get("epochs") or 0)
            fields.update({name: value for name, value in _epoch_values(event).items() if value})
            fields["eta_s"] = _number(event.get("eta_s"))
    return replace(run, **fields) if fields else run
