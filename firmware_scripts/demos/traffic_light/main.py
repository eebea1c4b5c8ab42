"""Starts the demo traffic_light. Lies on the card as /sdcard/main.py, beside traffic_light.py and the two packages."""

from traffic_light import TrafficLight

from snaploop_device.board.k230 import K230Board

TrafficLight(K230Board()).run()
