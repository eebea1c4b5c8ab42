"""Answer the requests of boards: one handler for both roads, as docs/protocol.md lists them. Called by web/ and links/usb_bridge.

Order for everything received: length (messages bounds it), signature, counter, arguments, then the deed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from snaploop_shared import manifest, messages, sample_record
from snaploop_shared.errors import AuthError, ProtocolError, RecordError
from snaploop_shared.messages import Request, Response

from ..domain.boards import CONFIRMED, OFFERED, ROLLED_BACK, TRIAL, Board, Deployment, check_deployment_move
from ..domain.models import Model
from ..domain.projects import TEXT_TASKS
from ..domain.runs import QUEUED, Run
from ..domain.samples import Box, Sample
from ..domain.scores import METRIC_TITLES, headline
from ..errors import (
    BadInputError,
    ConflictError,
    HostError,
    NotFoundError,
    StorageFullError,
    UploadGapError,
    http_status,
)
from ..ports import Blobs, Pictures, Store
from .label_texts import with_known_texts

logger = logging.getLogger(__name__)

USB = "usb"
WIFI = "wifi"
MAX_STRANGERS = 1000  # unknown boards that are told of; a bound, since anybody may send ids
MAX_RUN_TEXT = 200  # characters of a run's reason: two lines on a board's panel
MAX_ASKED = 60  # samples per /samples/missing: the answer then fits a message head
_HEALTH_TEXTS = ("machine", "firmware", "nncase", "app", "model")

StartTraining = Callable[[int], Run]


class BoardApi:
    """The host's side of the protocol. `handle` may be called from several threads; requests are answered one after another."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        pictures: Pictures,
        start_training: StartTraining,
        host_name: str,
        clock: Callable[[], float] = time.time,
        accept_invited: Callable[[Request], Board | None] = lambda request: None,
    ) -> None:
        """Wire it up.

        Args:
            store: the facts.
            blobs: photos and kmodels.
            pictures: decodes photos.
            start_training: gets a project id and gives the queued run or raises CannotTrainError.
            host_name: for people.
            clock: seconds since 1970.
            accept_invited: gets a POST /pair and gives the board that is paired by it, None when no invitation fits.
        """
        self._accept_invited = accept_invited
        self._store = store
        self._blobs = blobs
        self._pictures = pictures
        self._start_training = start_training
        self._host_name = host_name
        self._clock = clock
        self._lock = threading.Lock()
        self._strangers: set[tuple[str, str]] = set()
        self._actions: dict[tuple[str, str], Callable[[Board, Request, str], Response]] = {
            ("POST", messages.HELLO): self._hello,
            ("POST", messages.MISSING): self._missing,
            ("PUT", messages.PHOTO): self._put_photo,
            ("PUT", messages.RECORD): self._put_record,
            ("GET", messages.MODEL): self._get_model,
            ("GET", messages.BLOB): self._get_blob,
            ("POST", messages.DEPLOYMENT): self._post_deployment,
            ("POST", messages.TRAIN): self._train,
            ("GET", messages.STATUS): self._status,
        }

    def handle(self, data: bytes, road: str) -> bytes | None:
        """The signed answer to a signed request; None when its sender cannot be trusted: an unknown board or a wrong key.

        Args:
            data: the request's bytes.
            road: USB or WIFI; counted per photo.
        """
        try:
            request = messages.decode_request(data)
            if (request.method, request.path) == ("POST", messages.PAIR):
                return self._pair(request, road)
            board = self._store.find_board(request.board_id)
            if board is None or not board.is_trusted:
                self._tell_stranger(request.board_id, road)
                return None
            request.check(board.key)
        except (AuthError, ProtocolError) as error:
            logger.warning("refused over %s: %s", road, error)
            return None
        with self._lock:
            response = self._answer(board, request, road)
        logger.debug("%s %s %s over %s: %s", board.name, request.method, request.path, road, response)
        return messages.encode_response(response, request.counter, board.key)

    def _pair(self, request: Request, road: str) -> bytes | None:
        board = self._accept_invited(request)
        if board is None:
            logger.warning("refused over %s: board %.40s has no valid pairing code", road, request.board_id)
            return None
        project = self._store.project(board.project_id)
        answer = {"name": board.name, "host": self._host_name, "project": project.name}
        return messages.encode_response(Response(messages.OK, answer), request.counter, board.key)

    def was_heard(self, board_id: str, seconds: float) -> bool:
        """Whether this board made a request on any road within the last `seconds`."""
        board = self._store.find_board(board_id)
        seen_s = None if board is None else board.last_seen_at_s
        return seen_s is not None and self._clock() - seen_s < seconds

    def _tell_stranger(self, board_id: str, road: str) -> None:
        """Once per board and road: it asks again every few seconds."""
        is_new = (board_id, road) not in self._strangers and len(self._strangers) < MAX_STRANGERS
        if is_new:
            self._strangers.add((board_id, road))
        level = logging.WARNING if is_new else logging.DEBUG
        logger.log(
            level, "request of unknown board %.40s over %s: pair it with `snaploop board install`", board_id, road
        )

    def _answer(self, board: Board, request: Request, road: str) -> Response:
        try:
            if not self._store.take_counter(board.id, request.counter):
                known = self._store.find_board(board.id)
                text = "request with an old counter: count on from `counter`"
                return Response(
                    messages.UNAUTHORIZED, {"error": text, "counter": known.counter if known else board.counter}
                )
            self._store.note_seen(board.id, self._clock(), road)
            action = self._actions.get((request.method, request.path))
            if action is None:
                return Response(
                    messages.NOT_FOUND, {"error": f"this host has no {request.method} {request.path}: update it"}
                )
            return action(board, request, road)
        except StorageFullError as error:
            logger.error("%s", error)  # the line says everything
            return Response(messages.FULL, {"error": str(error)})
        except UploadGapError as error:
            return Response(messages.CONFLICT, {"error": str(error), "offset": error.offset})
        except HostError as error:
            logger.info("%s %s of %s: %s", request.method, request.path, board.name, error)
            return Response(http_status(error), {"error": str(error)})
        except Exception:  # boundary: one bad request must not stop the bridge or the daemon
            logger.exception("%s %s of %s failed", request.method, request.path, board.name)
            return Response(messages.FAILED, {"error": "the host failed on this request: see its log"})

    def _hello(self, board: Board, request: Request, _road: str) -> Response:
        arguments = request.arguments
        health: dict[str, Any] = {name: str(arguments.get(name, ""))[:100] for name in _HEALTH_TEXTS}
        panel = arguments.get("panel")
        health["panel"] = f"{panel[0]}x{panel[1]}" if isinstance(panel, list) and len(panel) == 2 else ""
        health["free_bytes"] = _whole(arguments, "free_bytes", 0)
        health["heap_free_bytes"] = _whole(arguments, "heap_free", 0)
        health["samples"] = _whole(arguments, "samples", 0)
        self._store.note_health(board.id, health)
        project = self._store.project(board.project_id)
        answer = {
            "project": {"name": project.name, "task": project.task, "classes": list(project.classes)},
            "host": self._host_name,
            "model": _offer(self._store.offered_model(project.id)),
        }
        return Response(messages.OK, answer)

    def _missing(self, board: Board, request: Request, _road: str) -> Response:
        asked = request.arguments.get("samples")
        if not isinstance(asked, list) or len(asked) > MAX_ASKED:
            raise BadInputError(f"samples must be a list of at most {MAX_ASKED}")
        triples = [_triple(one) for one in asked]
        known = self._store.revisions(board.project_id, [digest for digest, _, _ in triples])
        photos = []
        for digest, size, _ in triples:
            here = self._blobs.partial_size(digest)
            if not self._blobs.has(digest) or self._store.photo_road(digest) is None:
                photos.append([digest, min(here, max(0, size - 1))])  # the last byte again makes a stored photo known
        records = [digest for digest, _, rev in triples if known.get(digest, -1) < rev]
        return Response(messages.OK, {"photos": photos, "records": records})

    def _put_photo(self, board: Board, request: Request, road: str) -> Response:
        digest = _digest(request.arguments, "digest")
        size = _whole(request.arguments, "size")
        here = self._blobs.append(digest, _whole(request.arguments, "offset"), request.body, size)
        answer = {"offset": here}
        if self._blobs.has(digest):
            self._store.add_photo(digest, here, road, board.id, self._clock())
            record = request.arguments.get("record")
            if isinstance(record, str):
                try:
                    answer["rev"] = self._take_record(board, record.encode())
                except (
                    HostError
                ) as error:  # the photo is here; the board sends the record by itself then, and hears this
                    logger.info("record along with photo %s of %s: %s", digest[:12], board.name, error)
        return Response(messages.OK, answer)

    def _put_record(self, board: Board, request: Request, _road: str) -> Response:
        return Response(messages.OK, {"rev": self._take_record(board, request.body)})

    def _take_record(self, board: Board, data: bytes) -> int:
        """Keep a record whose photo is here; the revision that is here now."""
        try:
            record = sample_record.parse(data)
        except RecordError as error:
            raise BadInputError(str(error)) from error
        road = self._store.photo_road(record.photo)
        if road is None or not self._blobs.has(record.photo):
            raise ConflictError(f"photo of sample {record.name} is not here yet: send it first")
        data = self._blobs.read(record.photo)
        try:
            shape = self._pictures.check_photo(data)
        except BadInputError as error:
            raise BadInputError(f"sample {record.name}: {error}: take the photo again") from error
        if shape != (record.width, record.height):
            raise BadInputError(
                f"sample {record.name}: photo has {shape[0]}x{shape[1]} px, its record says {record.width}x{record.height}"
            )
        sample = Sample(
            id=0,
            project_id=board.project_id,
            name=record.name,
            photo=record.photo,
            photo_bytes=len(data),
            width_px=record.width,
            height_px=record.height,
            rev=record.rev,
            state=record.state,
            boxes=tuple(Box(box.class_name, box.x, box.y, box.w, box.h, box.points, box.text) for box in record.boxes),
            source=board.id,
            road=road,
            created_at_s=self._clock(),
        )
        project = self._store.project(board.project_id)
        if project.task in TEXT_TASKS and not any(box.text for box in sample.boxes):
            known = next((one for one in self._store.samples(project.id) if one.photo == sample.photo), None)
            if known is not None:
                sample = replace(sample, boxes=with_known_texts(sample.boxes, known.boxes))
        return self._store.put_sample(sample)

    def _get_model(self, board: Board, _request: Request, _road: str) -> Response:
        model = self._store.offered_model(board.project_id)
        if model is None:
            return Response(messages.NOTHING)
        signature = manifest.signature(model.manifest, board.key).hex()
        answer = {"digest": model.digest, "serial": model.serial, "signature": signature}
        return Response(messages.OK, answer, model.manifest)

    def _get_blob(self, board: Board, request: Request, _road: str) -> Response:
        digest = _digest(request.arguments, "digest")
        offered = [model for model in self._store.models(board.project_id) if model.is_gate_passed]
        if not any(digest in (model.digest, model.golden_digest) for model in offered):
            raise NotFoundError(f"blob {digest[:12]} is part of no model of this project")
        length = min(_whole(request.arguments, "length", messages.PIECE_BYTES), messages.PIECE_BYTES)
        piece = self._blobs.read(digest, _whole(request.arguments, "offset"), length)
        return Response(messages.OK, {"size": self._blobs.size(digest)}, piece)

    def _post_deployment(self, board: Board, request: Request, _road: str) -> Response:
        arguments = request.arguments
        digest = _digest(arguments, "digest")
        if not any(model.digest == digest for model in self._store.models(board.project_id)):
            raise NotFoundError(f"no model {digest[:12]} in this project")
        state = str(arguments.get("state", ""))
        before = self._store.deployment(board.id, digest)
        check_deployment_move(OFFERED if before is None else before.state, state)
        gap = arguments.get("gap_frames")
        deployment = Deployment(
            board_id=board.id,
            model_digest=digest,
            state=state,
            reason=str(arguments.get("reason") or "")[:40],
            text=str(arguments.get("text") or "")[:400],
            gap_frames=gap if isinstance(gap, int) else None,
            updated_at_s=self._clock(),
        )
        if before is not None and gap is None and (before.state, before.reason) == (state, deployment.reason):
            return Response(messages.OK)  # a board that was started again repeats its last word without its numbers
        if before is not None and replace(before, updated_at_s=deployment.updated_at_s) == deployment:
            return Response(messages.OK)  # said before
        self._store.save_deployment(deployment)
        self._store.note_health(board.id, {"model": self._live_model(board, deployment)})
        logger.info("board %s: model %s %s %s", board.name, digest[:12], state, deployment.text or deployment.reason)
        return Response(messages.OK)

    def _live_model(self, board: Board, newest: Deployment) -> str:
        """Which model runs on the board now: it says so itself only at its next hello."""
        if newest.state in (TRIAL, CONFIRMED):
            return newest.model_digest
        if newest.state != ROLLED_BACK:
            return board.model
        earlier = (one for one in self._store.deployments(board.id) if one.state == CONFIRMED)
        return next((one.model_digest for one in earlier), "")

    def _train(self, board: Board, _request: Request, _road: str) -> Response:
        return Response(messages.OK, {"run": self._start_training(board.project_id).id})

    def _status(self, board: Board, _request: Request, _road: str) -> Response:
        runs = self._store.runs(board.project_id)
        run = next((one for one in runs if one.is_active), runs[0] if runs else None)
        counts = self._store.sample_counts(board.project_id)
        answer = {
            "samples": sum(counts.values()),
            "run": None if run is None else self._run_fields(run),
            "model": _offer(self._store.offered_model(board.project_id)),
        }
        return Response(messages.OK, answer)

    def _run_fields(self, run: Run) -> dict[str, Any]:
        ahead = sum(1 for other in self._store.active_runs() if other.id < run.id) if run.state == QUEUED else 0
        return {
            "id": run.id,
            "state": run.state,
            "stage": run.stage,
            "epoch": run.epoch,
            "epochs": run.epochs,
            **self._score_fields(run),
            "loss_milli": _scaled(run.loss),
            "eta_s": None if run.eta_s is None else round(run.eta_s),
            "queue": ahead,
            "text": run.text[:MAX_RUN_TEXT],
        }

    def _score_fields(self, run: Run) -> dict[str, Any]:
        name = headline(self._store.project(run.project_id).task)
        return {"score_name": METRIC_TITLES[name], "score_permille": _scaled(run.scores.get(name))}


def _offer(model: Model | None) -> dict[str, Any] | None:
    return None if model is None else {"digest": model.digest, "serial": model.serial}


def _scaled(value: float | None) -> int | None:
    """Thousandths as a whole number: the board has single-precision floats."""
    return None if value is None else round(value * 1000)


def _triple(one: object) -> tuple[str, int, int]:
    if not isinstance(one, list) or len(one) != 3 or not sample_record.is_digest(one[0]):
        raise BadInputError("samples must be [digest, size, rev] each")
    if not all(isinstance(number, int) and number >= 0 for number in one[1:]):
        raise BadInputError("size and rev must be whole numbers")
    return one[0], one[1], one[2]


def _digest(arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not sample_record.is_digest(value):
        raise BadInputError(f"{name} {value!r} is no SHA-256")
    return str(value)


def _whole(arguments: dict[str, Any], name: str, default: int | None = None) -> int:
    value = arguments.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInputError(f"{name} must be a whole number, got {value!r}")
    return value
