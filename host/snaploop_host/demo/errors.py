"""The demo's one error: a stage that did not happen, with what to look at."""

from __future__ import annotations

from ..errors import HostError


class DemoError(HostError):
    """A stage of the demo failed; the message names it and where to look."""
