"""One model on its way in, a small piece between two frames: fetch, hash, load beside the old one, golden run, trial.

A Swap does the work and says what it reached; models.py keeps the slots, decides what follows, and rolls back when a step raises.
Nothing here blocks longer than one kmodel load or one KPU run.
"""

from snaploop_shared import manifest as manifests
from snaploop_shared import messages
from snaploop_shared.errors import CardFullError, ModelRefusedError
from snaploop_shared.portable import hashlib, hex_of, ticks_since

from .inference import decoder_for, placement_for
from .model_files import GOLDEN, KMODEL

FETCH_KMODEL = "fetch kmodel"
FETCH_GOLDEN = "fetch golden"
HASH = "hash"
LOAD = "load"
TRY = "try"
TRIAL = "trial"

RECEIVED = "received"  # both files are here
VERIFIED = "verified"  # and are what the manifest says
PROVED = "proved"  # the golden run was right: it may go live

TRIAL_INFERENCES = 5
TRIAL_MS = 3000  # a slow KPU (the simulator) does not have to run five times
HASH_BYTES = 32 * 1024  # read at a time
HASHES_PER_STEP = 4  # some 20 ms from a card: video goes on
PROGRESS_STEPS = 25  # how often a fetch redraws its bar
RETRY_PIECE_MS = 3000  # after the host could not give a piece, or the card had no room for it


