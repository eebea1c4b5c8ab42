"""Finding text: a map of where it is, from which the firmware makes quads."""
