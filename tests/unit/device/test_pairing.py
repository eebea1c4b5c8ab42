"""Pairing by QR code and finding the host again, on the fake board."""

import json

import pytest

from fakes.device_host import BOARD_ID, KEY
from snaploop_shared import messages
from snaploop_shared.errors import AuthError, RecordError
from snaploop_shared.pairing import (
    Invitation,
    asker,
    check_question,
    decode_answer,
    encode_answer,
    encode_question,
    key_from_code,
    parse_invitation,
)

CODE = "0123456789abcdef0123456789abcdef"


class InvitingHost:
    """A host that knows one code; after pairing it is the fake host with the new key."""

    def __init__(self):
        self.key = None
        self.pairs = 0
        self.silent = False
        self.counter = 0

    def handle(self, data, road):
        request = messages.decode_request(data)
        if self.silent:
            return None
        if request.path == messages.PAIR:
            key = key_from_code(CODE, request.board_id, bytes.fromhex(request.arguments["nonce"]))
            try:
                request.check(key)
            except AuthError:
                return None
            self.key = key
            self.pairs += 1
            answer = messages.Response(messages.OK, {"name": "k230-2233", "host": "pc", "project": "lights"})
            return messages.encode_response(answer, request.counter, key)
        assert request.counter > self.counter
        self.counter = request.counter
        request.check(self.key)
        project = {"name": "lights", "task": "detect", "classes": ["red"]}
        response = messages.Response(messages.OK, {"project": project, "host": "pc", "model": None, "run": None})
        return messages.encode_response(response, request.counter, self.key)


@pytest.fixture
def host():
    return InvitingHost()


@pytest.fixture
def rig(make_rig, host):
    made = make_rig(host=host, paired=False)
    made.tap("tab:sync")
    made.tap("train")
    assert made.state.screen == "pair"
    return made


def show(rig, code=CODE, ssid="net", key="secret"):
    rig.board.camera.texts = [Invitation("10.0.0.1", 8765, code, ssid, key).text()]


def test_code_in_view_pairs_joins_and_syncs(rig, host):
    rig.steps(50)
    assert "QR code" in rig.state.pair_text and not rig.state.is_paired
    show(rig)
    rig.until(lambda: rig.state.is_paired)
    assert rig.state.screen == "sync" and rig.state.message == "paired as k230-2233" and host.pairs == 1
    rig.until(lambda: rig.state.classes == ["red"])
    fields = json.loads((rig.root / "config.json").read_text())
    assert fields["wifi"] == ["net", "secret"] and fields["host"] == ["10.0.0.1", 8765] and fields["id"] == BOARD_ID
    assert bytes.fromhex(fields["key"]) == host.key
    rig.restart()
    assert rig.state.is_paired
    rig.until(lambda: rig.state.classes == ["red"])


def test_wrong_code_is_told_and_the_next_one_works(rig, host):
    show(rig, code="f" * 32)
    rig.until(lambda: rig.state.pair_failed)
    assert not rig.state.is_paired
    rig.until(lambda: rig.app.pairing.phase == "scan", limit=20000)
    show(rig)
    rig.until(lambda: rig.state.is_paired, limit=20000)


def test_foreign_and_damaged_codes_are_told(rig, host):
    rig.board.camera.texts = ["https://example.org"]
    rig.until(lambda: "not from a snaploop host" in rig.state.pair_text)
    rig.board.camera.texts = ["snaploop:{}"]
    rig.until(lambda: "damaged or of another version" in rig.state.pair_text)
    assert host.pairs == 0


def test_wrong_wifi_password_says_so(rig, host):
    show(rig, key="wrong")
    rig.until(lambda: "check the Wi-Fi password" in rig.state.pair_text, limit=20000)


def test_a_code_that_is_not_seen_is_said_after_a_while(rig, host):
    rig.board.camera.texts = []
    rig.until(lambda: "nearer or farther" in rig.state.pair_text)
    show(rig)
    rig.until(lambda: rig.state.screen == "sync" and rig.state.is_paired)


