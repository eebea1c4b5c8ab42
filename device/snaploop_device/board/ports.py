"""What the app needs of a board. K230Board implements it on hardware (and on the virtual K230), tests/fakes in plain Python."""

TAG_INSET_X, TAG_INSET_Y = 4, 1  # of a tag's text from the corner of the tag


class Board:
    """Everything the app is given. `open` before use, `close` always."""

    camera = None
    display = None
    touch = None
    kpu = None
    usb = None
    wifi = None
    clock = None
    identity = None

    def open(self, panel) -> None:
        """Start camera, display and the rest; `panel` is (w, h) or None for what this board has.

        Raises:
            RuntimeError, OSError: the firmware refuses; the message says what.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release everything; may be called after a failed `open`."""
        raise NotImplementedError


class Photo:
    """A frozen frame: `width`, `height` px."""

    width = 0
    height = 0

    def jpeg(self, quality: int) -> "bytes | bytearray":
        """The frame as JPEG."""
        raise NotImplementedError


class Camera:
    """All channels show the same field of view (k230-platform §2.4)."""

    def freeze(self) -> Photo:
        """The newest frame; valid until the next `freeze` or `load`.

        Raises:
            RuntimeError: the sensor gave none.
        """
        raise NotImplementedError

    def load(self, path: str) -> Photo:
        """A stored JPEG as a frozen frame; valid until the next `freeze` or `load`.

        Raises:
            OSError: the file cannot be read or is no JPEG.
        """
        raise NotImplementedError

    def sheet(self) -> Photo:
        """An empty (black) photo on which `place` puts others; valid until the next `freeze` or `load`."""
        raise NotImplementedError

    def place(self, path: str, x: int, y: int, width: int, height: int) -> Photo:
        """The sheet, with a stored JPEG made smaller to this rectangle of it.

        Raises:
            OSError: the file cannot be read or is no JPEG.
        """
        raise NotImplementedError

    def codes(self) -> "list[str]":
        """The texts of the QR codes that are in view now."""
        raise NotImplementedError

    def ai_frame(self):
        """The newest frame for the KPU: 3×H×W uint8 RGB array; valid until the next call."""
        raise NotImplementedError


class Canvas:
    """A layer of the UI: drawn from scratch, then shown. Colours are RGB; the layer is transparent where nothing is drawn."""

    def clear(self) -> None:
        """Begin a new picture."""
        raise NotImplementedError

    def rectangle(self, x, y, w, h, colour, thickness=1, fill=False, alpha=255) -> None:
        """A frame, or a filled rectangle."""
        raise NotImplementedError

    def circle(self, x, y, r, colour, thickness=1, fill=False) -> None:
        """A ring, or a disc."""
        raise NotImplementedError

    def line(self, x0, y0, x1, y1, colour, thickness=1) -> None:
        """A line."""
        raise NotImplementedError

    def text(self, x, y, size, text, colour) -> None:
        """One line of text, its top left corner at (x, y)."""
        raise NotImplementedError

    def tag(self, x, y, w, h, colour, size, text, ink) -> None:
        """A filled rectangle of this `colour` with one line of `text` in it, in `ink`; whatever a canvas does, it looks like this."""
        self.rectangle(x, y, w, h, colour, fill=True)
        self.text(x + TAG_INSET_X, y + TAG_INSET_Y, size, text, ink)

    def show(self) -> None:
        """Put the picture on the panel."""
        raise NotImplementedError


class Display:
    """The panel: live video below, a frozen photo over it, the overlay of the picture (boxes) on that, the canvas on top.

    Two canvases, because boxes change with every frame and panels seldom.
    """

    width = 0
    height = 0
    canvas = None  # panel size, or less: see layout.UI_W and UI_H
    overlay = None  # PHOTO_W x PHOTO_H at (0, 0)

    def show_photo(self, photo: Photo) -> None:
        """Cover the live video with a frozen frame."""
        raise NotImplementedError

    def hide_photo(self) -> None:
        """Show live video again."""
        raise NotImplementedError


class Touch:
    """The panel's fingers, first one only."""

    is_present = True  # known after the board was opened; an HDMI monitor has no touch

    def events(self) -> "list[tuple[str, int, int]]":
        """What happened since the last call, in order: ("down"|"move"|"up", x, y) in panel px."""
        raise NotImplementedError


class Network:
    """A loaded kmodel with its pre-processing and buffers."""

    def run(self, frame) -> None:
        """Letterbox a camera frame and run the model.

        Raises:
            RuntimeError: the KPU failed.
        """
        raise NotImplementedError

    def run_input(self, data: bytes) -> None:
        """Run the model on its exact input, uint8 CHW bytes (the golden input).

        Raises:
            RuntimeError: the KPU failed.
            ValueError: not 3·H·W bytes.
        """
        raise NotImplementedError

    def output(self, index: int):
        """Output `index` of the last run, an array of its own."""
        raise NotImplementedError

    def release(self) -> None:
        """Free its memory; the object is dead then."""
        raise NotImplementedError


