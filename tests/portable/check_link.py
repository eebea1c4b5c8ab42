"""Checks of the link and of the console's reader with plain asserts: the same file runs under CPython and MicroPython."""

from snaploop_device.board import k230_usb
from snaploop_shared import frames, link
from snaploop_shared.errors import LinkLostError
from snaploop_shared.frames import Frame
from snaploop_shared.portable import has_passed

HOUR_MS = 3600000


class Ring:
    """stdin of the firmware: what waits, and an error where the real one would block for ever."""

    def __init__(self):
        self.data = b""
        self.reads = 0

    def read(self, count):
        return self._take(count)

    def readinto(self, view):
        data = self._take(len(view))
        view[: len(data)] = data
        return len(data)

    def _take(self, count):
        assert len(self.data) >= count, "reading {} bytes of {} blocks for ever".format(count, len(self.data))
        self.reads += 1
        data, self.data = self.data[:count], self.data[count:]
        return data


def reader(ring):
    """A K230Usb on this ring, made without the machine's own stdin."""
    usb = object.__new__(k230_usb.K230Usb)
    usb.watch(ring, lambda timeout_ms: [1] if ring.data else [], None)
    return usb


def line(seq, size):
    return frames.encode(Frame(frames.DATA, 9, seq, 0, bytes([seq]) * size))


def read_all(usb, ring):
    got = b""
    while ring.data:
        got += usb.read()
    return got + usb.read()


def check_cells_are_read_whole():
    ring = Ring()
    usb = reader(ring)
    for count in (1, 2, 4):
        for size in (0, 1, 31, 47, 48, 700, frames.MAX_PAYLOAD_BYTES):
            sent = frames.in_cells(b"".join([line(seq, size) for seq in range(count)]))
            assert len(sent) % frames.CELL_BYTES == 0 and len(sent) <= 4096
            ring.data, ring.reads = sent, 0
            assert read_all(usb, ring) == sent
            assert ring.reads <= 2 * len(sent) // frames.CELL_BYTES + 1, (count, size, ring.reads)


def check_every_packet_boundary_is_fine():
    ring = Ring()
    usb = reader(ring)
    sent = frames.in_cells(line(1, 200) + line(2, 5) + line(3, 100))
    for cut in range(0, len(sent) + 1, frames.CELL_BYTES):
        got = b""
        for part in (sent[:cut], sent[cut:]):
            ring.data = part
            got += read_all(usb, ring)
        assert got == sent


def check_typing_and_tools_between_frames():
    ring = Ring()
    usb = reader(ring)
    sent = frames.in_cells(line(1, 300))
    for typed in (b"x", b"\r\x03", b"print(1)\r\n", b"\x01", b"0" * 200, b"\x1e", b"\x1eAB\n", b" \n \n"):
        ring.data = typed  # somebody types while nothing of ours is on the way
        if typed[:1] == b"\x1e":  # begins like a frame: the reader expects a cell, so give it the host's next write
            ring.data += sent + sent
            usb.read()
            ring.data = b""
            usb.read()
        else:
            assert read_all(usb, ring) == typed
        ring.data = sent
        decoder = frames.Decoder()
        assert [frame.seq for frame in decoder.feed(read_all(usb, ring))] == [1], typed


def check_typing_before_frames_of_the_same_read():
    for typed in (b"x", b"hello\r\n", b"\r\x03", b" "):
        ring = Ring()
        usb = reader(ring)
        sent = frames.in_cells(line(1, 300) + line(2, 10))
        ring.data = typed + sent
        assert read_all(usb, ring) == typed + sent
        ring.data = sent
        assert read_all(usb, ring) == sent


class StirredRing(Ring):
    """Where the real one would wait, the bridge sends an empty cell."""

    stirs = 0

    def _take(self, count):
        while len(self.data) < count:
            self.data += b" " * frames.CELL_BYTES
            self.stirs += 1
        return Ring._take(self, count)


def check_lost_and_doubled_bytes_are_healed_by_empty_cells():
    sent = frames.in_cells(line(1, 100) + line(2, 40))
    after = frames.in_cells(line(3, 100))
    for position in range(len(sent)):
        for byte in (b"", sent[position : position + 1] * 2):
            ring = StirredRing()
            usb = reader(ring)
            decoder = frames.Decoder()
            ring.data = sent[:position] + byte + sent[position + 1 :]
            decoder.feed(read_all(usb, ring))
            assert ring.stirs <= 1, position
            ring.data = after
            found = decoder.feed(read_all(usb, ring))
            ring.data = after
            found += decoder.feed(read_all(usb, ring))
            assert ring.stirs <= 1 and found and found[-1].seq == 3, position


