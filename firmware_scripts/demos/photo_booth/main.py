"""Starts the demo photo_booth. Lies on the card as /sdcard/main.py, beside photo_booth.py and the two packages."""

from photo_booth import PhotoBooth

from snaploop_device.board.k230 import K230Board

PhotoBooth(K230Board()).run()
