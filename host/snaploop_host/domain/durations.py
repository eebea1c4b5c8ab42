"""Durations in words, as requirement S3-09 shows them."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Like "45 s", "38 m 30 s" or "1 h 5 m 0 s"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} m {rest} s"
    return f"{minutes} m {rest} s" if minutes else f"{rest} s"
