"""media.opus: not on a virtual board."""

raise ImportError("virtual K230 has no sound codec: media.opus needs a real board")
