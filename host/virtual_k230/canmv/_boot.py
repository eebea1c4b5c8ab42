"""First code of a virtual board: gives the interpreter the board's face, runs boot.py and main.py, then the REPL."""

import builtins
import gc as _native_gc
import sys as _native_sys

import _repl
from _hal import call, call_blob


def _dress():
    import _gc_face
    import _sys_face

    for name in dir(_native_gc):
        if not name.startswith("__") and not hasattr(_gc_face, name):
            setattr(_gc_face, name, getattr(_native_gc, name))
    for name in dir(_native_sys):
        if not name.startswith("__") and name not in _sys_face.REPLACED:
            setattr(_sys_face, name, getattr(_native_sys, name))
    _gc_face.__name__, _sys_face.__name__ = "gc", "sys"  # error messages name them
    modules = _native_sys.modules
    modules["gc"] = _gc_face
    modules["sys"] = _sys_face
    for name in ("_gc_face", "_sys_face"):
        modules.pop(name, None)
    for name in ("os", "time", "hashlib", "select"):  # the interpreter would give its own modules for their u-names
        modules["u" + name] = __import__(name)
    modules["usys"] = _sys_face
    builtins.input = _repl.read_input


def _report(name, report):
    if report:
        print(report, end="")
    call("script.ended", name, report)


def run_file(path):
    """Read a script whole and run it as <stdin>, as the firmware does. Returns False when it is not there."""
    try:
        with open(path, "rb") as script:  # bytes: a comment need not be UTF-8
            source = script.read()
    except OSError:
        return False
    call("board.state", path)
    _report(path, _repl.execute(source, "exec"))
    return True


def run(raw, run_scripts):
    """The whole life between two resets; returns at a soft reset."""
    _dress()
    life = call("board.life", run_scripts)
    if life == "ide":
        _serve_ide()
        return
    if life == "boot":
        run_file("/sdcard/boot.py")
        if not run_file("/sdcard/main.py"):
            try:
                open("/sdcard/bad_main.py").close()
                run_file("/sdcard/fallback.py")
            except OSError:
                pass  # there is neither main.py nor a crashed one: straight to the REPL
        if call("board.after_scripts"):
            return
    call("board.state", "repl")
    _repl.serve(raw)


def _serve_ide():
    """Run one script that the IDE brings; the next one gets a fresh interpreter."""
    print(_repl.BANNER.split("\r\n")[0])
    is_script, source = call_blob("ide.next", b"")
    if is_script:
        call("board.state", "script")
        _report("the IDE's script", _repl.execute(source.decode(), "exec"))
    call("board.soft_reset", False)


def _call_us(batches=5, calls=200):
    """Duration of a hardware call that does nothing, in microseconds: the median batch (the clock ticks in milliseconds)."""
    from utime import ticks_diff, ticks_us

    spans = []
    for _ in range(batches):
        start = ticks_us()
        for _ in range(calls):
            call("nn.version")
        spans.append(ticks_diff(ticks_us(), start) / calls)
    spans.sort()
    return spans[batches // 2]


def run_source(source):
    """Run one piece of source instead of the card's scripts (VirtualK230.start_source)."""
    _dress()
    call("board.state", "exec")
    report = _repl.execute(source, "exec")
    import gc

    call("board.measured", _call_us(), gc._peak_bytes())
    _report("source", report)
