"""_thread: threads with stacks of their own, locks, the collector, stops and ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualK230]:
    virtual = VirtualK230()
    yield virtual
    virtual.close()


def test_two_workers_and_the_main_loop_take_turns(board: VirtualK230) -> None:
    said = board.run_code(
        "import _thread, time\n"
        "def func(name, n):\n    for i in range(n):\n        print('hello', name, i)\n        time.sleep_ms(40)\n"
        "_thread.start_new_thread(func, ('1', 3))\n_thread.start_new_thread(func, ('2',), {'n': 3})\n"
        "time.sleep_ms(20)\nfor i in range(3):\n    print('main', i)\n    time.sleep_ms(40)\n"
    ).splitlines()
    assert said[:2] == ["hello 1 0", "hello 2 0"]
    assert sorted(said) == sorted(f"{who} {i}" for who in ("hello 1", "hello 2", "main") for i in range(3))


def test_locks_hold_the_others_off(board: VirtualK230) -> None:
    said = board.run_code(
        "import _thread, time\nlock = _thread.allocate_lock()\ninside, most, n = 0, 0, 0\n"
        "def work():\n    global inside, most, n\n    for i in range(20):\n        with lock:\n            inside += 1\n"
        "            most = max(most, inside)\n            time.sleep_ms(1)\n            inside -= 1\n            n += 1\n"
        "for i in range(4):\n    _thread.start_new_thread(work, ())\n"
        "while n < 80:\n    time.sleep_ms(5)\n"
        "print(n, most, lock.locked(), lock.acquire(0), lock.acquire(1, 0.01), lock.release())\n"
        "try:\n    lock.release()\nexcept RuntimeError:\n    print('not locked')\n"
    ).splitlines()
    assert said == ["80 1 False True False None", "not locked"]


def test_the_collector_sees_the_stacks_of_waiting_threads(board: VirtualK230) -> None:
    said = board.run_code(
        "import _thread, time, gc\nends = []\n"
        "def work(n):\n    def keep(depth, thing):\n        if depth:\n"
        "            return keep(depth - 1, bytes([depth]) * 200) + thing[:1]\n"
        "        for i in range(30):\n            garbage = [bytearray(1000) for j in range(20)]\n"
        "            time.sleep_ms(1)\n"
        "        return thing[:1]\n    ends.append(keep(20, bytes([n]) * 200))\n"
        "for n in (65, 66, 67):\n    _thread.start_new_thread(work, (n,))\n"
        "while len(ends) < 3:\n    garbage = [bytearray(1000) for j in range(50)]\n    gc.collect()\n    time.sleep_ms(1)\n"
        "ends.sort()\nprint([e == bytes(range(1, 21)) + bytes([n]) for e, n in zip(ends, (65, 66, 67))], gc.mem_free() > 3000000)\n"
    )
    assert said == "[True, True, True] True\n"


def test_a_thread_that_fails_is_reported_and_the_rest_goes_on(board: VirtualK230) -> None:
    said = board.run_code(
        "import _thread, time\ndef bad():\n    raise ValueError('oops')\ndef leaves():\n    _thread.exit()\n"
        "_thread.start_new_thread(bad, ())\n_thread.start_new_thread(leaves, ())\ntime.sleep_ms(30)\nprint(_thread.get_ident())\n"
        "try:\n    _thread.start_new_thread(5, ())\nexcept TypeError as e:\n    print(e)\n"
        "try:\n    for i in range(9):\n"
        "        _thread.start_new_thread(time.sleep_ms, (1000,))\nexcept OSError as e:\n    print(i, e.errno)\n"
    ).splitlines()
    assert said[0].startswith("Unhandled exception in thread started by <function bad")
    assert said[1:] == [
        "Traceback (most recent call last):", '  File "<stdin>", line 3, in bad', "ValueError: oops", "1",
        "'int' object isn't callable", "8 11",
    ]  # fmt: skip


def test_a_sleep_gives_each_thread_its_turn_however_long_the_first_one_takes(board: VirtualK230) -> None:
    said = board.run_code(
        "import _thread, time\nran = []\n"
        "def slow():\n    end = time.ticks_add(time.ticks_ms(), 40)\n"
        "    while time.ticks_diff(end, time.ticks_ms()) > 0:\n        pass\n    ran.append('slow')\n"
        "_thread.start_new_thread(slow, ())\n_thread.start_new_thread(ran.append, ('quick',))\n"
        "time.sleep_ms(1)\nprint(ran)\n"
    )
    assert said == "['slow', 'quick']\n"


def test_a_server_thread_serves_while_the_main_loop_runs(board: VirtualK230) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    said = board.run_code(
        "import _thread, time, socket, network\nnetwork.WLAN(0).connect('any', '12345678')\n"
        f"def serve():\n    global is_listening, is_over\n    s = socket.socket()\n    s.bind(('127.0.0.1', {port}))\n"
        "    s.listen(1)\n    is_listening = True\n    while True:\n        try:\n"
        "            link, address = s.accept()\n            break\n        except OSError:\n            continue\n"
        "    print('got', link.recv(5))\n    link.close()\n    is_over = True\n"
        "is_listening = is_over = False\n_thread.start_new_thread(serve, ())\n"
        "while not is_listening:\n    time.sleep_ms(5)\nc = socket.socket()\n"
        f"c.connect(('127.0.0.1', {port}))\ntime.sleep_ms(50)\nc.send(b'hello')\n"
        "while not is_over:\n    time.sleep_ms(5)\nprint('main')\n"
    ).splitlines()
    assert said == ["connect success", "got b'hello'", "main"]


def test_a_stop_reaches_the_main_thread_and_a_reset_ends_all(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import _thread, time\ndef work():\n    while True:\n        time.sleep_ms(5)\n"
        "_thread.start_new_thread(work, ())\nprint('ready')\ntry:\n    while True:\n        time.sleep_ms(50)\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    with VirtualK230(sd=tmp_path) as board:
        board.wait_for("ready")
        time.sleep(0.1)
        board.stop()
        board.wait_for("stopped")
        position = board.console_from(0)[0]
        board.reset(hard=False)
        board.wait_for("ready", start=position)
