"""uzlib: the old name of zlib, as the board has it."""

import sys
import zlib

sys.modules["uzlib"] = zlib
globals().update({name: getattr(zlib, name) for name in dir(zlib) if not name.startswith("__")})