def check_text_stream_without_readinto():
    class TextRing:
        def __init__(self):
            self.data = ""

        def read(self, count):
            assert len(self.data) >= count
            data, self.data = self.data[:count], self.data[count:]
            return data

    ring = TextRing()
    usb = reader(ring)
    sent = frames.in_cells(line(1, 300))
    ring.data = sent.decode()
    assert read_all(usb, ring) == sent


def check_clock_set_back_counts_as_passed():
    assert has_passed(1000, 500, 500) and not has_passed(999, 500, 500) and has_passed(400, 500, 500)


def exchange(board, host, clock, damage, jump=0):
    """Carry a message each way; `damage(n, data)` may change the n-th write, `jump` is added to the clock once. Rounds it took."""
    sent, got_host, got_board, n = False, [], [], 0
    for rounds in range(4000):
        clock[0] += 20
        if rounds == 3:
            clock[0] += jump
        if board.state == link.CLOSED:
            board.open(clock[0] & 0xFFFF | 1, clock[0])
            sent = False
        if board.state == link.OPEN and not sent:
            board.send(b"question" * 300)
            sent = True
        if rounds % 100 == 99:
            board.probe()  # as UsbRoad does when an answer does not come
        try:
            out = board.output(clock[0])
            n += 1
            for message in host.receive(damage(n, out), clock[0]):
                got_host.append(message)
                host.send(b"answer" * 900)
            out = host.output(clock[0])
            n += 1
            got_board += board.receive(damage(n, out), clock[0])
        except LinkLostError:
            board.close()
        if got_board:
            assert got_host[-1] == b"question" * 300 and got_board == [b"answer" * 900]
            return rounds
    raise AssertionError("the answer never came")


def ends():
    return link.Link(True, link.TO_HOST_WINDOW_FRAMES), link.Link(False, link.TO_BOARD_WINDOW_FRAMES)


def torn(number, kind):
    """A damage of the `number`-th write: gone, doubled, a byte lost, or a print() in its middle."""

    def damage(n, data):
        if n != number or not data:
            return data
        half = len(data) // 2
        if kind == "gone":
            return b""
        if kind == "doubled":
            return data + data
        return data[:half] + (data[half + 1 :] if kind == "lost" else b"print()\r\n" + data[half:])

    return damage


def check_every_write_damaged_once():
    for number in range(1, 30):
        for kind in ("gone", "doubled", "lost", "print"):
            board, host = ends()
            exchange(board, host, [0], torn(number, kind))


def check_clock_jumps():
    for jump in (HOUR_MS, -HOUR_MS, 1000, -1000, 14999, -15001):
        board, host = ends()
        assert exchange(board, host, [2 * HOUR_MS], lambda n, data: b"" if n in (9, 10) else data, jump) < 200


class RestartedHost:
    """The first link until it was called `after` times, then a new one that knows nothing."""

    def __init__(self, first, after):
        self.link = first
        self.calls_left = after

    def _count(self):
        self.calls_left -= 1
        if self.calls_left == 0:
            self.link = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)

    def receive(self, data, now_ms):
        self._count()
        return self.link.receive(data, now_ms)

    def output(self, now_ms):
        self._count()
        return self.link.output(now_ms)

    def send(self, message):
        self.link.send(message)


def check_host_restarted_in_the_middle():
    for after in range(2, 24):
        board, host = ends()
        exchange(board, RestartedHost(host, after), [0], lambda n, data: data)


CHECKS = (
    check_cells_are_read_whole,
    check_every_packet_boundary_is_fine,
    check_typing_and_tools_between_frames,
    check_typing_before_frames_of_the_same_read,
    check_lost_and_doubled_bytes_are_healed_by_empty_cells,
    check_text_stream_without_readinto,
    check_clock_set_back_counts_as_passed,
    check_every_write_damaged_once,
    check_clock_jumps,
    check_host_restarted_in_the_middle,
)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        print("ok", check.__name__)
    print("{} portable checks passed".format(len(CHECKS)))
