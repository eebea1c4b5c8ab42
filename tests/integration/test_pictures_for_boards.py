"""Pictures in packages: whatever people photographed with, boards and the vendor's scripts can open them."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from snaploop_host.storage.blobs import BlobFolder
from snaploop_host.storage.pictures import BOARD_PX, PillowPictures

RED, BLUE = (200, 30, 20), (20, 40, 190)


def photo(size, mode="RGB", kind="JPEG", **options):
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    data = io.BytesIO()
    picture.convert(mode).save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (photo((1000, 733)), (640, 469)),
        (photo((300, 411), "CMYK"), (300, 411)),
        (photo((300, 200), progressive=True), (300, 200)),
        (photo((300, 200), "RGBA", "PNG"), (300, 200)),
        (photo((300, 200), "P", "PNG"), (300, 200)),
    ],
)
def test_every_photo_becomes_a_plain_jpeg(tmp_path, data, size):
    pictures = PillowPictures(BlobFolder(tmp_path / "blobs"), tmp_path / "thumbnails")
    with Image.open(io.BytesIO(pictures.for_board(data))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", size)
        assert max(picture.size) <= BOARD_PX and not picture.info.get("progressive")
        left, right = picture.getpixel((5, 5)), picture.getpixel((size[0] - 5, 5))
    assert all(abs(a - b) < 25 for a, b in zip(left + right, RED + BLUE, strict=True))
