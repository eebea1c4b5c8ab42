"""What `virtual-k230` and VirtualK230 refuse: one line each, which names the thing and what to give instead."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from virtual_k230 import VirtualK230, faults, inputs
from virtual_k230.camera import CameraError, open_camera


def refusal(kind: type[Exception], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    text = str(caught.value)
    assert text and "\n" not in text
    return text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"profile": "E"}, "profile 'E': use one of A, B, C, D"),
        ({"board_id": "nope"}, "board 'nope' is not known: use one of k230_canmv, "),
        ({"dram_mib": 3}, "DRAM of 3 MiB: use one of 128, 512, 1024, 2048"),
        ({"heap_mib": 0}, "heap of 0 MiB: use 0.25 to 512"),
        ({"heap_mib": 100_000}, "heap of 100000 MiB: use 0.25 to 512"),
        ({"usb_rtt_ms": -4}, "USB round trip of -4 ms: use 0 to 10000"),
        ({"usb_rtt_ms": float("nan")}, "USB round trip of nan ms: use 0 to 10000"),
        ({"fps": -3}, "camera of -3 frames per second: use 0 to 1000"),
        ({"panel": (0, 480)}, "panel side of 0 pixels: use 8 to 4096"),
        ({"wifi": "nokey"}, "Wi-Fi 'nokey': give SSID:KEY, or SSID: for a network without a key"),
        ({"wifi": ":key"}, "Wi-Fi ':key': give SSID:KEY, or SSID: for a network without a key"),
        ({"nncase_version": "new"}, "nncase version 'new': give three numbers such as 2.9.0"),
        ({"camera": "scene:traffic_lights:x"}, "the scene's world 'x' is no number; use one such as scene:traffic_lights:7"),
    ],
)  # fmt: skip
def test_settings_of_a_board(settings: dict[str, object], says: str) -> None:
    assert says in refusal(ValueError, lambda: VirtualK230(**settings))  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (inputs.size, "800", "'800' is not a size such as 800x480"),
        (inputs.seconds, "-1", "'-1' is no time: give seconds above 0"),
        (inputs.seconds, "nan", "'nan' is no time: give seconds above 0"),
        (inputs.seconds, "soon", "'soon' is no time: give seconds above 0"),
        (inputs.count, "0", "'0' is no count: give a whole number above 0"),
        (inputs.count, "1.5", "'1.5' is no count: give a whole number above 0"),
        (inputs.port, "99999", "'99999' is no port: give 1 to 65535, or 0 for any free one"),
    ],
)
def test_numbers_of_the_command_line(parse: Callable[[str], object], text: str, says: str) -> None:
    assert refusal(argparse.ArgumentTypeError, lambda: parse(text)) == says


def test_numbers_that_are_well() -> None:
    assert inputs.size("800x480") == (800, 480)
    assert (inputs.seconds("0.5"), inputs.count("20"), inputs.port("0")) == (0.5, 20, 0)


def test_the_parser_says_one_line_and_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    parser = inputs.OneLineParser(prog="virtual-k230 run")
    parser.add_argument("--seconds", type=inputs.seconds)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--seconds", "-1"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == (
        "virtual-k230: argument --seconds: '-1' is no time: give seconds above 0 (`virtual-k230 run --help` shows what there is)\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{bad", r"is not JSON \(.*line 1 column 2.*\): write a list such as \[\{"),
        ('{"a": 1}', "is no list: write one such as "),
        ("[1]", "event 1: 1 lacks something; give at_s"),
        (
            '[{"at_s": 1}]',
            r"event 1: .* lacks something; give at_s \(seconds, 0 or more\), event \(down, move, up\), x and y",
        ),
        ('[{"at_s": 1, "event": "tap", "x": 1, "y": 2}]', 'event 1: .*"tap"'),
        ('[{"at_s": -1, "event": "up", "x": 1, "y": 2}]', "event 1: "),
        ('[{"at_s": 1, "event": "up", "x": 1, "y": "2"}]', "event 1: "),
    ],
)
def test_files_of_touches(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "touch.json"
    file.write_text(text)
    said = refusal(ValueError, lambda: inputs.read_touches(file))
    assert said.startswith(f"--touch {file}") and re.search(says, said)


def test_a_file_of_touches_that_is_well_is_sorted_by_time(tmp_path: Path) -> None:
    file = tmp_path / "touch.json"
    events = [{"at_s": at_s, "event": "down", "x": 1, "y": 2} for at_s in (2, 0.5)]
    file.write_text(json.dumps(events))
    assert inputs.read_touches(file) == events[::-1]
    assert "cannot be read (no such file or directory)" in refusal(
        ValueError, lambda: inputs.read_touches(tmp_path / "none.json")
    )


def test_places_for_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "--screenshots" in refusal(ValueError, lambda: inputs.make_folder(file, "--screenshots"))
    assert "is no folder and cannot be made (file exists): name another" in refusal(
        ValueError, lambda: inputs.make_folder(file, "--screenshots")
    )
    assert "is a folder: name a file in it" in refusal(ValueError, lambda: inputs.check_output(str(tmp_path)))
    assert f"make the folder {tmp_path}/none first" in refusal(
        ValueError, lambda: inputs.check_output(f"{tmp_path}/none/out.json")
    )
    inputs.check_output(str(tmp_path / "out.json"))


def test_twins_that_are_not_there(tmp_path: Path) -> None:
    onnx = tmp_path / "a.onnx"
    onnx.write_bytes(b"onnx")
    for pair, says in (
        (
            f"{tmp_path}/none.kmodel={onnx}",
            f"there is no file {tmp_path}/none.kmodel; give the kmodel, or its SHA-256 in hex",
        ),
        ("a=b", "give a folder that exists, or KMODEL=ONNX with an existing ONNX file"),
        (str(tmp_path), "no NAME.kmodel there has a NAME.onnx beside it"),
    ):
        said = refusal(ValueError, lambda pair=pair: inputs.read_twins([pair]))
        assert said.startswith(f"--onnx {pair}") and says in said
    digest = "0" * 64
    assert inputs.read_twins([f"{digest}={onnx}"]) == {digest: str(onnx)}


def test_faults_and_cameras() -> None:
    assert "use card.power_cut, " in refusal(ValueError, lambda: faults.parse("foo"))
    assert refusal(ValueError, lambda: faults.parse("usb.drop=2")).endswith("VALUE is a probability per byte, 0 to 1")
    assert "use scene:traffic_lights" in refusal(CameraError, lambda: open_camera("scene:zoo"))