def test_close_stops_looking(rig, host):
    rig.tap("close")
    show(rig)
    rig.steps(100)
    assert rig.state.screen == "sync" and rig.app.pairing is None and host.pairs == 0


def test_paired_board_is_paired_anew_from_about(make_rig, host):
    rig = make_rig(host=host)
    host.silent = True  # its key was revoked
    rig.tap("tab:sync")
    rig.tap("about")
    assert "Pair anew" in rig.board.display.canvas.texts()
    rig.tap("pair")
    host.silent = False
    show(rig)
    rig.until(lambda: host.pairs == 1 and rig.state.screen == "sync")
    rig.until(lambda: rig.state.classes == ["red"])


def test_pair_screen_fits_both_panels(make_rig, host):
    for width in (800, 640):
        rig = make_rig(host=host, paired=False, width=width)
        rig.app.apply(("open", "pair"))
        rig.steps(2)
        assert "Close" in rig.board.display.canvas.texts()


# -- the host has another address --


def test_moved_host_is_found_and_kept(make_rig):
    from fakes.device_host import FakeHost

    host = FakeHost()
    rig = make_rig(host=host, road="wifi")
    wifi = rig.board.wifi
    wifi.host_at = ("10.0.0.9", 8770)

    def answers(question):
        assert asker(question) == BOARD_ID
        check_question(question, KEY)
        forged = encode_answer(question, "6.6.6.6", 1, bytes(32))
        return [forged, encode_answer(question, "10.0.0.9", 8770, KEY)]

    wifi.answers = answers
    rig.until(lambda: rig.state.classes)
    assert json.loads((rig.root / "config.json").read_text())["host"] == ["10.0.0.9", 8770]
    assert wifi.questions[0][1] == 8765
    asked = len(wifi.questions)
    rig.steps(600)
    assert len(wifi.questions) == asked


def test_host_that_is_off_is_asked_for_now_and_then_only(make_rig):
    from fakes.device_host import FakeHost

    rig = make_rig(host=FakeHost(), road="wifi")
    rig.board.wifi.host_at = ("nowhere", 1)
    began = rig.board.clock.ms
    rig.steps(1500)
    seconds = (rig.board.clock.ms - began) / 1000
    assert 2 <= len(rig.board.wifi.questions) <= seconds / 5 + 1


def test_datagrams_of_others_are_refused():
    nonce = bytes(16)
    question = encode_question("ab", nonce, KEY)
    assert check_question(question, KEY) == b"00" * 16
    answer = encode_answer(question, "10.0.0.9", 8770, KEY)
    assert decode_answer(answer, "ab", nonce, KEY) == ("10.0.0.9", 8770)
    for data, board_id, one_time, key in (
        (answer, "ab", nonce, bytes(32)),
        (answer, "ac", nonce, KEY),
        (answer, "ab", bytes([1]) * 16, KEY),
        (question, "ab", nonce, KEY),
        (answer[:-1], "ab", nonce, KEY),
        (answer.replace(b"8770", b"8771"), "ab", nonce, KEY),
        (b"", "ab", nonce, KEY),
        (bytes(600), "ab", nonce, KEY),
    ):
        with pytest.raises(AuthError):
            decode_answer(data, board_id, one_time, key)
    with pytest.raises(AuthError):
        check_question(question, bytes(32))
    assert asker(b"snaploop who \xff x y") == "" and asker(b"hello") == ""


@pytest.mark.parametrize(
    "text", ["snaploop:", 'snaploop:{"h":["a",0],"c":"' + CODE + '","w":["",""]}', 'snaploop:{"h":["a"],"c":"","w":[]}']
)
def test_broken_invitations(text):
    with pytest.raises(RecordError, match="damaged or of another version"):
        parse_invitation(text)


def test_invitation_text_comes_back_with_any_name():
    text = Invitation("192.168.1.7", 8230, CODE, 'caf\u00e9, "x"', "p\u00e4ss: word").text()
    again = parse_invitation(text)
    assert (again.ssid, again.wifi_key, again.code) == ('caf\u00e9, "x"', "p\u00e4ss: word", CODE)
