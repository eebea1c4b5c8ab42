"""Scripts in the vendor's manner against the modules that are not media: machine, os, time, gc, sys, asyncio, ssl, …"""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230


@pytest.fixture(scope="module")
def board() -> Iterator[VirtualK230]:
    virtual = VirtualK230(profile="D")
    yield virtual
    virtual.close()


FAILS = "def fails(f):\n    try:\n        f()\n    except Exception as e:\n        print(type(e).__name__, e)\n"


def test_pins_pwm_and_leds(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS + "from machine import Pin, FPIOA, PWM, LED, ADC\n"
        "f = FPIOA()\nf.set_function(2, FPIOA.GPIO2, ie=1, oe=1, pu=0, pd=0, st=1, ds=7)\n"
        "print(f.get_pin_func(2) == FPIOA.GPIO2, f.get_pin_num(FPIOA.UART0_TXD), f.get_pin_cfg(2))\n"
        "p = Pin(2, Pin.OUT, pull=Pin.PULL_NONE, drive=7)\np.value(1)\nprint(p.value(), p(), p.mode(), p.drive(), p.toggle(), p())\n"
        "p.on()\np.off()\np.high()\np.low()\np(1)\nk = Pin(21, Pin.IN, Pin.PULL_UP)\nprint(k.value(), k.pull() == Pin.PULL_UP)\n"
        "k.value(0)\n"
        "fails(lambda: Pin(72, Pin.IN))\nfails(lambda: Pin(1, Pin.OUT, drive=16))\nfails(lambda: k.irq(None))\n"
        "fails(lambda: k.irq(print, 7))\nfails(lambda: k.irq(print, Pin.IRQ_FALLING, debounce=1))\n"
        "w = PWM(42, freq=1000, duty=50)\nprint(w.freq(), w.duty(), w.duty_u16(), w.duty_ns())\nw.duty_u16(16384)\nw.freq(500)\n"
        "print(w.duty(), w.duty_ns())\nw.duty_ns(200000)\nprint(w.duty())\nfails(lambda: PWM(0, duty=1, duty_ns=5))\n"
        "LED(1).on()\nLED('LED_BLUE').value(7)\nprint(ADC(0).read_u16(), ADC(0).read_uv())\nfails(lambda: LED(4))\n"
        "import _hal\nleds, level = _hal.call('test.state')\nprint(sorted(leds.items()), level)\n"
    ).splitlines()
    assert said == [
        'True None "pin": 2, {"st": 1, "ds": 7, "pd": 0, "pu": 0, "oe": 1, "ie": 1, "msc": 1 }',
        "1 1 0 7 True 0", "1 True", "pin(21) is INPUT mode, can not set value", "ValueError pin(72) invalid",
        "ValueError invalid drive 16", "ValueError invalid callback", "ValueError invalid trigger",
        "ValueError invalid debounce, should >= 5", "1000 50 32768 500000", "25 500008", "10",
        "ValueError only one of duty, duty_u16 and duty_ns can be set", "0 0",
        "ValueError LED 4 does not exist: 1, 2, 3 or LED_RED, LED_GREEN, LED_BLUE",
        "[('blue', 7), ('green', 0), ('red', 255)] 1",
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _looks(board: VirtualK230) -> None:
    board.hal.op("test.state", lambda: [board.hardware.state()["leds"], board.hardware.level(2)])
    board.hal.op("test.key", lambda pin, level: board.hardware.drive(pin, level))
    board.hal.op("test.uart", lambda: board.hardware.uart_feed(1, b"hello\nworld"))


def test_timers_and_interrupts_run_in_sleeps_and_at_calls(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS + "import time, _hal\nfrom machine import Timer, Pin\nhits = []\n"
        "t = Timer(-1)\nt.init(period=30, mode=Timer.PERIODIC, callback=lambda t: hits.append(1))\n"
        "start = time.ticks_ms()\nwhile len(hits) < 3:\n    time.sleep_ms(20)\n"
        "t.deinit()\nprint(3 <= len(hits) <= time.ticks_diff(time.ticks_ms(), start) // 30 + 1)\n"
        "one = Timer(0, mode=Timer.ONE_SHOT, period=10, callback=lambda t: hits.append(print('once')))\n"
        "while None not in hits:\n    time.sleep(0.01)\n"
        "def raises(t):\n    t.deinit()\n    hits.append(2)\n    1 // 0\n"
        "bad = Timer(1, period=10, callback=raises)\nwhile 2 not in hits:\n    time.sleep(0.01)\ntime.sleep(0.02)\n"
        "k = Pin(21, Pin.IN, Pin.PULL_UP)\nirq = k.irq(lambda p: print('key', p.value()), Pin.IRQ_FALLING)\n"
        "_hal.call('test.key', 21, 0)\n_hal.call('test.key', 21, 1)\nprint(callable(irq), irq.trigger())\n"
        "fails(lambda: Timer(6))\nfails(lambda: Timer(2, period=1, callback=print))\nfails(lambda: Timer(2, period=10))\n"
        "fails(lambda: Timer(2, mode=7, period=10, callback=print))\n"
    ).splitlines()
    assert said == [
        "True", "once", "Uncaught exception in IRQ callback handler", "Traceback (most recent call last):",
        '  File "<stdin>", line 22, in raises', "ZeroDivisionError: divide by zero", "key 0", "True 1",
        "ValueError invalid timer number", "ValueError invalid period or freq, period should >= 5",
        "ValueError invalid callback", "ValueError invalid mode",
    ]  # fmt: skip


def test_clock_uart_and_buses(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS
        + "import time, machine, _hal\nfrom machine import RTC, UART, I2C, SPI, FFT, I2C_Slave, SPI_LCD, OTP, WDT\n"
        "RTC().init((2024, 2, 28, 3, 23, 59, 0, 0))\nprint(time.localtime()[:5], RTC().datetime()[:5], type(time.time()))\n"
        "u = UART(UART.UART1, baudrate=115200, bits=UART.EIGHTBITS, parity=UART.PARITY_NONE, stop=UART.STOPBITS_ONE)\n"
        "_hal.call('test.uart')\nb = bytearray(3)\nprint(u.write('abc'), u.readline(), u.readinto(b), b, u.read(), u.any())\nu.deinit()\n"
        "fails(lambda: u.read())\nfails(lambda: UART(3))\nprint(I2C(0, freq=100000).scan(), I2C_Slave.list())\n"
        "fails(lambda: I2C(0).readfrom(0x38, 1))\ns = SPI(0, baudrate=5000000)\nr = bytearray(2)\ns.write_readinto(b'ab', r)\n"
        "print(s.read(2), r)\n"
        "fails(SPI_LCD(s, 0).init)\nfails(OTP)\nfails(lambda: WDT(0))\nfails(lambda: machine.mem32[0x91105000])\n"
        "fails(machine.bootloader)\n"
        "fails(lambda: FFT(b'123456', 64))\nfails(lambda: FFT(bytes(128), 65))\n"
        "import array\nf = FFT(array.array('h', [64] * 64), 64, 0)\nr = f.run()\n"
        "print(r[0], r[1], f.amplitude(r)[0], f.freq(64, 6400)[:3])\n"
        "print(len(machine.chipid()), type(machine.chipid()).__name__, machine.temperature() > 0)\n"
    ).splitlines()
    assert said == [
        "(2024, 2, 28, 23, 59) (2024, 2, 28, 3, 23) <class 'int'>",
        "3 b'hello\\n' 3 bytearray(b'wor') b'ld' 0", "OSError [Errno 9] EBADF",
        "ValueError UART(3) is not free: use UART.UART1, UART.UART2 or UART.UART4", "[] []", "OSError [Errno 5] EIO",
        "b'\\x00\\x00' bytearray(b'\\x00\\x00')", "RuntimeError SPI_LCD: call configure() before init()",
        "RuntimeError the virtual K230 has no one-time programmable memory", "ValueError WDT0 is not available: use WDT(1)",
        "RuntimeError the virtual K230 has no register: mem32[0x91105000]", "RuntimeError enter bootloader failed.",
        "ValueError [CANMV]FFT:Buffer length must be a multiple of 4", "ValueError [CANMV]FFT:invalid points",
        "(4096, 0) (0, 0) 64 [0, 100, 200]", "32 bytearray True",
    ]  # fmt: skip


def test_touch_arguments(board: VirtualK230) -> None:
    board.touch_events([("down", 10, 20), ("up", 10, 20)])
    said = board.run_code(
        FAILS + "from machine import TOUCH, TOUCH_INFO\ntp = TOUCH(0)\n"
        "fails(lambda: tp.read(0))\nfails(lambda: tp.read(11))\nfails(lambda: TOUCH(1))\nfails(lambda: TOUCH(1, range_x=1))\n"
        "fails(lambda: TOUCH(1, range_x=1, range_y=1))\n"
        "p = tp.read()\nprint(len(p), p[0].event == TOUCH.EVENT_DOWN, p[0].x, p[0].y, str(p[0]).split(', timestamp')[0])\n"
        "p = TOUCH(0, rotate=TOUCH.ROTATE_270).read(5)\nprint(p[0].event, p[0].x, p[0].y, tp.read(1), tp)\n"
    ).splitlines()
    assert said == [
        "ValueError point_number invalid", "ValueError point_number invalid",
        "ValueError Custom Touch Device should set i2c", "ValueError Custom Touch Device should set i2c",
        "ValueError Custom Touch Device should set i2c",
        "1 True 10 20 track_id: 0, event: 2, width: 1, x: 10, y: 20",
        "1 789 459 () Touch(index=0, rotate=-1, range=800x480, initialized)",
    ]  # fmt: skip


def test_the_watchdog_resets_a_script_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from machine import WDT\nprint('booted')\nw = WDT(1, 0.3)\nwhile True:\n    pass\n"
    )
    with VirtualK230(sd=tmp_path) as board:
        board.wait_for("booted")
        deadline = time.monotonic() + 180
        while board.resets == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_os_time_gc_sys_and_their_old_names(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS + "import os, uos, time, utime, sys, usys, gc, uhashlib, machine\n"
        "print(uos is os, utime is time, usys is sys, os.uname()[-1], sys.version)\n"
        "print(sys.platform, sys.implementation[0], sys.implementation[2], hasattr(os, 'path'), hasattr(os, 'walk'), hasattr(os, "
        "'replace'))\n"
        "print(0 <= os.cpu_usage() <= 100, os.errno(), os.errno(5), os.errno(), os.sync(), len(os.urandom(3)), os.getenv('x', 1))\n"
        "print(os.exitpoint(), os.exitpoint(os.EXITPOINT_ENABLE_SLEEP), os.exitpoint(), os.exitpoint(os.EXITPOINT_DISABLE))\n"
        "print(time.ntp_sync(), time.time_ns() > 10 ** 18, time.ticks() >= 0)\n"
        "for pool in (gc.sys_total(), gc.sys_heap(), gc.sys_page(), gc.sys_mmz()):\n"
        "    print(pool[0] // 1048576, pool[0] == pool[1] + pool[2])\n"
        "c = time.clock()\nc.tick()\ntime.sleep_ms(20)\nc.tick()\nprint(c.avg() > 5, 0 < c.fps() < 200)\n"
        "h = uhashlib.sha256(b'abc')\nprint(h.digest()[:2], hasattr(h, 'hexdigest'))\nfails(lambda: h.update(b'x'))\n"
        "for name in ('functools', 'logging', 'pathlib', 'typing', 'unittest', 'os.path', 'dataclasses'):\n"
        "    fails(lambda: __import__(name))\n"
    ).splitlines()
    assert said == [
        "True True True k230_canmv_hiwonder 3.4.0; CanMV v1.8(based on Micropython e00a144) on 2026-07-03",
        "rt-smart micropython k230_canmv_hiwonder False False True",
        "True 0 None 5 None 3 1", "0 0 2 2", "False True True",
        "1024 True", "64 True", "448 True", "512 True", "True True", "b'\\xbax' False", "ValueError hash is final",
        *(f"ImportError no module named '{name}'" for name in
          ("functools", "logging", "pathlib", "typing", "unittest", "os.path", "dataclasses")),
    ]  # fmt: skip


