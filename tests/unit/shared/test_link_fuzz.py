"""Frames and link against random bytes and random damage: nothing but ProtocolError, bounded memory, same messages in the end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from snaploop_shared import frames, link
from snaploop_shared.errors import ProtocolError


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_decoder_takes_anything_and_stays_small(pieces: list[bytes]) -> None:
    decoder = frames.Decoder()
    for piece in pieces:
        decoder.feed(piece)
    assert len(decoder.take_text()) <= 4096
    good = frames.encode(frames.Frame(frames.DATA_END, 1, 2, 3, b"after the storm"))
    assert [frame.payload for frame in decoder.feed(b"\n" + good)][-1:] == [b"after the storm"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=400), max_size=20))
def test_link_takes_anything(pieces: list[bytes]) -> None:
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    host.receive(frames.encode(frames.Frame(frames.SYN, 7, 0, 0)), 0)
    for number, piece in enumerate(pieces):
        try:
            host.receive(piece, number)
            host.output(number)
        except ProtocolError:
            return


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.floats(min_value=0, max_value=0.4),
)
def test_messages_arrive_once_and_in_order_through_damage(messages: list[bytes], random, loss: float) -> None:
    board = link.Link(True, link.TO_HOST_WINDOW_FRAMES)
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    board.open(5, 0)
    got_by_host: list[bytes] = []
    got_by_board: list[bytes] = []
    sent = False
    for step in range(20000):
        now = step * 25
        if board.state == link.OPEN and not sent:
            for message in messages:
                board.send(message)
                host.send(b">" + message)
            sent = True
        for sender, receiver, got in ((board, host, got_by_host), (host, board, got_by_board)):
            lines = sender.output(now).splitlines(keepends=True)
            kept = []
            for line in lines:
                luck = random.random()
                if luck < loss / 2:
                    continue
                if luck < loss:
                    position = random.randrange(len(line))
                    line = line[:position] + bytes([line[position] ^ 1]) + line[position + 1 :]
                kept.append(line)
            got += receiver.receive(b"".join(kept), now)
        if sent and len(got_by_host) == len(got_by_board) == len(messages):
            break
    assert got_by_host == messages
    assert got_by_board == [b">" + message for message in messages]


def test_a_message_that_never_ends_is_refused() -> None:
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    host.receive(frames.encode(frames.Frame(frames.SYN, 7, 0, 0)), 0)
    payload = bytes(frames.MAX_PAYLOAD_BYTES)
    try:
        for seq in range(1000):
            host.receive(frames.encode(frames.Frame(frames.DATA, 7, seq, 0, payload)), seq)
    except ProtocolError as error:
        assert str(link.MAX_MESSAGE_BYTES) in str(error)
        assert host.state == link.CLOSED
    else:
        raise AssertionError("an endless message was taken")


def test_hmac_agrees_with_the_standard_library() -> None:
    import hmac
    import os

    from snaploop_shared import auth

    for size in (0, 1, 63, 64, 65, 5000):
        key, data = os.urandom(32), os.urandom(size)
        assert auth.sign(key, data) == hmac.digest(key, data, "sha256")
