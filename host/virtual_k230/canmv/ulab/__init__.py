"""ulab on the virtual board: the arrays live on the PC (virtual_k230/arrays.py)."""

from . import numpy

__version__ = "6.5.0-4D"
dtype = numpy.ndarray
