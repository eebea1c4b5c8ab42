"""Wi-Fi and sockets as a script uses them, against real sockets of this PC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture
def board() -> Iterator[VirtualK230]:
    virtual = VirtualK230(wifi="home:secret")
    yield virtual
    virtual.close()


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it gets until the peer closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def body() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link:
                while part := link.recv(65536):
                    link.sendall(part)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


JOIN = "import network, socket, select, time\nwlan = network.WLAN(network.STA_IF)\nwlan.connect('home', 'secret')\n"


def test_only_the_right_name_and_key_join(board: VirtualK230) -> None:
    said = board.run_code(
        "import network\nw = network.WLAN(0)\nprint(w.isconnected(), w.ifconfig()[0])\n"
        "print(w.connect('home', 'wrong'), w.connect('other', 'secret'), w.connect('home', 'secret'))\n"
        "print(w.isconnected(), w.ifconfig()[0], w.scan()[0].ssid, w.active())\n"
    )
    assert said.splitlines() == ["False 0.0.0.0", "False False True", "True 127.0.0.1 home True"]


def test_without_wifi_there_is_no_network(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        f"import socket\ns = socket.socket()\ntry:\n    s.connect(('127.0.0.1', {echo_port}))\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said == "101\n"


def test_bytes_come_back_and_recv_gathers_all_of_them(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        JOIN + f"s = socket.socket()\ns.settimeout(5)\ns.connect(socket.getaddrinfo('127.0.0.1', {echo_port})[0][-1])\n"
        "s.sendall(bytes(range(256)) * 100)\ndata = s.recv(25600)\nprint(len(data), data == bytes(range(256)) * 100)\n"
        "s.sendall('line one\\nrest')\nprint(s.readline(), s.read(4))\n"
        "s.settimeout(0.05)\nt = time.ticks_ms()\nprint(s.recv(10), time.ticks_diff(time.ticks_ms(), t) >= 50)\ns.close()\n"
        "try:\n    s.send(b'x')\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said.splitlines() == ["25600 True", "b'line one\\n' b'rest'", "b'' True", "9"]


def test_non_blocking_and_poll(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        JOIN + f"s = socket.socket()\ns.connect(('127.0.0.1', {echo_port}))\ns.setblocking(False)\n"
        "try:\n    s.recv(1)\nexcept OSError as e:\n    print(e)\n"
        "p = select.poll()\np.register(s, select.POLLIN)\nprint(p.poll(10))\ns.send(b'ping')\n"
        "print(p.poll(2000)[0][1] == select.POLLIN, s.recv(4))\np.register(s, select.POLLOUT)\nprint(p.poll(0)[0][1] == select.POLLOUT)\n"
    )
    assert said.splitlines() == ["[Errno 11] EAGAIN", "[]", "True b'ping'", "True"]


def test_a_server_on_the_board(board: VirtualK230) -> None:
    said = board.run_code(
        JOIN + "server = socket.socket()\nserver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "server.bind(('0.0.0.0', 0))\nserver.listen(2)\n"
        "t = time.ticks_ms()\ntry:\n    server.accept()\n"
        "except OSError as e:\n    print(e, 90 < time.ticks_diff(time.ticks_ms(), t) < 1000)\n"
    )
    assert said == "[Errno 11] EAGAIN True\n"


def test_refused_and_unknown_peers(board: VirtualK230) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = board.run_code(
        JOIN + "s = socket.socket()\n"
        f"for address in (('127.0.0.1', {port}), ('a.name', 80)):\n"
        "    try:\n        s.connect(address)\n    except OSError as e:\n        print(e)\n"
    )
    assert said.splitlines() == ["[Errno 111] ECONNREFUSED", "[Errno 22] EINVAL"]


def test_when_the_access_point_goes_open_connections_break(board: VirtualK230, echo_port: int) -> None:
    board.hal.op("test.wifi_off", lambda: board.network.set_up(False))
    said = board.run_code(
        JOIN + f"import _hal\ns = socket.socket()\ns.connect(('127.0.0.1', {echo_port}))\n_hal.call('test.wifi_off')\n"
        "print(wlan.isconnected(), wlan.connect('home', 'secret'))\ntry:\n    s.send(b'x')\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said.splitlines() == ["False False", "101"]


def test_sockets_are_few_and_dropped_ones_are_collected(board: VirtualK230) -> None:
    said = board.run_code(
        "import socket, gc\nkept = []\ntry:\n    while True:\n        kept.append(socket.socket())\n"
        "except OSError as e:\n    print(e, len(kept))\n"
        "def drop():\n    for i in range(3):\n        socket.socket()\n        gc.collect()\n"
        "for s in kept:\n    s.close()\ndrop()\nprint('ok')\n"
    )
    assert said.splitlines() == ["[Errno 12] ENOMEM 16", "ok"]
