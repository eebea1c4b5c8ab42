"""The command `virtual-k230`: run a script on a virtual board, talk to its REPL, or serve it to other programs."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import os
import select
import signal
import sys
import termios
import time
import tty
from pathlib import Path
from typing import Any

from PIL import Image as PilImage

from .board import VirtualK230
from .faults import parse as parse_fault
from .inputs import (
    OneLineParser,
    check_output,
    count,
    forgotten_module,
    make_folder,
    port,
    read_script,
    read_touches,
    read_twins,
    seconds,
    size,
)
from .interpreter import InterpreterMissingError
from .rounds import Rounds
from .usb import BOARD_RTT_MS

logger = logging.getLogger(__name__)

EXIT_OK, EXIT_SCRIPT_FAILED, EXIT_USAGE = 0, 1, 2


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 well, 1 the script ended with an exception, 2 it could not be started."""
    args = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.INFO,
        stream=sys.stderr,
        format="%(levelname)s %(name)s: %(message)s",
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))  # so that what is open gets closed
    try:
        code: int = args.action(args)
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except (InterpreterMissingError, OSError, ValueError, RuntimeError) as error:
        if args.verbose:
            raise
        sys.stderr.write(f"virtual-k230: {error}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_SCRIPT_FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="virtual-k230", description="A virtual CanMV K230 board.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    board = OneLineParser(add_help=False)
    board.add_argument("--sd", metavar="DIR", help="folder that is the board's /sdcard (default: a temporary one)")
    board.add_argument("--data", metavar="DIR", help="folder that is the board's /data (default: a temporary one)")
    board.add_argument(
        "--profile", type=str.upper, choices=["A", "B", "C", "D"], default="B", help="firmware generation (default: B)"
    )
    board.add_argument(
        "--nncase-version", metavar="X.Y.Z", help="version that nncase_runtime reports (default: the profile's)"
    )
    board.add_argument(
        "--camera",
        metavar="WHAT",
        default="scene:traffic_lights",
        help="folder, picture, video or scene:NAME (default: %(default)s)",
    )
    board.add_argument(
        "--kpu",
        choices=["sim", "onnx"],
        help="Canaan's simulator, or onnxruntime on the twin (default: onnx where --onnx is given, else sim)",
    )
    board.add_argument(
        "--onnx",
        metavar="DIR | KMODEL=ONNX",
        action="append",
        default=[],
        help="a folder of kmodels with their ONNX twins (NAME.kmodel, NAME.onnx), or one pair (kmodel file or its sha256); "
        "kmodels without a twin run in the simulator, and the log says so",
    )
    board.add_argument(
        "--board",
        metavar="ID",
        default="k230_canmv_hiwonder",
        help="board id, such as k230_canmv_lckfb (default: %(default)s)",
    )
    board.add_argument("--dram-mib", metavar="N", type=int, help="128, 512, 1024 or 2048 (default: the board's usual)")
    board.add_argument(
        "--wifi", metavar="SSID:KEY", help="the only Wi-Fi there is (default: any name and key are right)"
    )
    board.add_argument(
        "--usb-rtt-ms",
        metavar="MS",
        type=float,
        default=BOARD_RTT_MS,
        help="round-trip time of the USB cable (default: %(default)g, mpremote is then as slow as with a board; 0: none)",
    )
    board.add_argument(
        "--fps", metavar="N", type=float, default=0, help="frames per second of the camera; 0: as fast as asked for"
    )
    board.add_argument(
        "--heap-mib", metavar="N", type=float, default=4, help="MicroPython heap (default: 4, as on the board)"
    )
    board.add_argument(
        "--fault",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="make something go wrong from the start, such as card.power_cut=20 or usb.drop=0.001; `virtual-k230 faults` lists them",
    )
    board.add_argument("--panel", metavar="WxH", type=size, help="size of the LCD (default: what the script asks for)")
    board.add_argument("--verbose", action="store_true", help="more log lines, and tracebacks of our own errors")

    run = verbs.add_parser("run", parents=[board], help="run a script to its end, or for a time")
    run.add_argument("script", type=Path, help="file on this PC, or on the card (/sdcard/…); it runs as main.py would")
    run.add_argument(
        "--touch", metavar="FILE.json", type=Path, help='[{"at_s": 1.0, "event": "down", "x": 10, "y": 20}, ...]'
    )
    run.add_argument("--seconds", metavar="N", type=seconds, help="stop the script after this time")
    run.add_argument(
        "--frames",
        metavar="N",
        type=count,
        help="stop after so many camera frames or pictures shown, and after the touches",
    )
    run.add_argument("--screenshots", metavar="DIR", type=Path, help="write the LCD as PNG each second, and at the end")
    run.add_argument("--json", metavar="OUT", help="write a summary to this file (-: standard output)")
    run.set_defaults(action=_run)

    shell = verbs.add_parser("shell", parents=[board], help="the board's REPL in this terminal (Ctrl-] ends)")
    shell.set_defaults(action=_shell)

    serve = verbs.add_parser("serve", parents=[board], help="keep a board running behind an HTTP API and an LCD page")
    serve.add_argument(
        "--port", metavar="N", type=port, default=8230, help="port on 127.0.0.1; 0: any free one (default: 8230)"
    )
    serve.add_argument(
        "--listen",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="0.0.0.0 lets phones and PCs of the network in, without a password (default: %(default)s)",
    )
    serve.set_defaults(action=_serve)

    faults = verbs.add_parser("faults", help="list what can go wrong on demand")
    faults.set_defaults(action=_faults, verbose=False)

    bench = verbs.add_parser("bench", help="measure this machine's virtual board: frames, calls, start, idling")
    bench.add_argument("--json", action="store_true", help="print one JSON object")
    bench.add_argument("--verbose", action="store_true", help="more log lines, and tracebacks of our own errors")
    bench.set_defaults(action=_bench)
    return parser


def _board(args: argparse.Namespace) -> VirtualK230:
    options: dict[str, Any] = {"nncase_version": args.nncase_version} if args.nncase_version else {}
    if args.kpu == "sim" and args.onnx:
        raise ValueError("--onnx is for --kpu onnx: leave one of --kpu sim and --onnx out")
    kpu = args.kpu or ("onnx" if args.onnx else "sim")
    faults = [parse_fault(text) for text in args.fault]
    board = VirtualK230(
        sd=args.sd, data=args.data, camera=args.camera, profile=args.profile, kpu=kpu, onnx_twins=read_twins(args.onnx),
        usb_rtt_ms=args.usb_rtt_ms, fps=args.fps, heap_mib=args.heap_mib, panel=args.panel, wifi=args.wifi,
        board_id=args.board, dram_mib=args.dram_mib, **options,
    )  # fmt: skip
    for name, value in faults:
        board.faults.set(name, value)
    return board


def _run(args: argparse.Namespace) -> int:
    touches = read_touches(args.touch) if args.touch else []
    if args.screenshots:
        make_folder(args.screenshots, "--screenshots")
    if args.json and args.json != "-":
        check_output(args.json)
    board = _board(args)
    try:
        position, n_shots, stop_asked, n_rounds = 0, 0, False, 0
        rounds = Rounds(board)
        board.start_source(read_script(board, args.script))
        while board.state == "boot":
            time.sleep(0.005)
        started = time.monotonic()
        while board.is_on:
            passed = time.monotonic() - started
            while touches and touches[0]["at_s"] <= passed:
                event = touches.pop(0)
                board.touches.put(event["event"], event["x"], event["y"])
            position = _copy_console(board, position, to_stderr=args.json == "-")
            if args.screenshots and passed > n_shots + 1:
                n_shots += 1
                board.screen().save(args.screenshots / f"{n_shots:04d}.png")
            n_rounds = rounds.done()
            has_touches = bool(touches) or (board.touches.is_open and len(board.touches) > 0)
            is_over = (args.seconds and passed >= args.seconds) or (
                args.frames and n_rounds >= args.frames and not has_touches
            )
            if is_over and not stop_asked:
                stop_asked = True
                if args.screenshots:
                    board.screen().save(args.screenshots / "end.png")
                board.stop()
            if is_over and passed > (args.seconds or passed) + 10:
                board.power_cut()
            time.sleep(0.02)
        _copy_console(board, position, to_stderr=args.json == "-")
        if args.screenshots and not stop_asked:
            _last_picture(board).save(args.screenshots / "end.png")
        failed = board.exception is not None and not stop_asked
        if failed and (forgotten := forgotten_module(args.script, board.exception or "")):
            sys.stderr.write(f"virtual-k230: {forgotten}\n")
        summary = {
            "frames": max(board.frames, n_rounds), "kpu_runs": board.kpu_runs, "exception": board.exception if failed else None,
            "peak_heap_bytes": board.peak_heap_bytes, "hal_call_us": board.hal_call_us, "kpu_engine": board.kpu_engine,
            "seconds": round(time.monotonic() - started, 3), "console": board.log,
        }  # fmt: skip
    finally:
        board.close()
    if args.json == "-":
        sys.stdout.write(json.dumps(summary) + "\n")
    elif args.json:
        Path(args.json).write_text(json.dumps(summary) + "\n")
    return EXIT_SCRIPT_FAILED if failed else EXIT_OK


def _last_picture(board: VirtualK230) -> Any:
    """What a script that has ended showed last: on the panel, else in the IDE; a black panel if nothing."""
    lit = board.display.last_lit  # type: ignore[attr-defined]  # set by display.register()
    if lit is None and board.ide.last_shown:
        lit = PilImage.open(io.BytesIO(board.ide.last_shown)).convert("RGB")
    return lit or board.screen()


def _copy_console(board: VirtualK230, position: int, to_stderr: bool) -> int:
    following, text = board.console_from(position)
    out = sys.stderr if to_stderr else sys.stdout
    out.write(text)
    out.flush()
    return following


def _shell(args: argparse.Namespace) -> int:
    if not sys.stdin.isatty():
        raise ValueError("shell needs a terminal; use `virtual-k230 run` for scripts")
    with _board(args) as board:
        sys.stderr.write(f"virtual K230 on {board.pty}; Ctrl-] ends\n")
        cable = os.open(board.pty, os.O_RDWR | os.O_NOCTTY)
        before = termios.tcgetattr(sys.stdin)
        tty.setraw(sys.stdin)
        try:
            while True:
                ready, _, _ = select.select([sys.stdin, cable], [], [])
                if cable in ready:
                    try:
                        os.write(sys.stdout.fileno(), os.read(cable, 4096))
                    except OSError:  # the board has reset itself: its port is there again by the same name
                        os.close(cable)
                        cable = os.open(board.pty, os.O_RDWR | os.O_NOCTTY)
                if sys.stdin in ready:
                    typed = os.read(sys.stdin.fileno(), 1024)
                    if b"\x1d" in typed:
                        return EXIT_OK
                    os.write(cable, typed)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            os.close(cable)


def _faults(args: argparse.Namespace) -> int:
    from .faults import CATALOGUE

    for fault in CATALOGUE:
        name = f"{fault.name}={fault.default:g}" if fault.unit else fault.name
        sys.stdout.write(f"{name:24} {fault.text}{f' ({fault.unit})' if fault.unit else ''}\n")
    return EXIT_OK


def _bench(args: argparse.Namespace) -> int:
    from .bench import measure

    sys.stderr.write("measuring for some 20 seconds; other work on this machine counts against it\n")
    result = measure()
    if args.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return EXIT_OK
    for figure in result["figures"]:
        state = "met" if figure["met"] else "missed"
        sys.stdout.write(
            f"{figure['name']:20} {figure['value']:>9} {figure['unit']:12} goal {figure['goal']:8} {state}\n"
        )
    return EXIT_OK


def _serve(args: argparse.Namespace) -> int:
    from .control import print_line, serve

    board = _board(args)
    try:
        asyncio.run(serve(board, args.listen, args.port, print_line))
    finally:
        board.close()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
