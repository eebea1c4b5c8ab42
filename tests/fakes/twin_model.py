"""A small model that really sees: coloured things, one per cell of 16 px. An ONNX graph, and the kmodel file whose twin it is.

The kmodel has nothing but a right header; a virtual board with `--kpu onnx` runs the twin for it. A cell fires whose mean colour is nearly
that of a class. Every box is 4 cells wide and high around its cell: neighbouring cells of one thing are suppressed to one box.
With `embedding` the model gives mean colours of the picture's 15 parts instead.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from snaploop_device.card import Card
from snaploop_device.inference import decoder_for
from snaploop_device.layout import PHOTO_H, PHOTO_W
from snaploop_device.log import Log
from snaploop_device.model_files import GOLDEN, KMODEL, ModelFiles
from snaploop_shared import manifest as manifests
from snaploop_shared import model_slots
from snaploop_shared.letterbox import placement

INPUT_W, INPUT_H = 320, 192
CELL = 16
COLOURS = {"red": (220, 30, 30), "yellow": (230, 200, 30), "green": (30, 200, 60), "blue": (40, 60, 230)}
GREY = (120, 120, 120)
REACH_CELLS = 2  # from a cell's centre to each side of its box
HEADER = b"LDMK" + struct.pack("<7I", 7, 0, 8, 1, 0, 0, 0)


@dataclass(frozen=True)
class Twin:
    """A kmodel's bytes with its ONNX file, golden input and golden answer (fields of the manifest)."""

    kmodel: bytes
    onnx: Path
    golden: bytes
    answer: dict
    labels: tuple[str, ...]
    head: str

    @property
    def digest(self) -> str:
        return sha256(self.kmodel).hexdigest()


def make_twin(
    folder: Path, labels: tuple[str, ...] = ("red", "yellow", "green"), head: str = manifests.HEAD_DFL6
) -> Twin:
    """Build the model in `folder`, as model.kmodel and model.onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    body = b"twin of %s %s" % (head.encode(), ",".join(labels).encode())
    body = struct.pack("<16s4IQ", b"stackvm", 1, 0, 0, 0, 40 + len(body)) + body
    kmodel = HEADER + body
    path = folder / "model.onnx"
    onnx.save(_graph(labels, head), str(path))
    (folder / "model.kmodel").write_bytes(kmodel)
    golden = picture([(labels[0], 4, 3), (labels[-1], 13, 7)] if labels else [("red", 4, 3)], (INPUT_W, INPUT_H), CELL)
    chw = np.ascontiguousarray(golden.transpose(2, 0, 1))
    return Twin(kmodel, path, chw.tobytes(), _answer(path, chw, labels, head), tuple(labels), head)


def picture(
    things: list[tuple[str, int, int]], size: tuple[int, int] = (PHOTO_W, PHOTO_H), cell: int = 2 * CELL
) -> np.ndarray:
    """RGB picture, grey with things (colour name, column, row) that fill a cell of the model; rows count from the photo's top."""
    pixels = np.full((size[1], size[0], 3), GREY, np.uint8)
    offset = 0 if size == (INPUT_W, INPUT_H) else 12  # the letterbox puts 6 rows above the picture of 320x180
    for name, column, row in things:
        top = max(0, row * cell - offset)
        pixels[top : row * cell - offset + cell, column * cell : (column + 1) * cell] = COLOURS[name]
    return pixels


def put_on_card(root: Path, key: bytes, twin: Twin, nncase: str = "2.11.0") -> None:
    """Make it the confirmed model of the card whose /data/snaploop is `root`."""
    put_model_on_card(root, key, json.dumps(manifest_fields(twin, nncase)).encode(), twin.kmodel, twin.golden)


def put_model_on_card(root: Path, key: bytes, raw: bytes, kmodel: bytes, golden: bytes) -> None:
    """The same with any model: its manifest's bytes, its kmodel's and its golden input's."""
    root.mkdir(parents=True, exist_ok=True)
    files = ModelFiles(Card(str(root)), key, PHOTO_W, PHOTO_H, Log(echo=lambda _line: None))
    manifest = manifests.parse(raw)
    files.keep_manifest(manifest, manifests.signature(raw, key))
    folder = root / files.folder(manifest.digest)
    (folder / KMODEL).write_bytes(kmodel)
    (folder / GOLDEN).write_bytes(golden)
    slots = model_slots.ModelSlots()
    slots.key_id = files.key_id
    slots.move("offer", manifest.digest, manifest.serial)
    for event in ("verified", "start_trial", "confirm"):
        slots.move(event)
    files.keep_slots(slots)


def manifest_fields(twin: Twin, nncase: str = "2.11.0") -> dict:
    """The manifest as a host writes it."""
    is_embedding = twin.head == manifests.HEAD_EMBEDDING
    return {
        "v": manifests.VERSION,
        "serial": 1,
        "digest": twin.digest,
        "bytes": len(twin.kmodel),
        "task": "embed" if is_embedding else "detect",
        "head": twin.head,
        "input": [INPUT_W, INPUT_H],
        "labels": list(twin.labels),
        "score_permille": 950 if is_embedding else 400,
        "iou_permille": 300,
        "nncase": nncase,
        "kmodel_version": 7,
        "golden": {"digest": sha256(twin.golden).hexdigest(), "bytes": len(twin.golden), **twin.answer},
        "scores": {},
    }


