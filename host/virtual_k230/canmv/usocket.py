"""usocket: the old name of socket, as the board has it."""

import socket
import sys

sys.modules["usocket"] = socket
globals().update({name: getattr(socket, name) for name in dir(socket) if not name.startswith("__")})
