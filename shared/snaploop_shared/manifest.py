"""The model manifest: everything a board must know about a kmodel before it runs it. JSON, signed per board, never re-encoded.

    {"v": 1, "serial": 7, "digest": sha256, "bytes": n, "task": "detect", "head": "dfl6", "input": [320, 192], "labels": [...],
     "score_permille": 400, "iou_permille": 500, "nncase": "2.11.0", "kmodel_version": 7,
     "golden": {"digest": sha256, "bytes": n, "detections": [[class index, score permille, x, y, w, h], ...]},
     "scores": {"float_map50": ..., ...}, "made_by": "run 3"}

"forced": true stands beside "scores" where the kmodel lost too much against the float model and somebody sent it all the same; "quantised"
says for people in which way of the ladder it was compiled.

`serial` grows with every model of a host, so an old manifest cannot be played back. `golden` is a model input (uint8 CHW) with
the detections that Canaan's simulator got from it, in input pixels. head "dfl6": six outputs, per stride 8, 16, 32 a box tensor
[1, 64, H/s, W/s] (4 sides × 16 DFL bins) and class logits [1, classes, H/s, W/s]. head "gfl": three outputs, per stride one tensor
[1, H/s, W/s, classes + 68] of class logits and 4 sides × 17 DFL bins around the cell's corner (grid, not grid + 0.5), which the firmware
decodes in C (aicube.gfldet_post_process, k230-platform §6.3). Task "embed", head "embedding": one output, a vector; no labels, and
golden holds "vector_milli" (unit length, thousandths) instead of detections. Task "classify", head "logits": one output of a logit
per class, the winner by soft-max; of two classes it may be a single logit, whose sigmoid is the second class's score (k230-platform §6.3).
Task "multilabel", head "multilogits": one output of a logit per label, each a sigmoid of its own. Golden of both holds
"scores_permille", a score per class after soft-max or sigmoid. Task "ocr_detect", head "textmap": one output [1, H, W, 2], channel 0 how
likely a pixel is in the core of a text, which the firmware turns into quads (aicube.ocr_post_process with TEXT_MASK_PERMILLE and the
score); golden holds "quads_px", [x0, y0, ... y3] each from the top left clockwise, in input pixels. Task "ocr_recognize", head "ctc": one
output [1, T, labels] for a line of text; labels are the characters, the first entry is empty and never meant, the last one is the blank;
golden holds "text" and "score_permille". Task "segment", head "segmap": two outputs of class logits, [1, H, W, labels] for the vendor's
scripts and [1, H/4, W/4, labels], which the board decodes; labels[0] is the background; golden holds "shares_permille", how much of the
second one's arg-max map each label covers.
Models of vendor packages (host services/import_model.py) may have other heads: "anchorbase", three outputs per cell 3 × (5 + classes) with
the field "anchors" (18 widths and heights), and "anchorfree", 5 + classes, both decoded by the firmware's C functions; "segfull", the first
output of "segmap" alone, of which the board looks at every SEGMAP_STRIDE-th pixel. "mask_permille" is the package's own limit for a
"textmap". Where the simulator could not run the kmodel, golden has 0 bytes and no answer: the trial on live frames is all the proof then.
"""

import math

from .auth import is_same, sign
from .errors import ModelRefusedError, RecordError
from .portable import parse_json
from .sample_record import is_digest

VERSION = 1
HEAD_DFL6 = "dfl6"
HEAD_GFL = "gfl"
HEAD_EMBEDDING = "embedding"
HEAD_LOGITS = "logits"
HEAD_MULTILOGITS = "multilogits"
HEAD_SEGMAP = "segmap"
HEAD_TEXTMAP = "textmap"
HEAD_CTC = "ctc"
HEAD_ANCHORBASE = "anchorbase"
HEAD_ANCHORFREE = "anchorfree"
HEAD_SEGFULL = "segfull"
HEADS = {
    "detect": (HEAD_DFL6, HEAD_GFL, HEAD_ANCHORBASE, HEAD_ANCHORFREE),
    "embed": (HEAD_EMBEDDING,),
    "classify": (HEAD_LOGITS,),
    "multilabel": (HEAD_MULTILOGITS,),
    "segment": (HEAD_SEGMAP, HEAD_SEGFULL),
    "ocr_detect": (HEAD_TEXTMAP,),
    "ocr_recognize": (HEAD_CTC,),
}  # task → heads that a board decodes
TEXT_MASK_PERMILLE = 500  # a pixel of a text map from here on belongs to a text
SCORE_HEADS = (HEAD_LOGITS, HEAD_MULTILOGITS)  # a score per class of the whole photo
SHARE_HEADS = (HEAD_SEGMAP, HEAD_SEGFULL)  # how much of the photo each class covers
ANCHORS = 18  # numbers: a width and a height for each of 3 anchors on each of 3 strides
GFL_BINS = 17
SEGMAP_STRIDE = 4
STRIDES = (8, 16, 32)

