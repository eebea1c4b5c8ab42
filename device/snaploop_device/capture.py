"""The shutter: the frame that is frozen on the screen is the frame that is stored."""

from .photo_hints import PhotoHints

JPEG_QUALITY = 92


class Capture:
    """Takes photos with `camera` into `store`."""

    def __init__(self, camera, display, store) -> None:
        """Keep the three parts."""
        self._camera = camera
        self._display = display
        self._store = store
        self._hints = PhotoHints()
        self._frozen = None
        self.frame = (
            None  # what the KPU's channel saw when the last photo was taken; the camera's memory: see Camera.ai_frame
        )

    def shoot(self):
        """Freeze a frame, store it, and leave it on the screen; its record.

        Raises:
            CardFullError: no room; the live view goes on.
            OSError: camera or card failed.
        """
        self._frozen = self._camera.freeze()
        record = self.keep()
        self._display.show_photo(self._frozen)
        return record

    def hint(self, record) -> str:
        """A line about the photo just taken (blurred, like another one), "" when all is well."""
        self.frame = self._camera.ai_frame()
        return self._hints.judge(self.frame, record.name)

    def freeze(self) -> None:
        """Freeze a frame on the screen without storing it."""
        self._frozen = self._camera.freeze()
        self._display.show_photo(self._frozen)

    def keep(self):
        """Store the frame that is frozen; its record.

        Raises:
            CardFullError: no room.
            OSError: the card failed.
        """
        photo = self._frozen
        return self._store.add(photo.jpeg(JPEG_QUALITY), photo.width, photo.height)

    def reopen(self, name: str):
        """Show a stored photo; its record.

        Raises:
            OSError, RecordError: photo or record cannot be read.
        """
        record = self._store.load(name)
        self._display.show_photo(self._camera.load(self._store.photo_path(name)))
        return record

    def clear_sheet(self) -> None:
        """Show an empty contact sheet (the Gallery)."""
        self._display.show_photo(self._camera.sheet())

    def place(self, name: str, x: int, y: int, width: int, height: int) -> None:
        """Put a stored photo on the contact sheet.

        Raises:
            OSError: it cannot be read.
        """
        self._display.show_photo(self._camera.place(self._store.photo_path(name), x, y, width, height))

    def resume_live(self) -> None:
        """Show live video again."""
        self._display.hide_photo()
