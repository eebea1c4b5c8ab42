"""The contract's own checks with plain asserts: the same file runs under CPython (pytest imports it) and MicroPython (virtual board)."""

from snaploop_shared import auth, frames, letterbox, link, manifest, messages, model_slots, portable, sample_record
from snaploop_shared.errors import AuthError, ModelRefusedError, ProtocolError, RecordError

KEY = bytes(range(32))


def raises(error, function, *arguments):
    """Assert that the call raises this error; the error."""
    try:
        function(*arguments)
    except error as caught:
        return caught
    raise AssertionError("{} was not raised".format(error))


def check_sha256():
    assert portable.sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert portable.sha256_hex_of((b"a", b"bc")) == portable.sha256_hex(b"abc")


def check_json_that_is_cut_short_is_refused():
    text = b'{"a": {"b": [1, "}"]}, "c": 2}'
    assert portable.parse_json(text) == {"a": {"b": [1, "}"]}, "c": 2}
    for cut in range(len(text)):
        raises(ValueError, portable.parse_json, text[:cut])
    raises(ValueError, portable.parse_json, b"\xff")
    raises(ValueError, portable.parse_json, text + b"}")


def check_hmac_rfc4231_style():
    # RFC 4231 test case 3 has a 20-byte key; ours are always 32, so compare with the definition spelled out by hand.
    key = KEY + bytes(32)
    inner = portable.hashlib.sha256(bytes([b ^ 0x36 for b in key]) + b"what do ya want").digest()
    expected = portable.hashlib.sha256(bytes([b ^ 0x5C for b in key]) + inner).digest()
    assert auth.sign(KEY, b"what do ", b"ya want") == expected
    assert auth.is_same(expected, bytes(expected)) and not auth.is_same(expected, expected[:-1] + b"x")
    raises(ValueError, auth.sign, b"short", b"x")


def check_longest_missing_answer_fits():
    digests = ["%064x" % number for number in range(60)]
    answer = {"photos": [[digest, 999999] for digest in digests], "records": digests}
    data = messages.encode_response(messages.Response(messages.OK, answer), 1, KEY)
    assert messages.decode_response(data, 1, KEY).arguments == answer


def check_frame_cut_at_every_position():
    one = frames.Frame(frames.DATA, 0xDEADBEEF, 7, 3, bytes(range(256)))
    two = frames.Frame(frames.ACK, 0xDEADBEEF, 0, 9)
    wire = frames.encode(one) + b"hello from print()\r\n" + frames.encode(two)
    for cut in range(len(wire) + 1):
        decoder = frames.Decoder()
        got = decoder.feed(wire[:cut]) + decoder.feed(wire[cut:])
        assert [(f.kind, f.session, f.seq, f.ack, f.payload) for f in got] == [
            (one.kind, one.session, one.seq, one.ack, one.payload),
            (two.kind, two.session, two.seq, two.ack, two.payload),
        ], cut
        assert decoder.take_text() == b"hello from print()\r\n"
        assert decoder.damaged == 0


def check_frame_is_plain_text():
    wire = frames.encode(frames.Frame(frames.DATA, 1, 2, 3, bytes(range(256)) * 2))
    assert len(wire) <= frames.MAX_LINE_BYTES
    for byte in wire[1:-1]:
        assert 32 < byte < 127, byte
    assert (
        len(frames.encode(frames.Frame(frames.DATA, 1, 2, 3, bytes(frames.MAX_PAYLOAD_BYTES))))
        * link.TO_BOARD_WINDOW_FRAMES
        <= 4096
    )


def check_damaged_frame_is_dropped():
    wire = frames.encode(frames.Frame(frames.DATA, 5, 6, 7, b"payload"))
    for position in range(len(wire)):
        damaged = bytearray(wire)
        damaged[position] ^= 1
        decoder = frames.Decoder()
        got = decoder.feed(damaged) + decoder.feed(wire)
        assert len(got) <= 2 and got[-1].payload == b"payload", position
        for frame in got:
            assert frame.payload == b"payload"


