"""uasyncio: the old name of asyncio, as the board has it."""

import asyncio
import sys

sys.modules["uasyncio"] = asyncio
globals().update({name: getattr(asyncio, name) for name in dir(asyncio) if not name.startswith("__")})
