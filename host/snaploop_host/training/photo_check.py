"""Hold a photo against its record before anything is trained on it. Called by every task's prepare stage."""

from __future__ import annotations

from .errors import BadDatasetError
from .job_spec import Photo

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL_BYTES = 4096  # cameras may put a few bytes behind the end marker


def check_photo(photo: Photo) -> None:
    """Decode the photo once and hold it against its record.

    Raises:
        BadDatasetError: missing, undecodable, or not width×height.
    """
    import cv2  # heavy, and only workers get here
    import numpy as np

    if not photo.image.is_file():
        raise BadDatasetError(
            f"photo {photo.name} is missing ({photo.image}): restore it or remove the sample from the project"
        )
    data = photo.image.read_bytes()
    # OpenCV decodes a JPEG that was cut off and fills it up with grey; its end marker tells.
    is_cut = data[:2] == JPEG_START and JPEG_END not in data[-JPEG_TAIL_BYTES:]
    image = None if is_cut or not data else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadDatasetError(
            f"photo {photo.name} is {'cut short' if is_cut else 'no readable picture'}: "
            f"put the right file at {photo.image}, or delete it there and import or sync it again"
        )
    if image.shape[:2] != (photo.height, photo.width):
        raise BadDatasetError(
            f"photo {photo.name} is {image.shape[1]}x{image.shape[0]}, its record says {photo.width}x{photo.height}: import it again"
        )
