"""media.rtspserver: not on a virtual board."""

raise ImportError("virtual K230 has no RTSP server: media.rtspserver needs a real board")
