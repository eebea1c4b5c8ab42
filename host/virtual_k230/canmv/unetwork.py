"""unetwork: the old name of network, as the board has it."""

import sys

import network

sys.modules["unetwork"] = network
globals().update({name: getattr(network, name) for name in dir(network) if not name.startswith("__")})
