"""The photos and labels on the card. The app adds and changes them, sync asks what the host may not have yet.

samples/<name>.jpg and .json; the record is written last, so a photo without one never existed for the user and is removed at
start. `outbox` remembers what the host confirmed; it is only a hint that saves questions, the host decides.
"""

from snaploop_shared.errors import CardFullError, RecordError, SnaploopError
from snaploop_shared.portable import sha256_hex, sha256_hex_of
from snaploop_shared.sample_record import NEW, REJECTED, SampleRecord, parse

FOLDER = "samples"
OUTBOX = "outbox"
OUTBOX_SLACK_LINES = 500
HASH_BYTES = 32 * 1024
GONE = ".gone"  # a removed record: its photo is removed at the next start, if not before


class SampleStore:
    """All samples of this card. Names are never reused: boot count and a number that grows."""

    def __init__(self, card, boot_count: int, log) -> None:
        """Take the card's samples over; finish or undo what a power cut interrupted."""
        self._card = card
        self._log = log
        self._boot_count = boot_count
        self._sequence = 0
        self._entries = {}  # name → [rev, rev the host has, state, {class: boxes}]; rev -1 until the record was read
        self._unread = []
        self._troubles = []
        self._trash = None  # (name, entry) of the sample that was removed last
        self.class_counts = {}
        card.make_folder(FOLDER)
        self._recover()
        self._read_outbox()

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._entries)

    @property
    def names(self) -> "list[str]":
        """All names, oldest first."""
        return sorted(self._entries, key=_age)

    @property
    def is_counting(self) -> bool:
        """Whether records are still being read after start (see `step`)."""
        return bool(self._unread)

    def step(self, limit: int = 5) -> bool:
        """Read some more records after start, so that counts become right; True when something changed."""
        if not self._unread:
            return False
        for _ in range(min(limit, len(self._unread))):
            name = self._unread.pop()
            try:
                self._enter(self.load(name))
            except (RecordError, OSError) as error:
                reason = str(error).replace("sample {}: ".format(name), "")
                self._troubles.append("take {} again, its record is damaged: {}".format(name, reason))
                self._log.error("samples", "{} is left out: {}".format(name, reason))
                self._entries.pop(name, None)
        return True

    def take_troubles(self) -> "list[str]":
        """Lines about samples that could not be read, each once; their files are left alone."""
        troubles, self._troubles = self._troubles, []
        return troubles

    def add(self, photo: "bytes | bytearray", width: int, height: int) -> SampleRecord:
        """Keep a JPEG as a new sample; its record.

        Raises:
            CardFullError: no room; nothing was kept.
            OSError: the card failed; nothing was kept.
        """
        self._card.check_room(len(photo))
        name = "b{}-{:06d}".format(self._boot_count, self._sequence + 1)
        record = SampleRecord(name, sha256_hex(photo), len(photo), width, height)
        self._card.write(_photo(name), photo)
        try:
            self._card.write(_record(name), record.to_json())
        except (OSError, SnaploopError):
            self._card.remove(_photo(name))
            raise
        self._sequence += 1
        self._enter(record)
        return record

    def save(self, record: SampleRecord) -> None:
        """Keep a changed record.

        Raises:
            CardFullError: no room; the old one stands.
            OSError: the card failed; the old one stands.
            RecordError: a rule is broken.
        """
        self._card.write(_record(record.name), record.check().to_json())
        self._enter(record)

    def load(self, name: str) -> SampleRecord:
        """The record of a sample.

        Raises:
            RecordError: it is damaged.
            OSError: there is none, or the card failed.
        """
        return parse(self._card.read(_record(name)))

    def photo_path(self, name: str) -> str:
        """The full path of a sample's JPEG."""
        return self._card.path(_photo(name))

    def read_photo(self, name: str, offset: int, length: int) -> bytes:
        """A piece of a sample's JPEG."""
        return self._card.read(_photo(name), offset, length)

    def is_photo_whole(self, record: SampleRecord) -> bool:
        """Whether the JPEG on the card is still the one that the record names."""
        offsets = range(0, record.size, HASH_BYTES)
        pieces = (self.read_photo(record.name, offset, HASH_BYTES) for offset in offsets)
        return sha256_hex_of(pieces) == record.photo

    def has(self, name: str) -> bool:
        """Whether there is such a sample."""
        return name in self._entries

    def summary(self, name: str) -> "tuple[str, int]":
        """(state, number of boxes) of a sample, as far as records were read since the start."""
        entry = self._entries[name]
        return entry[2], sum(entry[3].values())

    def is_known_to_host(self, name: str) -> bool:
        """Whether the host has some revision of it."""
        return self._entries[name][1] >= 0

    def remove(self, name: str) -> None:
        """Delete a sample; `restore` takes that back until the next one is removed or the board starts again.

        Raises:
            OSError: the card refuses; the sample stays.
        """
        self.empty_trash()
        entry = self._entries[name]
        self._card.rename(_record(name), _record(name) + GONE)  # one rename: a power cut leaves it here or gone
        self._count(entry[3], -1)
        del self._entries[name]
        self._trash = (name, entry)

    def restore(self, name: str) -> None:
        """Take the removal of this sample back.

        Raises:
            RecordError: it is not the last one that was removed.
        """
        if self._trash is None or self._trash[0] != name:
            raise RecordError("{} is gone: only the photo that was deleted last comes back".format(name))
        self._card.rename(_record(name) + GONE, _record(name))
        entry = self._trash[1]
        self._trash = None
        self._entries[name] = entry
        self._count(entry[3], 1)

    def empty_trash(self) -> None:
        """Let go of what was removed last."""
        if self._trash is not None:
            name = self._trash[0]
            self._trash = None
            self._card.remove(_photo(name))
            self._card.remove(_record(name) + GONE)

    def neighbour(self, name: str, step: int) -> str:
        """The name `step` places younger (negative: older) than `name`, "" when there is none."""
        names = self.names
        if name not in self._entries:
            return names[-1] if names else ""
        at = names.index(name) + step
        return names[at] if 0 <= at < len(names) else ""

    def first_new(self) -> str:
        """The oldest sample that nobody looked at yet, "" when there is none."""
        for name in self.names:
            if self._entries[name][2] == NEW:
                return name
        return ""

    def count_new(self) -> int:
        """How many samples nobody looked at yet."""
        return sum([1 for entry in self._entries.values() if entry[2] == NEW])

    def pending(self, limit: int) -> "list[str]":
        """Up to `limit` samples whose newest revision the host has not confirmed, oldest first."""
        found = [name for name in self._entries if self._entries[name][0] > self._entries[name][1]]
        found.sort(key=_age)
        return found[:limit]

    def rev(self, name: str) -> int:
        """The newest revision of a sample's record, -1 while it is not known."""
        entry = self._entries.get(name)
        return entry[0] if entry is not None else -1

    def count_pending(self) -> int:
        """How many samples the host has not confirmed."""
        return sum([1 for entry in self._entries.values() if entry[0] > entry[1]])

    def mark_synced(self, name: str, rev: int) -> None:
        """The host has this photo and this revision of its record."""
        if name not in self._entries:
            return  # deleted while it was on its way
        self._entries[name][1] = rev
        try:
            self._card.append(OUTBOX, "{} {}\n".format(name, rev).encode())
        except (OSError, CardFullError) as error:  # only a hint: asked again after the next start
            self._log.warning("samples", "outbox: {}".format(error))

    def forget_synced(self) -> None:
        """The host may have lost everything (another host, a new store): ask it about all samples again."""
        for entry in self._entries.values():
            entry[1] = -1
        self._card.remove(OUTBOX)

    def _enter(self, record):
        counts = {}
        if record.state != REJECTED:
            for box in record.boxes:
                counts[box.class_name] = counts.get(box.class_name, 0) + 1
        entry = self._entries.setdefault(record.name, [-1, -1, NEW, {}])
        self._count(entry[3], -1)
        self._count(counts, 1)
        entry[0] = record.rev
        entry[2] = record.state
        entry[3] = counts

    def _count(self, counts, sign):
        for class_name, count in counts.items():
            self.class_counts[class_name] = self.class_counts.get(class_name, 0) + sign * count

    def _recover(self):
        names = self._card.names(FOLDER)
        for name in names:
            if name.endswith(".json.part"):
                self._card.finish(FOLDER + "/" + name[:-5], _is_record)
            elif name.endswith(".part"):
                self._card.remove(FOLDER + "/" + name)
            elif name.endswith(GONE):
                self._card.remove(_photo(name[: -len(".json" + GONE)]))
                self._card.remove(FOLDER + "/" + name)
        names = self._card.names(FOLDER)
        records = set([name[:-5] for name in names if name.endswith(".json")])
        for name in names:
            if name.endswith(".jpg") and name[:-4] not in records:
                self._log.warning("samples", "{}: photo of an interrupted shot removed".format(name))
                self._card.remove(FOLDER + "/" + name)
            elif name.endswith(".json") and name[:-5] + ".jpg" not in names:
                self._log.error("samples", "{}: its photo is missing".format(name))
                records.discard(name[:-5])
        for name in records:
            self._entries[name] = [-1, -1, NEW, {}]
        self._unread = list(records)

    def _read_outbox(self):
        if not self._card.has(OUTBOX):
            return
        lines = self._card.read(OUTBOX).split(b"\n")
        for line in lines:
            words = line.split(b" ")
            if len(words) == 2 and words[1].isdigit():
                entry = self._entries.get(words[0].decode())
                if entry is not None:
                    entry[1] = max(entry[1], int(words[1]))
        if len(lines) > 2 * len(self._entries) + OUTBOX_SLACK_LINES:
            kept = ["{} {}\n".format(name, entry[1]) for name, entry in self._entries.items() if entry[1] >= 0]
            self._card.write(OUTBOX, "".join(kept).encode())


def _photo(name):
    return FOLDER + "/" + name + ".jpg"


def _record(name):
    return FOLDER + "/" + name + ".json"


def _age(name):
    """Sort key: boot count, then sequence."""
    boot, _, sequence = name[1:].partition("-")
    return (int(boot), int(sequence)) if boot.isdigit() and sequence.isdigit() else (0, 0)


def _is_record(data):
    try:
        parse(data)
    except RecordError:
        return False
    return True
