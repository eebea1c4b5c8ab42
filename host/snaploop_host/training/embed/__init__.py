"""Metric learning: photos of the same thing get vectors in the same direction."""
