"""Starts the snaploop app when the board is switched on. Lies on the card as /sdcard/main.py, beside the two packages."""

from snaploop_device.app import App
from snaploop_device.board.k230 import K230Board

App(K230Board()).run()
