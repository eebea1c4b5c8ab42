"""lvgl: not on a virtual board."""

raise ImportError("virtual K230 has no LVGL: lvgl needs a real board")
