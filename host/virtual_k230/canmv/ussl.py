"""ussl: the old name of ssl, as the board has it."""

import ssl
import sys

sys.modules["ussl"] = ssl
globals().update({name: getattr(ssl, name) for name in dir(ssl) if not name.startswith("__")})
