"""Models on the card: slots.a/.b, and models/<digest12>/ with model.kmodel, golden.bin, manifest.json, manifest.sig.

A file that is being fetched has the ending .part and grows piece by piece, so a cut fetch goes on where it stopped.
"""

from snaploop_shared import manifest as manifests
from snaploop_shared import model_slots
from snaploop_shared.errors import ModelRefusedError, RecordError
from snaploop_shared.portable import sha256_hex

from .card import PART

FOLDER = "models"
SLOT_FILES = ("slots.a", "slots.b")
KMODEL = "model.kmodel"
GOLDEN = "golden.bin"
MODELS_KEPT = 4


class ModelFiles:
    """The models of one card; `key` is the board's, manifests are checked with it at every reading."""

    def __init__(self, card, key: bytes, source_w: int, source_h: int, log) -> None:
        """Make the folder when it is missing; `source_w` x `source_h` px are the camera frames that the models get."""
        self._card = card
        self._key = key
        self.source_w = source_w
        self.source_h = source_h
        self._log = log
        card.make_folder(FOLDER)

    @property
    def key_id(self) -> str:
        """Tells keys apart without telling them: 8 hex digits, "" without a key."""
        return sha256_hex(self._key)[:8] if self._key else ""

    def use_key(self, key: bytes) -> None:
        """The board was paired anew."""
        self._key = key

    def read_slots(self) -> model_slots.ModelSlots:
        """The newest whole copy of the slots, fresh ones when there is none."""
        copies = []
        for name in SLOT_FILES:
            self._card.finish(name, _is_slots)
            copies.append(model_slots.decode(self._card.read(name)) if self._card.has(name) else None)
        return model_slots.newest(copies[0], copies[1])

    def keep_slots(self, slots: model_slots.ModelSlots) -> None:
        """Store the slots, in turn into one of the two files."""
        self._card.write(SLOT_FILES[slots.sequence % 2], model_slots.encode(slots))

    def keep_manifest(self, manifest: manifests.Manifest, signature: bytes) -> None:
        """Store a checked manifest and its signature; what an older model of the same 12 digits left is removed."""
        folder = self.folder(manifest.digest)
        old = self.read_manifest(manifest.digest)
        if self._card.has(folder) and (old is None or old.digest != manifest.digest):
            self._card.remove_folder(folder)
        self._card.make_folder(folder)
        self._card.write(folder + "/manifest.sig", signature)
        self._card.write(folder + "/manifest.json", manifest.raw)

    def read_manifest(self, digest: str) -> "manifests.Manifest | None":
        """The manifest of a model on the card; None when it is missing, damaged or not signed with our key."""
        folder = self.folder(digest)
        try:
            raw = self._card.read(folder + "/manifest.json")
            manifests.check_signature(raw, self._card.read(folder + "/manifest.sig"), self._key)
            return manifests.parse(raw)
        except OSError:  # not there
            return None
        except (RecordError, ModelRefusedError, ValueError) as error:
            self._log.warning("models", "{}: {}".format(folder, error))
            return None

    def is_complete(self, digest: str) -> bool:
        """Whether kmodel and golden input are whole (checked when they were fetched)."""
        if not digest:
            return False
        folder = self.folder(digest)
        return self._card.has(folder + "/" + KMODEL) and self._card.has(folder + "/" + GOLDEN)

    def missing_bytes(self, manifest: manifests.Manifest) -> int:
        """How many bytes of kmodel and golden input are still to come."""
        missing = 0
        for name, size in ((KMODEL, manifest.kmodel_bytes), (GOLDEN, manifest.golden_bytes)):
            here = self.received(manifest.digest, name)
            missing += size - min(here, size) if here >= 0 else 0
        return missing

    def kmodel_path(self, digest: str) -> str:
        """The full path of the kmodel, for the KPU."""
        return self._card.path(self.folder(digest) + "/" + KMODEL)

    def read_golden(self, digest: str) -> bytes:
        """The golden input."""
        return self._card.read(self.folder(digest) + "/" + GOLDEN)

    def received(self, digest: str, name: str) -> int:
        """How many bytes of KMODEL or GOLDEN are here; -1 when the whole file is."""
        path = self.folder(digest) + "/" + name
        return -1 if self._card.has(path) else max(0, self._card.size(path + PART))

    def add_piece(self, digest: str, name: str, data: bytes) -> None:
        """Append a fetched piece."""
        self._card.append(self.folder(digest) + "/" + name + PART, data)

    def part_name(self, digest: str, name: str) -> str:
        """The card name of the file while it is fetched."""
        return self.folder(digest) + "/" + name + PART

    def accept(self, digest: str, name: str) -> None:
        """The fetched file is right: give it its name."""
        self._card.rename(self.part_name(digest, name), self.folder(digest) + "/" + name)

    def keep_nothing(self, digest: str, name: str) -> None:
        """The file is empty: there is nothing to fetch."""
        self._card.write(self.folder(digest) + "/" + name, b"")

    def discard(self, digest: str, name: str) -> None:
        """Remove a file, whole or in parts."""
        self._card.remove(self.part_name(digest, name))
        self._card.remove(self.folder(digest) + "/" + name)

    def listed(self) -> "list[manifests.Manifest]":
        """The complete models on the card, lowest serial first."""
        found = []
        for name in self._card.names(FOLDER):
            if self.is_complete(name):
                manifest = self.read_manifest(name)
                if manifest is not None:
                    found.append(manifest)
        found.sort(key=_serial)
        return found

    def prune(self, kept: "tuple[str, ...]") -> None:
        """Remove the oldest models beyond MODELS_KEPT and what is left of fetches given up; never those in `kept` (digests)."""
        short = [digest[:12] for digest in kept if digest]
        for name in self._card.names(FOLDER):
            if name not in short and not self.is_complete(name):
                self._card.remove_folder(FOLDER + "/" + name)
        old = [manifest for manifest in self.listed() if manifest.short not in short]
        for manifest in old[: max(0, len(old) + len(short) - MODELS_KEPT)]:
            self._log.info("models", "{} removed, {} newer ones are kept".format(manifest.short, MODELS_KEPT))
            self._card.remove_folder(self.folder(manifest.digest))

    def folder(self, digest: str) -> str:
        """The folder of a model."""
        return FOLDER + "/" + digest[:12]


def _serial(manifest):
    return manifest.serial


def _is_slots(data):
    return model_slots.decode(data) is not None
