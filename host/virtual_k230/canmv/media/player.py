"""media.player: not on a virtual board."""

raise ImportError("virtual K230 has no video decoder: media.player needs a real board")
