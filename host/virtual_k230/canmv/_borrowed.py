"""Modules that the board freezes and this interpreter has frozen too, under the interpreter's own path.

The virtual board hides that path, because it also holds modules that the board lacks; `fill` takes single ones out.
"""

import sys


def load(name):
    """The interpreter's own frozen module of that name."""
    path = list(sys.path)
    ours = sys.modules.pop(name, None)
    sys.path[:] = [".frozen"]
    try:
        return __import__(name)
    finally:
        sys.path[:] = path
        if ours is not None:
            sys.modules[name] = ours


def fill(name, target):
    """Copy the public names of the interpreter's module into `target`, the globals of ours."""
    module = load(name)
    for key in dir(module):
        if not key.startswith("__"):
            target[key] = getattr(module, key)
