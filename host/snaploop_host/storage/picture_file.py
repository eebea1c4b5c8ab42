"""What all importers ask of a picture file: is it there, not too large, and how large is what it shows.

Phones store pictures as the sensor lies and say in an EXIF tag how to turn them. Some programs heed the tag, some do not, boards never:
what is imported is turned once, here, and carries no tag any more. What the store does not keep (BMP, WebP, TIFF, more than 8 bits a
channel) becomes a JPEG or PNG here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..errors import BadInputError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
UNREADABLE_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".dng", ".gif")  # pictures to people, and not read here
MAX_PICTURE_BYTES = 64 * 1024 * 1024
_REWRITTEN_QUALITY = 95  # of a JPEG that has to be written again
_KEPT_FORMATS = ("JPEG", "MPO", "PNG")  # MPO: a JPEG with a second picture behind it, as some phones write
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")  # Pillow clips them to white where OpenCV scales them
_SIXTEEN_BITS = 65535.0


def picture_files(folder: Path) -> Iterator[Path]:
    """Every picture below a folder, in order of its path; hidden folders are left alone."""
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file() and not is_hidden:
            yield path


def read_picture(
    path: Path, stated_px: tuple[int, int] | None = None, name: str | None = None
) -> tuple[bytes, tuple[int, int]]:
    """Bytes, width and height in px of a picture as people see it.

    Args:
        path: the file.
        stated_px: width and height that its labels are for, where they say so; tells whether the tool that made them turned the picture.
        name: what messages call it; None: as the file.

    Raises:
        BadInputError: it cannot be read, is too large or no picture; the message names it.
    """
    name = name or path.name
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise BadInputError(f"{name}: larger than {MAX_PICTURE_BYTES // 2**20} MiB: make it smaller")
        return _upright(path.read_bytes(), stated_px)
    except UnidentifiedImageError as error:  # its text names an object in memory
        raise BadInputError(f"{name}: no readable picture: replace the file and import again") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow's own errors among them
        raise BadInputError(f"{name}: no readable picture ({error}): replace the file and import again") from error


def refusal(name: str) -> str:
    """What is said of a picture with one of UNREADABLE_SUFFIXES."""
    return f"{name}: pictures of this kind are not read here: save it as JPEG and import again"


def _upright(data: bytes, stated_px: tuple[int, int] | None) -> tuple[bytes, tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
        is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
        if not is_turned and image.format in _KEPT_FORMATS and image.mode not in _DEEP_MODES:
            return data, size
        upright = _eight_bits(image)
        if is_turned:
            turned = ImageOps.exif_transpose(upright)
            if stated_px == size != turned.size:
                turned = upright.copy()  # labelled as it is stored: only the tag goes
                exif = turned.getexif()
                exif.pop(ExifTags.Base.Orientation)
                turned.info["exif"] = exif.tobytes()
            upright = turned
        out = io.BytesIO()
        if image.format == "PNG":
            upright.save(out, "PNG", exif=upright.info.get("exif", b""))
        else:
            plain = upright if upright.mode in ("L", "RGB") else upright.convert("RGB")
            plain.save(out, "JPEG", quality=_REWRITTEN_QUALITY, subsampling=0, exif=upright.info.get("exif", b""))
        return out.getvalue(), upright.size


def _eight_bits(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel: of 16-bit grey the upper half, of deeper kinds the range up to their brightest."""
    if image.mode not in _DEEP_MODES:
        return image
    values = np.asarray(image).astype(np.float64)
    brightest = max(float(values.max()), 1.0)
    if image.mode != "F" and brightest <= _SIXTEEN_BITS:
        brightest = _SIXTEEN_BITS
    grey = Image.fromarray((values.clip(0) * (255 / brightest)).astype(np.uint8))
    grey.info = dict(image.info)
    return grey


def read_names(path: Path) -> list[str]:
    """The lines of a text file without empty ones.

    Raises:
        BadInputError: it is not UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path.name} is not UTF-8: save it as UTF-8") from error
    return [line.strip() for line in lines if line.strip()]
