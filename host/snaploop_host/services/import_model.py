"""Take a kmodel that was trained elsewhere, in a package of the vendor's, as a model of a project, and so offer it to boards.

There is no float model to compare it with, so there is no gate. It is tried in the simulator where that is possible, and scored where the
project has labelled photos; the model says which.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from snaploop_shared import manifest

from ..domain.datasets import VAL, DatasetItem
from ..domain.kmodel_file import check_kmodel
from ..domain.models import Model
from ..domain.projects import Project, check_classes, check_project_name, model_labels
from ..domain.samples import LABELLED, Sample
from ..domain.scores import CLASSIFY, DETECT, EMBED, MULTILABEL, SEGMENT, scores_text
from ..domain.vendor_config import VendorModel
from ..errors import BadInputError, ConflictError, NotFoundError
from ..ports import Blobs, Store

logger = logging.getLogger(__name__)

_NAMED = (DETECT, CLASSIFY, MULTILABEL, SEGMENT)  # tasks whose outputs stand for the project's classes


@dataclass(frozen=True)
class Proof:
    """What came of trying a kmodel.

    Attributes:
        golden_input: a model input (uint8, 3×H×W, RGB); empty when the simulator could not run the kmodel.
        golden_answer: what it answered, as the manifest's "golden" says it.
        scores: metric → 0…1 on `images` labelled photos; empty when there were none.
        simulator: what ran it, "none" when nothing did.
        note: why something of it is missing; empty when nothing is.
    """

    golden_input: bytes = b""
    golden_answer: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    images: int = 0
    simulator: str = "none"
    note: str = ""


Prove = Callable[[VendorModel, bytes, Sequence[tuple[Sample, Path]], tuple[str, ...]], Proof]
"""Tries a kmodel: (what its package says, its bytes, labelled photos with their files, the project's classes)."""


@dataclass(frozen=True)
class Imported:
    """The new model, and what people should know about it."""

    model: Model
    notes: tuple[str, ...]


class ImportModel:
    """Make models of vendor packages."""

    def __init__(self, store: Store, blobs: Blobs, prove: Prove, clock: Callable[[], float] = time.time) -> None:
        """Wire it up."""
        self._store = store
        self._blobs = blobs
        self._prove = prove
        self._clock = clock

    def run(self, project_name: str, name: str, model: VendorModel, kmodel: bytes, force: bool = False) -> Imported:
        """The stored model, offered to the project's boards like any other.

        Args:
            project_name: made, with the package's classes, when it does not exist.
            name: of the package, for people.
            model: what the package says.
            kmodel: its bytes.
            force: also a kmodel whose nncase version none of the project's boards runs.

        Raises:
            BadInputError: the kmodel is damaged, or its classes or task are not the project's.
            ConflictError: no board of the project can run it, or it is here already.
            NotFoundError: no such project, and the package does not say what its classes would be.
        """
        version = check_kmodel(kmodel, model.kmodel_name)
        digest = sha256(kmodel).hexdigest()
        known = next((one for one in self._store.models() if one.digest == digest), None)
        if known is not None:
            raise ConflictError(
                f"this kmodel is here already, as model {known.short}: `snaploop offer {known.short}` offers it again"
            )
        project = self._existing(project_name)
        classes = project.classes if project else self._new_classes(project_name, model)
        notes = list(model.notes)
        if project is not None:
            _check_fits(project, model)
            if mismatch := self._mismatch(project, model.nncase):
                if not force:
                    raise ConflictError(f"{mismatch}; --force imports it all the same")
                notes.append(mismatch)
        photos = self._labelled(project)
        files = [(sample, self._blobs.path(sample.photo)) for sample in photos]
        proof = self._prove(model, kmodel, files, classes)
        notes += [proof.note] if proof.note else []
        now_s = self._clock()
        if project is None:
            project = self._store.add_project(project_name, model.task, classes, now_s)
        golden = self._blobs.add(proof.golden_input)
        self._blobs.add(kmodel)
        fields = self._fields(model, digest, len(kmodel), version, golden, proof)
        text = _verdict(name, model, proof)
        fields["made_by"] = f"package {name}"[:100]
        raw = json.dumps(fields, separators=(",", ":")).encode()
        parsed = manifest.parse(raw)
        items = [
            DatasetItem(one.id, one.name, one.photo, one.width_px, one.height_px, one.boxes, VAL, one.void)
            for one in photos
        ]
        dataset = self._store.add_dataset_version(project.id, project.classes, items, now_s)
        run = self._store.add_import(project.id, dataset.id, text, now_s)
        stored = self._store.add_model(
            Model(
                id=0,
                project_id=project.id,
                run_id=run.id,
                serial=parsed.serial,
                digest=digest,
                kmodel_bytes=len(kmodel),
                golden_digest=golden,
                manifest=raw,
                is_gate_passed=True,
                gate_text=text,
                task=model.task,
                float_scores={},
                kmodel_scores=dict(proof.scores),
                evaluated_images=proof.images,
                simulator=proof.simulator[:100],
                input_w_px=model.size[0],
                input_h_px=model.size[1],
                created_at_s=now_s,
            )
        )
        logger.info("model %s (serial %d) of %s: %s", stored.short, stored.serial, project.name, text)
        return Imported(stored, tuple(notes))

    def _existing(self, name: str) -> Project | None:
        try:
            return self._store.project_named(name)
        except NotFoundError:
            return None

    def _new_classes(self, name: str, model: VendorModel) -> tuple[str, ...]:
        check_project_name(name)
        if not model.classes:
            task = EMBED
            raise NotFoundError(
                f"no project {name}, and the package does not name what it tells apart: "
                f"make one with `snaploop projects add {name} --task {task} --classes A,B`"
            )
        return check_classes(model.classes, model.task)

    def _labelled(self, project: Project | None) -> list[Sample]:
        if project is None:
            return []
        return [sample for sample in self._store.samples(project.id) if sample.state == LABELLED]

    def _mismatch(self, project: Project, nncase: str) -> str:
        """Why no board of the project would take it, "" when one may."""
        told = {board.name: board.nncase for board in self._store.boards(project.id) if board.nncase}
        if not told or any(_short(version) == _short(nncase) for version in told.values()):
            return ""
        runs = ", ".join(f"{name} runs {version}" for name, version in sorted(told.items()))
        return (
            f"the package was compiled with nncase {nncase}, but {runs}: "
            f"train it for that version, or flash a firmware with nncase {nncase}"
        )

    def _fields(
        self, model: VendorModel, digest: str, size: int, version: int, golden: str, proof: Proof
    ) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "v": manifest.VERSION,
            "serial": self._store.next_serial(),
            "digest": digest,
            "bytes": size,
            "task": model.task,
            "head": model.head,
            "input": list(model.size),
            "labels": list(model.labels),
            "score_permille": round(model.score * 1000),
            "iou_permille": round(model.iou * 1000),
            "nncase": model.nncase,
            "kmodel_version": version,
            "golden": {"digest": golden, "bytes": len(proof.golden_input), **proof.golden_answer},
            "scores": {f"kmodel_{name}": round(value, 4) for name, value in proof.scores.items()},
        }
        if model.anchors:
            fields["anchors"] = list(model.anchors)
        if model.head == manifest.HEAD_TEXTMAP:
            fields["mask_permille"] = round(model.mask * 1000)
        return fields


def _check_fits(project: Project, model: VendorModel) -> None:
    if project.task != model.task:
        raise BadInputError(
            f"project {project.name} is of task {project.task}, the package is of {model.task}: name another project"
        )
    wanted = model_labels(project.task, project.classes)
    if model.task in _NAMED and [*wanted[-len(project.classes) :]] != [*model.classes]:
        raise BadInputError(
            f"the package knows {', '.join(model.classes)}, project {project.name} has {', '.join(project.classes)}: "
            "name a new project, it gets the package's classes"
        )


def _verdict(name: str, model: VendorModel, proof: Proof) -> str:
    kind = model.model_type or model.head
    if not proof.scores:
        return f"imported from {name} ({kind}), not measured"
    return f"imported from {name} ({kind}): {scores_text(proof.scores)} on {proof.images} labelled photos"


def _short(version: str) -> list[str]:
    return version.strip().lstrip("v").split(".")[:2]