def transfer(board, host, drop, rounds=4000):
    """Carry bytes between two links; `drop(n, data)` may change the n-th write. The messages that arrived on each side."""
    to_host, to_board, now, n = [], [], 0, 0
    for _ in range(rounds):
        now += 20
        out = board.output(now)
        if out:
            n += 1
            to_host += host.receive(drop(n, out), now)
        out = host.output(now)
        if out:
            n += 1
            to_board += board.receive(drop(n, out), now)
        if board.state == link.OPEN and board.is_idle() and host.is_idle():
            break
    return to_host, to_board


def check_link_delivers_both_ways():
    board = link.Link(True, link.TO_HOST_WINDOW_FRAMES)
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    board.open(77, 0)
    long = bytes([i % 251 for i in range(20000)])
    transfer(board, host, lambda n, data: data)
    board.send(long)
    host.send(b"short")
    assert transfer(board, host, lambda n, data: data) == ([long], [b"short"])


def check_link_survives_damage():
    state = [12345]

    def noisy(n, data):
        state[0] = (state[0] * 1103515245 + 12345) & 0x7FFFFFFF
        luck = state[0] >> 16
        if luck % 4 == 0:
            cut = luck % len(data)
            kind = (luck >> 4) % 4
            if kind == 0:
                return b""
            if kind == 1:
                return data[:cut]
            if kind == 2:
                return data + data
            return data[:cut] + b"print noise\n" + data[cut + 1 :]
        return data

    board = link.Link(True, link.TO_HOST_WINDOW_FRAMES)
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    board.open(1, 0)
    transfer(board, host, lambda n, data: data)
    messages_out = [bytes([i]) * (1000 * i + 1) for i in range(1, 9)]
    for one in messages_out:
        board.send(one)
        host.send(b"to the board " + one)
    got_host, got_board = transfer(board, host, noisy)
    assert got_host == messages_out
    assert got_board == [b"to the board " + one for one in messages_out]
    assert board.resent_frames + host.resent_frames > 0


def check_host_restart_resets_the_client():
    board = link.Link(True, link.TO_HOST_WINDOW_FRAMES)
    host = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    board.open(9, 0)
    transfer(board, host, lambda n, data: data)
    assert board.state == link.OPEN
    restarted = link.Link(False, link.TO_BOARD_WINDOW_FRAMES)
    board.send(b"lost")
    restarted.receive(board.output(100), 100)
    board.receive(restarted.output(120), 120)
    assert board.state == link.CLOSED


def check_messages():
    wire = messages.encode_request("PUT", messages.PHOTO, {"offset": 5}, b"\x00\x01\xff", "b1", 42, KEY)
    request = messages.decode_request(wire)
    assert (request.method, request.path, request.board_id, request.counter) == ("PUT", "/photo", "b1", 42)
    assert request.arguments == {"offset": 5} and request.body == b"\x00\x01\xff"
    request.check(KEY)
    raises(AuthError, request.check, bytes(32))
    for position in range(len(wire)):
        damaged = bytearray(wire)
        damaged[position] ^= 0x40
        try:
            messages.decode_request(bytes(damaged)).check(KEY)
        except (ProtocolError, AuthError):
            continue
        raise AssertionError("a changed byte at {} went through".format(position))
    answer = messages.encode_response(messages.Response(messages.OK, {"x": 1}, b"body"), 42, KEY)
    response = messages.decode_response(answer, 42, KEY)
    assert (response.status, response.arguments, response.body) == (200, {"x": 1}, b"body")
    raises(AuthError, messages.decode_response, answer, 43, KEY)
    raises(AuthError, messages.decode_response, answer, 42, bytes(32))
    raises(ProtocolError, messages.decode_response, answer[:-1], 42, KEY)
    raises(ProtocolError, messages.decode_request, answer)
    raises(ProtocolError, messages.decode_request, b"")


def check_letterbox():
    place = letterbox.placement(640, 360, 320, 192)
    assert (place.width, place.height, place.left, place.top, place.right, place.bottom) == (320, 180, 0, 6, 0, 6)
    assert place.to_source(160, 96) == (320, 180)
    assert letterbox.input_size(640, 360, 320) == (320, 192)
    assert letterbox.input_size(640, 480, 320) == (320, 256)
    assert letterbox.input_size(480, 640, 320) == (256, 320)
    for w, h in ((1, 1), (3000, 2), (2, 3000), (641, 479)):
        place = letterbox.placement(w, h, 320, 192)
        assert place.left + place.width + place.right == 320 and place.top + place.height + place.bottom == 192
        assert place.width >= 1 and place.height >= 1
    raises(ValueError, letterbox.placement, 0, 5, 320, 192)


