"""mpp: not on a virtual board."""

raise ImportError("virtual K230 has no media processor of its own: mpp needs a real board")
