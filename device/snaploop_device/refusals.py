"""Which model was refused last, why, and under which firmware: it is taken again when the reason may be gone, and not before.

The host can offer a refused model again on purpose: it signs its manifest anew with a higher serial (`snaploop offer`), and what is
noted here is about the old serial. Kept on the card as refused.json: a restart is no reason to fetch a broken model again.
"""

import json

from snaploop_shared import manifest as manifests
from snaploop_shared.errors import SnaploopError
from snaploop_shared.portable import parse_json, ticks_since

FILE = "refused.json"
RETRY_MS = 60000  # a full card may have room later, a host may have been mended
RESTART = "restart"  # the app died in the trial: its fault, or somebody pulled the plug
DAMAGED = "damaged"  # it ran here, and its file was damaged since
MOST_RESTARTS = 2  # trials that may end so before the model is to blame
_CHEAP = (manifests.NO_ROOM, manifests.BAD_SIGNATURE, manifests.OLD_SERIAL)  # asking again costs one manifest
_HOSTS_FAULT = _CHEAP + (manifests.BAD_DIGEST,)


class Refusals:
    """The last refusal. `runtime` says what runs here now: nncase, firmware and app."""

    def __init__(self, card, runtime: str, log) -> None:
        """Read it from the card."""
        self._card = card
        self._runtime = runtime
        self._log = log
        self._noted_ms = None  # when it was noted in this run of the app; None: before
        self._told = []  # (digest, serial, reason) of this run: one report each
        self._last = self._read()

    def is_about(self, digest, serial) -> bool:
        """Whether the last refusal was of this model with this serial."""
        return self._last is not None and (self._last["digest"], self._last["serial"]) == (digest, serial)

    def is_worth_another_try(self, now_ms: int) -> bool:
        """Whether the reason of the last refusal may be gone."""
        last = self._last
        if last["runtime"] != self._runtime or last["reason"] == DAMAGED:
            return True
        if last["reason"] == RESTART:
            return last["times"] < MOST_RESTARTS
        if self._noted_ms is None:
            return last["reason"] in _HOSTS_FAULT
        return last["reason"] in _CHEAP and ticks_since(now_ms, self._noted_ms) > RETRY_MS

    def note(self, digest, serial, reason: str, now_ms: "int | None") -> bool:
        """Remember a refusal; whether the host has not been told of it since the start.

        `now_ms` is None where no time is known: then the next try waits for a restart at most.
        """
        times = self._last["times"] + 1 if self.is_about(digest, serial) and self._last["reason"] == reason else 1
        self._noted_ms = now_ms
        last = {"digest": digest, "serial": serial, "reason": reason, "runtime": self._runtime, "times": times}
        is_changed = self._last is None or [last[name] for name in last] != [self._last[name] for name in last]
        self._last = last
        if is_changed and reason not in _CHEAP:  # cheap ones are asked again every minute: spare the card
            self._keep()
        told = (digest, serial, reason)
        is_new = told not in self._told
        if is_new:
            self._told = self._told[-20:] + [told]
        return is_new

    def clear(self) -> None:
        """A model was confirmed, or the host changed: nothing is held against any model."""
        self._last = None
        try:
            self._card.remove(FILE)
        except OSError as error:  # it is about an older serial than any offer to come
            self._log.warning("models", "{}: {}".format(FILE, error))

    def _keep(self):
        try:
            self._card.write(FILE, json.dumps(self._last).encode())
        except (OSError, SnaploopError) as error:  # a full card: it is known until the next start
            self._log.warning("models", "{}: {}".format(FILE, error))

    def _read(self):
        self._card.finish(FILE, _is_refusal)
        if not self._card.has(FILE):
            return None
        data = self._card.read(FILE)
        return parse_json(data) if _is_refusal(data) else None


def _is_refusal(data):
    try:
        fields = parse_json(data)
    except ValueError:
        return False
    names = ("digest", "serial", "reason", "runtime", "times")
    return isinstance(fields, dict) and all([name in fields for name in names]) and isinstance(fields["times"], int)