def check_sample_record():
    box = sample_record.Box("rot ü", 1, 2, 30, 40)
    record = sample_record.SampleRecord(
        "b3-000012", portable.sha256_hex(b"x"), 9, 640, 360, 2, sample_record.LABELLED, [box]
    )
    again = sample_record.parse(record.to_json())
    assert again.boxes == [box] and again.rev == 2 and again.state == "labelled"
    record.boxes.append(sample_record.Box("red", 630, 0, 20, 10))
    assert "outside" in str(raises(RecordError, record.check))
    raises(RecordError, sample_record.parse, b"{}")
    raises(RecordError, sample_record.parse, b"[]")
    raises(RecordError, sample_record.parse, b"\xff")
    assert sample_record.clipped_box("a", 700, 50, 600, 20, 640, 360) == sample_record.Box("a", 600, 20, 40, 30)
    assert sample_record.clipped_box("a", 10, 10, 12, 50, 640, 360) is None


def manifest_bytes(nncase="2.11.0", task="detect"):
    digest = portable.sha256_hex(b"kmodel")
    return (
        '{"v":1,"serial":3,"digest":"' + digest + '","bytes":6,"task":"' + task + '","head":"dfl6","input":[320,192],'
        '"labels":["red","green"],"score_permille":400,"iou_permille":500,"nncase":"' + nncase + '","kmodel_version":7,'
        '"golden":{"digest":"' + digest + '","bytes":6,"detections":[[0,900,10,20,30,40]]},"scores":{}}'
    ).encode()


def check_manifest():
    raw = manifest_bytes()
    model = manifest.parse(raw)
    manifest.check_signature(raw, manifest.signature(raw, KEY), KEY)
    assert (
        raises(ModelRefusedError, manifest.check_signature, raw + b" ", manifest.signature(raw, KEY), KEY).reason
        == "bad_signature"
    )
    manifest.check_runtime(model, "2.11.0")
    assert raises(ModelRefusedError, manifest.check_runtime, model, "2.9.0").reason == "wrong_nncase"
    manifest.check_golden(model, [(0, 880, 11, 20, 30, 41)])
    raises(ModelRefusedError, manifest.check_golden, model, [])
    raises(ModelRefusedError, manifest.check_golden, model, [(1, 880, 11, 20, 30, 41)])
    raises(ModelRefusedError, manifest.check_golden, model, [(0, 880, 11, 20, 30, 41), (0, 880, 100, 20, 30, 41)])
    raises(RecordError, manifest.parse, raw[:-3])
    raises(RecordError, manifest.parse, manifest_bytes(task="sing"))


def check_model_slots():
    slots = model_slots.ModelSlots()
    slots.move("offer", "aa", 4)
    raises(RecordError, slots.move, "confirm")
    slots.move("verified")
    slots.move("start_trial")
    assert (slots.active, slots.previous, slots.state) == ("aa", "", "trial")
    copy = model_slots.decode(model_slots.encode(slots))
    assert (copy.active, copy.state, copy.serial, copy.sequence) == ("aa", "trial", 4, 3)
    slots.move("roll_back")
    assert (slots.active, slots.broken, slots.state) == ("", "aa", "idle")
    data = model_slots.encode(slots)
    for cut in range(len(data)):
        assert model_slots.decode(data[:cut]) is None
    assert model_slots.newest(copy, slots) is slots and model_slots.newest(copy, None) is copy


CHECKS = (
    check_sha256,
    check_json_that_is_cut_short_is_refused,
    check_hmac_rfc4231_style,
    check_frame_cut_at_every_position,
    check_frame_is_plain_text,
    check_damaged_frame_is_dropped,
    check_link_delivers_both_ways,
    check_link_survives_damage,
    check_host_restart_resets_the_client,
    check_longest_missing_answer_fits,
    check_messages,
    check_letterbox,
    check_sample_record,
    check_manifest,
    check_model_slots,
)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        print("ok", check.__name__)
    print("{} portable checks passed".format(len(CHECKS)))
