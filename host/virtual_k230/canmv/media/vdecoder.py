"""media.vdecoder: not on a virtual board."""

raise ImportError("virtual K230 has no video decoder: media.vdecoder needs a real board")
