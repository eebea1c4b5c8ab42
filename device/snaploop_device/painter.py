"""Draws what changed and nothing else: boxes over the picture with every frame, the panels around it when they differ."""

from snaploop_shared.portable import ticks_since

PANEL_EVERY_MS = 500  # counts beside the live video follow its boxes this often


class Painter:
    """Puts the state on the display's two canvases, with one module per screen."""

    def __init__(self, display, screens: dict) -> None:
        """`screens`: screen name → module with draw(state, canvas) and draw_picture(state, overlay)."""
        self._display = display
        self._screens = screens
        self._panel_ms = 0

    def draw(self, state, now_ms: int) -> bool:
        """Draw what is due; whether anything was drawn."""
        screen = self._screens[state.screen]
        has_drawn = state.picture_dirty
        if state.picture_dirty:
            state.picture_dirty = False
            overlay = self._display.overlay
            overlay.clear()
            screen.draw_picture(state, overlay)
            overlay.show()
        if state.counts_changed and ticks_since(now_ms, self._panel_ms) >= PANEL_EVERY_MS:
            state.dirty = True
        if state.dirty:
            state.dirty = False
            state.counts_changed = False
            self._panel_ms = now_ms
            canvas = self._display.canvas
            canvas.clear()
            screen.draw(state, canvas)
            canvas.show()
            has_drawn = True
        return has_drawn
