"""Name tags as small pictures: what comes with every frame is filled and written once, and copied from then on.

A copy is one call into the firmware instead of two, and no glyph is blended again. Whether a firmware copies pictures with
transparency unchanged stands in no document, so it is tried once; where it does not, tags are drawn as everything else is.
"""

from .ports import TAG_INSET_X, TAG_INSET_Y

MOST_PICTURES = 96  # of some 10 KiB of media memory each: five classes with all their usual scores
MOST_SEEN = 250  # tags that were drawn once and are no picture yet
_TRIED = (255, 12, 130, 240)  # four different bytes: a copy that swaps or blends them is noticed


class TagPictures:
    """The pictures of one canvas."""

    def __init__(self) -> None:
        """Nothing is allocated before a tag comes for the second time."""
        self._pictures = {}
        self._seen = set()
        self._is_possible = None  # not tried yet

    def picture(self, w, h, colour, size, text, ink):
        """An image of this tag (see ports.Canvas.tag), or None: draw it. Colours are tuples.

        One that was never seen before gets no picture: most of those never come again.
        """
        if self._is_possible is False:
            return None
        key = (text, colour, w, h, size, ink)
        picture = self._pictures.get(key)
        if picture is not None:
            return picture
        if key not in self._seen:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen.add(key)
            return None
        if len(self._pictures) >= MOST_PICTURES:
            self._pictures.clear()
        try:
            if self._is_possible is None:
                self._is_possible = _is_copied_unchanged()
            if self._is_possible:
                picture = self._pictures[key] = _drawn(w, h, colour, size, text, ink)
        except (MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
            print("name tags are drawn without pictures: {}: {}".format(type(error).__name__, error))
            self._is_possible = False
            self._pictures.clear()
        return picture


def _drawn(w, h, colour, size, text, ink):
    import image

    picture = image.Image(w, h, image.ARGB8888)
    picture.draw_rectangle(0, 0, w, h, (255, colour[0], colour[1], colour[2]), 1, True)
    picture.draw_string_advanced(TAG_INSET_X, TAG_INSET_Y, size, text, (255, ink[0], ink[1], ink[2]))
    return picture


def _is_copied_unchanged():
    """Whether draw_image() gives the same bytes as drawing in place."""
    import image

    part = image.Image(8, 4, image.ARGB8888)
    part.draw_rectangle(0, 0, 8, 4, _TRIED, 1, True)
    copied = image.Image(24, 12, image.ARGB8888)
    copied.clear()
    copied.draw_image(part, 9, 5)
    drawn = image.Image(24, 12, image.ARGB8888)
    drawn.clear()
    drawn.draw_rectangle(9, 5, 8, 4, _TRIED, 1, True)
    return bytes(copied.bytearray()) == bytes(drawn.bytearray())