def test_media_memory_moves_with_images() -> None:
    board = VirtualK230(board_id="k230_canmv")
    said = board.run_code(
        "import gc, image, os\nbefore = gc.sys_mmz()\nimg = image.Image(640, 480, image.RGB888)\n"
        "print(before[0] // 1048576, gc.sys_mmz()[1] - before[1], os.uname()[-1])\n"
    )
    board.close()
    assert said == "256 921600 k230_canmv\n"


def test_small_modules(board: VirtualK230) -> None:
    said = board.run_code(
        FAILS
        + "import base64, binascii, zlib, gzip, deflate, io, heapq, random, re, json, struct, uctypes, framebuf, cmath, errno, "
        "micropython\n"
        "import ucryptolib, ujson, ustruct, ubinascii, uzlib, ure, urandom, collections, ucollections\n"
        "print(base64.b64encode(b'abc'), binascii.hexlify(b'ab'), json.loads('[1, 2.5]'), struct.pack('<H', 1), errno.EAGAIN, "
        "errno.ETIMEDOUT)\n"
        "packed = zlib.compress(b'aaaa' * 50)\nprint(len(packed) < 50, zlib.decompress(packed) == b'aaaa' * 50, "
        "gzip.decompress(gzip.compress(b'x' * 9)))\n"
        "a = ucryptolib.aes(b'k' * 16, 2, b'i' * 16)\nsecret = a.encrypt(b'p' * 32)\n"
        "print(ucryptolib.aes(b'k' * 16, 2, b'i' * 16).decrypt(secret) == b'p' * 32)\nfails(lambda: a.decrypt(secret))\n"
        "fails(lambda: ucryptolib.aes(b'k', 1))\nfails(lambda: ucryptolib.aes(b'k' * 16, 2))\n"
        "fails(lambda: ucryptolib.aes(b'k' * 16, 1).encrypt(b'x'))\n"
        "out = bytearray(16)\nucryptolib.aes(b'k' * 32, 1).encrypt(b'x' * 16, out)\nprint(out[0] != 0)\n"
        "print(micropython.const(3))\nfails(lambda: exec('@micropython.native\\ndef f(): pass'))\n"
    ).splitlines()
    assert said == [
        "b'YWJj' b'6162' [1, 2.5] b'\\x01\\x00' 11 110", "True True b'xxxxxxxxx'", "True",
        "ValueError can't encrypt & decrypt", "ValueError key", "ValueError IV", "ValueError blksize % 16", "True", "3",
        "SyntaxError invalid micropython decorator",
    ]  # fmt: skip


