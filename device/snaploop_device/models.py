"""The model that runs, and the swap to the next one between two frames: fetch, check, load, golden run, trial, confirm or roll back.

Nothing here touches the network: `next_request` says what to ask the host, `on_answer` takes what it said (sync.py carries both).
Nothing blocks longer than one kmodel load or one KPU run. The moves of the slots are shared/model_slots.py's.
"""

from snaploop_shared import manifest as manifests
from snaploop_shared import messages, model_slots
from snaploop_shared.errors import CardFullError, ModelRefusedError, RecordError, SnaploopError
from snaploop_shared.letterbox import placement
from snaploop_shared.manifest import HEAD_EMBEDDING
from snaploop_shared.portable import binascii, hashlib, hex_of, ticks_since
from snaploop_shared.sample_record import Box

from .inference import NotFiniteError, decoder_for
from .model_files import GOLDEN, KMODEL

TRIAL_INFERENCES = 5
TRIAL_MS = 3000  # a slow KPU (the simulator) does not have to run five times
HASH_BYTES = 32 * 1024  # read at a time
HASHES_PER_STEP = 4  # some 20 ms from a card: video goes on
RETRY_REFUSED_MS = 60000  # a full card may have room later
PROGRESS_STEPS = 25  # how often a fetch redraws its bar
RETRY_PIECE_MS = 3000  # after the host could not give a piece


class Swap:
    """A model on its way in: its manifest, and what comes next ("kmodel", "golden", "hash", "load", "try", "trial")."""

    def __init__(self, manifest, phase: str) -> None:
        """Begin in this phase."""
        self.manifest = manifest
        self.phase = phase
        self.hash = None
        self.hashed = 0
        self.network = None
        self.detector = None
        self.old = None  # (network, detector, manifest) that goes on until the new one has proved itself
        self.was_released = False  # the old one had to make room first
        self.runs = 0
        self.started_ms = 0
        self.fetched_again = False
        self.is_checked = False  # whether the kmodel's SHA-256 was right since the app was started
        self.waits_for_room = False  # the card filled up meanwhile


