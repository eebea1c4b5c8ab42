"""What the board tells and asks the host, in order: hello, missing?, photos, records, then models, training and status.

Pure order, no bytes: `requester` carries one request at a time over whichever road works. Everything may be cut anywhere; the
host decides what is missing, so a new session simply goes on.
"""

from snaploop_shared import messages
from snaploop_shared.errors import RecordError
from snaploop_shared.portable import has_passed

BATCH = 60  # samples per question: fits the message head
READ_PER_STEP = 6  # records read per step while a batch is put together
PAUSE_AFTER_FAILURE_MS = 2000
PAUSE_AFTER_FULL_MS = 30000
STATUS_EVERY_MS = 5000
PHOTO_PIECE_BYTES = (
    messages.MAX_BODY_BYTES
)  # most photos go in one piece: each request costs a round trip and some work
RECORD_ALONG_BYTES = 4096  # a record of many outlines travels alone: the message head holds 12 KiB
IDLE_TURNS = (
    3  # a millisecond each: how long a step waits for bytes that are on their way, when there is a picture to draw
)
SHOW_EVERY_MS = 600  # what moves is drawn this often: drawing takes longer than sending a photo
STATUS_BUSY_EVERY_MS = 1500  # while a run is going on, or the Sync screen is open


class Upload:
    """One sample on its way: its record, and where the photo's missing bytes begin (None: the host has it)."""

    def __init__(self, record, offset) -> None:
        """Begin at this offset."""
        self.record = record
        self.offset = offset
        self.started_over = False