ASYNC = """
import asyncio, network, uasyncio
network.WLAN(0).connect('any', '12345678')
async def child(n, steps=3):
    for i in range(steps):
        await asyncio.sleep_ms(10)
    return n
async def echo(reader, writer):
    writer.write(b'echo ' + await reader.readline())
    await writer.drain()
    await writer.wait_closed()
async def bad():
    raise ValueError('nobody looks')
async def main():
    print(await asyncio.gather(child(1), child(2)))
    server = await asyncio.start_server(echo, '127.0.0.1', %d)
    reader, writer = await asyncio.open_connection('127.0.0.1', %d)
    writer.write(b'hello\\n')
    await writer.drain()
    print(await reader.readline(), await reader.read(5))
    await writer.wait_closed()
    try:
        await asyncio.wait_for(child(7, 3000), 0.03)
    except asyncio.TimeoutError:
        print('timeout')
    task = asyncio.create_task(child(9, 3000))
    await asyncio.sleep_ms(15)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print('cancelled', task.done())
    event, flag = asyncio.Event(), asyncio.ThreadSafeFlag()
    async def later():
        await asyncio.sleep_ms(10)
        event.set()
        flag.set()
    asyncio.create_task(later())
    await event.wait()
    await flag.wait()
    async with asyncio.Lock():
        print('lock')
    asyncio.create_task(bad())
    await asyncio.sleep_ms(5)
    try:
        await asyncio.create_task(bad())
    except ValueError as e:
        print('seen', e)
    server.close()
    await server.wait_closed()
    return 42
print(asyncio.run(main()), uasyncio.run is asyncio.run)
loop = asyncio.new_event_loop()
loop.create_task(child(5))
print(loop.run_until_complete(child(6)))
async def stopper():
    await asyncio.sleep_ms(10)
    loop.stop()
loop.create_task(stopper())
loop.run_forever()
print('stopped')
"""


