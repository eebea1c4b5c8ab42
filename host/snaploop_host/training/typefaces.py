"""Fonts that are at hand, and words written into pictures with them: class names are in any language, OpenCV's letters are ASCII only."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DEJAVU = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf")
NO_CHARACTER = "\U0010fffd"  # private use: every font draws its box for it
LUMA, DARK = (0.299, 0.587, 0.114), 110  # brightness of a colour 0…255; of red, green and blue in pictures that are RGB
_FONT_FOLDERS = ("/usr/share/fonts", "~/.local/share/fonts", "~/.fonts")
_FONTS_OF_THE_EAST = ("*SourceHanSans*", "NotoSansCJK*", "NotoSansSC*", "wqy-*", "DroidSansFallback*")


def typefaces(size_px: int) -> list[ImageFont.FreeTypeFont]:
    """Every font that libraries of ours bring, Pillow's own first."""
    fonts: list[ImageFont.FreeTypeFont] = []
    own = ImageFont.load_default(size_px)
    if isinstance(own, ImageFont.FreeTypeFont):
        fonts.append(own)
    found = importlib.util.find_spec("matplotlib")
    if found and found.origin:
        folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
        fonts += [ImageFont.truetype(folder / name, size_px) for name in DEJAVU if (folder / name).is_file()]
    return fonts


def has_glyph(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the font can draw the character."""
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))


@lru_cache(maxsize=256)
def font_for(text: str, size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at hand that has most of a text's characters; one of this PC where libraries bring none that has all."""
    lacking = {font: sum(not has_glyph(font, letter) for letter in set(text)) for font in typefaces(size_px)}
    if not lacking:
        return ImageFont.load_default(size_px)
    best = min(lacking, key=lambda font: lacking[font])
    if lacking[best] and (file := _font_of_the_east()) is not None:
        return ImageFont.truetype(file, size_px)
    return best


def write(
    image: np.ndarray, text: str, corner: tuple[int, int], colour: tuple[int, int, int], size_px: int, edge_px: int = 0
) -> None:
    """Write into a picture (H, W, 3) uint8, in place.

    Args:
        image: where to.
        text: what.
        corner: x of its left end, y of the line it stands on, in px; moved left where it would not end inside the picture.
        colour: of the letters, in the picture's order of channels.
        size_px: height of the font.
        edge_px: width of an edge around the letters, black or, of dark ones, white.
    """
    page = Image.fromarray(image)
    edge = (0, 0, 0) if np.dot(colour, LUMA) > DARK else (255, 255, 255)
    place = (max(0, min(corner[0], page.width - width_of(text, size_px) - edge_px)), corner[1])
    ImageDraw.Draw(page).text(
        place, text, colour, font_for(text, size_px), anchor="ls", stroke_width=edge_px, stroke_fill=edge
    )
    image[:] = np.asarray(page)


def width_of(text: str, size_px: int) -> int:
    """How wide a text will be, in px."""
    return round(font_for(text, size_px).getlength(text))


@lru_cache(maxsize=1)
def _font_of_the_east() -> Path | None:
    for folder in _FONT_FOLDERS:
        for name in _FONTS_OF_THE_EAST:
            found = next(iter(sorted(Path(folder).expanduser().rglob(name))), None)
            if found is not None:
                return found
    return None
