"""media.vencoder: not on a virtual board."""

raise ImportError("virtual K230 has no video encoder: media.vencoder needs a real board")
