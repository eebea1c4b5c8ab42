"""The store: facts in snaploop.db, each method one transaction. The real `ports.Store`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, Table, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import DatabaseError, IntegrityError

from ..domain.boards import Board, Deployment
from ..domain.datasets import DatasetItem, DatasetVersion
from ..domain.models import Model
from ..domain.projects import Project
from ..domain.runs import ACTIVE, QUEUED, SUCCEEDED, Run
from ..domain.samples import LABELLED, NEW, REJECTED, Box, Polygon, Sample
from ..errors import ConflictError, NotFoundError
from . import schema
from .database import as_storage_error

_HEALTH_COLUMNS = ("machine", "firmware", "nncase", "app", "panel", "free_bytes", "heap_free_bytes", "model", "samples")


class SqlStore:
    """See `ports.Store`; every lookup of one thing raises NotFoundError, every failure of the database StorageError."""

    def __init__(self, engine: Engine) -> None:
        """Work on an opened database (`database.open_database`)."""
        self._engine = engine

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    # projects

    def add_project(self, name: str, task: str, classes: tuple[str, ...], now_s: float) -> Project:
        """The new project.

        Raises:
            ConflictError: the name is taken.
        """
        try:
            with self._writing() as db:
                values = {"name": name, "task": task, "classes": list(classes), "created_at_s": now_s}
                return Project(_new_id(db, schema.projects, values), name, task, classes, now_s)
        except IntegrityError as error:
            raise ConflictError(f"there is a project {name!r} already") from error

    def projects(self) -> list[Project]:
        """All projects, oldest first."""
        return [_project(row) for row in self._all(select(schema.projects).order_by(schema.projects.c.id))]

    def project(self, project_id: int) -> Project:
        """The project with this id."""
        return _project(
            self._one(select(schema.projects).where(schema.projects.c.id == project_id), f"no project {project_id}")
        )

    def project_named(self, name: str) -> Project:
        """The project with this name."""
        row = self._first(select(schema.projects).where(schema.projects.c.name == name))
        if row is None:
            known = ", ".join(project.name for project in self.projects()) or "none yet"
            raise NotFoundError(
                f"no project {name!r} (there is: {known}): make it with `snaploop projects add {name} --classes A,B`"
            )
        return _project(row)

    def set_classes(self, project_id: int, classes: tuple[str, ...]) -> None:
        """Replace the classes of a project."""
        with self._writing() as db:
            db.execute(update(schema.projects).where(schema.projects.c.id == project_id).values(classes=list(classes)))

    def set_settings(self, project_id: int, settings: Mapping[str, Any]) -> None:
        """Replace what a project sets for every training."""
        with self._writing() as db:
            db.execute(
                update(schema.projects).where(schema.projects.c.id == project_id).values(settings=dict(settings))
            )

    # boards

    def add_board(self, board: Board) -> None:
        """Add a board, or give a known one its new name, key and project; its counter and health stay."""
        with self._writing() as db:
            statement = insert_or(schema.boards).values(**dataclasses.asdict(board))
            renewed = {
                "name": board.name,
                "key": board.key,
                "project_id": board.project_id,
                "paired_at_s": board.paired_at_s,
            }
            db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=renewed))

    def boards(self, project_id: int | None = None) -> list[Board]:
        """All boards, or those of a project, by name."""
        query = select(schema.boards).order_by(schema.boards.c.name, schema.boards.c.id)
        if project_id is not None:
            query = query.where(schema.boards.c.project_id == project_id)
        return [Board(**row._mapping) for row in self._all(query)]

    def find_board(self, board_id: str) -> Board | None:
        """The board with this chip id."""
        row = self._first(select(schema.boards).where(schema.boards.c.id == board_id))
        return None if row is None else Board(**row._mapping)

    def take_counter(self, board_id: str, counter: int) -> bool:
        """Whether the counter is above the last one; if so it is the last one now."""
        boards = schema.boards
        with self._writing() as db:
            changed = db.execute(
                update(boards).where(boards.c.id == board_id, boards.c.counter < counter).values(counter=counter)
            )
            return changed.rowcount == 1

    def note_seen(self, board_id: str, now_s: float, road: str) -> None:
        """Remember when and on which road a board was heard last."""
        with self._writing() as db:
            db.execute(
                update(schema.boards).where(schema.boards.c.id == board_id).values(last_seen_at_s=now_s, last_road=road)
            )

    def note_health(self, board_id: str, health: Mapping[str, Any]) -> None:
        """Remember what a board said about itself; other keys than its health columns are ignored."""
        known = {name: value for name, value in health.items() if name in _HEALTH_COLUMNS}
        with self._writing() as db:
            db.execute(update(schema.boards).where(schema.boards.c.id == board_id).values(**known))

    # photos and samples

    def photo_road(self, photo: str) -> str | None:
        """The road on which a photo came, None when it is not known."""
        row = self._first(select(schema.photos.c.road).where(schema.photos.c.digest == photo))
        return None if row is None else str(row.road)

    def add_photo(self, photo: str, size: int, road: str, board_id: str | None, now_s: float) -> None:
        """Note a complete photo; the first road counts."""
        values = {"digest": photo, "size": size, "road": road, "board_id": board_id, "received_at_s": now_s}
        with self._writing() as db:
            db.execute(insert_or(schema.photos).values(**values).on_conflict_do_nothing())

    def revisions(self, project_id: int, photos: Sequence[str]) -> dict[str, int]:
        """Photo digest → revision of its sample, for those that the project has."""
        table = schema.samples
        query = select(table.c.photo, table.c.rev).where(
            table.c.project_id == project_id, table.c.photo.in_(list(photos))
        )
        return {row.photo: row.rev for row in self._all(query)}

    def put_sample(self, sample: Sample) -> int:
        """Add a sample, or renew the project's sample of this photo when `rev` is newer; the revision that is here now."""
        values = {
            "project_id": sample.project_id,
            "photo": sample.photo,
            "name": sample.name,
            "width_px": sample.width_px,
            "height_px": sample.height_px,
            "rev": sample.rev,
            "state": sample.state,
            "boxes": _boxes_json(sample.boxes),
            "source": sample.source,
            "void": _void_json(sample.void),
            "created_at_s": sample.created_at_s,
        }
        table = schema.samples
        renewed = {"rev": sample.rev, "state": sample.state, "boxes": values["boxes"]}
        with self._writing() as db:
            statement = insert_or(table).values(**values)
            db.execute(
                statement.on_conflict_do_update(
                    index_elements=["project_id", "photo"], set_=renewed, where=table.c.rev < statement.excluded.rev
                )
            )
            here = select(table.c.rev).where(table.c.project_id == sample.project_id, table.c.photo == sample.photo)
            return int(db.execute(here).scalar_one())

    def set_boxes(self, sample_id: int, boxes: tuple[Box, ...]) -> None:
        """Replace a sample's boxes without a new revision: what a board says later still counts."""
        with self._writing() as db:
            db.execute(update(schema.samples).where(schema.samples.c.id == sample_id).values(boxes=_boxes_json(boxes)))

    def set_void(self, sample_id: int, void: tuple[Polygon, ...]) -> None:
        """Replace a sample's void areas without a new revision; boards do not know them."""
        with self._writing() as db:
            db.execute(update(schema.samples).where(schema.samples.c.id == sample_id).values(void=_void_json(void)))

    def samples(self, project_id: int, newest: int | None = None, offset: int = 0) -> list[Sample]:
        """The samples of a project: the `newest` ones, newest first; or all, oldest first."""
        table, photos = schema.samples, schema.photos
        query = select(table, photos.c.size, photos.c.road).join(photos).where(table.c.project_id == project_id)
        if newest is None:
            query = query.order_by(table.c.id)
        else:
            query = query.order_by(table.c.created_at_s.desc(), table.c.id.desc()).limit(newest).offset(offset)
        return [_sample(row) for row in self._all(query)]

    def sample_counts(self, project_id: int) -> dict[str, int]:
        """How many samples are new, labelled, rejected."""
        table = schema.samples
        query = (
            select(table.c.state, func.count().label("how_many"))
            .where(table.c.project_id == project_id)
            .group_by(table.c.state)
        )
        return {NEW: 0, LABELLED: 0, REJECTED: 0} | {row.state: row.how_many for row in self._all(query)}

    def road_counts(self, project_id: int) -> dict[str, int]:
        """How many photos of the project came on each road."""
        samples, photos = schema.samples, schema.photos
        query = select(photos.c.road, func.count().label("how_many")).join(samples, samples.c.photo == photos.c.digest)
        query = query.where(samples.c.project_id == project_id).group_by(photos.c.road)
        return {"usb": 0, "wifi": 0, "import": 0} | {row.road: row.how_many for row in self._all(query)}

    def box_counts(self, project_id: int) -> dict[str, int]:
        """Class name → how many boxes the labelled samples hold."""
        one = func.json_each(schema.samples.c.boxes).table_valued("value", joins_implicitly=True)
        name = func.json_extract(one.c.value, "$.class")
        query = select(name.label("name"), func.count().label("how_many")).where(
            schema.samples.c.project_id == project_id, schema.samples.c.state == LABELLED
        )
        return {row.name: row.how_many for row in self._all(query.group_by(name))}

    # dataset versions

    def add_dataset_version(
        self, project_id: int, classes: tuple[str, ...], items: Sequence[DatasetItem], now_s: float
    ) -> DatasetVersion:
        """The new version; it is never changed afterwards."""
        with self._writing() as db:
            values = {"project_id": project_id, "classes": list(classes), "created_at_s": now_s}
            version_id = _new_id(db, schema.dataset_versions, values)
            rows = [
                dataclasses.asdict(item)
                | {"boxes": _boxes_json(item.boxes), "void": _void_json(item.void), "version_id": version_id}
                for item in items
            ]
            if rows:  # an imported model may come to a project without photos
                db.execute(insert(schema.dataset_items), rows)
        return DatasetVersion(version_id, project_id, classes, tuple(items), now_s)

    def dataset_version(self, version_id: int) -> DatasetVersion:
        """The version with its items."""
        versions, items = schema.dataset_versions, schema.dataset_items
        row = self._one(select(versions).where(versions.c.id == version_id), f"no dataset version {version_id}")
        found = self._all(select(items).where(items.c.version_id == version_id).order_by(items.c.sample_id))
        return DatasetVersion(
            row.id, row.project_id, tuple(row.classes), tuple(_item(one) for one in found), row.created_at_s
        )

    def last_split(self, project_id: int) -> dict[str, str]:
        """Photo digest → side in the newest version that has the photo."""
        versions, items = schema.dataset_versions, schema.dataset_items
        query = select(items.c.photo, items.c.split).join(versions).where(versions.c.project_id == project_id)
        return {row.photo: row.split for row in self._all(query.order_by(versions.c.id))}

    # runs

    def add_run(self, project_id: int, version_id: int, warm_start_run_id: int | None, now_s: float) -> Run:
        """The new, queued run.

        Raises:
            ConflictError: a run of the project is active.
        """
        runs = schema.runs
        values = {
            "project_id": project_id,
            "dataset_version_id": version_id,
            "state": QUEUED,
            "created_at_s": now_s,
            "warm_start_run_id": warm_start_run_id,
        }
        with self._writing() as db:
            active = db.execute(
                select(runs.c.id).where(runs.c.project_id == project_id, runs.c.state.in_(ACTIVE))
            ).first()
            if active is not None:
                raise ConflictError(f"run {active.id} of this project is active: wait for it or cancel it")
            run_id = _new_id(db, runs, values)
        return self.run(run_id)

    def add_import(self, project_id: int, version_id: int, text: str, now_s: float) -> Run:
        """A run that stands for the import of a finished model: nobody trains it, so it is succeeded from the beginning."""
        values = {
            "project_id": project_id,
            "dataset_version_id": version_id,
            "state": SUCCEEDED,
            "stage": "import",
            "text": text,
            "created_at_s": now_s,
            "started_at_s": now_s,
            "ended_at_s": now_s,
        }
        with self._writing() as db:
            run_id = _new_id(db, schema.runs, values)
        return self.run(run_id)

    def run(self, run_id: int) -> Run:
        """The run with this id."""
        return Run(**self._one(select(schema.runs).where(schema.runs.c.id == run_id), f"no run {run_id}")._mapping)

    def runs(self, project_id: int | None = None) -> list[Run]:
        """All runs, or those of a project, newest first."""
        query = select(schema.runs).order_by(schema.runs.c.id.desc())
        if project_id is not None:
            query = query.where(schema.runs.c.project_id == project_id)
        return [Run(**row._mapping) for row in self._all(query)]

    def active_runs(self) -> list[Run]:
        """Queued and running runs, oldest first."""
        query = select(schema.runs).where(schema.runs.c.state.in_(ACTIVE)).order_by(schema.runs.c.id)
        return [Run(**row._mapping) for row in self._all(query)]

    def save_run(self, run: Run) -> None:
        """Write every field of a run."""
        values = dataclasses.asdict(run)
        del values["id"]
        with self._writing() as db:
            db.execute(update(schema.runs).where(schema.runs.c.id == run.id).values(**values))

    # models and deployments

    def add_model(self, model: Model) -> Model:
        """Store a model; with its id."""
        values = dataclasses.asdict(model)
        del values["id"]
        try:
            with self._writing() as db:
                return dataclasses.replace(model, id=_new_id(db, schema.models, values))
        except IntegrityError as error:
            raise ConflictError(f"run {model.run_id} or serial {model.serial} has a model already") from error

    def renew_model(self, model: Model) -> None:
        """Give a model its new serial, manifest, and word of the gate."""
        values = {
            "serial": model.serial,
            "manifest": model.manifest,
            "is_gate_passed": model.is_gate_passed,
            "gate_text": model.gate_text,
        }
        with self._writing() as db:
            db.execute(update(schema.models).where(schema.models.c.id == model.id).values(**values))

    def models(self, project_id: int | None = None) -> list[Model]:
        """All models, or those of a project, newest first."""
        query = select(schema.models).order_by(schema.models.c.serial.desc())
        if project_id is not None:
            query = query.where(schema.models.c.project_id == project_id)
        return [Model(**row._mapping) for row in self._all(query)]

    def model_of_run(self, run_id: int) -> Model | None:
        """The model that a run made."""
        row = self._first(select(schema.models).where(schema.models.c.run_id == run_id))
        return None if row is None else Model(**row._mapping)

    def offered_model(self, project_id: int) -> Model | None:
        """The newest model of a project that passed the gate."""
        table = schema.models
        query = select(table).where(table.c.project_id == project_id, table.c.is_gate_passed.is_(True))
        row = self._first(query.order_by(table.c.serial.desc()).limit(1))
        return None if row is None else Model(**row._mapping)

    def next_serial(self) -> int:
        """A serial above every model's."""
        return int(self._one(select(func.coalesce(func.max(schema.models.c.serial), 0) + 1), "no serial")[0])

    def deployment(self, board_id: str, digest: str) -> Deployment | None:
        """What became of a model on a board."""
        table = schema.deployments
        row = self._first(select(table).where(table.c.board_id == board_id, table.c.model_digest == digest))
        return None if row is None else Deployment(**row._mapping)

    def deployments(self, board_id: str | None = None) -> list[Deployment]:
        """All deployments, or those of a board, newest first."""
        query = select(schema.deployments).order_by(schema.deployments.c.updated_at_s.desc())
        if board_id is not None:
            query = query.where(schema.deployments.c.board_id == board_id)
        return [Deployment(**row._mapping) for row in self._all(query)]

    def save_deployment(self, deployment: Deployment) -> None:
        """Write a deployment over the one before."""
        values = dataclasses.asdict(deployment)
        with self._writing() as db:
            statement = insert_or(schema.deployments).values(**values)
            db.execute(statement.on_conflict_do_update(index_elements=["board_id", "model_digest"], set_=values))

    # how

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise  # the caller knows what it means
        except DatabaseError as error:
            raise as_storage_error(error) from error

    def _all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._engine.connect().execution_options(is_writing=False) as connection:
                return connection.execute(query).all()
        except DatabaseError as error:
            raise as_storage_error(error) from error

    def _first(self, query: Select[Any]) -> Row[Any] | None:
        found = self._all(query)
        return found[0] if found else None

    def _one(self, query: Select[Any], missing: str) -> Row[Any]:
        row = self._first(query)
        if row is None:
            raise NotFoundError(missing)
        return row


