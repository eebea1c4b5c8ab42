"""Runs on the (virtual) board: copies the photos of the card over a bare socket, the quickest way a script has.

The peer of our Wi-Fi road in `bench/link.py`, which starts it: u32 length and bytes of each file, no protocol around them. The
clock runs from the first byte until the host has all files on its disk.
"""

import json
import os
import socket
import time

import network

FOLDER = "/data/snaploop/samples/"

with open("/data/bare.json") as file:
    port = json.load(file)["port"]
names = [name for name in os.listdir(FOLDER) if name.endswith(".jpg")]
network.WLAN(network.STA_IF).connect("bench", "bench-key")
connection = socket.socket()
connection.connect(("127.0.0.1", port))
started = time.ticks_ms()
for name in names:
    with open(FOLDER + name, "rb") as file:
        data = file.read()
    connection.sendall(len(data).to_bytes(4, "big") + data)
connection.sendall(bytes(4))
connection.settimeout(60)
said = connection.recv(2)
spent = time.ticks_diff(time.ticks_ms(), started)
connection.close()
if said == b"ok":
    print("RESULT", json.dumps({"ms": spent, "files": len(names)}))
else:
    print("the host did not take the files:", said)
