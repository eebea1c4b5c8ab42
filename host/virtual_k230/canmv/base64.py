"""base64 on the virtual board: the interpreter's own frozen module."""

import _borrowed

_borrowed.fill("base64", globals())