class ModelManager:
    """The models of one board. `manifest`, `network` are those of the live model, None without one."""

    def __init__(self, files, kpu, key: bytes, source_w: int, source_h: int, card, log) -> None:
        """Read the slots; what a power cut interrupted is rolled back or taken up again."""
        self._files = files
        self._kpu = kpu
        self._key = key
        self._source = (source_w, source_h)
        self._card = card
        self._log = log
        self._reports = []
        self._offer = None
        self._asked = {}  # digest → ms at which it was refused before it was fetched
        self._swap = None
        self._network = None
        self._detector = None
        self.manifest = None
        self.status = "no model yet"
        self.changed = True
        self.gap_frames = 0
        self.is_pinned = False  # the person keeps the live model: what the host offers is left there
        self._slots = files.read_slots()
        self._to_restore = ""
        self._piece_failed_ms = None
        self._resume()

    @property
    def active(self) -> str:
        """Digest of the live model, "" without one."""
        return self._slots.active

    @property
    def is_ready(self) -> bool:
        """Whether frames can be run."""
        return self._network is not None

    @property
    def is_embedding(self) -> bool:
        """Whether `detect` gives a vector (for self_learning.py) instead of detections."""
        return self.manifest is not None and self.manifest.head == HEAD_EMBEDDING

    @property
    def is_trial(self) -> bool:
        """Whether a new model must prove itself on live frames now, whatever the screen shows."""
        return self._swap is not None and self._swap.phase == "trial"

    @property
    def progress(self) -> "tuple[int, int] | None":
        """(bytes here, all bytes) of the model that is fetched, else None."""
        if self._swap is None or self._swap.phase not in ("kmodel", "golden"):
            return None
        here = self._files.received(self._swap.manifest.digest, KMODEL)
        total = self._swap.manifest.kmodel_bytes
        return (total if here < 0 else here, total)

    def offer(self, offered: "dict | None", now_ms: int) -> None:
        """The host said which model this board should run: {"digest", "serial"} or None."""
        if not offered or self._swap is not None or self.is_pinned:
            return
        digest, serial = offered.get("digest"), offered.get("serial")
        if (
            digest in (self._slots.active, self._slots.broken)
            or not isinstance(serial, int)
            or serial <= self._slots.serial
        ):
            return  # running, known as bad, or seen before (the user may have gone back to an older one)
        refused_ms = self._asked.get(digest)
        if refused_ms is None or ticks_since(now_ms, refused_ms) > RETRY_REFUSED_MS:
            self._offer = offered

    def next_request(self, now_ms: int) -> "tuple | None":
        """(method, path, arguments) of what to ask the host next, None when nothing is needed."""
        if self._reports:
            return ("POST", messages.DEPLOYMENT, self._reports[0])
        if self._offer is not None:
            return ("GET", messages.MODEL, {})
        if self._piece_failed_ms is not None and ticks_since(now_ms, self._piece_failed_ms) < RETRY_PIECE_MS:
            return None
        swap = self._swap
        if swap is not None and swap.phase in ("kmodel", "golden"):
            name, digest, size = self._wanted(swap)
            offset = self._files.received(swap.manifest.digest, name)
            if offset >= 0 and offset < size:
                length = min(messages.PIECE_BYTES, size - offset)
                if self._has_room(swap, length, now_ms):
                    return ("GET", messages.BLOB, {"digest": digest, "offset": offset, "length": length})
        return None

    def on_answer(self, request, response, now_ms: int) -> None:
        """The host's answer to a request from `next_request`."""
        path = request[1]
        if path == messages.DEPLOYMENT:
            if self._reports and self._reports[0] is request[2]:
                self._reports.pop(0)
        elif path == messages.MODEL:
            offered, self._offer = self._offer, None
            if response.status == messages.OK:
                self._guard(self._on_manifest, response, now_ms)
            elif offered is not None:
                self._asked[offered.get("digest")] = now_ms
        elif path == messages.BLOB:
            self._piece_failed_ms = None
            self._guard(self._on_piece, response, request[2], now_ms)

    def step(self, now_ms: int) -> None:
        """Do the next small piece of a swap, between two frames."""
        if self._to_restore:
            digest, self._to_restore = self._to_restore, ""
            self._guard(self._restore, digest)
        elif self._swap is not None:
            self._guard(self._advance, now_ms)

    def detect(self, frame, now_ms: int) -> "list[tuple] | None":
        """Run the live model on a camera frame; detections in photo px, None when a model in trial failed and was rolled back.

        Raises:
            RuntimeError, NotFiniteError: a confirmed model failed.
        """
        try:
            self._network.run(frame)
            found = self._detector.in_photo(self._network.output)
        except (RuntimeError, OSError, ValueError, MemoryError) as error:
            if not self.is_trial:
                raise
            self._roll_back("not_finite" if isinstance(error, NotFiniteError) else "run_failed", str(error))
            return None
        if self.is_trial:
            self._count_trial(now_ms)
        return found

    def set_score(self, permille: int) -> None:
        """Find things from this score on, until another model is live."""
        if self._detector is not None:
            self._detector.set_score(permille)

    def as_boxes(self, found: "list[tuple]") -> "list[Box]":
        """Detections in photo px as labels with the live model's class names."""
        labels = self.manifest.labels if self.manifest is not None else []
        return [Box(labels[index], x, y, w, h) for index, _score, x, y, w, h in found if index < len(labels)]

    def count_frame(self) -> None:
        """A live frame was shown; those without a model while one is changed are the swap's gap."""
        if self._swap is not None and self._swap.was_released and self._network is None:
            self.gap_frames += 1

    def listed(self) -> "list":
        """Manifests of the models on the card, oldest first."""
        return self._files.listed()

    def choose(self, step: int, now_ms: int) -> str:
        """Change to the model `step` places younger or older than the live one; a line that says what happens.

        Raises:
            RecordError: another swap is under way, or there is no such model.
        """
        if self._swap is not None:
            raise RecordError("a model is being changed: wait a moment")
        models = self.listed()
        digests = [manifest.digest for manifest in models]
        at = digests.index(self.active) + step if self.active in digests else len(models) - 1
        if not 0 <= at < len(models):
            raise RecordError("there is no {} model on the card".format("newer" if step > 0 else "older"))
        manifest = models[at]
        self._move("offer", manifest.digest, manifest.serial)
        self._begin(manifest, "hash")
        return "changing to model {}".format(manifest.short)

    def close(self) -> None:
        """Free the KPU memory."""
        swap, self._swap = self._swap, None
        networks = [self._network]
        if swap is not None:
            networks.append(swap.network)
            networks.append(swap.old[0] if swap.old else None)
        self._network = None
        released = []
        for network in networks:
            if network is not None and network not in released:
                released.append(network)
                network.release()

    # -- the swap, phase by phase --

    def _resume(self):
        slots = self._slots
        if slots.state == model_slots.TRIAL:  # the app died during the trial
            broken = slots.active
            self._move("roll_back")
            self._report(broken, "rolled_back", "restart", "the app was restarted during the trial")
        elif slots.state in (model_slots.RECEIVING, model_slots.READY):
            manifest = self._files.read_manifest(slots.candidate)
            if manifest is None or manifest.digest != slots.candidate:
                self._move("drop")
            else:
                if slots.state == model_slots.READY:  # not trusted over a restart: hash it again
                    self._move("offer", manifest.digest, manifest.serial)
                self._begin(manifest, "kmodel")
        self._to_restore = self._slots.active

    def _on_manifest(self, response, now_ms):
        raw = response.body
        try:
            signature = binascii.unhexlify(response.arguments.get("signature", "").encode())
        except ValueError:
            raise ModelRefusedError(manifests.BAD_SIGNATURE, "the model's signature is not hexadecimal")
        digest = response.arguments.get("digest", "")
        try:
            manifests.check_signature(raw, signature, self._key)
            manifest = manifests.parse(raw)
            digest = manifest.digest
            if manifest.serial <= self._slots.serial:
                text = "model {} has serial {}, this board has seen {}"
                raise ModelRefusedError(
                    manifests.OLD_SERIAL, text.format(manifest.short, manifest.serial, self._slots.serial)
                )
            manifests.check_runtime(manifest, self._kpu.version())
            self._check_room(manifest)
        except (ModelRefusedError, RecordError) as error:
            if digest not in self._asked:  # told once
                self._report(digest, "refused", getattr(error, "reason", "bad_manifest"), str(error))
            self._asked[digest] = now_ms
            self._say("refused: {}".format(error), is_error=True)
            return
        self._files.keep_manifest(manifest, signature)
        self._move("offer", manifest.digest, manifest.serial)
        self._begin(manifest, "kmodel")

    def _check_room(self, manifest):
        try:
            self._card.check_room(manifest.kmodel_bytes + manifest.golden_bytes)
        except CardFullError as error:
            raise ModelRefusedError(manifests.NO_ROOM, str(error))

    def _begin(self, manifest, phase):
        self._swap = Swap(manifest, phase)
        self.gap_frames = 0
        self._say("{} model {}".format("fetching" if phase == "kmodel" else "checking", manifest.short))

    def _wanted(self, swap):
        """(file, digest, size) of the phase."""
        manifest = swap.manifest
        if swap.phase == "kmodel":
            return KMODEL, manifest.digest, manifest.kmodel_bytes
        return GOLDEN, manifest.golden_digest, manifest.golden_bytes

    def _on_piece(self, response, arguments, now_ms):
        swap = self._swap
        if swap is None or swap.phase not in ("kmodel", "golden"):
            return
        name, digest, size = self._wanted(swap)
        text = "the host has no {} of {} bytes: {}".format(name, size, response.arguments.get("error", response.status))
        if response.status == messages.OK and response.arguments.get("size") != size:
            raise ModelRefusedError(manifests.BAD_DIGEST, text)
        if response.status != messages.OK or not response.body:
            self._piece_failed_ms = now_ms
            self._say(text, is_error=True)
            return
        if arguments["digest"] == digest and self._files.received(swap.manifest.digest, name) == arguments["offset"]:
            try:
                self._files.add_piece(swap.manifest.digest, name, response.body)
            except CardFullError as error:
                self._wait_for_room(swap, error, now_ms)
                return
            before = arguments["offset"] * PROGRESS_STEPS // size
            self.changed = self.changed or before != (arguments["offset"] + len(response.body)) * PROGRESS_STEPS // size

    def _has_room(self, swap, length, now_ms):
        """Whether the next piece fits beside the reserve for labels; what is here already stays, and the fetch goes on later."""
        try:
            self._card.check_room(length)
        except CardFullError as error:
            self._wait_for_room(swap, error, now_ms)
            return False
        if swap.waits_for_room:
            swap.waits_for_room = False
            self._say("fetching model {}".format(swap.manifest.short))
        return True

    def _wait_for_room(self, swap, error, now_ms):
        self._piece_failed_ms = now_ms
        if not swap.waits_for_room:  # said once
            swap.waits_for_room = True
            self._say("{} waits: {}".format(swap.manifest.short, error), is_error=True)

    def _advance(self, now_ms):
        swap = self._swap
        if swap.phase in ("kmodel", "golden"):
            self._advance_fetch(swap)
        elif swap.phase == "hash":
            if self._hash_some(swap, self._files.folder(swap.manifest.digest) + "/" + KMODEL, swap.manifest.digest):
                self._move("verified")
                swap.phase = "load"
        elif swap.phase == "load":
            self._load(swap)
            swap.phase = "try"
        elif swap.phase == "try":
            self._try_golden(swap)
            self._go_live(swap, now_ms)

    def _advance_fetch(self, swap):
        name, digest, size = self._wanted(swap)
        here = self._files.received(swap.manifest.digest, name)
        if 0 <= here < size:
            return  # next_request asks for the rest
        if here >= 0:
            if not self._hash_some(swap, self._files.part_name(swap.manifest.digest, name), digest):
                return
            self._files.accept(swap.manifest.digest, name)
            swap.is_checked = swap.is_checked or name == KMODEL
        if swap.phase == "kmodel":
            swap.phase = "golden"
            return
        self._report(swap.manifest.digest, "received", "", "")
        swap.phase = "hash"
        if swap.is_checked:
            self._move("verified")
            swap.phase = "load"

    def _hash_some(self, swap, card_name, digest):
        for _ in range(HASHES_PER_STEP):
            phase = swap.phase
            if self._hash_piece(swap, card_name, digest):
                return True
            if swap.phase != phase or swap.hash is None:  # it was wrong, and begins anew
                break
        return False

    def _hash_piece(self, swap, card_name, digest):
        """Hash some more of a file; True when it is the right one, False when there is more to hash."""
        if swap.hash is None:
            swap.hash = hashlib.sha256()
            swap.hashed = 0
        data = self._card.read(card_name, swap.hashed, HASH_BYTES)
        swap.hash.update(data)
        swap.hashed += len(data)
        if len(data) == HASH_BYTES:
            return False
        found, swap.hash = hex_of(swap.hash.digest()), None
        if found == digest:
            return True
        manifest = swap.manifest
        for name in (KMODEL, GOLDEN):
            self._files.discard(manifest.digest, name)
        if swap.fetched_again or swap.phase == "hash":
            text = "{} has the wrong SHA-256 ({}..): check the disk of the host, train again"
            raise ModelRefusedError(manifests.BAD_DIGEST, text.format(_file_name(card_name), found[:12]))
        self._log.warning("models", "{} has the wrong SHA-256: fetched again".format(card_name))
        swap.fetched_again = True
        swap.phase = "kmodel"
        return False

    def _load(self, swap):
        manifest = swap.manifest
        self._say("loading model {}".format(manifest.short))
        if self._network is not None and not self._kpu.has_room(manifest.kmodel_bytes):
            self._network.release()
            self._network = None
            swap.was_released = True
        place = placement(self._source[0], self._source[1], manifest.input_w, manifest.input_h)
        swap.network = self._kpu.load(self._files.kmodel_path(manifest.digest), place)
        swap.detector = decoder_for(manifest, place)

    def _try_golden(self, swap):
        manifest = swap.manifest
        swap.network.run_input(self._files.read_golden(manifest.digest))
        manifests.check_golden(manifest, swap.detector.in_input(swap.network.output))

    def _go_live(self, swap, now_ms):
        self._move("start_trial")
        swap.old = (self._network, self._detector, self.manifest)
        self._network, self._detector, self.manifest = swap.network, swap.detector, swap.manifest
        swap.network = None
        swap.phase = "trial"
        swap.started_ms = now_ms
        self._say("model {} is live, on trial".format(self.manifest.short))
        self._report(self.manifest.digest, "trial", "", "")

    def _count_trial(self, now_ms):
        swap = self._swap
        swap.runs += 1
        if swap.runs < TRIAL_INFERENCES and ticks_since(now_ms, swap.started_ms) < TRIAL_MS:
            return
        self._move("confirm")
        self._detector.checks_finite = False
        self._swap = None
        if swap.old[0] is not None:
            swap.old[0].release()
        self._say("model {} confirmed".format(self.manifest.short))
        self._report(self.manifest.digest, "confirmed", "", "")
        self._files.prune((self._slots.active, self._slots.previous))

    def _roll_back(self, reason, text):
        """The new model failed on live frames: the old one goes on."""
        swap, self._swap = self._swap, None
        self._network.release()
        self._move("roll_back")
        self._report(self._slots.broken, "rolled_back", reason, text)
        self._say("model {} rolled back: {}".format(swap.manifest.short, text), is_error=True)
        self._network, self._detector, self.manifest = swap.old
        if self._network is None:
            self.manifest = None
            self._to_restore = self._slots.active

    def _refuse(self, reason, text):
        """The new model failed before it went live: the old one stays, or comes back."""
        swap, self._swap = self._swap, None
        digest = swap.manifest.digest if swap is not None else self._slots.candidate
        if swap is not None and swap.network is not None:
            swap.network.release()
        if self._slots.state != model_slots.IDLE:
            self._move("drop")
        self._report(digest, "refused", reason, text)
        self._say("refused: {}".format(text), is_error=True)
        if self._network is None:
            self._to_restore = self._slots.active

    def _restore(self, digest):
        """Load the model that the slots call active (at start, and after a failed swap)."""
        manifest = self._files.read_manifest(digest)
        if manifest is None or not self._files.is_complete(digest):
            self._say(
                "model {} is damaged or not from this host: the next sync gets one".format(digest[:12]), is_error=True
            )
            self._forget_lost()
            return
        try:
            manifests.check_runtime(manifest, self._kpu.version())
            place = placement(self._source[0], self._source[1], manifest.input_w, manifest.input_h)
            self._network = self._kpu.load(self._files.kmodel_path(digest), place)
        except (ModelRefusedError, RuntimeError, OSError, EOFError) as error:
            self._say("model {} does not load: {}".format(manifest.short, error), is_error=True)
            return
        self._detector = decoder_for(manifest, place)
        self._detector.checks_finite = False  # it proved itself before the restart
        self.manifest = manifest
        if self._swap is None:
            self._say("model {}".format(manifest.short))
        self.changed = True

    def _forget_lost(self):
        """The active model cannot be used any more: take the same one, or one of another host with lower serials, again."""
        if self._swap is None and self._slots.state == model_slots.IDLE:
            fresh = model_slots.ModelSlots()
            fresh.sequence = self._slots.sequence + 1
            self._slots = fresh
            self._files.keep_slots(fresh)

    def _guard(self, function, *arguments):
        """Run a piece of a swap; whatever goes wrong ends this swap only, with its reason."""
        try:
            function(*arguments)
        except ModelRefusedError as error:
            self._refuse(error.reason, str(error))
        except CardFullError as error:
            self._refuse(manifests.NO_ROOM, str(error))
        except (SnaploopError, RuntimeError, OSError, EOFError, ValueError, MemoryError) as error:
            text = "it does not run here ({}: {}): train again, or flash another firmware"
            self._refuse(manifests.LOAD_FAILED, text.format(type(error).__name__, error))

    def _move(self, event, digest="", serial=0):
        self._slots.move(event, digest, serial)
        self._files.keep_slots(self._slots)

    def _report(self, digest, state, reason, text):
        report = {"digest": digest, "state": state, "reason": reason, "text": text[:300], "gap_frames": self.gap_frames}
        self._reports.append(report)

    def _say(self, text, is_error=False):
        self.status = text
        self.changed = True
        if is_error:
            self._log.error("models", text)
        else:
            self._log.info("models", text)


def _file_name(card_name):
    """For people: models/ab12../model.kmodel.part is the model.kmodel of model ab12.."""
    folder, name = card_name.split("/")[1:3]
    return "{} of model {}".format(name.replace(".part", ""), folder)