BAD_SIGNATURE = "bad_signature"
BAD_DIGEST = "bad_digest"
WRONG_NNCASE = "wrong_nncase"
OLD_SERIAL = "old_serial"
GOLDEN_MISMATCH = "golden_mismatch"
LOAD_FAILED = "load_failed"
NO_ROOM = "no_room"
REFUSALS = (BAD_SIGNATURE, BAD_DIGEST, WRONG_NNCASE, OLD_SERIAL, GOLDEN_MISMATCH, LOAD_FAILED, NO_ROOM)

_SIGNING_WORD = b"snaploop manifest 1\n"  # a manifest's signature can never pass for a request's

GOLDEN_MIN_IOU_PERMILLE = 700
GOLDEN_SCORE_TOLERANCE_PERMILLE = 100
GOLDEN_MIN_COSINE_PERMILLE = 980
GOLDEN_SHARE_TOLERANCE_PERMILLE = 15


class Manifest:
    """A parsed manifest; attributes as in the module docstring, `raw` the bytes that travelled."""

    def __init__(self, fields: dict, raw: bytes) -> None:
        """Take the fields of checked JSON; use `parse`."""
        self.raw = raw
        self.serial = fields["serial"]
        self.digest = fields["digest"]
        self.kmodel_bytes = fields["bytes"]
        self.task = fields["task"]
        self.head = fields["head"]
        self.input_w, self.input_h = fields["input"]
        self.labels = fields["labels"]
        self.score_permille = fields["score_permille"]
        self.iou_permille = fields["iou_permille"]
        self.nncase = fields["nncase"]
        self.golden_digest = fields["golden"]["digest"]
        self.golden_bytes = fields["golden"]["bytes"]
        self.anchors = fields["anchors"] if self.head == HEAD_ANCHORBASE else []
        self.mask_permille = fields.get("mask_permille", TEXT_MASK_PERMILLE)
        self._take_golden(fields["golden"])
        self.scores = fields.get("scores", {})
        self.is_forced = bool(fields.get("forced", False))

    def _take_golden(self, golden):
        self.has_golden = self.golden_bytes != 0
        self.golden_detections, self.golden_scores, self.golden_vector = [], [], []
        self.golden_shares, self.golden_quads, self.golden_text, self.golden_score = [], [], "", 0
        if not self.has_golden:
            return
        if self.head == HEAD_EMBEDDING:
            self.golden_vector = golden["vector_milli"]
        elif self.head in SCORE_HEADS:
            self.golden_scores = golden["scores_permille"]
        elif self.head in SHARE_HEADS:
            self.golden_shares = golden["shares_permille"]
        elif self.head == HEAD_TEXTMAP:
            self.golden_quads = golden["quads_px"]
        elif self.head == HEAD_CTC:
            self.golden_text, self.golden_score = golden["text"], golden["score_permille"]
        else:
            self.golden_detections = golden["detections"]

    @property
    def short(self) -> str:
        """The first 12 digits of the digest: the folder name and what people see."""
        return self.digest[:12]