def _graph(labels, head):
    weights = []

    def constant(name, values):
        weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    nodes, outputs = [], []

    def out(name, shape):
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    if head == manifests.HEAD_EMBEDDING:
        nodes.append(helper.make_node("AveragePool", ["x"], ["means"], kernel_shape=[64, 64], strides=[64, 64]))
        nodes.append(helper.make_node("Sub", ["means", constant("grey", GREY[0] / 255)], ["centred"]))
        nodes.append(helper.make_node("Reshape", ["centred", "flat"], ["vector"]))
        weights.append(numpy_helper.from_array(np.array([1, 45], np.int64), "flat"))
        out("vector", [1, 45])
    else:
        classes = len(labels)
        for level, stride in enumerate(manifests.STRIDES):
            h, w = INPUT_H // stride, INPUT_W // stride
            pooled = f"pooled{level}"
            nodes.append(
                helper.make_node("AveragePool", ["x"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2)
            )
            logits = _logit_nodes(nodes, constant, pooled, labels, level, fires=stride == CELL)
            bins = manifests.GFL_BINS if head == manifests.HEAD_GFL else 16
            box = _box_nodes(nodes, constant, pooled, bins, level, offset=0.0 if head == manifests.HEAD_GFL else 0.5)
            if head == manifests.HEAD_GFL:
                nodes.append(helper.make_node("Concat", [logits, box], [f"all{level}"], axis=1))
                nodes.append(helper.make_node("Transpose", [f"all{level}"], [f"gfl{level}"], perm=[0, 2, 3, 1]))
                out(f"gfl{level}", [1, h, w, classes + 4 * bins])
            else:
                out(box, [1, 4 * bins, h, w])
                out(logits, [1, classes, h, w])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, INPUT_H, INPUT_W])
    graph = helper.make_graph(nodes, "twin", [x], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _logit_nodes(nodes, constant, pooled, labels, level, fires):
    """4 - 40 * (distance of the cell's mean colour from the class's, summed over R, G, B); -8 where nothing shall fire."""
    parts = []
    for index, label in enumerate(labels):
        stem = f"c{level}_{index}"
        colour = np.array(COLOURS[label], np.float32).reshape(1, 3, 1, 1) / 255
        nodes.append(helper.make_node("Sub", [pooled, constant(stem + "w", colour)], [stem + "d"]))
        nodes.append(helper.make_node("Abs", [stem + "d"], [stem + "a"]))
        nodes.append(helper.make_node("ReduceSum", [stem + "a", "channel_axis"], [stem + "s"], keepdims=1))
        nodes.append(helper.make_node("Mul", [stem + "s", constant(stem + "m", -40.0 if fires else 0.0)], [stem + "x"]))
        nodes.append(helper.make_node("Add", [stem + "x", constant(stem + "b", 4.0 if fires else -8.0)], [stem]))
        parts.append(stem)
    if level == 0:
        constant_axis = numpy_helper.from_array(np.array([1], np.int64), "channel_axis")
        nodes.insert(0, helper.make_node("Constant", [], ["channel_axis"], value=constant_axis))
    nodes.append(helper.make_node("Concat", parts, [f"logits{level}"], axis=1))
    return f"logits{level}"


def _box_nodes(nodes, constant, pooled, bins, level, offset):
    """The same distance to each side in every cell: REACH_CELLS from its centre, which lies `offset` beside where the head counts from."""
    wanted = np.full((4, bins), -8.0, np.float32)
    for side, reach in enumerate((REACH_CELLS - 0.5 + offset,) * 2 + (REACH_CELLS + 0.5 - offset,) * 2):
        low, part = int(reach), reach - int(reach)
        wanted[side, low] = 12 + np.log(max(1 - part, 1e-6))
        wanted[side, low + 1] = 12 + np.log(max(part, 1e-6))
    weight = constant(f"zero{level}", np.zeros((4 * bins, 3, 1, 1)))
    nodes.append(
        helper.make_node("Conv", [pooled, weight, constant(f"reach{level}", wanted.reshape(-1))], [f"box{level}"])
    )
    return f"box{level}"


def _answer(path, chw, labels, head):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"x": chw[None].astype(np.float32) / 255})

    class Wanted:
        input_w, input_h, score_permille, iou_permille = INPUT_W, INPUT_H, 400, 300

    Wanted.labels, Wanted.head = list(labels), head
    from fakes.device_board import FakeKpu

    decoder = decoder_for(Wanted, placement(PHOTO_W, PHOTO_H, INPUT_W, INPUT_H), FakeKpu())
    found = decoder.in_input(outputs.__getitem__)
    if head == manifests.HEAD_EMBEDDING:
        return {"vector_milli": found}
    return {"detections": [list(one) for one in found]}
