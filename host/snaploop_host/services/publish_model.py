"""Publish what a job made: check its result, store kmodel and golden input as blobs, write the manifest, and so offer it to boards.

A model that lost too much at the gate is stored with its numbers, and never offered.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from snaploop_shared import manifest
from snaploop_shared.errors import RecordError

from ..domain.models import GATE_LIMIT_POINTS, Model
from ..domain.runs import Run
from ..errors import BadInputError, ConflictError, NotFoundError
from ..ports import Blobs, Jobs, Store

logger = logging.getLogger(__name__)

RESULT = "result.json"
KMODEL = "model.kmodel"
GOLDEN_INPUT = "golden_input.bin"
SCORES = ("float_map50", "kmodel_map50", "float_map50_95", "kmodel_map50_95")


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
            _check_file(kmodel, result["digest"], int(result["kmodel_bytes"]))
            _check_file(golden, result["golden"]["input_sha256"], int(result["golden"]["input_bytes"]))
            raw = self._manifest(run, result, kmodel)
            parsed = manifest.parse(raw)
            model = self._model(run, result, parsed)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"result of run {run.id} is incomplete ({error!r}): see the job's log") from error
        except RecordError as error:
            raise BadInputError(f"result of run {run.id} gives no valid manifest: {error}") from error
        self._blobs.add_file(kmodel)
        self._blobs.add_file(golden)
        model = self._store.add_model(model)
        logger.info("model %s (serial %d) of run %d: %s", model.short, model.serial, run.id, model.gate_text)
        return model

    def offer_again(self, digest: str) -> Model:
        """Offer a model anew, as the newest: also to boards that refused it, rolled it back, or went past it.

        Its manifest gets a new serial, which is how a board tells an offer made on purpose from an old one played back.

        Args:
            digest: the model's, or its first 12 digits.

        Raises:
            NotFoundError: no such model.
            ConflictError: it lost too much at the gate.
        """
        found = next((one for one in self._store.models() if digest in (one.digest, one.short)), None)
        if found is None:
            raise NotFoundError(f"no model {digest}: `snaploop models` lists them")
        if not found.is_gate_passed:
            raise ConflictError(f"model {found.short} is not offered to boards, {found.gate_text}")
        fields = json.loads(found.manifest) | {"serial": self._store.next_serial()}
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

    def _manifest(self, run: Run, result: Mapping[str, Any], kmodel: Path) -> bytes:
        golden = result["golden"]
        fields = {
            "v": manifest.VERSION,
            "serial": self._store.next_serial(),
            "digest": result["digest"],
            "bytes": result["kmodel_bytes"],
            "task": "detect",
            "head": manifest.HEAD_DFL6,
            "input": [int(side) for side in result["input"]],
            "labels": result["labels"],
            "score_permille": round(result["thresholds"]["score"] * 1000),
            "iou_permille": round(result["thresholds"]["iou"] * 1000),
            "nncase": result["nncase_version"],
            "kmodel_version": _kmodel_version(kmodel),
            "golden": {
                "digest": golden["input_sha256"],
                "bytes": golden["input_bytes"],
                "detections": [
                    [one["class"], one["score_permille"], *one["box_xywh_px"]] for one in golden["detections"]
                ],
            },
            "scores": {name: round(float(result[name]), 4) for name in SCORES},
            "made_by": f"run {run.id}",
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    def _model(self, run: Run, result: Mapping[str, Any], parsed: manifest.Manifest) -> Model:
        return Model(
            id=0,
            project_id=run.project_id,
            run_id=run.id,
            serial=parsed.serial,
            digest=parsed.digest,
            kmodel_bytes=parsed.kmodel_bytes,
            golden_digest=parsed.golden_digest,
            manifest=parsed.raw,
            is_gate_passed=_is_passed(result),
            gate_text=_gate_text(result),
            evaluated_images=int(result["evaluated_images"]),
            simulator=str(result["simulator"])[:100],
            input_w_px=parsed.input_w,
            input_h_px=parsed.input_h,
            created_at_s=self._clock(),
            **{name: float(result[name]) for name in SCORES},
        )


def _lost(result: Mapping[str, Any]) -> tuple[float, float]:
    """How much the kmodel loses against the float model: mAP50 and mAP50-95."""
    lost = [float(result[f"float_{name}"]) - float(result[f"kmodel_{name}"]) for name in ("map50", "map50_95")]
    return lost[0], lost[1]


def _limit(result: Mapping[str, Any]) -> float:
    return float(result.get("gate_limit_points", GATE_LIMIT_POINTS))


def _is_passed(result: Mapping[str, Any]) -> bool:
    """The gate, from the numbers themselves: neither score may lose more than the limit."""
    return max(_lost(result)) <= _limit(result) + 1e-9


def _gate_text(result: Mapping[str, Any]) -> str:
    """The verdict with its numbers, in one line."""
    strict, loose = _lost(result)[1], _lost(result)[0]
    verdict = "passed" if _is_passed(result) else "refused"
    photos = result["evaluated_images"]
    return (
        f"{verdict}: on {photos} validation photos the kmodel has {loose:+.3f} mAP50 and {strict:+.3f} mAP50-95 "
        f"less than the float model (limit {_limit(result):.3f})"
    )


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
