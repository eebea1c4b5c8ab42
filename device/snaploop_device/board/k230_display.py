"""The panel: live video on VIDEO1, the frozen photo on OSD0, boxes on OSD1, panels on OSD2 (both ARGB8888)."""

from ..layout import PHOTO_H, PHOTO_W, UI_H, UI_W
from . import ports


class K230Canvas(ports.Canvas):
    """A layer of the UI: one image, made once, drawn from scratch when something changed."""

    def __init__(self, width: int, height: int, layer: str) -> None:
        """Allocate 4·width·height bytes of media memory."""
        import image

        self._image = image.Image(width, height, image.ARGB8888)
        self._image.clear()
        self._layer = layer

    def clear(self) -> None:
        """Make it transparent."""
        self._image.clear()

    def rectangle(self, x, y, w, h, colour, thickness=1, fill=False, alpha=255) -> None:
        """A frame, or a filled rectangle."""
        self._image.draw_rectangle(
            x, y, w, h, color=(alpha, colour[0], colour[1], colour[2]), thickness=thickness, fill=fill
        )

    def circle(self, x, y, r, colour, thickness=1, fill=False) -> None:
        """A ring, or a disc."""
        self._image.draw_circle(x, y, r, color=(255, colour[0], colour[1], colour[2]), thickness=thickness, fill=fill)

    def line(self, x0, y0, x1, y1, colour, thickness=1) -> None:
        """A line."""
        self._image.draw_line(x0, y0, x1, y1, color=(255, colour[0], colour[1], colour[2]), thickness=thickness)

    def text(self, x, y, size, text, colour) -> None:
        """One line of text."""
        if text:
            self._image.draw_string_advanced(x, y, size, text, color=(255, colour[0], colour[1], colour[2]))

    def show(self) -> None:
        """Put it on its layer."""
        from media.display import Display

        Display.show_image(self._image, 0, 0, getattr(Display, self._layer))


class K230Display(ports.Display):
    """media.display; keywords only, since the positional order changed between firmwares (k230-platform §3)."""

    def __init__(self) -> None:
        """Nothing is touched yet."""
        self._is_on = False
        self._shows_photo = False

    def bind(self, info: dict) -> None:
        """Let the panel follow the camera by hardware."""
        from media.display import Display

        Display.bind_layer(layer=Display.LAYER_VIDEO1, **info)

    def start(self, panel) -> None:
        """Switch the panel on; `panel` is (w, h) or (type name, w, h)."""
        from media.display import Display

        kind = panel[0] if len(panel) == 3 else "ST7701"
        self.width, self.height = panel[-2], panel[-1]
        Display.init(getattr(Display, kind), width=self.width, height=self.height, osd_num=3, to_ide=True)
        self._is_on = True

    def make_canvas(self) -> None:
        """Allocate the UI images, once, after MediaManager.init."""
        self.overlay = K230Canvas(PHOTO_W, PHOTO_H, "LAYER_OSD1")
        self.canvas = K230Canvas(min(self.width, UI_W), min(self.height, UI_H), "LAYER_OSD2")

    def show_photo(self, photo) -> None:
        """Cover the live video."""
        from media.display import Display

        Display.show_image(photo.image, 0, 0, Display.LAYER_OSD0)
        self._shows_photo = True

    def hide_photo(self) -> None:
        """Show live video again."""
        from media.display import Display

        if self._shows_photo:
            Display.disable_layer(Display.LAYER_OSD0)
            self._shows_photo = False

    def stop(self) -> None:
        """Switch the panel off."""
        from media.display import Display

        self.canvas = None
        self.overlay = None
        if self._is_on:
            self._is_on = False
            Display.deinit()