def parse(raw: bytes) -> Manifest:
    """The manifest in these bytes.

    Raises:
        RecordError: not JSON, a field missing or of the wrong kind, or of a version, task or head that this side cannot run.
    """
    try:
        fields = parse_json(raw)
        if fields["v"] != VERSION:
            raise RecordError("manifest of version {}, this side knows {}: update it".format(fields["v"], VERSION))
        manifest = Manifest(fields, bytes(raw))
    except ValueError:
        raise RecordError("manifest is not JSON")
    except (KeyError, TypeError) as error:
        raise RecordError("manifest is incomplete: {}".format(error))
    if not is_digest(manifest.digest) or not is_digest(manifest.golden_digest):
        raise RecordError("manifest with a digest that is no SHA-256")
    numbers = (manifest.serial, manifest.kmodel_bytes, manifest.input_w, manifest.input_h, manifest.golden_bytes)
    for number in numbers + (manifest.score_permille, manifest.iou_permille, manifest.mask_permille):
        if not isinstance(number, int) or number < 0:
            raise RecordError("manifest with a negative or broken number: {!r}".format(number))
    if manifest.task not in HEADS or manifest.head not in HEADS[manifest.task]:
        raise RecordError(
            "task {!r} with head {!r} is not known here: update the board app".format(manifest.task, manifest.head)
        )
    if not isinstance(manifest.labels, list) or not (manifest.labels or manifest.head == HEAD_EMBEDDING):
        raise RecordError("manifest without labels")
    if len(manifest.anchors) != (ANCHORS if manifest.head == HEAD_ANCHORBASE else 0):
        raise RecordError("manifest with {} anchors, {} expected".format(len(manifest.anchors), ANCHORS))
    if manifest.has_golden:
        _check_golden_length(manifest)
    if manifest.input_w % 32 or manifest.input_h % 32 or not manifest.input_w or not manifest.input_h:
        raise RecordError("model input {}x{}: both must be multiples of 32".format(manifest.input_w, manifest.input_h))
    return manifest


def _check_golden_length(manifest):
    if manifest.head in SCORE_HEADS and len(manifest.golden_scores) != len(manifest.labels):
        text = "manifest with {} golden scores for {} labels"
        raise RecordError(text.format(len(manifest.golden_scores), len(manifest.labels)))
    if manifest.head in SHARE_HEADS and len(manifest.golden_shares) != len(manifest.labels):
        raise RecordError(
            "manifest with {} golden shares for {} labels".format(len(manifest.golden_shares), len(manifest.labels))
        )


def signature(raw: bytes, key: bytes) -> bytes:
    """The 32-byte signature of manifest bytes for the board with this key."""
    return sign(key, _SIGNING_WORD, raw)


def check_signature(raw: bytes, mac: bytes, key: bytes) -> None:
    """Return when `mac` is the signature of `raw` for this key.

    Raises:
        ModelRefusedError: it is not.
    """
    if not is_same(signature(raw, key), mac):
        raise ModelRefusedError(BAD_SIGNATURE, "the model was not signed by this board's host: pair the board again")


def check_runtime(manifest: Manifest, runtime_version: str) -> None:
    """Return when this firmware's nncase can be expected to run the kmodel.

    The vendor's rule is the same major.minor on both sides (k230-platform §0.1).

    Raises:
        ModelRefusedError: the versions differ.
    """
    if _major_minor(manifest.nncase) != _major_minor(runtime_version):
        raise ModelRefusedError(
            WRONG_NNCASE,
            "model compiled with nncase {}, this firmware runs {}: flash a firmware with nncase {} or compile with {}".format(
                manifest.nncase, runtime_version, manifest.nncase, runtime_version
            ),
        )


def check_golden(manifest: Manifest, detections: "list[tuple]") -> None:
    """Return when the board's detections on the golden input agree with the simulator's.

    Args:
        manifest: holds the expected detections.
        detections: (class index, score permille, x, y, w, h) in input pixels, in any order; of an embedding the
            vector; of logits all scores in permille, in the order of the labels; of a text map (0, 1000, x, y, w, h, 8 corner
            numbers); of a reading (text, score permille); of a segmap the share of each label.

    Raises:
        ModelRefusedError: one is missing, or there is one more.
    """
    if manifest.head == HEAD_EMBEDDING:
        likeness = cosine_permille(manifest.golden_vector, detections)
        if likeness < GOLDEN_MIN_COSINE_PERMILLE:
            text = "the model's vector on its golden input is off ({} of 1000): it was damaged, or this runtime differs"
            raise ModelRefusedError(GOLDEN_MISMATCH, text.format(likeness))
        return
    if manifest.head in SHARE_HEADS:
        _check_shares(manifest, detections)
        return
    if manifest.head in SCORE_HEADS:
        _check_scores(manifest, detections)
        return
    if manifest.head == HEAD_CTC:
        _check_reading(manifest, detections)
        return
    left = list(detections)
    if manifest.head == HEAD_TEXTMAP:
        _check_quads(manifest, left)
        return
    for expected in manifest.golden_detections:
        for index in range(len(left)):
            found = left[index]
            if (
                found[0] == expected[0]
                and abs(found[1] - expected[1]) <= GOLDEN_SCORE_TOLERANCE_PERMILLE
                and iou_permille(found[2:6], expected[2:6]) >= GOLDEN_MIN_IOU_PERMILLE
            ):
                left.pop(index)
                break
        else:
            raise ModelRefusedError(
                GOLDEN_MISMATCH,
                "the model misses {} on its golden input: it was damaged, or this runtime differs".format(expected),
            )
    if left:
        raise ModelRefusedError(GOLDEN_MISMATCH, "the model finds {} too many on its golden input".format(len(left)))


