"""The commands of the Gallery screen: turn pages, choose, open, delete, undo."""

from snaploop_shared.errors import RecordError

from .gallery import Gallery
from .layout import GALLERY, LABEL, THUMB_H, THUMB_W, THUMBS_ACROSS


class GalleryActions:
    """Part of Actions."""

    def do_thumbnail(self) -> None:
        """Put the next thumbnail on the contact sheet."""
        gallery = self._app.state.gallery
        at = gallery.placed
        name = gallery.shown[at]
        gallery.placed += 1
        x, y = at % THUMBS_ACROSS * THUMB_W, at // THUMBS_ACROSS * THUMB_H
        try:
            self._app.capture.place(name, x, y, THUMB_W, THUMB_H)
        except (OSError, RuntimeError, ValueError) as error:  # one bad photo must not hide the others
            self._app.log.error("gallery", "{} cannot be shown: {}".format(name, error))
            gallery.broken.append(name)

    def do_gallery_page(self, step: int) -> None:
        """Turn the page."""
        if self._app.state.gallery.turn(step):
            self._app.capture.clear_sheet()
        else:
            self.do_say("these are the {} photos".format("oldest" if step > 0 else "newest"))

    def do_gallery_tap(self, index: int) -> None:
        """Choose a photo; a second tap opens it."""
        gallery = self._app.state.gallery
        if index >= len(gallery.shown):
            gallery.chosen = ""
        elif gallery.chosen == gallery.shown[index]:
            self.do_gallery_open()
        else:
            gallery.chosen = gallery.shown[index]

    def do_gallery_open(self) -> None:
        """Open the chosen photo in Label."""
        app = self._app
        state = app.state
        name = self._chosen()
        self._keep_edits()
        self._show(name)
        state.screen = LABEL
        state.pressed = ""
        state.after_label = GALLERY

    def do_gallery_delete(self) -> None:
        """Delete the chosen photo; Undo brings it back until the next one is deleted or the board is switched off."""
        app = self._app
        state = app.state
        name = self._chosen()
        was_sent = app.store.is_known_to_host(name)
        app.store.remove(name)
        state.deleted = name
        if state.labelling is not None and state.labelling.record.name == name:
            state.labelling = None
        self._renew()
        kept = "; the host keeps its copy" if was_sent else ""
        self.do_say("deleted {}{}. Undo brings it back".format(name, kept))

    def do_gallery_undo(self) -> None:
        """Bring the deleted photo back."""
        state = self._app.state
        if not state.deleted:
            self.do_say("nothing to undo")
            return
        name, state.deleted = state.deleted, ""
        self._app.store.restore(name)
        self._renew()
        state.gallery.chosen = name
        self.do_say("{} is back".format(name), "good")

    def _chosen(self):
        name = self._app.state.gallery.chosen
        if not name:
            raise RecordError("tap a photo first")
        return name

    def _open_gallery(self):
        state = self._app.state
        if state.gallery is None:
            state.gallery = Gallery(self._names())
        else:
            state.gallery.renew(self._names())
        self._app.capture.clear_sheet()

    def _renew(self):
        self._app.state.gallery.renew(self._names())
        self._app.capture.clear_sheet()
        self.do_counts_changed()

    def _names(self):
        return list(reversed(self._app.store.names))
