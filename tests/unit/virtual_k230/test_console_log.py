"""The console's text: positions, the limit, waiting across pieces."""

from __future__ import annotations

import threading

from virtual_k230.console_log import ConsoleLog


def test_positions_go_on_when_old_text_is_dropped() -> None:
    log = ConsoleLog(limit_chars=10)
    for _ in range(10):
        log.append("abcd")
    assert log.end == 40
    assert log.since(38) == "cd"
    assert 10 <= len(log.since(0)) <= 16
    assert log.follow(36) == (40, "abcd")
    assert log.follow(40) == (40, "")


def test_a_word_cut_in_two_is_found() -> None:
    log = ConsoleLog()
    log.append("old word ")
    start = log.end
    timer = threading.Timer(0.1, lambda: (log.append("wo"), log.append("rd")))
    timer.start()
    assert log.wait_for("word", 60, start)
    timer.join()
    assert not log.wait_for("none", 0.05)
    assert log.wait_for("old", 0)
