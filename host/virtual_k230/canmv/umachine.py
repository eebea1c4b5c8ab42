"""umachine: the old name of machine, as the board has it."""

import sys

import machine

sys.modules["umachine"] = machine
globals().update({name: getattr(machine, name) for name in dir(machine) if not name.startswith("__")})
