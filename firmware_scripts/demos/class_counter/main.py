"""Starts the demo class_counter. Lies on the card as /sdcard/main.py, beside class_counter.py and the two packages."""

from class_counter import ClassCounter

from snaploop_device.board.k230 import K230Board

ClassCounter(K230Board()).run()
