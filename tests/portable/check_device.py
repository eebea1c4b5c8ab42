"""The board app's own checks with plain asserts: the same file runs under CPython (pytest imports it) and MicroPython."""

import os

from snaploop_device import boot_count, config, layout, project, shapes
from snaploop_device.card import Card
from snaploop_device.labelling import Labelling
from snaploop_device.log import Log
from snaploop_device.model_files import GOLDEN, KMODEL, ModelFiles
from snaploop_device.requester import Requester
from snaploop_device.samples import SampleStore
from snaploop_device.screens import widgets
from snaploop_device.self_learning import Library
from snaploop_device.state import AppState
from snaploop_device.usb_road import UsbRoad
from snaploop_device.wifi_road import WifiRoad
from snaploop_shared import letterbox, link, manifest, messages, model_slots, portable
from snaploop_shared.sample_record import LABELLED, Box, SampleRecord
from snaploop_shared.sample_record import parse as parse_record

KEY = bytes(range(32))

try:
    import tempfile

    ROOT = tempfile.mkdtemp()
except ImportError:  # a board
    ROOT = "/data/check" if portable.path_exists("/data") else "/check"

try:
    from snaploop_device.classifier import Classifier
    from snaploop_device.inference import Detector, NotFiniteError, np
except ImportError:
    Detector = None  # an interpreter without ulab and without NumPy: says so in check_decoder


class RoomyCard(Card):
    """A card that does not ask the system how much is free, since not every interpreter can tell."""

    def free_bytes(self):
        return 1 << 30


def new_card(name):
    """An empty card folder."""
    card = RoomyCard(ROOT + "/" + name)
    for inner in card.names(""):
        path = card.path(inner)
        if os.stat(path)[0] & 0x4000:
            card.remove_folder(inner)
        else:
            card.remove(inner)
    return card


def quiet():
    return Log(None, lambda line: None)