class Sync:
    """The conversation with the host. `step` returns commands for the app."""

    def __init__(self, requester, store, models, clock, describe, log) -> None:
        """`describe()` gives the arguments of hello."""
        self._requester = requester
        self._clock = clock
        self._store = store
        self._models = models
        self._describe = describe
        self._log = log
        self._greeted = False
        self._batch = None  # records of the next question
        self._names = []  # names that are still to be read for it
        self._uploads = []
        self._asked = None  # (what, request arguments...) that is on the way
        self._failed_ms = None
        self._pause_ms = 0
        self._status_ms = None
        self._skipped = {}  # name → rev the host refused: not again in this session
        self._train = False
        self._troubles = []  # lines to show
        self._shown_ms = None  # when a change was last drawn
        self._has_unshown = False
        self.run_is_active = False
        self.activity = ""
        self.synced = {"usb": 0, "wifi": 0}  # photos completed, per road, since start

    @property
    def is_busy(self) -> bool:
        """Whether bytes are moving: the app gives the roads longer slices then."""
        return self._requester.is_busy

    def ask_for_training(self) -> None:
        """Start a training when everything is synced."""
        self._train = True

    def greet_again(self) -> None:
        """Begin with hello: the road or the host changed."""
        self._greeted = False

    def step(self, now_ms: int, slice_ms: int, is_watched: bool) -> "list[tuple]":
        """Move the conversation on for at most about `slice_ms`; commands for the app.

        `is_watched`: the Sync screen is open, ask for the status more often.
        """
        started_ms = now_ms
        commands = []
        idle = 0
        most_idle = slice_ms if is_watched else IDLE_TURNS
        while True:
            commands.extend(self._turn(now_ms, is_watched))
            if not self._requester.is_busy:
                return self._held_back(commands, now_ms)
            idle = 0 if self._requester.has_moved else idle + 1
            if idle > most_idle or has_passed(now_ms, started_ms, slice_ms):
                return self._held_back(commands, now_ms)
            if idle:
                self._clock.pause(1)
            now_ms = self._clock.now_ms()

    def _held_back(self, commands, now_ms):
        """The commands, with at most one change of the counts, and none while many photos move and one was just drawn."""
        kept = [command for command in commands if command != ("sync_changed",)]
        self._has_unshown = self._has_unshown or len(kept) < len(commands)
        if self._has_unshown and (not self._uploads or self._may_show(now_ms)):
            self._has_unshown = False
            self._shown_ms = now_ms
            kept.append(("sync_changed",))
        return kept

    def _may_show(self, now_ms):
        return self._shown_ms is None or has_passed(now_ms, self._shown_ms, SHOW_EVERY_MS)

    def _turn(self, now_ms, is_watched):
        result = self._requester.step(now_ms)
        commands = []
        if result is not None:
            commands = self._on_result(result, now_ms)
        if self._requester.is_busy or not self._requester.has_road:
            return commands
        if self._failed_ms is not None:
            if not has_passed(now_ms, self._failed_ms, self._pause_ms):
                return commands
            self._failed_ms = None
        self._ask_next(now_ms, is_watched)
        while self._troubles:
            commands.append(("say", self._troubles.pop(0), "error"))
        return commands

    # -- asking --

    def _ask_next(self, now_ms, is_watched):
        if not self._greeted:
            self._ask(("hello",), "POST", messages.HELLO, self._describe())
        elif self._uploads:
            self._ask_upload(self._uploads[0], now_ms)
        elif self._gather():
            return
        elif self._train:
            self._train = False
            self._ask(("train",), "POST", messages.TRAIN, {})
        else:
            wanted = self._models.next_request(now_ms)
            if wanted is not None:
                self._ask(("model", wanted), wanted[0], wanted[1], wanted[2])
            else:
                every = STATUS_BUSY_EVERY_MS if is_watched or self.run_is_active else STATUS_EVERY_MS
                if self._status_ms is None or has_passed(now_ms, self._status_ms, every):
                    self._status_ms = now_ms
                    self._ask(("status",), "GET", messages.STATUS, {})
                else:
                    self.activity = ""

    def _ask(self, what, method, path, arguments, body=b""):
        self._asked = what
        self._requester.ask(method, path, arguments, body)

    def _gather(self):
        """Read records for the next question, some per step, and ask it; False when the host has everything."""
        if self._batch is None:
            names = [name for name in self._store.pending(BATCH + len(self._skipped)) if not self._is_skipped(name)]
            if not names:
                return False
            self._names = names[:BATCH]
            self._batch = []
        for name in self._names[:READ_PER_STEP]:
            try:
                self._batch.append(self._store.load(name))
            except (RecordError, OSError) as error:
                self._troubles.append("take {} again, its record is damaged: {}".format(name, error))
                self._skipped[name] = self._store.rev(name)
        self._names = self._names[READ_PER_STEP:]
        if self._names:
            return True
        records, self._batch = self._batch, None
        if records:
            listed = [[record.photo, record.size, record.rev] for record in records]
            self.activity = "asking what is missing"
            self._ask(("missing", records), "POST", messages.MISSING, {"samples": listed})
        return True

    def _ask_upload(self, upload, now_ms):
        record = upload.record
        if upload.offset is None:
            self._ask(("record", upload), "PUT", messages.RECORD, {}, record.to_json())
            return
        try:
            body = self._store.read_photo(record.name, upload.offset, PHOTO_PIECE_BYTES)
        except OSError as error:
            self._troubles.append("take {} again, its photo cannot be read: {}".format(record.name, error))
            self._skip(upload)
            return
        if not body:
            self._troubles.append("take {} again, its photo is cut short on the card".format(record.name))
            self._skip(upload)
            return
        if self._may_show(now_ms):
            self._has_unshown = True
            self.activity = "sending {}, {} of {} KB".format(
                record.name, upload.offset // 1024, (record.size + 1023) // 1024
            )
        arguments = {"digest": record.photo, "offset": upload.offset, "size": record.size}
        if upload.offset + len(body) == record.size:
            text = record.to_json().decode()
            if len(text) <= RECORD_ALONG_BYTES:
                arguments["record"] = text  # one round trip less
        self._ask(("photo", upload), "PUT", messages.PHOTO, arguments, body)

    # -- answers --

    def _on_result(self, result, now_ms):
        asked, self._asked = self._asked, None
        if result[0] == "failed":
            self._pause(now_ms, PAUSE_AFTER_FAILURE_MS)
            self._greeted = False
            if asked and asked[0] == "train":
                self._train = True
            return [("say", result[1], "warning")]
        response = result[1]
        if response.status == messages.UNAUTHORIZED:
            self._pause(now_ms, PAUSE_AFTER_FULL_MS)
            self._greeted = False
            return [("say", _error_of(response), "error")]
        if response.status == messages.FULL:
            self._pause(now_ms, PAUSE_AFTER_FULL_MS)
            return [("say", _error_of(response), "error")]
        handler = getattr(self, "_on_" + asked[0])
        return handler(response, now_ms, *asked[1:]) or []

    def _on_hello(self, response, now_ms):
        if response.status != messages.OK:
            self._pause(now_ms, PAUSE_AFTER_FAILURE_MS)
            return [("say", _error_of(response), "error")]
        self._greeted = True
        self._uploads = []
        self._batch = None
        self._skipped = {}
        self._status_ms = None
        self._models.offer(response.arguments.get("model"), now_ms)
        return [("project", response.arguments.get("project"), response.arguments.get("host", ""))]

    def _on_missing(self, response, now_ms, records):
        if response.status != messages.OK:
            self._pause(now_ms, PAUSE_AFTER_FAILURE_MS)
            return [("say", _error_of(response), "error")]
        offsets = {}
        for digest, offset in response.arguments.get("photos", []):
            offsets[digest] = offset
        wanted = response.arguments.get("records", [])
        for record in records:
            if record.photo in offsets:
                self._uploads.append(Upload(record, offsets[record.photo]))
            elif record.photo in wanted:
                self._uploads.append(Upload(record, None))
            else:
                self._store.mark_synced(record.name, record.rev)
        return [("sync_changed",)]

    def _on_photo(self, response, now_ms, upload):
        record = upload.record
        offset = response.arguments.get("offset")
        if (
            response.status in (messages.OK, messages.CONFLICT)
            and isinstance(offset, int)
            and 0 <= offset <= record.size
        ):
            if offset == record.size:
                upload.offset = None
                self.synced[self._requester.last_road] += 1
                if "rev" in response.arguments:  # the host took the record that came with the last piece
                    return self._on_record(response, now_ms, upload)
                return [("sync_changed",)]
            if offset == upload.offset or (response.status == messages.OK and offset < upload.offset):
                return self._refused(upload, "the host does not take photo {}".format(record.name))
            upload.offset = offset
            return None
        if response.status == messages.BAD_REQUEST and not upload.started_over:
            upload.started_over = True
            upload.offset = 0
            return None
        text = "take {} again, its photo is damaged on the card".format(record.name)
        return self._refused(upload, _error_of(response) if self._store.is_photo_whole(record) else text)

    def _on_record(self, response, now_ms, upload):
        if response.status != messages.OK:
            return self._refused(upload, _error_of(response))
        self._uploads.remove(upload)
        self._store.mark_synced(upload.record.name, upload.record.rev)
        return [("sync_changed",)]

    def _on_train(self, response, now_ms):
        self._status_ms = None
        if response.status >= 300:
            return [("train_refused", _error_of(response))]
        return [("say", "training {} was started".format(response.arguments.get("run", "")), "good")]

    def _on_model(self, response, now_ms, request):
        self.activity = "fetching a model" if request[1] == messages.BLOB else ""
        self._models.on_answer(request, response, now_ms)
        return [("sync_changed",)]

    def _on_status(self, response, now_ms):
        if response.status != messages.OK:
            return [("say", _error_of(response), "warning")]
        run = response.arguments.get("run")
        self.run_is_active = bool(run) and run.get("state") in ("queued", "running")
        self._models.offer(response.arguments.get("model"), now_ms)
        return [("run", run)]

    # -- trouble --

    def _refused(self, upload, text):
        self._skip(upload)
        return [("say", text, "error"), ("sync_changed",)]

    def _skip(self, upload):
        """Not again in this session; a new hello tries once more."""
        self._skipped[upload.record.name] = upload.record.rev
        self._uploads.remove(upload)

    def _is_skipped(self, name):
        return name in self._skipped and self._skipped[name] == self._store.rev(name)

    def _pause(self, now_ms, ms):
        self._failed_ms = now_ms
        self._pause_ms = ms


def _error_of(response):
    return "host: {}".format(response.arguments.get("error", "error {}".format(response.status)))
