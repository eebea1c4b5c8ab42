"""A session on real parts that somebody disturbs: a bad cable, print() noise, mpremote, the IDE, two boards at once. Same final state."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.board_client import BoardClient, jpeg
from fakes.cable import Cable
from fakes.desk import Desk, wait
from fakes.host_folder import make_host
from fakes.ide_client import IdeClient
from snaploop_host.app import Host
from snaploop_host.bench.link_photos import noise_jpegs, put_samples
from snaploop_host.links import board_console, installer
from snaploop_host.links.usb_bridge import UsbBridge
from snaploop_shared.sample_record import Box
from virtual_k230 import VirtualK230

PHOTOS = 12
PHOTO_BYTES = 60_000
NOISE = """
from machine import Timer
_noise = Timer(0)
_noise.init(period=10, mode=Timer.PERIODIC, callback=lambda timer: print("noise of a script, without end"))
"""


class Session:
    """A desk with samples on the card, and what the host holds of them."""

    def __init__(self, desk: Desk, host: Host, board: VirtualK230, bridge: UsbBridge) -> None:
        self.desk, self.host, self.board, self.bridge = desk, host, board, bridge

    def arrived(self) -> int:
        return sum(self.host.store.sample_counts(1).values())

    def wait_for(self, count: int) -> None:
        wait(f"{count} samples arrive", lambda: self.arrived() >= count, self.board)

    def check(self) -> None:
        """Every photo of the card is on the host, byte by byte, once."""
        self.wait_for(PHOTOS)
        on_card = {sha256(path.read_bytes()).hexdigest() for path in self.desk.samples.glob("*.jpg")}
        samples = self.host.store.samples(1)
        assert len(on_card) == PHOTOS and sorted(one.photo for one in samples) == sorted(on_card)
        assert all(self.host.blobs.path(one.photo).stat().st_size == PHOTO_BYTES for one in samples)
        assert all(len(one.boxes) == 1 for one in samples)


@pytest.fixture
def session_of(tmp_path: Path) -> Iterator[Callable[..., contextlib.AbstractContextManager[Session]]]:
    """A board whose app has PHOTOS to sync over USB; `main` runs before the app, `damage` prepares the cable."""

    @contextlib.contextmanager
    def start(
        main: str = "", damage: Callable[[VirtualK230], None] | None = None, profile: str = "B"
    ) -> Iterator[Session]:
        desk = Desk(tmp_path)
        desk.install(main=main)
        put_samples(desk.samples, 1, PHOTOS, noise_jpegs(PHOTO_BYTES))
        with contextlib.closing(make_host(desk.host_data)) as host, desk.board(usb_rtt_ms=10, profile=profile) as board:
            if damage is not None:
                damage(board)
            bridge = UsbBridge(board.pty, lambda request: host.board_api.handle(request, "usb"))
            with contextlib.closing(bridge):
                yield Session(desk, host, board, bridge)

    yield start


def test_bad_cable_and_noise_of_a_script(session_of, tally):
    def damage(board):
        faults = board.usb.faults
        faults.seed, faults.drop, faults.flip, faults.duplicate = 11, 2e-5, 2e-5, 2e-5

    with session_of(NOISE, damage) as session:
        session.check()
        hit = session.board.usb.faults.hit
        assert hit > 10 and session.board.log.count("noise of a script") > 20
        tally(f"bad cable on the virtual board: {hit} bytes lost, flipped or doubled, {PHOTOS} samples arrived whole")


def test_firmware_that_holds_back_what_may_be_an_ides_frame(session_of, tally):
    with session_of(profile="D") as session:
        started = time.monotonic()
        session.check()
        took_s = time.monotonic() - started
        assert not session.board.ide.attached
        tally(f"firmware v1.8 holds a 0 and what follows it back: {PHOTOS} samples arrived in {took_s:.1f} s")


def test_mpremote_attaches_in_the_middle(session_of):
    with session_of() as session:
        session.wait_for(3)
        session.bridge.pause(60)
        here = session.arrived()
        assert here < PHOTOS, "the session was over before it could be disturbed"
        with board_console.opened(session.board.pty, lambda line: None) as console:
            assert console.run("print(6 * 7)").strip() == "42"
            installer.restart(console)
        session.bridge.resume()
        session.check()


def test_ide_attaches_in_the_middle(session_of):
    with session_of() as session:
        session.wait_for(3)
        session.bridge.pause(60)
        assert session.arrived() < PHOTOS, "the session was over before it could be disturbed"
        ide = IdeClient(session.board.pty)
        ide.handshake()
        ide.wait_until_running(False)
        ide.leave()
        time.sleep(0.2)
        ide.close()
        session.board.reset()  # a person who has used the IDE presses the button: the app was stopped
        session.bridge.resume()
        session.check()


def roads(host: Host) -> dict[str, int]:
    return {road: count for road, count in host.store.road_counts(1).items() if count}


def test_usb_begins_and_wifi_goes_on_when_the_cable_is_pulled(tmp_path, tally):
    desk = Desk(tmp_path)
    with contextlib.closing(make_host(desk.host_data)) as host:
        put_samples(desk.samples, 1, PHOTOS, noise_jpegs(PHOTO_BYTES))
        board = VirtualK230(sd=tmp_path / "sd", data=tmp_path / "data", profile="D", usb_rtt_ms=10)
        with contextlib.closing(board), desk.daemon("--usb", board.pty) as url:
            desk.install(road="auto", wifi=["net", "12345678"])
            config = desk.folder / "data" / "snaploop" / "config.json"
            address = ["127.0.0.1", int(url.rsplit(":", 1)[1])]
            config.write_text(json.dumps(json.loads(config.read_text()) | {"host": address}))
            board.start()
            wait("the first samples arrive", lambda: sum(roads(host).values()) >= 3, board)
            board.usb.set_plugged(False)
            wait("the others arrive", lambda: sum(host.store.sample_counts(1).values()) >= PHOTOS, board)
        counts = roads(host)
    assert counts.get("usb", 0) >= 3 and counts.get("wifi", 0) >= 1 and sum(counts.values()) == PHOTOS
    tally(f"cable pulled in the middle: {counts['usb']} photos by USB, the other {counts['wifi']} by Wi-Fi")


def test_daemon_is_restarted_in_the_middle(tmp_path, tally):
    desk = Desk(tmp_path)
    desk.install()
    put_samples(desk.samples, 1, PHOTOS, noise_jpegs(PHOTO_BYTES))
    with contextlib.closing(make_host(desk.host_data)) as host, desk.board(usb_rtt_ms=10) as board:
        arrived: list[int] = []
        for enough in (3, 7, PHOTOS):
            with desk.daemon("--usb", board.pty):
                wait("samples arrive", lambda: sum(host.store.sample_counts(1).values()) >= enough, board)  # noqa: B023
            arrived.append(sum(host.store.sample_counts(1).values()))
        assert arrived[0] < PHOTOS and arrived[-1] == PHOTOS
        assert sum(roads(host).values()) == PHOTOS
        tally(f"daemon ended twice, after {arrived[0]} and {arrived[1]} of {PHOTOS} samples: all arrived, each once")


def test_two_boards_at_once(tmp_path, tally):
    photos = 15
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(contextlib.closing(make_host(tmp_path / "host")))
        clients = []
        for name in ("a1b2", "c3d4"):
            cable = Cable(tmp_path / name)
            paired, _ = host.pair.pair(name, name, "lights")
            bridge = UsbBridge(str(cable.port), lambda request: host.board_api.handle(request, "usb"))
            stack.enter_context(contextlib.closing(bridge))
            clients.append(BoardClient(paired.id, paired.key, cable.ask))
        statuses: list[int] = []

        def run(client: BoardClient, shift: int) -> None:
            statuses.append(client.hello().status)
            for number in range(photos):
                data = jpeg(number + shift)  # the photos 5 to 14 of one board are 0 to 9 of the other
                statuses.append(client.send_sample(f"b1-{number:06d}", data, [Box("red", 1, 2, 30, 20)]).status)

        threads = [threading.Thread(target=run, args=(client, 5 * n)) for n, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 2 * (photos + 1)
        assert sum(host.store.sample_counts(1).values()) == 20  # a photo is one sample, whoever sends it
        tally(f"two boards at once: {len(statuses)} requests of each kind answered, no photo lost or doubled")
