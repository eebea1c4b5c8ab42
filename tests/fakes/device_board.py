"""A board in plain Python: one working object per port of snaploop_device.board.ports. Tests hold the clock, the finger and the wire."""

import io

import numpy as np
from PIL import Image

from snaploop_device.board import ports
from snaploop_shared import frames
from snaploop_shared.link import TO_BOARD_WINDOW_FRAMES, Link
from virtual_k230.postprocess.aicube import (
    anchorbasedet_post_process,
    anchorfreedet_post_process,
    gfldet_post_process,
    ocr_post_process,
)


class FakeClock(ports.Clock):
    """Time that tests, pauses and the camera move; looking at it costs a quarter of a millisecond, as work does."""

    def __init__(self):
        self.ms = 1000
        self.looks = 0

    def now_ms(self):
        self.looks += 1
        self.ms += self.looks % 4 == 0
        return self.ms

    def pause(self, ms):
        self.ms += max(1, ms)


class FakePhoto(ports.Photo):
    def __init__(self, pixels):
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def jpeg(self, quality):
        out = io.BytesIO()
        Image.fromarray(self.pixels).save(out, "JPEG", quality=quality)
        return bytearray(out.getvalue())


class FakeCamera(ports.Camera):
    """Every frame differs: a bright square wanders over noise."""

    def __init__(self, clock):
        self.clock = clock
        self.frame = 0
        self.fails = False
        self.ai = np.zeros((3, 360, 640), np.uint8)
        self.texts = []  # of QR codes in view

    def pixels(self):
        self.frame += 1
        rng = np.random.default_rng(self.frame)
        pixels = rng.integers(0, 60, (45, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        x = 20 * self.frame % 560
        pixels[100:160, x : x + 60] = (250, 40, 40)
        return np.ascontiguousarray(pixels)

    def freeze(self):
        if self.fails:
            raise RuntimeError("sensor(2) snapshot chn(1) failed(3)")
        return FakePhoto(self.pixels())

    def load(self, path):
        return FakePhoto(np.asarray(Image.open(path).convert("RGB")))

    def sheet(self):
        self.on_sheet = FakePhoto(np.zeros((360, 640, 3), np.uint8))
        return self.on_sheet

    def place(self, path, x, y, width, height):
        picture = Image.open(path).convert("RGB").resize((width, height))
        self.on_sheet.pixels[y : y + height, x : x + width] = np.asarray(picture)
        return self.on_sheet

    def codes(self):
        return list(self.texts)

    def ai_frame(self):
        self.frame += 1
        self.clock.ms += 33  # the camera sets the pace
        return self.ai


class FakeCanvas(ports.Canvas):
    """Remembers the draw calls of the picture that was shown last."""

    def __init__(self):
        self.calls = []
        self.shown = []
        self.shows = 0

    def clear(self):
        self.calls = []

    def rectangle(self, x, y, w, h, colour, thickness=1, fill=False, alpha=255):
        assert w > 0 and h > 0, (x, y, w, h)
        self.calls.append(("rectangle", x, y, w, h, tuple(colour), thickness, fill))

    def circle(self, x, y, r, colour, thickness=1, fill=False):
        self.calls.append(("circle", x, y, r, tuple(colour), thickness, fill))

    def line(self, x0, y0, x1, y1, colour, thickness=1):
        self.calls.append(("line", x0, y0, x1, y1, tuple(colour), thickness))

    def text(self, x, y, size, text, colour):
        assert isinstance(text, str)
        self.calls.append(("text", x, y, size, text, tuple(colour)))

    def show(self):
        self.shown = self.calls
        self.shows += 1

    def texts(self):
        return [call[4] for call in self.shown if call[0] == "text"]


class FakeDisplay(ports.Display):
    def __init__(self, width=800, height=480):
        self.width, self.height = width, height
        self.canvas = FakeCanvas()
        self.overlay = FakeCanvas()
        self.photo = None

    def show_photo(self, photo):
        self.photo = photo

    def hide_photo(self):
        self.photo = None


class FakeTouch(ports.Touch):
    def __init__(self):
        self.waiting = []
        self.is_present = True

    def events(self):
        waiting, self.waiting = self.waiting, []
        return waiting

    def tap(self, rect):
        x, y = rect[0] + rect[2] // 2, rect[1] + rect[3] // 2
        self.waiting += [("down", x, y), ("up", x, y)]

    def drag(self, x0, y0, x1, y1):
        self.waiting += [("down", x0, y0), ("move", (x0 + x1) // 2, (y0 + y1) // 2), ("move", x1, y1), ("up", x1, y1)]


def raw_heads(boxes, input_w, input_h, classes, score=0.9):
    """Six tensors that decode to these (class index, x, y, w, h) boxes of input px."""
    logit = float(np.log(score / (1 - score)))
    outputs = []
    for stride in (8, 16, 32):
        h, w = input_h // stride, input_w // stride
        outputs.append(np.zeros((1, 64, h, w), np.float32))
        outputs.append(np.full((1, classes, h, w), -8, np.float32))
    for index, x, y, w, h in boxes:
        level = next(i for i, stride in enumerate((8, 16, 32)) if max(w, h) <= 14 * stride)
        stride = (8, 16, 32)[level]
        column, row = int((x + w / 2) // stride), int((y + h / 2) // stride)
        cx, cy = column + 0.5, row + 0.5
        for side, distance in enumerate(
            (cx - x / stride, cy - y / stride, (x + w) / stride - cx, (y + h) / stride - cy)
        ):
            low = int(distance)
            bins = np.full(16, -30, np.float32)
            part = distance - low
            bins[low] = np.log(max(1 - part, 1e-9))
            bins[low + 1] = np.log(max(part, 1e-9))
            outputs[2 * level][0, side * 16 : side * 16 + 16, row, column] = bins
        outputs[2 * level + 1][0, index, row, column] = logit
    return outputs


def gfl_heads(boxes, input_w, input_h, classes, score=0.9):
    """Three tensors of head "gfl" that decode to these (class index, x, y, w, h) boxes of input px."""
    outputs = [np.zeros((1, input_h // s, input_w // s, classes + 68), np.float32) for s in (8, 16, 32)]
    for output in outputs:
        output[..., :classes] = -8
    for index, x, y, w, h in boxes:
        level = next(i for i, stride in enumerate((8, 16, 32)) if max(w, h) <= 14 * stride)
        stride = (8, 16, 32)[level]
        column, row = int((x + w / 2) // stride), int((y + h / 2) // stride)
        cell = outputs[level][0, row, column]
        cell[index] = np.log(score / (1 - score))
        sides = (column - x / stride, row - y / stride, (x + w) / stride - column, (y + h) / stride - row)
        for side, distance in enumerate(sides):
            bins = cell[classes + 17 * side : classes + 17 * side + 17]
            low, part = int(distance), distance - int(distance)
            bins[:] = -30
            bins[low], bins[low + 1] = np.log(max(1 - part, 1e-9)), np.log(max(part, 1e-9))
    return outputs


def anchor_heads(boxes, input_w, input_h, classes, anchors=None, score=0.9):
    """Three tensors of head "anchorbase" (with 18 `anchors`) or "anchorfree" that decode to these (class index, x, y, w, h) boxes."""
    per_cell = 1 if anchors is None else 3
    outputs = [np.zeros((1, input_h // s, input_w // s, per_cell * (5 + classes)), np.float32) for s in (8, 16, 32)]
    for index, x, y, w, h in boxes:
        level = next(i for i, stride in enumerate((8, 16, 32)) if max(w, h) <= 8 * stride or stride == 32)
        stride = (8, 16, 32)[level]
        column, row = int((x + w / 2) // stride), int((y + h / 2) // stride)
        across, down = (x + w / 2) / stride - column, (y + h / 2) / stride - row
        place = 0
        if anchors is None:
            values = [across, down, np.log(w / stride), np.log(h / stride)]
        else:
            sizes = np.reshape(anchors, (3, 3, 2))[level]
            place = int(np.abs(np.log(sizes / (w, h))).sum(axis=1).argmin())
            values = [(across + 0.5) / 2, (down + 0.5) / 2, *(np.sqrt(np.divide((w, h), sizes[place])) / 2)]
        cell = outputs[level][0, row, column, place * (5 + classes) : (place + 1) * (5 + classes)]
        cell[:4], cell[4], cell[5 + index] = values, 1, score
    return outputs


def segmap_outputs(cells, labels):
    """Both outputs of head "segmap" in which every coarse cell (H/4, W/4) has this label; the full size is never read by the app."""
    logits = np.full((1, *cells.shape, labels), -2, np.float32)
    np.put_along_axis(logits, cells[None, ..., None].astype(np.int64), 3.0, axis=-1)
    return [None, logits]


class FakeNetwork(ports.Network):
    def __init__(self, kpu, path, placement):
        self.kpu, self.path, self.placement = kpu, path, placement
        self.outputs = None
        self.is_released = False

    def run(self, frame):
        assert not self.is_released
        assert frame.shape == (3, self.placement.source_h, self.placement.source_w)
        self.kpu.runs += 1
        self.outputs = self.kpu.live_outputs(self)

    def run_input(self, data):
        assert not self.is_released
        if len(data) != 3 * self.placement.input_w * self.placement.input_h:
            raise ValueError("golden input of the wrong size")
        self.outputs = self.kpu.golden_outputs(self)

    def output(self, index):
        return self.outputs[index]

    def release(self):
        assert not self.is_released, "released twice"
        self.is_released = True
        self.kpu.loaded.remove(self)


class FakeKpu(ports.Kpu):
    """Loads anything; tests say what it finds on live frames and on the golden input."""

    def __init__(self):
        self.loaded = []
        self.runs = 0
        self.room = True
        self.load_error = None
        self.live_outputs = lambda network: raw_heads([(0, 40, 40, 30, 60)], 320, 192, 2)
        self.golden_outputs = lambda network: raw_heads([(1, 100, 50, 40, 40)], 320, 192, 2)

    def version(self):
        return "2.11.0"

    def has_room(self, kmodel_bytes):
        return self.room

    def gfl_boxes(self, outputs, input_wh, frame_wh, classes, score, iou):
        """The firmware's function, as the virtual board has it."""
        return gfldet_post_process(*outputs, list(input_wh), list(frame_wh), [8, 16, 32], classes, score, iou, False)

    def anchor_boxes(self, outputs, input_wh, frame_wh, classes, score, iou, anchors):
        """The firmware's functions, as the virtual board has them."""
        given = [*outputs, list(input_wh), list(frame_wh), [8, 16, 32], classes, score, iou]
        if anchors is None:
            return anchorfreedet_post_process(*given, False)
        return anchorbasedet_post_process(*given, list(anchors), False)

    def text_quads(self, output, input_wh, mask, score):
        """The firmware's function, as the virtual board has it."""
        blank = np.zeros(3 * input_wh[0] * input_wh[1], np.uint8)
        chances = np.ascontiguousarray(output[0, :, :, 0], np.float32).reshape(-1)
        found = ocr_post_process(chances, blank, list(input_wh), list(input_wh), mask, score)
        return [[float(number) for number in one[1]] for one in found]

    def load(self, path, placement):
        if self.load_error:
            raise self.load_error
        network = FakeNetwork(self, path, placement)
        self.loaded.append(network)
        return network


class FakeUsb(ports.UsbStream):
    """The cable, with the host's end of the link on it. `host` answers messages; None: nobody there."""

    def __init__(self, clock, host=None):
        self.clock, self.host = clock, host
        self.link = Link(False, TO_BOARD_WINDOW_FRAMES)
        self.cut = False
        self.damage = lambda data: data

    def write(self, data):
        if self.host is None or self.cut:
            return
        for message in self.link.receive(self.damage(bytes(data)), self.clock.ms):
            answer = self.host.handle(message, "usb")
            if answer is not None:
                self.link.send(answer)

    def read(self):
        if self.host is None or self.cut:
            return b""
        data = self.link.output(self.clock.ms)
        assert len(data) <= 4 * frames.MAX_LINE_BYTES + 2 * 60, "more than the board's stdin ring holds"
        return self.damage(data)


class FakeConnection(ports.Connection):
    """An HTTP server at the other end, answering in small pieces."""

    def __init__(self, wifi):
        self.wifi = wifi
        self.received = b""
        self.to_send = b""
        self.closed = False

    def send(self, data):
        if self.closed or self.wifi.cut or self.wifi.closes:
            raise OSError(104)
        data = bytes(data[:1000])
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if separator:
            length = int(
                next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split(b":")[1]
            )
            if len(body) >= length:
                assert head.startswith(b"POST /board/v1 HTTP/1.1\r\n")
                answer = self.wifi.host.handle(body, "wifi")
                status = b"200 OK" if answer else b"401 Unauthorized"
                answer = answer or b"unknown board: pair it"
                self.to_send += b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer
                self.received = b""
        return len(data)

    def receive(self, limit):
        if self.wifi.cut:
            raise OSError(104)
        if self.wifi.closes and not self.to_send:
            return b""
        if not self.to_send:
            return None
        data, self.to_send = self.to_send[: min(limit, 1500)], self.to_send[min(limit, 1500) :]
        return data

    def close(self):
        self.closed = True


class FakeDatagrams(ports.Datagrams):
    """`wifi.answers` answers a broadcast: a list of datagrams."""

    def __init__(self, wifi):
        self.wifi = wifi
        self.waiting = []

    def broadcast(self, data, port):
        self.wifi.questions.append((bytes(data), port))
        self.waiting += self.wifi.answers(bytes(data))

    def receive(self, limit):
        return self.waiting.pop(0) if self.waiting else b""

    def close(self):
        self.waiting = []


class FakeWifi(ports.Wifi):
    def __init__(self, host=None):
        self.host = host
        self.joined = False
        self.cut = False
        self.closes = False
        self.connections = 0
        self.questions = []
        self.answers = lambda question: []
        self.host_at = None  # (address, port) where the host takes connections; None: anywhere

    def join(self, ssid, key):
        self.joined = (ssid, key) == ("net", "secret")

    def address(self):
        return "10.0.0.7" if self.joined and self.host else ""

    def connect(self, address, port):
        if self.cut or self.host is None or self.host_at not in (None, (address, port)):
            raise OSError(111)
        self.connections += 1
        return FakeConnection(self)

    def datagrams(self):
        return FakeDatagrams(self)


class FakeIdentity(ports.Identity):
    def __init__(self):
        self.random = 1

    def chip_id(self):
        return "00112233"

    def machine(self):
        return "k230_canmv_fake"

    def firmware(self):
        return "v1.5"

    def heap_free(self):
        return 4000000

    def random_u32(self):
        self.random += 1
        return self.random


class FakeBoard(ports.Board):
    """All of it. `host` is reachable over both roads."""

    def __init__(self, host=None, width=800, height=480):
        self.clock = FakeClock()
        self.camera = FakeCamera(self.clock)
        self.display = FakeDisplay(width, height)
        self.touch = FakeTouch()
        self.kpu = FakeKpu()
        self.usb = FakeUsb(self.clock, host)
        self.wifi = FakeWifi(host)
        self.identity = FakeIdentity()
        self.is_open = False
        self.closes = 0

    def open(self, panel):
        self.is_open = True

    def close(self):
        self.is_open = False
        self.closes += 1