class Swap:
    """The way of one model from its manifest to the end of its trial. `say(text, is_error)` tells people."""

    def __init__(self, manifest, phase: str, files, kpu, card, log, say) -> None:
        """Begin in FETCH_KMODEL (whatever is here already is not fetched again) or, with a whole model on the card, in HASH."""
        self.manifest = manifest
        self.phase = phase
        self.network = None
        self.detector = None
        self.old = None  # (network, detector, manifest) that goes on until the new one has proved itself
        self.has_released_old = False  # the old one had to make room first
        self.has_moved_bar = False  # the progress bar is to be drawn again
        self._files = files
        self._kpu = kpu
        self._card = card
        self._log = log
        self._say = say
        self._hash = None
        self._hashed = 0
        self._runs = 0
        self._started_ms = 0
        self._was_fetched_again = False
        self._is_checked = False  # whether the kmodel's SHA-256 was right since the app was started
        self._waits_for_room = False
        self._failed_ms = None

    @property
    def is_fetching(self) -> bool:
        """Whether bytes are still to come from the host."""
        return self.phase in (FETCH_KMODEL, FETCH_GOLDEN)

    @property
    def progress(self) -> "tuple[int, int] | None":
        """(bytes here, all bytes) of the kmodel while it is fetched, else None."""
        if not self.is_fetching:
            return None
        here = self._files.received(self.manifest.digest, KMODEL)
        total = self.manifest.kmodel_bytes
        return (total if here < 0 else here, total)

    # -- fetching --

    def next_request(self, now_ms: int) -> "tuple | None":
        """(method, path, arguments) of the next piece to ask the host for, None when there is none now."""
        if not self.is_fetching:
            return None
        if self._failed_ms is not None and ticks_since(now_ms, self._failed_ms) < RETRY_PIECE_MS:
            return None
        name, digest, size = self._wanted()
        offset = self._files.received(self.manifest.digest, name)
        if not 0 <= offset < size:
            return None
        length = min(messages.PIECE_BYTES, size - offset)
        if not self._has_room(length, now_ms):
            return None
        return ("GET", messages.BLOB, {"digest": digest, "offset": offset, "length": length})

    def on_piece(self, arguments: dict, response, now_ms: int) -> None:
        """The host's answer to such a request.

        Raises:
            ModelRefusedError: the host has a file of another size.
            OSError: the card fails.
        """
        self._failed_ms = None
        if not self.is_fetching:
            return
        name, digest, size = self._wanted()
        text = "the host has no {} of {} bytes: {}".format(name, size, response.arguments.get("error", response.status))
        if response.status == messages.OK and response.arguments.get("size") != size:
            raise ModelRefusedError(manifests.BAD_DIGEST, text)
        if response.status != messages.OK or not response.body:
            self._failed_ms = now_ms
            self._say(text, True)
            return
        if arguments["digest"] == digest and self._files.received(self.manifest.digest, name) == arguments["offset"]:
            try:
                self._files.add_piece(self.manifest.digest, name, response.body)
            except CardFullError as error:
                self._wait_for_room(error, now_ms)
                return
            before = arguments["offset"] * PROGRESS_STEPS // size
            after = (arguments["offset"] + len(response.body)) * PROGRESS_STEPS // size
            self.has_moved_bar = self.has_moved_bar or before != after

    def _wanted(self):
        """(file, digest, size) of the phase."""
        if self.phase == FETCH_KMODEL:
            return KMODEL, self.manifest.digest, self.manifest.kmodel_bytes
        return GOLDEN, self.manifest.golden_digest, self.manifest.golden_bytes

    def _has_room(self, length, now_ms):
        """Whether the next piece fits beside the reserve for labels; what is here already stays, and the fetch goes on later."""
        try:
            self._card.check_room(length)
        except CardFullError as error:
            self._wait_for_room(error, now_ms)
            return False
        if self._waits_for_room:
            self._waits_for_room = False
            self._say("fetching model {}".format(self.manifest.short), False)
        return True

    def _wait_for_room(self, error, now_ms):
        self._failed_ms = now_ms
        if not self._waits_for_room:  # said once
            self._waits_for_room = True
            self._say("{} waits: {}".format(self.manifest.short, error), True)

    # -- from file to trial --

    def step(self, release_live) -> str:
        """Do the next small piece; RECEIVED, VERIFIED or PROVED when that was reached, else "".

        Args:
            release_live: function() that frees the live network and says whether there was one; called only when both do not fit.

        Raises:
            ModelRefusedError: the files are wrong, or the golden output differs.
            RuntimeError, OSError, EOFError, ValueError, MemoryError: it cannot be loaded or run here.
        """
        if self.is_fetching:
            return self._accept_what_is_whole()
        if self.phase == HASH:
            name = self._files.folder(self.manifest.digest) + "/" + KMODEL
            if self._is_checked or self._hash_some(name, self.manifest.digest):
                self.phase = LOAD
                return VERIFIED
        elif self.phase == LOAD:
            self._load(release_live)
            self.phase = TRY
        elif self.phase == TRY:
            if not self.manifest.has_golden:
                return PROVED  # the host could not run it either: the trial tells
            self.network.run_input(self._files.read_golden(self.manifest.digest))
            manifests.check_golden(self.manifest, self.detector.in_input(self.network.output))
            return PROVED
        return ""

    def go_live(self, old, now_ms: int) -> None:
        """The trial begins; `old` is the (network, detector, manifest) that comes back if it fails."""
        self.old = old
        self.phase = TRIAL
        self._started_ms = now_ms

    def count_run(self, now_ms: int) -> bool:
        """One more live frame went well; whether the model has proved itself."""
        self._runs += 1
        return self._runs >= TRIAL_INFERENCES or ticks_since(now_ms, self._started_ms) >= TRIAL_MS

    def _accept_what_is_whole(self):
        name, digest, size = self._wanted()
        here = self._files.received(self.manifest.digest, name)
        if 0 <= here < size:
            return ""  # next_request asks for the rest
        if here >= 0 and size == 0:
            self._files.keep_nothing(self.manifest.digest, name)
        elif here >= 0:
            if not self._hash_some(self._files.part_name(self.manifest.digest, name), digest):
                return ""
            self._files.accept(self.manifest.digest, name)
            self._is_checked = self._is_checked or name == KMODEL
        if self.phase == FETCH_KMODEL:
            self.phase = FETCH_GOLDEN
            return ""
        self.phase = HASH
        return RECEIVED

    def _hash_some(self, card_name, digest):
        for _ in range(HASHES_PER_STEP):
            phase = self.phase
            if self._hash_piece(card_name, digest):
                return True
            if self.phase != phase or self._hash is None:  # it was wrong, and begins anew
                break
        return False

    def _hash_piece(self, card_name, digest):
        """Hash some more of a file; True when it is the right one, False when there is more to hash."""
        if self._hash is None:
            self._hash = hashlib.sha256()
            self._hashed = 0
        data = self._card.read(card_name, self._hashed, HASH_BYTES)
        self._hash.update(data)
        self._hashed += len(data)
        if len(data) == HASH_BYTES:
            return False
        found, self._hash = hex_of(self._hash.digest()), None
        if found == digest:
            return True
        for name in (KMODEL, GOLDEN):
            self._files.discard(self.manifest.digest, name)
        if self._was_fetched_again or self.phase == HASH:
            text = "{} has the wrong SHA-256 ({}..): check the disk of the host, train again"
            raise ModelRefusedError(manifests.BAD_DIGEST, text.format(_file_name(card_name), found[:12]))
        self._log.warning("models", "{} has the wrong SHA-256: fetched again".format(card_name))
        self._was_fetched_again = True
        self.phase = FETCH_KMODEL
        return False

    def _load(self, release_live):
        manifest = self.manifest
        self._say("loading model {}".format(manifest.short), False)
        if not self._kpu.has_room(manifest.kmodel_bytes):
            self.has_released_old = release_live()
        place = placement_for(manifest, self._files.source_w, self._files.source_h)
        self.network = self._kpu.load(self._files.kmodel_path(manifest.digest), place)
        self.detector = decoder_for(manifest, place, self._kpu)


def _file_name(card_name):
    """For people: models/ab12../model.kmodel.part is the model.kmodel of model ab12.."""
    folder, name = card_name.split("/")[1:3]
    return "{} of model {}".format(name.replace(".part", ""), folder)
