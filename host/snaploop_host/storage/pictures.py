"""Picture files through Pillow: is it readable, how large, and small copies for the page. The only user of Pillow in the host."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import BadInputError
from ..files import write_atomically
from .blobs import BlobFolder

THUMBNAIL_PX = 320  # longer side; sharp on a phone at twice the density in a grid of 160 px
BOARD_PX = 640
_THUMBNAIL_QUALITY = 80
_MODEL_INPUT_QUALITY = 95  # a model shall answer as to the pixels themselves
MAX_PIXELS = 50_000_000  # refuses a picture that would need gigabytes to decode
_FORMATS = ("JPEG", "PNG")


class PillowPictures:
    """See `ports.Pictures`; keeps thumbnails in a folder that may be deleted at any time."""

    def __init__(self, blobs: BlobFolder, thumbnails: Path) -> None:
        """Read photos from `blobs`, keep small copies in `thumbnails`."""
        self._blobs = blobs
        self._thumbnails = thumbnails
        thumbnails.mkdir(parents=True, exist_ok=True)

    def check_photo(self, data: bytes) -> tuple[int, int]:
        """(width, height) in px of a JPEG or PNG that decodes to its last row.

        Raises:
            BadInputError: it does not.
        """
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise BadInputError(
                        f"picture of {width}x{height} px: at most {MAX_PIXELS // 1_000_000} megapixels are taken"
                    )
                picture.load()
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise BadInputError("no readable JPEG or PNG") from error
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all of these for damaged files
            raise BadInputError(f"damaged picture ({error})") from error
        return width, height

    def encode(self, pixels: bytes, width: int, height: int) -> bytes:
        """A JPEG of a model input: uint8, 3×H×W, RGB."""
        area = width * height
        planes = [Image.frombytes("L", (width, height), pixels[at * area : (at + 1) * area]) for at in range(3)]
        out = io.BytesIO()
        Image.merge("RGB", planes).save(out, "JPEG", quality=_MODEL_INPUT_QUALITY, subsampling=0)
        return out.getvalue()

    def for_board(self, data: bytes) -> bytes:
        """A baseline RGB JPEG of at most BOARD_PX on the longer side: boards read neither CMYK nor progressive ones, nor PNG called .jpg.

        The vendor's scripts copy a picture, and of segmentation its four-channel mask too, into a heap of 4 MiB.
        """
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            small = ImageOps.exif_transpose(picture).convert("RGB")
        small.thumbnail((BOARD_PX, BOARD_PX))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=_MODEL_INPUT_QUALITY)
        return out.getvalue()

    def thumbnail(self, digest: str) -> bytes:
        """A JPEG of at most THUMBNAIL_PX on the longer side, made once.

        Raises:
            NotFoundError: no such photo.
        """
        path = self._thumbnails / f"{digest}.jpg"
        source = self._blobs.path(digest)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            data = _small_copy(source)
            write_atomically(path, data)
            return data


def _small_copy(source: Path) -> bytes:
    with Image.open(source, formats=_FORMATS) as picture:
        picture.draft(
            "RGB", (THUMBNAIL_PX * 2, THUMBNAIL_PX * 2)
        )  # lets the JPEG decoder skip detail: several times faster
        small = ImageOps.exif_transpose(picture).convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True)
    return out.getvalue()