def check_layout():
    for panel_w in (640, 800):
        for screen in layout.SCREENS:
            rects = layout.button_rects(screen, panel_w, 480, ["red", "grün"])
            for name in rects:
                x, y, w, h = rects[name]
                assert x >= 0 and y >= 0 and x + w <= panel_w and y + h <= 480, name
                assert layout.button_at(rects, x + w // 2, y + h // 2) == name
    assert widgets.fitted("abcdefgh", 20, 60).endswith("..")
    assert widgets.percent(876) == "87.6 %"


def check_labelling():
    record = SampleRecord("b1-000001", portable.sha256_hex(b"x"), 9, 640, 360)
    editing = Labelling(record, ["red", "green"])
    editing.press(10, 20)
    editing.move(700, 400)
    assert editing.release() == "box" and editing.boxes[0].w == 630 and editing.boxes[0].h == 340
    editing.choose_class("green")
    editing.press(50, 50)
    assert editing.release() == "selected"
    assert editing.delete() and not editing.boxes and editing.undo() and len(editing.boxes) == 1
    assert editing.result(LABELLED).rev == 1


def check_shapes_and_proposals():
    record = SampleRecord("b1-000001", portable.sha256_hex(b"x"), 9, 640, 360)
    editing = Labelling(record, ["text"], 0, "ocr_detect")
    editing.propose([Box("text", 300, 200, 80, 40)])
    editing.press(100, 100)
    editing.move(199, 149)
    assert editing.release() == "box" and len(editing.boxes[0].points) == 4
    editing.press(150, 120)
    assert editing.release() == "selected"
    editing.press(199, 148)
    editing.move(219, 168)
    assert editing.release() == "moved"
    assert editing.accept_all() == 1
    again = parse_record(editing.result(LABELLED).to_json())
    assert again.boxes == editing.boxes and again.boxes[0].points[2] == (218, 168)
    trace = [(x, 100) for x in range(100, 200)] + [(199, y) for y in range(100, 200)]
    assert len(shapes.simplified(trace)) == 3


def check_a_deleted_photo_comes_back_once():
    card = new_card("deleted")
    store = SampleStore(card, 1, quiet())
    name = store.add(b"\xff\xd8 photo", 640, 360).name
    store.remove(name)
    assert not store.has(name)
    store.restore(name)
    assert store.names == [name]
    store.remove(name)
    assert SampleStore(card, 2, quiet()).names == [] and card.names("samples") == []


def check_library():
    card = new_card("library")
    library = Library(card, "ab" * 32)
    library.add("cup", [1000, 0, 0])
    library.add("key", [0, 1000, 0])
    assert library.recognise([900, 300, 0], 700)[0] == "cup" and library.recognise([0, 0, 1000], 700)[0] == ""
    library.forget("cup")
    assert Library(card, "ab" * 32).names == ["key"] and library.free_name(["key"]) == "thing 1"


def check_samples_survive_a_restart():
    card = new_card("samples")
    boot = boot_count.next_boot(card)
    store = SampleStore(card, boot, quiet())
    record = store.add(b"\xff\xd8 photo", 640, 360)
    editing = Labelling(record, ["rot"])
    editing.press(1, 2)
    editing.move(101, 202)
    editing.release()
    store.save(editing.result(LABELLED))
    store.mark_synced(record.name, 0)
    card.write("samples/b1-000077.jpg", b"photo of a cut shot")
    again = SampleStore(card, boot_count.next_boot(card), quiet())
    while again.step():
        pass
    assert again.names == [record.name] and again.class_counts == {"rot": 1}
    assert again.pending(9) == [record.name] and again.read_photo(record.name, 2, 3) == b" ph"
    assert again.add(b"other", 640, 360).name == "b{}-000001".format(boot + 1)


def check_card_replaces_and_finishes():
    card = new_card("card")
    card.write("x", b"one")
    card.write("x", b"two")
    assert card.read("x") == b"two" and card.names("") == ["x"]
    card.rename("x", "x.part")
    card.finish("x", lambda data: data == b"two")
    assert card.read("x") == b"two"
    card.write("y", b"torn")
    card.rename("y", "y.part")
    card.finish("y", lambda data: False)
    assert card.names("") == ["x"]


def check_config_and_project():
    card = new_card("config")
    settings, trouble = config.load(card)
    assert not settings.is_paired and "install" in trouble
    card.write("config.json", b'{"id":"a1","key":"' + portable.hex_of(KEY).encode() + b'","host":["10.0.0.1",8765]}')
    settings, trouble = config.load(card)
    assert settings.is_paired and settings.key == KEY and trouble == ""
    card.write("config.json", b'{"key":"zz"}')
    assert "hexadecimal" in config.load(card)[1]
    card.write("config.json", b"{")
    assert config.load(card)[1]
    project.save(card, project.checked({"name": "p", "task": "detect", "classes": ["a"]}))
    assert project.load(card)["classes"] == ["a"]


def check_slots_and_model_files():
    card = new_card("models")
    files = ModelFiles(card, KEY, 640, 360, quiet())
    slots = files.read_slots()
    kmodel = bytes(1000)
    digest = portable.sha256_hex(kmodel)
    raw = (
        '{"v":1,"serial":3,"digest":"' + digest + '","bytes":1000,"task":"detect","head":"dfl6","input":[320,192],'
        '"labels":["red"],"score_permille":400,"iou_permille":500,"nncase":"2.11.0","kmodel_version":7,'
        '"golden":{"digest":"' + digest + '","bytes":1000,"detections":[]},"scores":{}}'
    ).encode()
    files.keep_manifest(manifest.parse(raw), manifest.signature(raw, KEY))
    slots.move("offer", digest, 3)
    files.keep_slots(slots)
    assert files.received(digest, KMODEL) == 0
    files.add_piece(digest, KMODEL, kmodel[:600])
    files.add_piece(digest, KMODEL, kmodel[600:])
    assert files.received(digest, KMODEL) == 1000
    files.accept(digest, KMODEL)
    files.add_piece(digest, GOLDEN, kmodel)
    files.accept(digest, GOLDEN)
    assert files.is_complete(digest) and [one.digest for one in files.listed()] == [digest]
    assert files.read_slots().state == model_slots.RECEIVING
    assert ModelFiles(card, bytes(32), 640, 360, quiet()).read_manifest(digest) is None


class Wire:
    """Both ends of a cable: a UsbStream for the road, a host that answers with the request's body reversed."""

    def __init__(self):
        self.host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
        self.ms = 0

    def read(self):
        return self.host.output(self.ms)

    def write(self, data):
        for message in self.host.receive(data, self.ms):
            request = messages.decode_request(message)
            request.check(KEY)
            body = bytes([byte for byte in reversed(request.body)])
            self.host.send(
                messages.encode_response(
                    messages.Response(messages.OK, {"path": request.path}, body), request.counter, KEY
                )
            )

    def random_u32(self):
        return 77


class NoWifi:
    def address(self):
        return ""


def check_request_over_the_cable():
    wire = Wire()
    settings = config.Config({"id": "b1", "key": portable.hex_of(KEY)})
    usb = UsbRoad(wire, wire, quiet())
    requester = Requester(settings, 3, usb, WifiRoad(NoWifi(), settings, quiet()), None, quiet())
    answer = None
    body = bytes(range(256)) * 40
    for now_ms in range(1000, 4000, 10):
        wire.ms = now_ms
        if answer is None and not requester.is_busy and requester.has_road:
            requester.ask("PUT", messages.PHOTO, {"offset": 0}, body)
        result = requester.step(now_ms)
        if result is not None:
            answer = result
            break
    assert answer is not None and answer[0] == "answer", answer
    assert answer[1].arguments == {"path": messages.PHOTO} and answer[1].body == bytes(
        [byte for byte in reversed(body)]
    )


class FakeManifest:
    labels = ("red", "green")
    input_w = 64
    input_h = 32
    score_permille = 400
    iou_permille = 500


def check_decoder():
    if Detector is None:
        print("neither ulab nor NumPy here: the decoder is not checked")
        return
    outputs = []
    for stride in (8, 16, 32):
        outputs.append(np.zeros((1, 64, 32 // stride, 64 // stride)))
        outputs.append(np.ones((1, 2, 32 // stride, 64 // stride)) * -9)
    # stride 8, column 3, row 2: centre (28, 20); every side's soft-max sits on bin 2: 16 px
    for side in range(4):
        outputs[0][0, side * 16 + 2, 2, 3] = 40
    outputs[1][0, 1, 2, 3] = 2
    detector = Detector(FakeManifest, letterbox.placement(128, 64, 64, 32))
    assert detector.in_input(lambda index: outputs[index]) == [(1, 881, 12, 4, 32, 28)]
    assert detector.in_photo(lambda index: outputs[index]) == [(1, 881, 24, 8, 64, 56)]
    outputs[1][0, 0, 0, 0] = float("nan")
    try:
        detector.in_input(lambda index: outputs[index])
    except NotFiniteError:
        return
    raise AssertionError("NaN went through")


def check_classifier():
    if Detector is None:
        print("neither ulab nor NumPy here: the classifier is not checked")
        return
    place = letterbox.stretch_placement(640, 360, 64, 32)
    one = Classifier(FakeWholePhoto("logits"), place)
    assert one.in_photo(lambda _index: np.array([[-300.0, 1.0, 0.0]])) == [(1, 731, 0, 0, 640, 360)]
    assert one.in_photo(lambda _index: np.array([[0.0, 0.0, 0.0]])) == []
    many = Classifier(FakeWholePhoto("multilogits"), place)
    found = many.in_photo(lambda _index: np.array([[-300.0, 1.0, 0.0]]))
    assert [detection[:2] for detection in found] == [(1, 731), (2, 500)]
    try:
        many.in_input(lambda _index: np.array([[0.0, float("nan"), 0.0]]))
    except NotFiniteError:
        return
    raise AssertionError("NaN went through")


class FakeWholePhoto:
    labels = ["a", "b", "c"]  # noqa: RUF012  # MicroPython knows no ClassVar
    score_permille = 400

    def __init__(self, head):
        self.head = head


def check_state_expires():
    state = AppState(800, 480)
    state.say("hello", "info", 1000)
    state.expire(2000)
    assert state.message == "hello"
    state.expire(9000)
    assert state.message == ""


CHECKS = (
    check_layout,
    check_labelling,
    check_library,
    check_shapes_and_proposals,
    check_a_deleted_photo_comes_back_once,
    check_samples_survive_a_restart,
    check_card_replaces_and_finishes,
    check_config_and_project,
    check_slots_and_model_files,
    check_request_over_the_cable,
    check_decoder,
    check_classifier,
    check_state_expires,
)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        print("ok", check.__name__)
    print("{} portable checks passed".format(len(CHECKS)))
