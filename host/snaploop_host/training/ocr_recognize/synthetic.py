"""Lines of text that nobody photographed: random texts after the pattern of the labels, in fonts that are at hand.

With few photos a network learns the labels by heart instead of the letters; drawn lines show it every character of the dictionary in
many places. Fonts: the one that Pillow brings, and matplotlib's DejaVu where it is installed; a character that no font has is not drawn
(`Typesetter.missing`). Called by `ocr_recognize.train`. Pillow and NumPy only.
"""

from __future__ import annotations

import itertools

import numpy as np
from PIL import Image, ImageDraw

from ..typefaces import has_glyph, typefaces

FONT_PX = 40
LEAST_CONTRAST = 70
COLOURED = 0.2


class Typesetter:
    """Draws lines with the characters of a dictionary."""

    def __init__(self, characters: str, texts: list[str]) -> None:
        """`texts` are labels: new ones are made like them."""
        self.fonts = typefaces(FONT_PX)
        self.drawable = {
            character: [font for font in self.fonts if has_glyph(font, character)] for character in characters
        }
        self.missing = "".join(character for character, fonts in self.drawable.items() if not fonts)
        self.texts = [text for text in texts if text and not set(text) & set(self.missing)]
        self.kinds = {
            character: [other for other in characters if _kind(other) == _kind(character) and self.drawable[other]]
            for character in characters
        }

    def line(self, rng: np.random.Generator) -> tuple[np.ndarray, str, list[float]]:
        """A picture filled by one line of text, with a border of a fifth of its height.

        Returns:
            (H, W, 3) uint8 RGB, the text, and the x of every character's middle in the picture.
        """
        text = self._text(rng)
        fonts = [font for font in self.fonts if all(font in self.drawable[character] for character in text)]
        font = fonts[rng.integers(len(fonts))] if fonts else self.fonts[0]
        left, top, right, bottom = font.getbbox(text)
        border = round(0.2 * (bottom - top)) + 2
        size = (max(1, round(right - left)) + 2 * border, max(1, round(bottom - top)) + 2 * border)
        paper, ink = _colours(rng)
        image = Image.new("RGB", size, paper)
        ImageDraw.Draw(image).text((border - left, border - top), text, fill=ink, font=font)
        pixels = np.asarray(image).astype(np.float32)
        if rng.random() < 0.5:  # light from one side
            pixels *= np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1), size[0])[None, :, None]
        ends = [float(font.getlength(text[:count])) for count in range(len(text) + 1)]
        middles = [border - left + (one + other) / 2 for one, other in itertools.pairwise(ends)]
        return pixels.clip(0, 255).astype(np.uint8), text, middles

    def _text(self, rng: np.random.Generator) -> str:
        """A label with every character exchanged for one of its kind."""
        pattern = self.texts[rng.integers(len(self.texts))] if self.texts else "".join(self.drawable)[:1]
        if rng.random() < 0.1:
            return pattern
        return "".join(self.kinds[character][rng.integers(len(self.kinds[character]))] for character in pattern)


def _kind(character: str) -> str:
    for kind, holds in (("digit", str.isdigit), ("upper", str.isupper), ("lower", str.islower), ("space", str.isspace)):
        if holds(character):
            return kind
    return "letter" if character.isalpha() else "sign"


def _colours(rng: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Paper and ink that can be told apart by their brightness, seldom of strong colours."""
    while True:
        strength = 90 if rng.random() < COLOURED else 25
        paper, ink = rng.integers(0, 256, (2, 1)) + rng.integers(-strength, strength + 1, (2, 3))
        if abs(float(paper.mean()) - float(ink.mean())) >= LEAST_CONTRAST:
            return tuple(map(int, paper.clip(0, 255))), tuple(map(int, ink.clip(0, 255)))  # type: ignore[return-value]
