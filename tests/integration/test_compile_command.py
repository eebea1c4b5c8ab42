"""`snaploop compile` on anybody's ONNX file: the road to a kmodel, and one line for everything that is wrong with a file or its wishes."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from snaploop_host.cli.main import app
from snaploop_host.training.compile_onnx import OutputLikeness, RungResult
from snaploop_shared import manifest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")
if importlib.util.find_spec("nncase") is None:
    pytest.skip("nncase is not installed: pip install 'snaploop[train]'", allow_module_level=True)

CLASSES = 3


def network(path, kind="Conv", shape=(1, 3, 32, 32), inputs=1):
    """One convolution and a mean, or something that is not there."""
    rng = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(rng.normal(0, 0.3, (CLASSES, 3, 3, 3)).astype(np.float32), "w")
    grid = onnx.numpy_helper.from_array(np.zeros((1, 16, 16, 2), np.float32), "grid")
    made = onnx.helper.make_tensor_value_info("logits", 1, [1, CLASSES])
    if kind == "Conv":
        nodes = [
            onnx.helper.make_node("Conv", ["images", "w"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1], name="/body/Conv"),
            onnx.helper.make_node("ReduceMean", ["c"], ["logits"], axes=[2, 3], keepdims=0),
        ]
    else:
        nodes = [onnx.helper.make_node("GridSample", ["images", "grid"], ["logits"], name="/warp/GridSample")]
        made = onnx.helper.make_tensor_value_info("logits", 1, [1, 3, 16, 16])
    given = [onnx.helper.make_tensor_value_info(f"images{number or ''}", 1, shape) for number in range(inputs)]
    graph = onnx.helper.make_graph(nodes, "net", given, [made], [weights if kind == "Conv" else grid])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8), str(path))
    return path


def run(*arguments):
    """(exit code, what was printed, the error's line)."""
    done = CliRunner().invoke(app, ["compile", *map(str, arguments)])
    return done.exit_code, done.output, str(done.exception or "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compile")
    pictures = folder / "pictures" / "deeper"
    pictures.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(pictures / f"{number}.png")
    (pictures / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_a_kmodel_a_manifest_and_how_alike_the_outputs_are(folder):
    file = network(folder / "mine.onnx")
    code, said, problem = run(
        file, "-c", folder / "pictures", "--out", folder / "out", "--fit", "stretch", "--pictures", 3,
        "--mean", "0.485,0.456,0.406", "--std", "0.229", "--head", "logits", "--labels", "a,b,c",
    )  # fmt: skip
    assert (code, problem) == (0, "")
    assert "opset 16, input images [1, 3, 32, 32], 2 nodes" in said
    assert "note: broken.jpg cannot be read as a picture: left out" in said
    assert "logits [1, 3]: cosine 0.9" in said and "mine.kmodel: uint8, 20 samples" in said
    assert (folder / "out" / "mine.kmodel").read_bytes()[:4] == b"LDMK"
    raw = (folder / "out" / "manifest.json").read_bytes()
    parsed = manifest.parse(raw)  # what a board reads
    assert (parsed.head, parsed.labels, parsed.input_w) == ("logits", ["a", "b", "c"], 32)
    fields = json.loads(raw)
    assert (fields["fit"], fields["std"], fields["rung"]) == ("stretch", [0.229] * 3, "uint8, 20 samples")
    assert fields["rungs"][0]["outputs"][0]["cosine"] > 0.99


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        (
            {"shape": ("batch", 3, "height", "width")},
            (),
            "input images has a dynamic shape (free: batch, height, width)",
        ),
        ({"shape": (1, 1, 32, 32)}, (), "the input images must be float32 [1, 3, height, width] of fixed size"),
        ({"inputs": 2}, (), "the network must have one input, the picture; it has 2: images, images1"),
        ({}, ("--calibration", "nowhere"), "nowhere is no folder"),
        ({}, ("--fit", "crop"), "--fit crop: give letterbox or stretch"),
        ({}, ("--mean", "a"), "--mean a: give one number, or three"),
        ({}, ("--std", "0"), "every number must be above 0"),
        ({}, ("--head", "logits"), "head logits needs the names of its outputs"),
        ({}, ("--head", "magic"), "head magic is not known: known are "),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, changes, options, expected):
    code, _, problem = run(network(tmp_path / "m.onnx", **changes), *options, "--out", tmp_path / "out")
    assert code != 0 and expected in problem and "\n" not in problem
    assert not (tmp_path / "out").exists()


def test_no_onnx_file(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"hello")
    assert "no.onnx is no ONNX file that can be read" in run(tmp_path / "no.onnx")[2]
    assert "there is no file" in run(tmp_path / "missing.onnx")[2]


def test_operator_that_the_float_network_cannot_run_is_named(tmp_path):
    given = onnx.helper.make_tensor_value_info("x", 1, [1, 3, 32, 32])
    made = onnx.helper.make_tensor_value_info("y", 1, [1, 3, 32, 32])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Sparkle", ["x"], ["y"], domain="acme")], "g", [given], [made]
    )
    opsets = [onnx.helper.make_opsetid("", 16), onnx.helper.make_opsetid("acme", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), str(tmp_path / "own.onnx"))
    code, _, problem = run(tmp_path / "own.onnx", "--out", tmp_path / "out")
    assert code != 0 and problem.startswith("own.onnx does not run in onnxruntime (") and "Sparkle" in problem
    assert "\n" not in problem and not (tmp_path / "out").exists()