def test_asyncio_runs_tasks_streams_and_timeouts(board: VirtualK230) -> None:
    with __import__("socket").create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    said = board.run_code(ASYNC % (port, port)).splitlines()
    assert said[:6] == [
        "[1, 2]",
        "b'echo hello\\n' b''",
        "timeout",
        "cancelled True",
        "lock",
        "Task exception wasn't retrieved",
    ]
    assert said[-4:] == ["seen nobody looks", "42 True", "6", "stopped"]
    assert "ValueError: nobody looks" in said


def test_tls_both_ways(board: VirtualK230, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=test"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with __import__("socket").create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with context.wrap_socket(link, server_side=True) as secured:
                secured.sendall(b"got " + secured.recv(100))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        said = board.run_code(
            "import network, socket, ussl\nnetwork.WLAN(0).connect('any', '12345678')\ns = socket.socket()\n"
            f"s.connect(('127.0.0.1', {listener.getsockname()[1]}))\ns = ussl.wrap_socket(s, server_hostname='test')\n"
            "s.write(b'hello')\nprint(s.read())\ns.close()\n"
        )
        thread.join(60)
    assert said.splitlines() == ["connect success", "b'got hello'"]


EXITPOINT = """
import os, time
os.exitpoint(os.EXITPOINT_ENABLE_SLEEP)
print('flag 2')
for i in range(20):
    time.sleep_ms(10)
print('slept on', os.exitpoint(os.EXITPOINT_ENABLE))
try:
    time.sleep_ms(60000)
except KeyboardInterrupt:
    print('stopped in sleep')
"""


def test_a_stop_waits_for_the_exit_point_that_the_flag_allows() -> None:
    board = VirtualK230()
    board.start_source(EXITPOINT)
    board.wait_for("flag 2")
    board.stop()
    said = board.wait_for("stopped in sleep")
    board.close()
    assert said.splitlines() == ["flag 2", "slept on 2", "stopped in sleep"]


def test_two_firmwares_differ_where_the_board_does() -> None:
    said = []
    for profile in "AD":
        board = VirtualK230(profile=profile, board_id="k230d_canmv_bpi_zero")
        said.append(
            board.run_code(
                "import os, sys, network, gc, machine\nprint(hasattr(os, 'replace'), hasattr(sys, 'print_exception'), "
                "hasattr(network, 'get_dev_list'), hasattr(machine, 'OTP'), gc.sys_total()[0] // 1048576, os.uname()[4])\n"
                "network.WLAN().active(True)\n"
            ).splitlines()
        )
        board.close()
    assert said[0] == [
        "False True False False 128 k230d_canmv_bpi_zero", "network(rt_smart) not support set active state"
    ]  # fmt: skip
    assert said[1] == [
        "True False True True 128 k230d_canmv_bpi_zero",
        "Network (rt-smart) is always active and cannot be disabled.",
    ]
