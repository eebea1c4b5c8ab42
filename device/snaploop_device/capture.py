"""The shutter: the frame that is frozen on the screen is the frame that is stored."""

JPEG_QUALITY = 92


class Capture:
    """Takes photos with `camera` into `store`."""

    def __init__(self, camera, display, store) -> None:
        """Keep the three parts."""
        self._camera = camera
        self._display = display
        self._store = store

    def shoot(self):
        """Freeze a frame, store it, and leave it on the screen; its record.

        Raises:
            CardFullError: no room; the live view goes on.
            OSError: camera or card failed.
        """
        photo = self._camera.freeze()
        record = self._store.add(photo.jpeg(JPEG_QUALITY), photo.width, photo.height)
        self._display.show_photo(photo)
        return record

    def reopen(self, name: str):
        """Show a stored photo; its record.

        Raises:
            OSError, RecordError: photo or record cannot be read.
        """
        record = self._store.load(name)
        self._display.show_photo(self._camera.load(self._store.photo_path(name)))
        return record

    def resume_live(self) -> None:
        """Show live video again."""
        self._display.hide_photo()
