"""Runs on the (virtual) board: fetches the bytes of a model over USB, piece by piece into a file, as the app does.

`bench/link.py` starts it. The clock runs from the first request to the closed file.
"""

import json
import sys
import time

sys.path.insert(0, "/sdcard")

from snaploop_device import boot_count, config
from snaploop_device.board.k230 import K230Clock
from snaploop_device.board.k230_identity import K230Identity
from snaploop_device.board.k230_usb import K230Usb
from snaploop_device.card import Card
from snaploop_device.log import Log
from snaploop_device.requester import Requester
from snaploop_device.usb_road import UsbRoad
from snaploop_device.wifi_road import WifiRoad
from snaploop_shared import messages
from snaploop_shared.portable import hashlib, hex_of

MOST_MS = 240000


def ask(offset):
    """The answer to a request for the piece at `offset`."""
    arguments = {"digest": plan["digest"], "offset": offset, "length": messages.PIECE_BYTES}
    requester.ask("GET", messages.BLOB, arguments)
    while True:
        result = requester.step(clock.now_ms())
        if result is not None:
            return result
        if not requester.has_moved:
            clock.pause(1)


with open("/data/fetch.json") as file:
    plan = json.load(file)
card = Card("/data/snaploop")
log = Log()
settings, trouble = config.load(card)
clock = K230Clock()
usb = UsbRoad(K230Usb(), K230Identity(), log)
wifi = WifiRoad(None, settings, log)
requester = Requester(settings, boot_count.next_boot(card), usb, wifi, lambda count: None, log)
requester.road = "usb"
while not requester.has_road:
    requester.step(clock.now_ms())
    clock.pause(1)
started = time.ticks_ms()
digest = hashlib.sha256()
offset = 0
said = ""
with open("/data/fetched.bin", "wb") as file:
    while offset < plan["bytes"] and time.ticks_diff(time.ticks_ms(), started) < MOST_MS:
        what, answer = ask(offset)
        if what != "answer" or answer.status != messages.OK:
            said = str(answer)
            break
        file.write(answer.body)
        digest.update(answer.body)
        offset += len(answer.body)
spent = time.ticks_diff(time.ticks_ms(), started)
if hex_of(digest.digest()) == plan["digest"]:
    print("RESULT", json.dumps({"ms": spent}))
else:
    print("{} of {} bytes came: {}".format(offset, plan["bytes"], said))
