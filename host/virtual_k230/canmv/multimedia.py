"""multimedia: not on a virtual board."""

raise ImportError("virtual K230 has no RTSP server: multimedia needs a real board")