class Kpu:
    """The accelerator."""

    def version(self) -> str:
        """Version of the firmware's nncase runtime."""
        raise NotImplementedError

    def has_room(self, kmodel_bytes: int) -> bool:
        """Whether such a model fits beside what is loaded."""
        raise NotImplementedError

    def load(self, path: str, placement) -> Network:
        """Load a kmodel whose input takes camera frames at `placement` (shared letterbox).

        Raises:
            RuntimeError, OSError, EOFError: it cannot be loaded.
        """
        raise NotImplementedError

    def gfl_boxes(self, outputs, input_wh, frame_wh, classes: int, score: float, iou: float) -> "list[list]":
        """Decode the three outputs of a "gfl" model (manifest.HEAD_GFL), suppressed within each class.

        Args:
            outputs: for strides 8, 16, 32 a float array of H/s * W/s * (classes + 68) numbers.
            input_wh: the model's input, px.
            frame_wh: the frame that was letterboxed (centred) into it; the input itself for boxes in input px.
            classes: how many there are.
            score: 0 to 1, boxes above it are given.
            iou: 0 to 1, of two boxes of a class that overlap more the better one is given.

        Returns:
            [class index, score 0 to 1, x0, y0, x1, y1] each, frame px, in no promised order.
        """
        raise NotImplementedError

    def anchor_boxes(
        self, outputs, input_wh, frame_wh, classes: int, score: float, iou: float, anchors
    ) -> "list[list]":
        """As `gfl_boxes`, for a model with head "anchorbase" and its 18 `anchors`, or "anchorfree" with None."""
        raise NotImplementedError

    def text_quads(self, output, input_wh, mask: float, score: float) -> "list[list[float]]":
        """Decode the output of a "textmap" model (manifest.HEAD_TEXTMAP).

        Args:
            output: a float array [1, H, W, 2].
            input_wh: the model's input, px.
            mask: 0 to 1, pixels above it belong to a region.
            score: 0 to 1, regions whose mean is below it are left out.

        Returns:
            Eight numbers each: x and y of the corners from the top left clockwise, input px.
        """
        raise NotImplementedError


class UsbStream:
    """The console's bytes."""

    def read(self) -> bytes:
        """What arrived, some KiB at most; never waits."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Write all of it."""
        raise NotImplementedError


class Connection:
    """A TCP connection that never blocks."""

    def send(self, data: "bytes | memoryview") -> int:
        """Send what fits now; how many bytes went.

        Raises:
            OSError: the connection is broken.
        """
        raise NotImplementedError

    def receive(self, limit: int) -> "bytes | None":
        """What arrived, up to `limit` bytes; None when nothing did, b"" when the other side closed.

        Raises:
            OSError: the connection is broken.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError


class Datagrams:
    """A UDP socket that never blocks."""

    def broadcast(self, data: bytes, port: int) -> None:
        """Send to everybody in the network.

        Raises:
            OSError: it cannot be sent.
        """
        raise NotImplementedError

    def receive(self, limit: int) -> bytes:
        """A datagram that arrived, b"" when none did.

        Raises:
            OSError: the socket is broken.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError


class Wifi:
    """The radio."""

    def join(self, ssid: str, key: str) -> None:
        """Begin to join a network; look at `address` later."""
        raise NotImplementedError

    def address(self) -> str:
        """Our IP address, "" while there is none."""
        raise NotImplementedError

    def datagrams(self) -> Datagrams:
        """A new UDP socket.

        Raises:
            OSError: there is none.
        """
        raise NotImplementedError

    def connect(self, address: str, port: int) -> Connection:
        """Open a connection; waits a second or two at most.

        Raises:
            OSError: nobody answers there.
        """
        raise NotImplementedError


class Clock:
    """Time."""

    def now_ms(self) -> int:
        """Milliseconds from an arbitrary start (portable.ticks_ms)."""
        raise NotImplementedError

    def pause(self, ms: int) -> None:
        """Wait, and let the firmware deliver a stop that someone asked for."""
        raise NotImplementedError


class Identity:
    """What this board is."""

    def chip_id(self) -> str:
        """Unique per chip, hex."""
        raise NotImplementedError

    def machine(self) -> str:
        """os.uname() machine."""
        raise NotImplementedError

    def firmware(self) -> str:
        """Firmware release."""
        raise NotImplementedError

    def heap_free(self) -> int:
        """Free heap bytes."""
        raise NotImplementedError

    def random_u32(self) -> int:
        """A random number from 1 to 2**32 - 1."""
        raise NotImplementedError
