"""Runs on the (virtual) board: our app as it ships, with its Sync screen open, until every sample of the card is synced.

`bench/link.py` starts it and puts the samples on the card. The clock runs from the first question about them to the last confirmed record.
"""

import json
import sys
import time

sys.path.insert(0, "/sdcard")

from snaploop_device.app import App
from snaploop_device.board.k230 import K230Board
from snaploop_shared.messages import MISSING

MOST_MS = 240000

app = App(K230Board())
asked = []  # when the first question about samples went out


def ask(method, path, arguments, body=b""):
    """The requester's ask, with the clock started."""
    if path == MISSING and not asked:
        asked.append(time.ticks_ms())
    ask_really(method, path, arguments, body)


try:
    app.start()
    ask_really = app.requester.ask
    app.requester.ask = ask
    count = len(app.store)
    app.apply(("open", "sync"))
    opened = time.ticks_ms()
    while not asked or app.store.count_pending():
        app.step()
        if time.ticks_diff(time.ticks_ms(), opened) > MOST_MS:
            break
    started = asked[0] if asked else opened
    spent = time.ticks_diff(time.ticks_ms(), started)
    result = {"ms": spent, "samples": count, "left": app.store.count_pending(), "synced": app.sync.synced}
    result["said"] = app.state.message
finally:
    app.close()
print("RESULT", json.dumps(result))
