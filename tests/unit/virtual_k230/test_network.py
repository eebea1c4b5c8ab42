"""Wi-Fi and sockets as a script uses them, against real sockets of this PC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture
def board() -> Iterator[VirtualK230]:
    virtual = VirtualK230(wifi="home:secretkey")
    virtual.hal.op("test.port", lambda number: virtual.network._get(number).sock.getsockname()[1])
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
    thread.join(60)


JOIN = "import network, socket, select, time\nwlan = network.WLAN(network.STA_IF)\nwlan.connect('home', 'secretkey')\n"


def test_only_the_right_name_and_key_join(board: VirtualK230) -> None:
    said = board.run_code(
        "import network\nw = network.WLAN(0)\nprint(w.isconnected(), w.ifconfig()[0])\n"
        "print(w.connect('home', 'wrongkey'), w.connect('other', 'secretkey'), w.connect('home', 'secretkey'))\n"
        "print(w.isconnected(), w.ifconfig()[0], w.scan()[0].ssid, w.active())\n"
    )
    assert said.splitlines() == [
        "False 0.0.0.0", "run connect failed.", "run connect failed.", "False False True", "True 127.0.0.1 b'home' True"
    ]  # fmt: skip


def test_without_wifi_there_is_no_network(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        f"import socket\ns = socket.socket()\ntry:\n    s.connect(('127.0.0.1', {echo_port}))\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said == "connect to server faild!\n101\n"


def test_bytes_come_back_and_recv_gathers_all_of_them(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        JOIN
        + f"s = socket.socket()\ns.settimeout(60)\ns.connect(socket.getaddrinfo('127.0.0.1', {echo_port})[0][-1])\n"
        "s.sendall(bytes(range(256)) * 100)\ndata = s.recv(25600)\nprint(len(data), data == bytes(range(256)) * 100)\n"
        "s.sendall('line one\\nrest')\nprint(s.readline(), s.read(4))\n"
        "s.settimeout(0.05)\nt = time.ticks_ms()\nprint(s.recv(10), time.ticks_diff(time.ticks_ms(), t) >= 50)\ns.close()\n"
        "try:\n    s.send(b'x')\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said.splitlines() == [
        "connect success", "25600 True", "b'line one\\n' b'rest'", "recv timeout!", "b'' True", "9"
    ]  # fmt: skip


def test_non_blocking_and_poll(board: VirtualK230, echo_port: int) -> None:
    said = board.run_code(
        JOIN + f"s = socket.socket()\ns.connect(('127.0.0.1', {echo_port}))\ns.setblocking(False)\n"
        "print(s.recv(1))\np = select.poll()\np.register(s, select.POLLIN)\nprint(p.poll(10))\ns.send(b'ping')\n"
        "print(p.poll(60000)[0][1] == select.POLLIN, s.recv(4))\np.register(s, select.POLLOUT)\nprint(p.poll(0)[0][1] == select.POLLOUT)\n"
    )
    assert said.splitlines() == ["connect success", "b''", "[]", "True b'ping'", "True"]


def test_a_server_on_the_board(board: VirtualK230) -> None:
    said = board.run_code(
        JOIN + "server = socket.socket()\nserver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "server.bind(('0.0.0.0', 0))\nserver.listen(2)\n"
        "t = time.ticks_ms()\ntry:\n    server.accept()\n"
        "except OSError as e:\n    print(e, 90 < time.ticks_diff(time.ticks_ms(), t) < 60000)\n"
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
    assert said.splitlines() == ["connect to server faild!", "[Errno 111] ECONNREFUSED", "[Errno 22] EINVAL"]


def test_when_the_access_point_goes_open_connections_break(board: VirtualK230, echo_port: int) -> None:
    board.hal.op("test.wifi_off", lambda: board.network.set_up(False))
    said = board.run_code(
        JOIN + f"import _hal\ns = socket.socket()\ns.connect(('127.0.0.1', {echo_port}))\n_hal.call('test.wifi_off')\n"
        "print(wlan.isconnected(), wlan.connect('home', 'secretkey'))\ntry:\n    s.send(b'x')\nexcept OSError as e:\n    print(e.errno)\n"
    )
    assert said.splitlines() == ["connect success", "run connect failed.", "False False", "101"]


def test_sockets_are_few_and_dropped_ones_are_collected(board: VirtualK230) -> None:
    said = board.run_code(
        "import socket, gc\nkept = []\ntry:\n    while True:\n        kept.append(socket.socket())\n"
        "except OSError as e:\n    print(e, len(kept))\n"
        "def drop():\n    for i in range(3):\n        socket.socket()\n        gc.collect()\n"
        "for s in kept:\n    s.close()\ndrop()\nprint('ok')\n"
    )
    assert said.splitlines() == ["socket_socket() -> errno 12", "[Errno 12] ENOMEM 16", "ok"]


def test_datagrams_gather_until_the_timeout_and_broadcasts_arrive(board: VirtualK230) -> None:
    said = board.run_code(
        JOIN + "a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\na.bind(('0.0.0.0', 0))\na.settimeout(0.1)\n"
        "import _hal\nport = _hal.call('test.port', a._handle)\n"
        "b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "b.sendto(b'one', ('127.0.0.1', port))\nb.sendto(b'two', ('255.255.255.255', port))\n"
        "data, address = a.recvfrom(100)\nprint(data, address[0])\nb.sendto(b'abc', ('127.0.0.1', port))\nprint(a.recvfrom(3)[0])\n"
    )
    assert said.splitlines() == ["recvfrom timeout!", "b'onetwo' 127.0.0.1", "b'abc'"]


def test_a_full_buffer_is_eagain_even_when_the_socket_may_wait(board: VirtualK230) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = board.run_code(
            JOIN + f"s = socket.socket()\ns.connect(('127.0.0.1', {listener.getsockname()[1]}))\nn = 0\n"
            "try:\n    while True:\n        n += s.send(bytes(40000))\nexcept OSError as e:\n    print(e, n > 60000)\n"
            # Again and again: the PC's kernel may find more room after all.
            "s.settimeout(0.05)\ntry:\n    while True:\n        s.sendall(bytes(9999))\nexcept OSError as e:\n    print(e)\n"
            "s.setblocking(False)\nn = 0\nwhile n is not None:\n    n = s.write(bytes(999))\nprint(n)\n"
        )
    assert said.splitlines() == ["connect success", "[Errno 11] EAGAIN True", "[Errno 11] EAGAIN", "None"]


def test_the_connect_timeout_is_told(board: VirtualK230) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        full = [socket.socket() for _ in range(3)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        said = board.run_code(
            JOIN + "s = socket.socket()\ns.settimeout(0.1)\n"
            f"try:\n    s.connect(('127.0.0.1', {listener.getsockname()[1]}))\nexcept OSError as e:\n    print(e)\n"
            "s = socket.socket()\ns.setblocking(False)\n"
            f"try:\n    s.connect(('127.0.0.1', {listener.getsockname()[1]}))\nexcept OSError as e:\n    print(e)\n"
        )
        for one in full:
            one.close()
    assert said.splitlines() == ["connect timeout", "[Errno 110] ETIMEDOUT", "[Errno 11] EAGAIN"]


def test_the_end_of_the_peer_ends_recv_and_names_that_do_not_resolve_are_told(board: VirtualK230) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: _say_and_go(listener), daemon=True).start()
        said = board.run_code(
            JOIN
            + f"s = socket.socket()\ns.connect(('127.0.0.1', {listener.getsockname()[1]}))\nprint(s.recv(100), s.recv(1), s.read())\n"
            "try:\n    socket.getaddrinfo('no.such.host.invalid', 80)\nexcept OSError as e:\n    print(e)\n"
            "for arguments in ((socket.AF_INET6, 1), (socket.AF_INET, 9)):\n"
            "    try:\n        socket.socket(*arguments)\n    except OSError as e:\n        print(e.errno)\n"
        )
    assert said.splitlines() == [
        "connect success", "b'bye' b'' b''", "Failed to resolve hostname: no.such.host.invalid", "-1", "97", "22"
    ]  # fmt: skip


def _say_and_go(listener: socket.socket) -> None:
    link, _ = listener.accept()
    with link:
        link.sendall(b"bye")


def test_station_and_access_point_say_what_the_board_says(board: VirtualK230) -> None:
    said = board.run_code(
        "import network\nsta = network.WLAN(network.STA_IF)\nap = network.WLAN(network.AP_IF)\n"
        "print(sta.status(), sta.status('rssi'), sta.status('ap'))\n"
        "def fails(f):\n    try:\n        f()\n    except (OSError, ValueError, TypeError, AttributeError) as e:\n"
        "        print(type(e).__name__, e)\n"
        "fails(lambda: sta.connect())\nfails(lambda: sta.connect('home', 'short'))\nfails(lambda: sta.connect('x' * 33))\n"
        "fails(lambda: sta.status('nothing'))\nfails(lambda: sta.ifconfig('static'))\nfails(lambda: sta.stop())\n"
        "fails(lambda: ap.connect('a', 'b'))\n"
        "print(sta.connect(info=sta.scan()[0], key='secretkey'), sta.status('ap'), sta.status('rssi'))\n"
        "print(sta.config('mac'), sta.config(auto_reconnect=True), sta.config('auto_reconnect'))\n"
        "print(sta.ifconfig(('10.0.0.2', '255.255.255.0', '10.0.0.1', '8.8.8.8')), sta.ifconfig()[0], sta.ifconfig('dhcp'))\n"
        "print(ap.info(), ap.stop())\nprint(ap.config(ssid='mine', key='12345678', channel=3), ap.info().channel, ap.status())\n"
        "print(ap.status('stations'), ap.config(country=1), ap.config('country'), ap.stop())\n"
        "sta.active(True)\nlan = network.LAN()\nprint(lan.active(), lan.isconnected(), lan.ifconfig('dhcp'))\n"
        "print(sta.disconnect(), sta.isconnected())\n"
    )
    assert said.splitlines() == [
        "run sta get rssi failed.", "run get ap info failed.", "False -99 None", "OSError should set ssid or ap",
        "OSError Key length(5) should be 8 - 64", "OSError SSID can't be empty, and can't longer than 32",
        "ValueError unknown status param", "ValueError unknown config param",
        "AttributeError '_Station' object has no attribute 'stop'",
        "AttributeError '_AccessPoint' object has no attribute 'connect'",
        'True {"ssid":"home", "bssid":02:00:4C:4F:4F:51, "channel":6, "rssi":-42, "security":"SECURITY_WPA2_AES_PSK", '
        '"band":"2.4G", "hidden":0} -42', "b'\\x02\\x00LOOP' True True", "True 10.0.0.2 True",
        "run get ap info failed.", "run stop failed.", "None False", "True 3 True", "[] True 1 True",
        "network(rt_smart) not support set active state", "set ifconfig dhcp failed.", "False False False", "True False",
    ]  # fmt: skip
