"""The command `virtual-k230`, as a subprocess: exit codes, one-line errors, the line that serve announces."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fakes.tiny_kmodel import CannotCompileError, compile_tiny

HOST = Path(__file__).parents[3] / "host"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOST)}
COMMAND = [sys.executable, "-m", "virtual_k230"]


def run(*argv: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, argv)],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **more},
        timeout=180,
        check=False,
    )


def test_run_prints_what_the_script_prints_and_writes_a_summary(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text(
        "from machine import TOUCH\nimport time\npanel, seen = TOUCH(0), ()\n"
        "while not seen:\n    time.sleep(0.01)\n    seen = panel.read(1)\nprint(seen[0].x)\n"
    )
    touches = tmp_path / "t.json"
    touches.write_text('[{"at_s": 0.01, "event": "down", "x": 77, "y": 5}]')
    out = tmp_path / "o.json"
    done = run("run", script, "--touch", touches, "--json", out)
    assert (done.returncode, done.stdout) == (0, "77\n"), done.stderr
    summary = json.loads(out.read_text())
    assert summary["exception"] is None
    assert summary["console"] == "77\n"


def test_run_says_when_the_script_fails(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("1 / 0\n")
    done = run("run", script, "--json", "-")
    assert done.returncode == 1
    assert "ZeroDivisionError" in json.loads(done.stdout)["exception"]


def test_module_that_lies_beside_the_script_but_not_on_the_card_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("print('helped')\n")
    script = tmp_path / "s.py"
    script.write_text("import helper\n")
    done = run("run", script)
    assert done.returncode == 1
    assert (
        f"virtual-k230: {tmp_path / 'helper.py'} is on this PC, a script runs on the board: copy it to the card too"
        in done.stderr
    )
    script.write_text("import helped\n")
    assert "copy it to the card" not in run("run", script).stderr
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "helped.py").write_text("print('helped')\n")
    assert run("run", script, "--sd", tmp_path / "sd").stdout == "helped\n"


def test_run_stops_after_a_time_and_leaves_a_screenshot(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("import time\nwhile True:\n    time.sleep(1)\n")
    done = run("run", script, "--seconds", "0.5", "--screenshots", tmp_path / "shots")
    assert done.returncode == 0, done.stderr
    assert "KeyboardInterrupt" in done.stdout
    assert (tmp_path / "shots/end.png").is_file()


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("print(1)\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    old_node = tmp_path / "node"
    old_node.write_text("#!/bin/sh\necho v16.20.0\n")
    old_node.chmod(0o755)
    for argv, more, says in (
        (["run", tmp_path / "none.py"], {}, "none.py"),
        (["run", script, "--sd", tmp_path / "nowhere"], {}, "make it"),
        (["run", script, "--camera", empty], {}, str(empty)),
        (["run", script, "--onnx", "a=b"], {}, "--onnx a=b"),
        (["run", script], {"VIRTUAL_K230_NODE": str(tmp_path / "no-node")}, "install Node 18"),
        (["run", script], {"VIRTUAL_K230_NODE": str(old_node)}, "v16.20.0, too old"),
    ):
        done = run(*argv, **more)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert says in done.stderr


def test_a_missing_package_is_named_with_its_mend(tmp_path: Path, monkeypatch: Any) -> None:
    from virtual_k230 import interpreter

    monkeypatch.setattr(interpreter, "HERE", tmp_path)
    monkeypatch.setenv("VIRTUAL_K230_NODE_MODULES", str(tmp_path))
    with pytest.raises(interpreter.InterpreterMissingError, match=r"micropython.* is missing: run `make setup`"):
        interpreter.find_interpreter()


def test_serve_announces_itself_and_ends_cleanly_at_sigterm(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('on')\n")
    with subprocess.Popen(
        [*COMMAND, "serve", "--sd", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        assert said["pid"] == child.pid
        assert Path(said["pty"]).exists()
        with urllib.request.urlopen(said["url"] + "/state", timeout=180) as answer:
            assert json.loads(answer.read())["running"] is True
        busy = run("serve", "--port", said["url"].rsplit(":", 1)[1])
        assert busy.returncode == 2
        assert "address already in use" in busy.stderr
        child.send_signal(signal.SIGTERM)
        assert child.wait(180) == 0
        assert not Path(said["pty"]).exists()


def test_shell_is_the_repl_in_a_terminal() -> None:
    ours, theirs = os.openpty()
    shell = subprocess.Popen([*COMMAND, "shell"], stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT)
    os.close(theirs)
    said = b""

    def until(text: bytes) -> None:
        nonlocal said
        deadline = time.monotonic() + 180
        while text not in said:
            assert select.select([ours], [], [], deadline - time.monotonic())[0], said
            said += os.read(ours, 4096)

    try:
        until(b">>> ")
        os.write(ours, b"print(6 * 7)\r")
        until(b"\r\n42\r\n>>> ")
        os.write(ours, b"\x1d")
        assert shell.wait(180) == 0
    finally:
        shell.kill()
        os.close(ours)
    assert run("shell").returncode == 2  # no terminal


def test_every_command_has_help() -> None:
    for verb in ("run", "shell", "serve"):
        done = run(verb, "--help")
        assert done.returncode == 0
        assert "--sd" in done.stdout


def test_a_script_on_the_card_runs_with_its_libraries_and_leaves_its_last_screen(tmp_path: Path) -> None:
    card = tmp_path / "sd"
    (card / "libs").mkdir(parents=True)
    (card / "libs" / "Greeting.py").write_text("def say():\n    print('from the card')\n")
    (card / "examples").mkdir()
    (card / "examples" / "hello.py").write_text("from libs.Greeting import say\nsay()\n")
    shots = tmp_path / "shots"
    done = run("run", "/sdcard/examples/hello.py", "--sd", str(card), "--profile", "C", "--screenshots", str(shots))
    assert (done.returncode, done.stdout.strip()) == (0, "from the card")
    assert (shots / "end.png").is_file()
    missing = run("run", "/sdcard/examples/none.py", "--sd", str(card))
    assert missing.returncode == 2
    assert "/sdcard/examples/none.py is not on the board's card" in missing.stderr


def test_a_folder_of_twins_is_taken_and_an_empty_one_named(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("print('ran')\n")
    empty = run("run", script, "--kpu", "onnx", "--onnx", tmp_path)
    assert empty.returncode == 2
    assert "no NAME.kmodel there has a NAME.onnx beside it" in empty.stderr
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "lights.kmodel").write_bytes(b"LDMK")
    (tmp_path / "models" / "lights.onnx").write_bytes(b"onnx")
    (tmp_path / "models" / "cars.kmodel").write_bytes(b"LDMK2")
    done = run("run", script, "--onnx", tmp_path)
    assert done.stdout == "ran\n"
    assert "no twin beside cars.kmodel; the simulator runs them" in done.stderr
    both = run("run", script, "--kpu", "sim", "--onnx", tmp_path)
    assert both.returncode == 2
    assert "leave one of --kpu sim and --onnx out" in both.stderr


KPU_SCRIPT = """
import nncase_runtime as nn, ulab.numpy as np
kpu = nn.kpu()
kpu.load_kmodel('/sdcard/models/tiny.kmodel')
kpu.set_input_tensor(0, nn.from_numpy(np.zeros((1, 3, 32, 48), dtype=np.uint8)))
kpu.run()
print('out', kpu.get_output_tensor(0).to_numpy().shape)
"""


def test_a_kmodel_is_answered_by_its_twin_or_the_simulator_and_the_log_says_which(tmp_path: Path) -> None:
    (tmp_path / "sd/models").mkdir(parents=True)
    (tmp_path / "twins").mkdir()
    try:
        kmodel, onnx = compile_tiny(tmp_path / "twins")
    except CannotCompileError as error:
        pytest.skip(f"NOT TESTED: --onnx with a real kmodel: {error}")
    shutil.copy(kmodel, tmp_path / "sd/models")
    script = tmp_path / "s.py"
    script.write_text(KPU_SCRIPT)
    for options, engine, says in (
        ([], "simulator", "Canaan's simulator answers for it"),
        (["--onnx", tmp_path / "twins"], "onnx", f"onnxruntime with {onnx} answers for it"),
        (["--onnx", f"{kmodel}={onnx}"], "onnx", f"onnxruntime with {onnx} answers for it"),
        (["--kpu", "onnx"], "simulator", "has no ONNX twin; the simulator runs it"),
    ):
        done = run("run", script, "--sd", tmp_path / "sd", "--json", tmp_path / "o.json", *options)
        assert done.stdout == "out (1, 4, 16, 24)\n", done.stderr
        assert json.loads((tmp_path / "o.json").read_text())["kpu_engine"] == engine
        assert says in done.stderr


def test_bench_prints_its_figures_with_their_goals() -> None:
    done = run("bench", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    values = {figure["name"]: figure["value"] for figure in result["figures"]}
    assert list(values) == ["frames_per_s", "hal_call_us", "start_s", "idle_cpu_percent"]
    assert all(value > 0 for value in values.values())
    assert all({"unit", "goal", "met", "peer", "peer_value"} <= set(figure) for figure in result["figures"])
