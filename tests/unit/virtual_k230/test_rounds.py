"""How often a script was round its loop: pictures shown, frames followed by another, or a panel that only refreshes."""

from __future__ import annotations

from types import SimpleNamespace

from virtual_k230 import rounds


def _board(frames=0, shows=0):
    hal = SimpleNamespace(n_calls=0, n_deeds=0, is_busy=False, is_at_deed=False)
    return SimpleNamespace(hal=hal, frames=frames, display=SimpleNamespace(most_shows=lambda: shows))


def test_shows_and_followed_frames_count():
    assert rounds.Rounds(_board(frames=7, shows=3)).done() == 6
    assert rounds.Rounds(_board(frames=7, shows=8)).done() == 8


def test_a_script_that_only_waits_is_round_with_the_panel(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    board = _board()
    counter = rounds.Rounds(board)
    board.hal.n_deeds = 5
    for _ in range(130):  # 6.5 s of sleeping and asking for a stop
        board.hal.n_calls += 1
        now[0] += 0.05
        assert counter.done() <= 15
    assert counter.done() in (13, 14, 15)  # 0.5 s of pictures
    board.hal.n_deeds += 1  # it does something again
    board.hal.n_calls += 1
    assert counter.done() == 0


def test_a_long_computation_is_no_waiting(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    board = _board()
    counter = rounds.Rounds(board)
    board.hal.is_busy = board.hal.is_at_deed = True  # a kmodel in the simulator
    for _ in range(40):
        now[0] += 1
        assert counter.done() == 0
    board.hal.is_busy = False  # pure Python, without a call
    for _ in range(40):
        now[0] += 1
        assert counter.done() == 0