def _check_scores(manifest, scores):
    expected = manifest.golden_scores
    off = [abs(scores[index] - expected[index]) for index in range(min(len(scores), len(expected)))]
    if len(scores) != len(expected) or max(off) > GOLDEN_SCORE_TOLERANCE_PERMILLE:
        text = "the model scores {} on its golden input, {} expected: it was damaged, or this runtime differs"
        raise ModelRefusedError(GOLDEN_MISMATCH, text.format(scores, expected))


def _check_shares(manifest, shares):
    """Raise when a label covers another share of the golden input than it did in the simulator."""
    for index in range(len(manifest.labels)):
        expected, found = manifest.golden_shares[index], shares[index]
        if abs(expected - found) > GOLDEN_SHARE_TOLERANCE_PERMILLE:
            text = "the model covers {} of 1000 with {} on its golden input, it should be {}: it was damaged, or this runtime differs"
            raise ModelRefusedError(GOLDEN_MISMATCH, text.format(found, manifest.labels[index], expected))


def _check_reading(manifest, found):
    if found[0] != manifest.golden_text or abs(found[1] - manifest.golden_score) > GOLDEN_SCORE_TOLERANCE_PERMILLE:
        text = "the model reads {!r} on its golden input, {!r} expected: it was damaged, or this runtime differs"
        raise ModelRefusedError(GOLDEN_MISMATCH, text.format(found, (manifest.golden_text, manifest.golden_score)))


def _check_quads(manifest, left):
    for quad in manifest.golden_quads:
        expected = enclosing_box(quad)
        for index in range(len(left)):
            if iou_permille(left[index][2:6], expected) >= GOLDEN_MIN_IOU_PERMILLE:
                left.pop(index)
                break
        else:
            text = "the model misses the text at {} on its golden input: it was damaged, or this runtime differs"
            raise ModelRefusedError(GOLDEN_MISMATCH, text.format(expected))
    if left:
        raise ModelRefusedError(
            GOLDEN_MISMATCH, "the model finds {} texts too many on its golden input".format(len(left))
        )


def enclosing_box(quad: "list[int]") -> "tuple[int, int, int, int]":
    """(x, y, w, h) around a quad of 8 numbers x0, y0, ... y3, at least 1 px on a side."""
    xs, ys = [quad[index] for index in (0, 2, 4, 6)], [quad[index] for index in (1, 3, 5, 7)]
    return (min(xs), min(ys), max(1, max(xs) - min(xs)), max(1, max(ys) - min(ys)))


def cosine_permille(a: "list[int]", b: "list[int]") -> int:
    """How alike two vectors are: 1000 the same direction, 0 unrelated, -1000 opposite, also for vectors of unequal length."""
    if len(a) != len(b):
        return -1000
    dot = square_a = square_b = 0.0
    for index in range(len(a)):
        dot += a[index] * b[index]
        square_a += a[index] * a[index]
        square_b += b[index] * b[index]
    if not square_a or not square_b:
        return -1000
    likeness = 1000 * dot / math.sqrt(square_a) / math.sqrt(square_b)
    return int(likeness + 0.5) if likeness >= 0 else -int(0.5 - likeness)


def iou_permille(a: "tuple", b: "tuple") -> int:
    """Intersection over union of two (x, y, w, h) boxes in permille."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    both = w * h
    return int(1000 * both / (a[2] * a[3] + b[2] * b[3] - both))


def _major_minor(version: str) -> "list[str]":
    return str(version).strip().lstrip("v").split(".")[:2]
