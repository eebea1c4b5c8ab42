"""A whole session on a FAT card in memory: shoot, label, delete, sync, swap twice; and what the screen called saved at every moment."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from fakes.device_board import FakeBoard, FakeCamera, FakePhoto
from fakes.device_host import BOARD_ID, KEY, FakeHost
from fakes.fat_card import FatCard
from snaploop_device import layout
from snaploop_device.app import ROOT, App
from snaploop_shared.sample_record import parse

CONFIG = {"id": BOARD_ID, "key": KEY.hex(), "name": "kit", "host": ["10.0.0.1", 8765], "wifi": ["net", "secret"]}


class FatCamera(FakeCamera):
    """Loads photos from the card in memory; one small picture per frame, so that a session takes no time."""

    def __init__(self, clock, card: FatCard):
        super().__init__(clock)
        self.card = card

    def freeze(self):
        self.frame += 1
        return SmallPhoto(self.frame)

    def load(self, path):
        if path not in self.card.files:
            raise OSError(2)
        return FakePhoto(np.asarray(Image.open(io.BytesIO(self.card.files[path])).convert("RGB")))

    def place(self, path, x, y, width, height):
        self.load(path)
        return self.on_sheet


class SmallPhoto:
    """640x360 px of one colour: 3 KB, and no two the same."""

    width, height = 640, 360

    def __init__(self, number: int):
        self.number = number

    def jpeg(self, quality):
        out = io.BytesIO()
        Image.new("RGB", (self.width, self.height), (self.number % 256, 90, 20)).save(out, "JPEG", quality=50)
        return bytearray(out.getvalue())


@dataclass
class Promise:
    """What the screen has called saved: sample name → (SHA-256 of the photo, rev, record JSON); what was deleted; a proven model."""

    samples: dict[str, tuple[str, int, dict]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    has_model: bool = False
    follows_host: bool = True  # the person did not pin a model or go back to an older one


class Session:
    """An app on the card, its board and its host."""

    def __init__(self, card: FatCard, host: FakeHost, promise: Promise | None = None) -> None:
        self.card, self.host = card, host
        self.promise = promise or Promise()
        self.shown: dict[str, int] = {}
        self.board = FakeBoard(host)
        self.board.camera = FatCamera(self.board.clock, card)
        self.app = App(self.board, ROOT)
        self.app.log._echo = lambda line: None
        self.keeps_going = False  # a step that fails is a line on the screen, as in App.run
        self.lines: set[str] = set()

    def start(self) -> Session:
        self.app.start()
        self.app.log._echo = lambda line: None
        return self

    def steps(self, count: int) -> None:
        for _ in range(count):
            if self.keeps_going:
                self.app._guarded_step()
            else:
                self.app.step()
            self.lines.add(self.app.state.message)
            self.remember()

    def until(self, condition, limit: int = 4000) -> bool:
        for _ in range(limit):
            if condition():
                return True
            self.steps(1)
        assert self.keeps_going, f"not within {limit} steps: {self.app.state.message!r} {self.app.state.model_state!r}"
        return False

    def remember(self) -> None:
        """Note what the store (and so the screen's counts) holds after a step that came to its end."""
        store, promise = self.app.store, self.promise
        if store.is_counting:
            return
        now = {name: store.rev(name) for name in store.names}
        if now != self.shown:
            for name in self.shown:
                if name not in now:
                    promise.deleted.add(name)
                    promise.samples.pop(name, None)
            for name, rev in now.items():
                if self.shown.get(name) != rev:
                    record = store.load(name)
                    promise.samples[name] = (record.photo, rev, json.loads(record.to_json()))
                    promise.deleted.discard(name)
            self.shown = now
        models = self.app.models
        promise.has_model = promise.has_model or (models.is_ready and not models.is_trial)

    def tap(self, name: str) -> None:
        state = self.app.state
        rects = layout.button_rects(state.screen, state.panel_w, state.panel_h, state.classes, state.class_page)
        if name in rects or not self.keeps_going:
            self.board.touch.tap(rects[name])
        self.steps(2)

    def shoot_and_label(self, class_name: str, box: tuple[int, int, int, int]) -> None:
        if self.app.state.screen != "capture":
            self.tap("tab:capture")
        self.tap("shutter")
        self.tap("class:" + class_name)
        x, y, w, h = box
        self.board.touch.drag(x, y, x + w, y + h)
        self.steps(2)
        self.tap("save")

    def is_settled(self) -> bool:
        """Whether the host has everything and the offered model is live and proven."""
        models = self.app.models
        offered = self.host.model[0] if self.host.model else models.active
        is_swapped = (models.active == offered or not self.promise.follows_host) and not models.is_trial
        is_swapped = is_swapped and models.is_ready == bool(models.active)
        return is_swapped and bool(self.app.state.classes) and not self.app.store.count_pending()

    def play(self) -> None:
        """The session."""
        host = self.host
        self.until(lambda: self.app.state.classes)
        self.shoot_and_label("red", (40, 40, 90, 60))
        self.shoot_and_label("green", (200, 80, 50, 70))
        self.until(lambda: len(host.records) == 2 and not self.app.store.count_pending())
        host.publish(1)
        self.until(self.is_settled)
        self.shoot_and_label("red", (300, 100, 60, 60))
        self.tap("tab:gallery")
        self.steps(6)
        self.tap("thumb:0")
        self.tap("delete")
        self.tap("undo")
        self.tap("delete")
        self.tap("tab:live")
        self.promise.follows_host = False
        self.tap("pin")
        self.tap("pin")
        self.promise.follows_host = True
        host.publish(2)
        self.until(self.is_settled)
        self.promise.follows_host = False
        self.tap("previous")
        self.until(lambda: len(self.app.models.listed()) == 2 and not self.app.models.is_trial)
        self.steps(60)
        self.shoot_and_label("green", (10, 10, 100, 100))
        self.until(lambda: not self.app.store.count_pending())

    def check(self) -> None:
        """After a start: nothing that was promised is lost, nothing deleted is back, a model runs if one was proven."""
        app, promise = self.app, self.promise
        for _ in range(20):
            app.step()
        assert not app.store.is_counting and not app.store.take_troubles()
        for name, (photo, rev, record) in promise.samples.items():
            assert app.store.has(name), f"{name} is lost"
            kept = parse(self.card.files[f"{ROOT}/samples/{name}.json"])
            assert kept.rev >= rev, f"{name}: label {rev} is lost, there is {kept.rev}"
            assert kept.rev > rev or json.loads(kept.to_json()) == record, f"{name}: another label"
            assert hashlib.sha256(self.card.files[f"{ROOT}/samples/{name}.jpg"]).hexdigest() == photo, f"{name}: photo"
        back = [name for name in promise.deleted if app.store.has(name)]
        assert not back, f"{back}: deleted, and back"
        if promise.has_model:
            assert app.models.is_ready, app.models.status
            path = f"{ROOT}/models/{app.models.manifest.short}/model.kmodel"
            assert hashlib.sha256(self.card.files[path]).hexdigest() == app.models.manifest.digest


@dataclass
class Moment:
    """The card, the host and the promises just before one write, and what that write was about to do."""

    files: dict[str, bytes]
    folders: set[str]
    host: FakeHost
    promise: Promise
    write: tuple[str, str, bytes, bytes]


def host_now(host: FakeHost) -> FakeHost:
    """A copy that goes its own way."""
    other = copy.copy(host)
    for name in ("photos", "partial", "records", "blobs", "manifests", "by_road", "answer_with"):
        setattr(other, name, dict(getattr(host, name)))
    other.deployments, other.requests = list(host.deployments), list(host.requests)
    return other


def record_session(card: FatCard) -> tuple[list[Moment], Session]:
    """Play the session once; the moment before each of its writes."""
    card.put({f"{ROOT}/config.json": json.dumps(CONFIG).encode()}, {"/data", ROOT})
    session = Session(card, FakeHost())
    moments: list[Moment] = []

    def note(*write):
        promise = session.promise
        promised = Promise(dict(promise.samples), set(promise.deleted), promise.has_model, promise.follows_host)
        moments.append(Moment(dict(card.files), set(card.folders), host_now(session.host), promised, write))

    card.on_write = note
    session.start().play()
    session.app.close()
    return moments, session
