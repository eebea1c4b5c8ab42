"""Starts the demo self_learning. Lies on the card as /sdcard/main.py, beside self_learning.py and the two packages."""

from self_learning import SelfLearning

from snaploop_device.board.k230 import K230Board

SelfLearning(K230Board()).run()