def _new_id(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _project(row: Row[Any]) -> Project:
    return Project(row.id, row.name, row.task, tuple(row.classes), row.created_at_s, row.settings)


def _sample(row: Row[Any]) -> Sample:
    return Sample(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        photo=row.photo,
        photo_bytes=row.size,
        width_px=row.width_px,
        height_px=row.height_px,
        rev=row.rev,
        state=row.state,
        boxes=_boxes(row.boxes),
        source=row.source,
        road=row.road,
        created_at_s=row.created_at_s,
        void=_void(row.void),
    )


def _item(row: Row[Any]) -> DatasetItem:
    boxes, void = _boxes(row.boxes), _void(row.void)
    return DatasetItem(row.sample_id, row.name, row.photo, row.width_px, row.height_px, boxes, row.split, void)


def _boxes(fields: list[dict[str, Any]]) -> tuple[Box, ...]:
    return tuple(_box(one["class"], one["xywh_px"], one.get("points_px", []), one.get("text", "")) for one in fields)


def _box(class_name: str, xywh_px: list[int], points_px: list[list[int]], text: str) -> Box:
    x, y, w, h = xywh_px
    return Box(class_name, x, y, w, h, tuple((point[0], point[1]) for point in points_px), text)


def _boxes_json(boxes: Sequence[Box]) -> list[dict[str, Any]]:
    return [
        {"class": box.class_name, "xywh_px": [box.x, box.y, box.w, box.h]}
        | ({"points_px": [list(point) for point in box.points]} if box.points else {})
        | ({"text": box.text} if box.text else {})
        for box in boxes
    ]


def _void(areas: list[list[list[int]]]) -> tuple[Polygon, ...]:
    return tuple(tuple((point[0], point[1]) for point in area) for area in areas)


def _void_json(void: Sequence[Polygon]) -> list[list[list[int]]]:
    return [[list(point) for point in area] for area in void]
