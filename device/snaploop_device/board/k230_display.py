"""The panel: live video on VIDEO1, the frozen photo on OSD0, boxes on OSD1, panels on OSD2 (both ARGB8888)."""

from ..layout import PHOTO_H, PHOTO_W, UI_H, UI_W
from . import ports
from .k230_tags import TagPictures


class K230Canvas(ports.Canvas):
    """A layer of the UI: one image, made once, drawn from scratch when something changed."""

    def __init__(self, width: int, height: int, layer: str) -> None:
        """Allocate 4·width·height bytes of media memory."""
        import image
        from media.display import Display

        self._image = image.Image(width, height, image.ARGB8888)
        self._image.clear()
        self._show = Display.show_image
        self._layer = getattr(Display, layer)
        self._tags = TagPictures()

    def clear(self) -> None:
        """Make it transparent."""
        self._image.clear()

    # Arguments by position: the firmware's functions take them so too, and nothing has to be looked up.

    def rectangle(self, x, y, w, h, colour, thickness=1, fill=False, alpha=255) -> None:
        """A frame, or a filled rectangle."""
        self._image.draw_rectangle(x, y, w, h, (alpha, colour[0], colour[1], colour[2]), thickness, fill)

    def circle(self, x, y, r, colour, thickness=1, fill=False) -> None:
        """A ring, or a disc."""
        self._image.draw_circle(x, y, r, (255, colour[0], colour[1], colour[2]), thickness, fill)

    def line(self, x0, y0, x1, y1, colour, thickness=1) -> None:
        """A line."""
        self._image.draw_line(x0, y0, x1, y1, (255, colour[0], colour[1], colour[2]), thickness)

    def text(self, x, y, size, text, colour) -> None:
        """One line of text."""
        if text:
            self._image.draw_string_advanced(x, y, size, text, (255, colour[0], colour[1], colour[2]))

    def tag(self, x, y, w, h, colour, size, text, ink) -> None:
        """A filled rectangle with text, copied from a picture when it was drawn before."""
        picture = self._tags.picture(w, h, colour, size, text, ink)
        if picture is None:
            ports.Canvas.tag(self, x, y, w, h, colour, size, text, ink)
        else:
            self._image.draw_image(picture, x, y)

    def show(self) -> None:
        """Put it on its layer."""
        self._show(self._image, 0, 0, self._layer)


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
