"""Runs on the (virtual) board: our app as it ships, with its Sync screen open, until every sample of the card is synced.

`bench/link.py` starts it and puts the samples on the card. The clock runs from the greeting to the last confirmed record.
"""

import json
import sys
import time

sys.path.insert(0, "/sdcard")

from snaploop_device.app import App
from snaploop_device.board.k230 import K230Board

MOST_MS = 240000

app = App(K230Board())
try:
    app.start()
    count = len(app.store)
    app.apply(("open", "sync"))
    opened = time.ticks_ms()
    while not app.state.classes and time.ticks_diff(time.ticks_ms(), opened) < MOST_MS:
        app.step()  # the road comes up, and the host is greeted
    started = time.ticks_ms()
    while (app.store.is_counting or app.store.count_pending()) and time.ticks_diff(time.ticks_ms(), started) < MOST_MS:
        app.step()
    spent = time.ticks_diff(time.ticks_ms(), started)
    result = {"ms": spent, "samples": count, "left": app.store.count_pending(), "synced": app.sync.synced}
    result["said"] = app.state.message
finally:
    app.close()
print("RESULT", json.dumps(result))
