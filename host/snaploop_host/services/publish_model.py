"""Publish what a job made: check its result, store kmodel and golden input as blobs, write the manifest, and so offer it to boards.

A model that lost too much at the gate is stored with its numbers, and never offered.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from snaploop_shared import manifest
from snaploop_shared.errors import RecordError

from ..domain.gate import finds_nothing
from ..domain.models import Model
from ..domain.run_report import FORCED, UNDECIDED, RunReport, report_from_json
from ..domain.runs import Run
from ..domain.scores import METRIC_TITLES
from ..errors import BadInputError, ConflictError, NotFoundError
from ..ports import Blobs, Jobs, Store

logger = logging.getLogger(__name__)

RESULT = "result.json"
KMODEL = "model.kmodel"
GOLDEN_INPUT = "golden_input.bin"


class PublishModel:
    """Turn the artifacts of a done job into a model."""

    def __init__(self, store: Store, blobs: Blobs, jobs: Jobs, clock: Callable[[], float] = time.time) -> None:
        """Wire it up."""
        self._store = store
        self._blobs = blobs
        self._jobs = jobs
        self._clock = clock

    def publish(self, run: Run) -> Model:
        """The model of a run whose job is done; publishing twice gives the same one.

        Raises:
            BadInputError: the job's result is incomplete or does not fit its files.
            StorageFullError: no room; nothing was changed.
        """
        known = self._store.model_of_run(run.id)
        if known is not None:
            return known
        result = self._result(run)
        kmodel, golden = self._file(run, KMODEL), self._file(run, GOLDEN_INPUT)
        try:
            report = report_from_json(result)
            _check_file(kmodel, report.digest, report.kmodel_bytes)
            _check_file(golden, report.golden.input_sha256, report.golden.input_bytes)
            parsed = manifest.parse(self._manifest(run, report, kmodel))
            model = self._model(run, report, parsed)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"result of run {run.id} is incomplete ({error!r}): see the job's log") from error
        except RecordError as error:
            raise BadInputError(f"result of run {run.id} gives no valid manifest: {error}") from error
        self._blobs.add_file(kmodel)
        self._blobs.add_file(golden)
        model = self._store.add_model(model)
        logger.info("model %s (serial %d) of run %d: %s", model.short, model.serial, run.id, model.gate_text)
        return model

    def find(self, digest: str) -> Model:
        """The model with this digest, or with these first 12 digits of it.

        Raises:
            NotFoundError: no such model.
        """
        found = next((one for one in self._store.models() if digest in (one.digest, one.short)), None)
        if found is None:
            raise NotFoundError(f"no model {digest}: `snaploop models` lists them")
        return found

    def offer_again(self, digest: str, force: bool = False) -> Model:
        """Offer a model anew, as the newest: also to boards that refused it, rolled it back, or went past it.

        Its manifest gets a new serial, which is how a board tells an offer made on purpose from an old one played back.

        Args:
            digest: the model's, or its first 12 digits.
            force: also a model that was refused at the gate; its manifest then says so for ever.

        Raises:
            NotFoundError: no such model.
            ConflictError: it lost too much at the gate.
        """
        found = self.find(digest)
        fields = json.loads(found.manifest) | {"serial": self._store.next_serial()}
        if not found.is_gate_passed:
            if not force:
                raise ConflictError(
                    f"model {found.short} is not offered to boards, {found.gate_text}: "
                    f"`snaploop offer {found.short} --force` offers it all the same"
                )
            fields["forced"] = True
            found = dataclasses.replace(found, is_gate_passed=True, gate_text=f"forced: {found.gate_text}")
        raw = json.dumps(fields, separators=(",", ":")).encode()
        renewed = dataclasses.replace(found, serial=manifest.parse(raw).serial, manifest=raw)
        self._store.renew_model(renewed)
        logger.info("model %s is offered again with serial %d", renewed.short, renewed.serial)
        return renewed

    def _result(self, run: Run) -> dict[str, Any]:
        path = self._file(run, RESULT)
        try:
            result = json.loads(path.read_bytes())
        except ValueError as error:
            raise BadInputError(f"{RESULT} of run {run.id} is not JSON: see the job's log") from error
        if not isinstance(result, dict):
            raise BadInputError(f"{RESULT} of run {run.id} is no object: see the job's log")
        return result

    def _file(self, run: Run, name: str) -> Path:
        path = self._jobs.artifact(run.id, name)
        if not path.is_file():
            raise BadInputError(f"the job of run {run.id} left no {name}: see the job's log")
        return path

    def _manifest(self, run: Run, report: RunReport, kmodel: Path) -> bytes:
        fields = {
            "v": manifest.VERSION,
            "serial": self._store.next_serial(),
            "digest": report.digest,
            "bytes": report.kmodel_bytes,
            "task": report.task,
            "head": report.head,
            "input": list(report.input),
            "labels": list(report.labels),
            "score_permille": round(report.thresholds.score * 1000),
            "iou_permille": round(report.thresholds.iou * 1000),
            "nncase": report.nncase_version,
            "kmodel_version": _kmodel_version(kmodel),
            "golden": {
                "digest": report.golden.input_sha256,
                "bytes": report.golden.input_bytes,
                **report.golden.answer,
            },
            "scores": {name: round(value, 4) for name, value in report.flat_scores().items()},
            "made_by": f"run {run.id}",
            **({"quantised": report.rung} if report.rung else {}),
            **({"forced": True} if report.verdict == FORCED else {}),
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    def _model(self, run: Run, report: RunReport, parsed: manifest.Manifest) -> Model:
        return Model(
            id=0,
            project_id=run.project_id,
            run_id=run.id,
            serial=parsed.serial,
            digest=parsed.digest,
            kmodel_bytes=parsed.kmodel_bytes,
            golden_digest=parsed.golden_digest,
            manifest=parsed.raw,
            is_gate_passed=report.is_gate_passed() or report.verdict == FORCED,
            gate_text=_gate_text(report),
            task=report.task,
            float_scores=report.scores("float"),
            kmodel_scores=report.scores("kmodel"),
            evaluated_images=report.evaluated_images,
            simulator=report.simulator[:100],
            input_w_px=parsed.input_w,
            input_h_px=parsed.input_h,
            created_at_s=self._clock(),
        )


def _gate_text(report: RunReport) -> str:
    """The verdict with its numbers, in one line."""
    verdict = "passed" if report.is_gate_passed() else "refused"
    gained = " and ".join(
        f"{round(gained, 3) + 0.0:+.3f} {METRIC_TITLES[name]}" for name, gained in report.gained().items()
    )
    text = (
        f"on {report.evaluated_images} validation photos the kmodel scores {gained} "
        f"against the float model (may lose {report.gate_limit_points:.3f})"
    )
    if verdict == "refused" and report.verdict != FORCED and len(report.rungs) > 1:
        tried = len(report.rungs)
        return f"refused: {text}; the best of {tried} ways to quantise. Label more varied photos, or raise the limit (gate)"
    names = [rung.name for rung in report.rungs]
    if len(names) > 1 and report.rung in names:
        text += f", by way {names.index(report.rung) + 1} of quantising: {report.rung}"
    if report.verdict == UNDECIDED:
        return f"passed, undecided: {text}; that rests on one photo, label more of them to know"
    if report.verdict == FORCED and finds_nothing(report.scores("float")):
        text += "; it finds next to nothing before quantising already"
    return f"{FORCED if report.verdict == FORCED else verdict}: {text}"


def _check_file(path: Path, digest: str, size: int) -> None:
    data = path.read_bytes()
    if len(data) != size or sha256(data).hexdigest() != digest:
        raise BadInputError(
            f"{path.name} has {len(data)} bytes and digest {sha256(data).hexdigest()[:12]}, its result says otherwise: train again"
        )


def _kmodel_version(path: Path) -> int:
    """The format version in a kmodel's header: "LDMK", then u32 little-endian."""
    with path.open("rb") as file:
        header = file.read(8)
    if header[:4] != b"LDMK":
        raise BadInputError(f"{path.name} is no kmodel (it begins with {header[:4]!r}): train again")
    return int.from_bytes(header[4:8], "little")
