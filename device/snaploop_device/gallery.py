"""Which photos the Gallery shows: pages of sixteen, newest first, and the one that is chosen. Pure logic."""

from .layout import THUMBS


class Gallery:
    """A walk through the samples' names."""

    def __init__(self, names: "list[str]") -> None:
        """Begin on the first page of these names (newest first)."""
        self.names = names
        self.page = 0
        self.chosen = ""
        self.placed = 0  # thumbnails of this page that stand on the sheet already
        self.broken = []  # names whose photo cannot be read

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        return max(1, (len(self.names) + THUMBS - 1) // THUMBS)

    @property
    def shown(self) -> "list[str]":
        """The names on this page."""
        return self.names[self.page * THUMBS : (self.page + 1) * THUMBS]

    @property
    def is_waiting(self) -> bool:
        """Whether a thumbnail is still to be drawn."""
        return self.placed < len(self.shown)

    def turn(self, step: int) -> bool:
        """Go some pages on; False at the ends."""
        page = self.page + step
        if not 0 <= page < self.pages:
            return False
        self.page = page
        self.placed = 0
        return True

    def renew(self, names: "list[str]") -> None:
        """The samples changed: stay on the page where that is possible."""
        self.names = names
        self.page = min(self.page, self.pages - 1)
        self.placed = 0
        if self.chosen not in names:
            self.chosen = ""
