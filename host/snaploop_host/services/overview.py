"""What there is, as plain JSON-able dicts: one form for the API, `--json` of the command line, and the page."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..domain.boards import Board, Deployment
from ..domain.models import Model
from ..domain.projects import Project
from ..domain.runs import Run
from ..domain.samples import LABELLED, Sample
from ..ports import Store
from .train_model import MIN_PHOTOS, TrainModel

ONLINE_FOR_S = 30  # a board says something every few seconds while its sync screen is open


class Overview:
    """Read-only questions about the store."""

    def __init__(self, store: Store, train: TrainModel) -> None:
        """Wire it up."""
        self._store = store
        self._train = train

    def projects(self) -> list[dict[str, Any]]:
        """Every project with its counts."""
        return [self.project(project) for project in self._store.projects()]

    def project(self, project: Project) -> dict[str, Any]:
        """A project: classes, settings, photos by state and by road, boxes by class, what training still needs."""
        states = self._store.sample_counts(project.id)
        boxes = self._store.box_counts(project.id)
        return {
            "id": project.id,
            "name": project.name,
            "task": project.task,
            "classes": list(project.classes),
            "created_at_s": project.created_at_s,
            "settings": dict(project.settings),
            "photos": sum(states.values()),
            "states": states,
            "roads": self._store.road_counts(project.id),
            "boxes": {name: boxes.get(name, 0) for name in project.classes},
            "photos_to_train": max(0, MIN_PHOTOS - states[LABELLED]),
        }

    def samples(self, project: Project, newest: int, offset: int = 0) -> list[dict[str, Any]]:
        """The newest samples of a project."""
        return [sample_fields(sample) for sample in self._store.samples(project.id, newest, offset)]

    def runs(self, project: Project | None = None) -> list[dict[str, Any]]:
        """Runs, newest first."""
        return [self._run(run) for run in self._store.runs(None if project is None else project.id)]

    def run(self, run_id: int) -> dict[str, Any]:
        """A run with its curve, its events and the size of its dataset's sides."""
        run = self._store.run(run_id)
        version = self._store.dataset_version(run.dataset_version_id)
        sides = [item.split for item in version.items]
        return self._run(run) | {
            "curve": self.curve(run_id),
            "events": self._train.events(run_id),
            "photos": {side: sides.count(side) for side in ("train", "val")},
        }

    def curve(self, run_id: int) -> list[dict[str, Any]]:
        """{"epoch", "loss", "scores"} of each epoch that the run reported."""
        return self._train.curve(run_id)

    def models(self, project: Project | None = None) -> list[dict[str, Any]]:
        """Models, newest first, with the name of their project and the boards that confirmed them."""
        deployments = self._store.deployments()
        names = {one.id: one.name for one in self._store.projects()}
        return [
            model_fields(model)
            | {
                "project": names[model.project_id],
                "boards": [deployment_fields(one) for one in deployments if one.model_digest == model.digest],
            }
            for model in self._store.models(None if project is None else project.id)
        ]

    def boards(self, now_s: float, project: Project | None = None) -> list[dict[str, Any]]:
        """Paired boards by name, with what became of models on them."""
        names = {one.id: one.name for one in self._store.projects()}
        return [
            board_fields(board, names[board.project_id], now_s)
            | {"deployments": [deployment_fields(one) for one in self._store.deployments(board.id)]}
            for board in self._store.boards(None if project is None else project.id)
        ]

    def _run(self, run: Run) -> dict[str, Any]:
        return dataclasses.asdict(run) | {
            "project": self._store.project(run.project_id).name,
            "is_active": run.is_active,
        }


def sample_fields(sample: Sample) -> dict[str, Any]:
    """A sample; boxes as {"class", "xywh_px"}, with "points_px" and "text" where there are any; "void_px": polygons that do not count."""
    fields = dataclasses.asdict(sample)
    fields["boxes"] = [
        {"class": box.class_name, "xywh_px": [box.x, box.y, box.w, box.h]}
        | ({"points_px": [list(point) for point in box.points]} if box.points else {})
        | ({"text": box.text} if box.text else {})
        for box in sample.boxes
    ]
    fields["void_px"] = fields.pop("void")
    return fields


def model_fields(model: Model) -> dict[str, Any]:
    """A model without its manifest bytes; `input` is [w, h] in px, scores are "float_<metric>" and "kmodel_<metric>".

    An imported model has the latter at most.
    """
    fields = dataclasses.asdict(model)
    for name in ("manifest", "float_scores", "kmodel_scores"):
        del fields[name]
    more = {
        "short": model.short,
        "input": [model.input_w_px, model.input_h_px],
        "metrics": list(model.metrics),
        "is_imported": model.is_imported,
        "is_forced": model.is_forced,
    }
    return fields | model.flat_scores() | more


def board_fields(board: Board, project: str, now_s: float) -> dict[str, Any]:
    """A board without its key."""
    fields = dataclasses.asdict(board)
    del fields["key"]
    is_online = board.last_seen_at_s is not None and now_s - board.last_seen_at_s < ONLINE_FOR_S
    return fields | {"project": project, "is_online": is_online, "is_revoked": not board.is_trusted}


def deployment_fields(deployment: Deployment) -> dict[str, Any]:
    """A deployment."""
    return dataclasses.asdict(deployment)
