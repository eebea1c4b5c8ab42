"""media.mp4format: not on a virtual board."""

raise ImportError("virtual K230 has no video encoder: media.mp4format needs a real board")
