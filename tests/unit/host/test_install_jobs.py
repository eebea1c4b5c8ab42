"""Installations asked for on the page: progress, the end in words, one per port; no board needed."""

from __future__ import annotations

import threading
import time

import pytest

from snaploop_host.errors import BoardLinkError, ConflictError, NotFoundError
from snaploop_host.links.install_board import InstalledBoard, InstallWish
from snaploop_host.links.install_jobs import DONE, FAILED, RUNNING, InstallJobs
from snaploop_host.links.installer import Installed

PORT = "/dev/ttyACM0"


class Ports:
    def __init__(self):
        self.told = []

    def state(self):
        return [{"port": PORT, "state": "open", "requests": 0}]

    def pause(self, port, seconds):
        self.told.append(("pause", port))
        return True

    def resume(self, port):
        self.told.append(("resume", port))
        return True


def ended(jobs):
    ends = time.monotonic() + 180
    while (job := jobs.state()[0])["state"] == RUNNING:
        assert time.monotonic() < ends, job
        time.sleep(0.01)
    return job


def test_job_shows_how_far_it_is_and_how_it_ended():
    go_on, wishes = threading.Event(), []

    def install(pair, wish: InstallWish, say, progress):
        wishes.append(wish)
        say("copying 2 of 2 files (4 KiB)")
        progress(1000, 4000)
        assert go_on.wait(180)
        return InstalledBoard("k230-b2c3", "lights", Installed(("a", "b"), 0))

    ports = Ports()
    jobs = InstallJobs(None, ports, install)
    assert jobs.state() == []
    jobs.begin(PORT, "lights", {"wifi": ["home", "12345678"]})
    ends = time.monotonic() + 180
    while not jobs.state()[0]["total"]:
        assert time.monotonic() < ends
        time.sleep(0.01)
    job = jobs.state()[0]
    assert (job["state"], job["text"], job["done"], job["total"]) == (
        RUNNING,
        "copying 2 of 2 files (4 KiB)",
        1000,
        4000,
    )
    with pytest.raises(ConflictError, match="at work on /dev/ttyACM0 already"):
        jobs.begin(PORT, "lights", {})
    go_on.set()
    job = ended(jobs)
    assert job["state"] == DONE and job["text"] == "k230-b2c3 has the app and works for lights; it starts now"
    assert ports.told == [("pause", PORT), ("resume", PORT)]
    assert wishes == [InstallWish(PORT, None, "lights", {"wifi": ["home", "12345678"]}, {"wifi": ["", ""]})]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BoardLinkError("no MicroPython prompt on /dev/ttyACM0: press the board's reset button"), "reset button"),
        (RuntimeError("a bug"), "the host failed on this installation: see its log"),
    ],
)
def test_failed_job_says_why_gives_the_port_back_and_can_be_tried_again(error, words):
    def install(pair, wish, say, progress):
        raise error

    ports = Ports()
    jobs = InstallJobs(None, ports, install)
    for _ in range(2):
        jobs.begin(PORT, "lights", {})
        job = ended(jobs)
        assert job["state"] == FAILED and words in job["text"]
    assert ports.told == [("pause", PORT), ("resume", PORT)] * 2


def test_port_that_is_not_served_is_refused():
    with pytest.raises(NotFoundError, match=f"no board at /dev/ttyUSB9: the ports served now are {PORT}"):
        InstallJobs(None, Ports()).begin("/dev/ttyUSB9", "lights", {})
