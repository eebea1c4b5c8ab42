"""The console of the virtual board: friendly REPL, paste mode, raw REPL and raw paste, as MicroPython speaks them."""

import sys
from io import StringIO

import _console
from _hal import call, call_blob

import __main__

BANNER = call("repl.banner")
_input = _console._input
_print_exception = sys.print_exception


def _out(data):
    call_blob("console.write_bytes", data)


def _byte():
    _input.fill(-1)
    byte = _input.data[_input.at]
    _input.at += 1
    return byte


def _traceback(error):
    """The traceback's text without the frames of the emulation."""
    text = StringIO()
    _print_exception(error, text)
    return "\n".join(line for line in text.getvalue().split("\n") if not line.startswith('  File "/.frozen/'))


def execute(source, kind):
    """Run source as <stdin>. Returns None, or the traceback's text; Ctrl-C counts as an exception, SystemExit as an end."""
    try:
        try:
            exec(compile(source, "<stdin>", kind), __main__.__dict__)
        finally:
            call("script.end")
    except SystemExit:
        pass
    except BaseException as error:
        return _traceback(error)
    return None


def _run(source, kind):
    call("board.state", "exec")
    report = execute(source, kind)
    call("board.state", "repl")
    if report:
        print(report, end="")


def _incomplete(source):
    """Does a friendly REPL ask for another line?"""
    if source.count('"""') % 2 or source.count("'''") % 2:
        return True
    depth = 0
    quote = ""
    escaped = False
    for char in source:
        if quote:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == quote or char == "\n":
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
    if depth > 0 or source.endswith("\\"):
        return True
    lines = source.split("\n")
    first = lines[0].strip()
    is_block = first.endswith(":") or first.startswith("@")
    return is_block and lines[-1].strip() != ""


def read_line(prompt, history=None):
    """Edit one line. Returns its text, or the control byte (1-5) that ended it."""
    _out(prompt)
    line = bytearray()
    at_history = len(history) if history is not None else 0
    while True:
        byte = _byte()
        if byte in (1, 2, 5) and not line:
            return byte
        if byte == 3:
            return 3
        if byte == 4 and not line:
            return 4
        if byte in (13, 10):
            _out(b"\r\n")
            return line.decode()
        if byte in (8, 127):
            if line:
                while len(line) > 1 and line[-1] & 0xC0 == 0x80:
                    line = line[:-1]
                line = line[:-1]
                _out(b"\b \b")
        elif byte == 27:
            if _byte() == 91:
                arrow = _byte()
                if history and arrow in (65, 66):
                    at_history = max(0, at_history - 1) if arrow == 65 else min(len(history), at_history + 1)
                    chosen = history[at_history] if at_history < len(history) else ""
                    _out(b"\b \b" * len(line.decode()) + chosen.encode())
                    line = bytearray(chosen.encode())
        elif byte == 9:
            line.extend(b"    ")
            _out(b"    ")
        elif byte >= 32:
            line.append(byte)
            _out(bytes((byte,)))


def read_input(prompt=""):
    """The builtin input()."""
    line = read_line(prompt.encode())
    if line == 3:
        raise KeyboardInterrupt
    if not isinstance(line, str):
        raise EOFError
    return line


def _paste():
    _out(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    source = bytearray()
    while True:
        byte = _byte()
        if byte == 3:
            _out(b"\r\n")
            return
        if byte == 4:
            _out(b"\r\n")
            _run(source.decode(), "exec")
            return
        if byte == 13:
            source.append(10)
            _out(b"\r\n=== ")
        else:
            source.append(byte)
            _out(bytes((byte,)))


def _friendly():
    """Returns "raw" or "reset"."""
    _out(BANNER)
    history = []
    while True:
        line = read_line(b">>> ", history)
        if line == 1:
            return "raw"
        if line == 2:
            _out(b"\r\n" + BANNER)
            continue
        if line == 3:
            _out(b"\r\n")
            continue
        if line == 4:
            _out(b"\r\n")
            return "reset"
        if line == 5:
            _paste()
            continue
        source = line
        if not source.strip():
            continue
        while _incomplete(source):
            more = read_line(b"... ")
            if not isinstance(more, str):
                source = ""
                _out(b"\r\n")
                break
            source += "\n" + more
        if source:
            history.append(line)
            if len(history) > 8:
                history.pop(0)
            _run(source + "\n", "single")


_WINDOW = 128


def _raw_paste():
    """Source sent with flow control; None when it was cancelled."""
    _out(b"R\x01" + bytes((_WINDOW & 255, _WINDOW >> 8)) + b"\x01")
    source = bytearray()
    received = 0
    while True:
        byte = _byte()
        if byte == 3:
            _out(b"\x04")
            return None
        if byte == 4:
            _out(b"\x04")
            return source.decode()
        source.append(byte)
        received += 1
        if received == _WINDOW:
            received = 0
            _out(b"\x01")


def _raw_execute(source):
    call("board.state", "exec")
    report = execute(source, "exec")
    call("board.state", "repl")
    _out(b"\x04")
    if report:
        _out(report.replace("\n", "\r\n").encode())
    _out(b"\x04>")


def _raw():
    """Returns "friendly" or "reset"."""
    _out(b"raw REPL; CTRL-B to exit\r\n>")
    source = bytearray()
    while True:
        byte = _byte()
        if byte == 1:
            if source == b"\x05A":
                source = bytearray()
                pasted = _raw_paste()
                if pasted is not None:
                    _raw_execute(pasted)
                else:
                    _out(b"\x04\x04>")
                continue
            source = bytearray()
            _out(b"raw REPL; CTRL-B to exit\r\n>")
        elif byte == 2:
            _out(b"\r\n")
            return "friendly"
        elif byte == 3:
            source = bytearray()
        elif byte == 4:
            _out(b"OK")
            if not source:
                _out(b"\r\n")
                return "reset"
            text = source.decode()
            source = bytearray()
            _raw_execute(text)
        else:
            source.append(byte)


def serve(raw):
    """Speak on the console until a soft reset is asked for."""
    while True:
        if raw:
            ended = _raw()
        else:
            ended = _friendly()
        if ended == "reset":
            call("board.soft_reset", raw)
            return
        raw = ended == "raw"
