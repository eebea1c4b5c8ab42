"""ucryptolib: the old name of cryptolib, as the board has it."""

import sys

import cryptolib

sys.modules["ucryptolib"] = cryptolib
globals().update({name: getattr(cryptolib, name) for name in dir(cryptolib) if not name.startswith("__")})