def test_float_network_that_answers_no_numbers_is_named(tmp_path):
    given = onnx.helper.make_tensor_value_info("x", 1, [1, 3, 32, 32])
    made = onnx.helper.make_tensor_value_info("y", 1, [1, 3, 32, 32])
    nodes = [onnx.helper.make_node("Neg", ["x"], ["n"]), onnx.helper.make_node("Sqrt", ["n"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", [given], [made])
    opsets = [onnx.helper.make_opsetid("", 16)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), str(tmp_path / "roots.onnx"))
    assert "itself answers NaN or infinity in output y: check --mean and --std" in run(tmp_path / "roots.onnx")[2]


@pytest.mark.slow
def test_unsupported_operator_and_too_little_memory_are_named_and_the_next_file_compiles(folder, tmp_path):
    problem = run(network(tmp_path / "warp.onnx", "GridSample"), "-c", folder / "pictures")[2]
    assert "it has no operator GridSample; build the network without it (node /warp/GridSample" in problem
    file = network(tmp_path / "m.onnx")
    assert "it needed more than 64 MiB of memory" in run(file, "-c", folder / "pictures", "--memory-limit", 64)[2]
    assert "it was not done after 1 s" in run(file, "-c", folder / "pictures", "--time-limit", 1)[2]
    code, said, _ = run(file, "-c", folder / "pictures", "--out", tmp_path / "out", "--pictures", 1, "--json")
    assert code == 0 and json.loads(said)["is_good"]


@pytest.fixture
def rungs(monkeypatch, folder, tmp_path):
    """Compiles a network whose ways to quantise turn out as told: (cosine, error in percent) of each."""

    def turn_out(*figures):
        def tried(onnx_file, place, number, rung, *_):
            (place / f"{number}.kmodel").write_bytes(bytes([number]))
            cosine, error = figures[min(number, len(figures) - 1)]
            return RungResult(
                rung.name, kmodel_bytes=9, outputs=(OutputLikeness("logits", (1, 3), cosine, cosine, error),)
            )

        monkeypatch.setattr("snaploop_host.training.compile_onnx._tried", tried)
        monkeypatch.setattr("snaploop_host.training.compile_onnx.check_kmodel", lambda content, name: 7)
        return network(tmp_path / "bad.onnx"), "--out", tmp_path / "out"

    return turn_out


def test_kmodel_that_loses_too_much_is_refused_with_every_way_told(rungs, tmp_path):
    arguments = rungs((0.2, 90.0), (0.7, 60.0), (0.5, 70.0))
    code, said, problem = run(*arguments)
    assert code == 1 and not (tmp_path / "out").exists()
    assert problem.startswith(
        "refused: no way to quantise reached a cosine of 0.99 in every output (best 0.7000, uint8, "
    )
    assert problem.endswith("--force writes that one all the same")
    assert said.count("cosine 0.50000") > 2
    code, said, _ = run(*arguments, "--json")
    told = json.loads(said)
    assert code == 1 and told["manifest"] is None and len(told["rungs"]) > 4 and "best 0.7000" in told["refused"]


def test_forced_kmodel_says_so_in_its_manifest(rungs, tmp_path):
    code, said, _ = run(*rungs((0.2, 90.0), (0.7, 60.0), (0.5, 70.0)), "--force")
    assert code == 0 and "warning: forced: no way to quantise reached" in said
    assert (tmp_path / "out" / "bad.kmodel").read_bytes()[-1] == 1
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["forced"] is True
    code, _, _ = run(*rungs((1.0, 1.0)), "--force")
    assert code == 0 and "forced" not in json.loads((tmp_path / "out" / "manifest.json").read_text())


def test_error_that_a_cosine_hides_climbs_on_where_pictures_are_real(rungs, folder, tmp_path):
    ways = ((0.999, 40.0), (0.995, 3.0))
    code, said, _ = run(*rungs(*ways), "-c", folder / "pictures")
    assert code == 0 and "warning" not in said and (tmp_path / "out" / "bad.kmodel").read_bytes()[-1] == 1
    code, said, _ = run(*rungs(*ways))
    assert code == 0 and "warning: an output is off by 40 % of its spread" in said
    code, said, _ = run(*rungs((0.999, 40.0), (0.995, 30.0), (0.999, 35.0)), "-c", folder / "pictures")
    assert "warning: an output is off by 30 %" in said and (tmp_path / "out" / "bad.kmodel").read_bytes()[-1] == 1
