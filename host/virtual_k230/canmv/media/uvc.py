"""media.uvc: not on a virtual board."""

raise ImportError("virtual K230 has no USB host port for a camera: media.uvc needs a real board")
