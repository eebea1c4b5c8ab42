"""What every decoder asks of an output tensor. Over ulab on a board, NumPy on a PC."""

try:
    from ulab import numpy as np
except ImportError:  # on a PC
    import numpy as np

GARBAGE_BYTES = 50 * 1024  # one unit of what a decoder calls its garbage


class NotFiniteError(ValueError):
    """A model gave NaN or infinity."""


def count_of(tensor) -> int:
    """How many numbers it has."""
    count = 1
    for side in tensor.shape:
        count *= side
    return count


def check_finite(tensor, what: str) -> None:
    """Return when there is neither NaN nor infinity in it; costs a sum.

    Raises:
        NotFiniteError: there is; the message says in `what`.
    """
    total = float(np.sum(tensor))
    if total - total != 0:  # NaN and infinity are the only numbers that differ from themselves like this
        raise NotFiniteError("the model's {} are not finite".format(what))
