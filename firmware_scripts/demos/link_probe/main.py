"""Starts the demo link_probe. Lies on the card as /sdcard/main.py, beside link_probe.py and the two packages."""

from link_probe import LinkProbe

from snaploop_device.board.k230 import K230Board

LinkProbe(K230Board()).run()
