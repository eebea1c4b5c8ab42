"""The models of this board: which one is live, which one the host offers, and which the person chose. swap.py brings a new one in.

Nothing here touches the network: `next_request` says what to ask the host, `on_answer` takes what it said (sync.py carries both).
The moves of the slots are shared/model_slots.py's; what was refused, and why, is remembered by refusals.py.
"""

from snaploop_shared import manifest as manifests
from snaploop_shared import messages, model_slots
from snaploop_shared.errors import CardFullError, ModelRefusedError, RecordError, SnaploopError
from snaploop_shared.manifest import HEAD_CTC, HEAD_EMBEDDING, HEAD_TEXTMAP
from snaploop_shared.portable import binascii, ticks_since
from snaploop_shared.sample_record import Box

from . import shapes
from . import swap as swaps
from .inference import NotFiniteError, decoder_for, placement_for
from .model_files import GOLDEN, KMODEL
from .refusals import DAMAGED, RESTART, Refusals
from .segments import outlines
from .swap import Swap

RETRY_OFFER_MS = 60000  # after the host could not give the manifest of what it offers


class ModelManager:
    """The models of one board. `manifest` is that of the live model, None without one."""

    def __init__(self, files, kpu, key: bytes, card, log, runtime: str = "") -> None:
        """Read the slots; what a power cut interrupted is rolled back or taken up again.

        Args:
            files: ModelFiles.
            kpu: the board's Kpu port.
            key: the board's, checks manifests.
            card: the Card.
            log: the Log.
            runtime: what runs here besides nncase (firmware, app): what was refused under another one is tried again.
        """
        self._files = files
        self._kpu = kpu
        self._key = key
        self._card = card
        self._log = log
        self._reports = []
        self._offer = None
        self._unanswered_ms = None
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
        self._has_told_live = False  # whether the host was told since the start which model runs
        self._refusals = Refusals(card, "{} {}".format(kpu.version(), runtime), log)
        self._know_key()
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
    def garbage(self) -> int:
        """What a frame of the live model leaves on the heap, in inference.GARBAGE_BYTES."""
        return self._detector.garbage if self._detector is not None else 0

    @property
    def is_embedding(self) -> bool:
        """Whether `detect` gives a vector (for self_learning.py) instead of detections."""
        return self.manifest is not None and self.manifest.head == HEAD_EMBEDDING

    @property
    def is_trial(self) -> bool:
        """Whether a new model must prove itself on live frames now, whatever the screen shows."""
        return self._swap is not None and self._swap.phase == swaps.TRIAL

    @property
    def progress(self) -> "tuple[int, int] | None":
        """(bytes here, all bytes) of the model that is fetched, else None."""
        return None if self._swap is None else self._swap.progress

    # -- the host --

    def use_key(self, key: bytes) -> None:
        """The board was paired anew: models of another host are forgotten, what is live runs on until a new one comes."""
        self._key = key
        self._files.use_key(key)
        self._offer = None
        if self._swap is not None and self._swap.is_fetching:
            self._swap = None
            self._move("drop")
        self._know_key()

    def offer(self, offered: "dict | None", now_ms: int) -> None:
        """The host said which model this board should run: {"digest", "serial"} or None."""
        if not offered or self._swap is not None or self.is_pinned:
            return
        digest, serial = offered.get("digest"), offered.get("serial")
        if not isinstance(serial, int) or not self._is_wanted(digest, serial, now_ms):
            return
        if self._unanswered_ms is None or ticks_since(now_ms, self._unanswered_ms) > RETRY_OFFER_MS:
            self._offer = offered

    def next_request(self, now_ms: int) -> "tuple | None":
        """(method, path, arguments) of what to ask the host next, None when nothing is needed."""
        if self._reports:
            return ("POST", messages.DEPLOYMENT, self._reports[0])
        if self._offer is not None:
            return ("GET", messages.MODEL, {})
        return None if self._swap is None else self._swap.next_request(now_ms)

    def on_answer(self, request, response, now_ms: int) -> None:
        """The host's answer to a request from `next_request`."""
        path = request[1]
        if path == messages.DEPLOYMENT:
            if self._reports and self._reports[0] is request[2]:
                self._reports.pop(0)
        elif path == messages.MODEL:
            offered, self._offer = self._offer, None
            if offered is None or self._swap is not None:
                return
            self._unanswered_ms = None if response.status == messages.OK else now_ms
            if response.status == messages.OK:
                self._guard(self._on_manifest, offered, response, now_ms)
        elif path == messages.BLOB and self._swap is not None:
            self._guard(self._swap.on_piece, request[2], response, now_ms)
            self.changed = self.changed or (self._swap is not None and self._swap.has_moved_bar)

    # -- frames --

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
        if self.is_trial and self._swap.count_run(now_ms):
            self._confirm()
        return found

    def set_score(self, permille: int) -> None:
        """Find things from this score on, until another model is live."""
        if self._detector is not None:
            self._detector.set_score(permille)

    def as_boxes(self, found: "list[tuple]") -> "list[Box]":
        """Detections in photo px as labels with the live model's class names."""
        labels = self.manifest.labels if self.manifest is not None else []
        boxes = []
        for one in found:
            if one[0] < len(labels):
                boxes += self._shapes(labels[one[0]], one)
        return boxes

    def _shapes(self, name, one):
        """A detection as a box, a text as its quad, a region as an outline of each of its parts; a reading is no label."""
        if self.manifest.head == HEAD_CTC:
            return []
        if len(one) == 6:
            return [Box(name, one[2], one[3], one[4], one[5])]
        width, height = self._files.source_w, self._files.source_h
        if self.manifest.head == HEAD_TEXTMAP:
            corners = one[6]
            quad = shapes.around(name, [(corners[at], corners[at + 1]) for at in (0, 2, 4, 6)], width, height)
            return [] if quad is None else [quad]
        outlined = [shapes.around(name, points, width, height) for points in outlines(one[6], width, height)]
        return [box for box in outlined if box is not None]

    def count_frame(self) -> None:
        """A live frame was shown; those without a model while one is changed are the swap's gap."""
        if self._swap is not None and self._swap.has_released_old and self._network is None:
            self.gap_frames += 1

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

    # -- the person --

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
        self._begin(manifest, swaps.HASH)
        return "changing to model {}".format(manifest.short)

    # -- what is wanted --

    def _know_key(self):
        """Serials are a host's own: with another key they begin anew, and so does what was refused."""
        key_id = self._files.key_id
        if self._slots.key_id != key_id:
            self._slots.key_id = key_id
            self._slots.serial = 0
            self._refusals.clear()

    def _is_wanted(self, digest, serial, now_ms):
        if digest == self._slots.active:
            return False
        if self._refusals.is_about(digest, serial):
            return self._refusals.is_worth_another_try(now_ms)
        return self._is_fresh(digest, serial)

    def _is_fresh(self, digest, serial):
        """Whether this is no replay: newer than all that was seen, or the newest itself that never ran (refused, lost)."""
        if serial != self._slots.serial:
            return serial > self._slots.serial
        return not self._slots.active or self._refusals.is_about(digest, serial)

    def _on_manifest(self, offered, response, now_ms):
        raw = response.body
        try:
            signature = binascii.unhexlify(response.arguments.get("signature", "").encode())
            manifests.check_signature(raw, signature, self._key)
            manifest = manifests.parse(raw)
            if not self._is_fresh(manifest.digest, manifest.serial):
                text = "model {} has serial {}, this board has seen {}"
                text = text.format(manifest.short, manifest.serial, self._slots.serial)
                raise ModelRefusedError(manifests.OLD_SERIAL, text)
            manifests.check_runtime(manifest, self._kpu.version())
            self._check_room(manifest)
        except (ModelRefusedError, RecordError, ValueError) as error:
            reason = getattr(
                error, "reason", manifests.BAD_SIGNATURE if isinstance(error, ValueError) else "bad_manifest"
            )
            self._tell_refused(offered.get("digest"), offered.get("serial"), reason, str(error), now_ms)
            return
        self._files.keep_manifest(manifest, signature)
        self._move("offer", manifest.digest, manifest.serial)
        self._begin(manifest, swaps.FETCH_KMODEL)

    def _check_room(self, manifest):
        try:
            self._card.check_room(self._files.missing_bytes(manifest))
        except CardFullError as error:
            raise ModelRefusedError(manifests.NO_ROOM, str(error))

    # -- the swap --

    def _resume(self):
        slots = self._slots
        if slots.state == model_slots.TRIAL:  # the app died during the trial
            broken = slots.active
            self._move("roll_back")
            self._refusals.note(broken, slots.serial, RESTART, None)
            self._report(broken, "rolled_back", RESTART, "the app was restarted during the trial")
        elif slots.state in (model_slots.RECEIVING, model_slots.READY):
            manifest = self._files.read_manifest(slots.candidate)
            if manifest is None or manifest.digest != slots.candidate:
                self._move("drop")
            else:
                if slots.state == model_slots.READY:  # not trusted over a restart: hash it again
                    self._move("offer", manifest.digest, manifest.serial)
                self._begin(manifest, swaps.FETCH_KMODEL)
        self._to_restore = slots.active
        self._files.prune((slots.active, slots.previous, slots.candidate))

    def _begin(self, manifest, phase):
        self._swap = Swap(manifest, phase, self._files, self._kpu, self._card, self._log, self._say)
        self.gap_frames = 0
        self._say("{} model {}".format("fetching" if self._swap.is_fetching else "checking", manifest.short))

    def _advance(self, now_ms):
        swap = self._swap
        reached = swap.step(self._release_live)
        if reached == swaps.RECEIVED:
            self._report(swap.manifest.digest, "received", "", "")
        elif reached == swaps.VERIFIED:
            self._move("verified")
        elif reached == swaps.PROVED:
            self._go_live(swap, now_ms)

    def _release_live(self):
        if self._network is None:
            return False
        self._network.release()
        self._network = None
        return True

    def _go_live(self, swap, now_ms):
        self._move("start_trial")
        swap.go_live((self._network, self._detector, self.manifest), now_ms)
        self._network, self._detector, self.manifest = swap.network, swap.detector, swap.manifest
        swap.network = None
        self._say("model {} is live, on trial".format(self.manifest.short))
        self._report(self.manifest.digest, "trial", "", "")

    def _confirm(self):
        self._move("confirm")
        swap, self._swap = self._swap, None
        self._detector.checks_finite = False
        if swap.old[0] is not None:
            swap.old[0].release()
        self._say("model {} confirmed".format(self.manifest.short))
        self._report(self.manifest.digest, "confirmed", "", "")
        self._refusals.clear()
        self._files.prune((self._slots.active, self._slots.previous))

    def _roll_back(self, reason, text):
        """The new model failed on live frames: the old one goes on."""
        swap, self._swap = self._swap, None
        self._network.release()
        self._network, self._detector, self.manifest = swap.old
        if self._network is None:
            self.manifest = None
        self._move("roll_back")
        self._refusals.note(self._slots.broken, swap.manifest.serial, reason, None)
        self._report(self._slots.broken, "rolled_back", reason, text)
        self._say("model {} rolled back: {}".format(swap.manifest.short, text), is_error=True)
        if self._network is None:
            self._to_restore = self._slots.active

    def _refuse(self, reason, text, now_ms):
        """The new model failed before it went live: the old one stays, or comes back."""
        swap, self._swap = self._swap, None
        if swap is not None and swap.network is not None:
            swap.network.release()
        if self._network is None:
            self._to_restore = self._slots.active
        if self._slots.state not in (model_slots.IDLE, model_slots.TRIAL):
            self._move("drop")
        if swap is not None:
            self._tell_refused(swap.manifest.digest, swap.manifest.serial, reason, text, now_ms)
        else:
            self._say(text, is_error=True)

    def _tell_refused(self, digest, serial, reason, text, now_ms):
        if self._refusals.note(digest, serial, reason, now_ms):
            self._report(digest, "refused", reason, text)
        self._say("refused: {}".format(text), is_error=True)

    # -- the model of the card --

    def _restore(self, digest):
        """Load the model that the slots call active (at start, and after a failed swap)."""
        manifest = self._files.read_manifest(digest)
        if manifest is None or not self._files.is_complete(digest):
            text = "model {} is damaged or not from this host: the next sync gets one"
            self._say(text.format(digest[:12]), is_error=True)
            self._forget_lost(digest)
            return
        try:
            manifests.check_runtime(manifest, self._kpu.version())
            place = placement_for(manifest, self._files.source_w, self._files.source_h)
            self._network = self._kpu.load(self._files.kmodel_path(digest), place)
        except ModelRefusedError as error:  # another firmware: the model is fine, and the card may go back
            self._say("model {} does not load: {}".format(manifest.short, error), is_error=True)
            return
        except (RuntimeError, OSError, EOFError) as error:
            self._say("model {} does not load: {}".format(manifest.short, error), is_error=True)
            self._forget_lost(digest)
            return
        self._detector = decoder_for(manifest, place, self._kpu)
        self._detector.checks_finite = False  # it proved itself before the restart
        self.manifest = manifest
        if self._swap is None:
            self._say("model {}".format(manifest.short))
        if not self._has_told_live and self._slots.state == model_slots.IDLE:  # the last report may have been lost
            self._has_told_live = True
            self._report(digest, "confirmed", "", "", None)
        self.changed = True

    def _forget_lost(self, digest):
        """The active model cannot be used any more: the one before it runs on, and the host may send the lost one again."""
        slots = self._slots
        if self._swap is not None or slots.state != model_slots.IDLE:
            return
        previous = slots.previous if slots.previous != digest and self._files.is_complete(slots.previous) else ""
        for name in (KMODEL, GOLDEN):
            self._files.discard(digest, name)
        self._refusals.note(digest, slots.serial, DAMAGED, None)
        slots.active, slots.previous = previous, ""
        slots.sequence += 1
        self._files.keep_slots(slots)
        self._to_restore = previous

    def _guard(self, function, *arguments):
        """Run a piece of a swap (its last argument may be the time); whatever goes wrong ends this swap only, with its reason."""
        now_ms = arguments[-1] if arguments and isinstance(arguments[-1], int) else None
        try:
            function(*arguments)
        except ModelRefusedError as error:
            self._refuse(error.reason, str(error), now_ms)
        except CardFullError as error:
            self._refuse(manifests.NO_ROOM, str(error), now_ms)
        except (SnaploopError, RuntimeError, OSError, EOFError, ValueError, MemoryError) as error:
            text = "it does not run here ({}: {}): train again, or flash another firmware"
            self._refuse(manifests.LOAD_FAILED, text.format(type(error).__name__, error), now_ms)

    def _move(self, event, digest="", serial=0):
        self._slots.move(event, digest, serial)
        self._files.keep_slots(self._slots)

    def _report(self, digest, state, reason, text, gap_frames=-1):
        """Tell the host; `gap_frames` -1: those of this swap, None: not known any more."""
        gap = self.gap_frames if gap_frames == -1 else gap_frames
        report = {"digest": digest, "state": state, "reason": reason, "text": text[:300], "gap_frames": gap}
        self._reports.append(report)

    def _say(self, text, is_error=False):
        self.status = text
        self.changed = True
        if is_error:
            self._log.error("models", text)
        else:
            self._log.info("models", text)
