"""The real compiler and the real K230 simulator on a tiny network, and how their failures read."""

import importlib.util

import numpy as np
import pytest

from snaploop_host.compiling import child_process, kmodel_compiler
from snaploop_host.compiling.dotnet import ensure_runtime
from snaploop_host.compiling.errors import CompileFailedError, DotnetMissingError, SimulatorFailedError
from snaploop_host.compiling.kmodel_compiler import compile_kmodel
from snaploop_host.compiling.ladder import LADDER, Rung, rungs_for
from snaploop_host.compiling.simulator import operators_on_cpu, simulate
from snaploop_host.domain.preprocess import IMAGENET

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")
if importlib.util.find_spec("nncase") is None:  # importing it here would need .NET in this very process
    pytest.skip("nncase is not installed: pip install 'snaploop[train]'", allow_module_level=True)

ensure_runtime()  # a machine without .NET fails here with the mend, it does not skip


def tiny_onnx(path, kind="Conv"):
    rng = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32), "w")
    grid = onnx.numpy_helper.from_array(np.zeros((1, 16, 16, 2), np.float32), "w")
    if kind == "Conv":
        node = onnx.helper.make_node("Conv", ["images", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    else:
        node, weights = onnx.helper.make_node("GridSample", ["images", "w"], ["y"]), grid
    pixels = onnx.helper.make_tensor_value_info("images", 1, [1, 3, 32, 32])
    answer = onnx.helper.make_tensor_value_info("y", 1, [1, 8 if kind == "Conv" else 3, 16, 16])
    graph = onnx.helper.make_graph([node], "tiny", [pixels], [answer], [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8), str(path))
    return path


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    np.save(folder / "pixels.npy", pixels)
    model = compile_kmodel(
        tiny_onnx(folder / "m.onnx"), folder / "pixels.npy", LADDER[0], folder / "m.kmodel", folder / "scratch"
    )
    return folder, pixels, model


def test_kmodel_answers_in_the_simulator_as_the_float_model_does(compiled):
    import onnxruntime

    folder, pixels, model = compiled
    assert model.path.read_bytes()[:4] == b"LDMK"
    assert model.size_bytes == model.path.stat().st_size
    ticks = []
    answers = simulate(
        model.path, folder / "pixels.npy", [0, 1, 3], folder / "answers", folder / "scratch", ticks.append
    )
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"), providers=["CPUExecutionProvider"])
    for index, answer in zip([0, 1, 3], answers, strict=True):
        expected = session.run(None, {"images": pixels[index : index + 1].astype(np.float32) / 255})[0]
        assert answer[0].shape == expected.shape
        assert np.abs(answer[0] - expected).max() < 0.06  # uint8 steps over a range of about ±5
    assert ticks[-1] == 3
    assert operators_on_cpu(folder / "answers") == {}  # one convolution, all on the KPU
    assert not any((folder / "scratch").iterdir())  # children leave nothing behind


def test_answers_of_a_killed_run_are_taken_over(compiled):
    folder, _, model = compiled
    simulate(model.path, folder / "pixels.npy", [2], folder / "kept", folder / "scratch")
    stamp = (folder / "kept" / "00002.npz").stat().st_mtime_ns
    assert len(simulate(model.path, folder / "pixels.npy", [2], folder / "kept", folder / "scratch")) == 1
    assert (folder / "kept" / "00002.npz").stat().st_mtime_ns == stamp


def test_abort_of_the_compiler_becomes_one_line(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((2, 3, 32, 32), np.uint8))
    with pytest.raises(CompileFailedError, match="GridSample") as caught:
        compile_kmodel(
            tiny_onnx(tmp_path / "bad.onnx", "GridSample"),
            tmp_path / "p.npy",
            LADDER[0],
            tmp_path / "k",
            tmp_path / "s",
        )
    assert "\n" not in str(caught.value)
    assert "it has no operator GridSample; build the network without it" in str(caught.value)
    assert not any((tmp_path / "s").iterdir())


def test_corrupt_onnx_and_corrupt_kmodel(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((2, 3, 32, 32), np.uint8))
    (tmp_path / "bad.onnx").write_bytes(b"no protobuf at all")
    with pytest.raises(CompileFailedError, match=r"^bad\.onnx is no ONNX file that can be read"):
        compile_kmodel(tmp_path / "bad.onnx", tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")
    (tmp_path / "bad.kmodel").write_bytes(b"LDMK\x06\x00\x00\x00" + bytes(200))
    with pytest.raises(SimulatorFailedError, match=r"bad\.kmodel"):
        simulate(tmp_path / "bad.kmodel", tmp_path / "p.npy", [0], tmp_path / "a", tmp_path / "s")


def test_pictures_of_another_shape_are_refused(compiled, tmp_path):
    _, _, model = compiled
    np.save(tmp_path / "p.npy", np.zeros((1, 3, 64, 32), np.uint8))
    with pytest.raises(SimulatorFailedError, match=r"the kmodel wants \[1, 3, 32, 32\] uint8"):
        simulate(model.path, tmp_path / "p.npy", [0], tmp_path / "a", tmp_path / "s")


def wide_onnx(path, height, width, kinds=("Relu", "Sigmoid", "Softmax")):
    """One convolution and an output behind each of `kinds`."""
    rng = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32), "w")
    nodes = [onnx.helper.make_node("Conv", ["images", "w"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1])]
    nodes += [
        onnx.helper.make_node(kind, ["c"], [kind], **({"axis": 1} if kind == "Softmax" else {})) for kind in kinds
    ]
    given = [onnx.helper.make_tensor_value_info("images", 1, [1, 3, height, width])]
    made = [onnx.helper.make_tensor_value_info(kind, 1, [1, 4, height // 2, width // 2]) for kind in kinds]
    graph = onnx.helper.make_graph(nodes, "wide", given, made, [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_line_of_text_with_its_own_mean_and_three_outputs(tmp_path):
    import onnxruntime

    pixels = np.random.default_rng(1).integers(0, 256, (3, 3, 32, 128), dtype=np.uint8)
    np.save(tmp_path / "p.npy", pixels)
    file = wide_onnx(tmp_path / "m.onnx", 32, 128)
    model = compile_kmodel(file, tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s", IMAGENET)
    found = simulate(model.path, tmp_path / "p.npy", [0], tmp_path / "a", tmp_path / "s")[0]
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"images": IMAGENET.apply(pixels[:1])})
    assert [output.shape for output in found] == [(1, 4, 16, 64)] * 3
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() < 0.03 * np.abs(other).max()
    assert operators_on_cpu(tmp_path / "a") == {"softmax": 1}


def test_mixed_rung_gives_sixteen_bits_to_some_tensors(tmp_path):
    np.save(tmp_path / "p.npy", np.random.default_rng(1).integers(0, 256, (3, 3, 32, 64), dtype=np.uint8))
    file = wide_onnx(tmp_path / "m.onnx", 32, 64, ("Relu",))
    plain = compile_kmodel(file, tmp_path / "p.npy", LADDER[0], tmp_path / "k0", tmp_path / "s")
    mixed = compile_kmodel(file, tmp_path / "p.npy", LADDER[-1], tmp_path / "k1", tmp_path / "s")
    assert LADDER[-1].mixed and mixed.notes[0].startswith("int16 for ")
    assert mixed.digest != plain.digest
    assert plain.notes == ()


def test_rungs_that_would_give_the_same_are_left_out(tmp_path):
    alone = wide_onnx(tmp_path / "m.onnx", 32, 64)  # nothing to equalise
    names = [rung.name for rung in rungs_for(alone, 15)]
    assert names == [
        rung.name for rung in LADDER if rung.name not in ("uint8, equalised channels", "uint8, 60 samples")
    ]
    assert "uint8, 60 samples" in [rung.name for rung in rungs_for(alone, 25)]
    with pytest.raises(CompileFailedError, match="no ONNX file"):
        rungs_for(tmp_path / "gone.onnx", 20)


def test_samples_of_another_shape_would_be_letterboxed_in_silence(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((2, 3, 64, 32), np.uint8))
    with pytest.raises(CompileFailedError, match=r"wants \[1, 3, 32, 32\] pictures at images.*uint8 \[2, 3, 64, 32\]"):
        compile_kmodel(tiny_onnx(tmp_path / "m.onnx"), tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")


def test_full_disk_is_said_before_and_after(tmp_path, monkeypatch):
    from collections import namedtuple

    np.save(tmp_path / "p.npy", np.zeros((2, 3, 32, 32), np.uint8))
    tiny_onnx(tmp_path / "m.onnx")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(kmodel_compiler.shutil, "disk_usage", lambda _: usage(20 << 20))
    with pytest.raises(CompileFailedError, match=r"needs 256 MiB of disk in .*, 20 MiB are free: free some"):
        compile_kmodel(tmp_path / "m.onnx", tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")
    monkeypatch.setattr(kmodel_compiler, "SCRATCH_BYTES", 0)
    monkeypatch.setattr(child_process.shutil, "disk_usage", lambda _: usage(0))
    both = Rung("too wide", 2, activations="int17")  # any failure
    with pytest.raises(CompileFailedError, match=r"too wide.*the disk of .* is full: free some"):
        compile_kmodel(tmp_path / "m.onnx", tmp_path / "p.npy", both, tmp_path / "k", tmp_path / "s")


def test_operators_never_seen_are_named_when_it_does_not_end(tmp_path, monkeypatch):
    np.save(tmp_path / "p.npy", np.zeros((2, 3, 32, 32), np.uint8))
    file = wide_onnx(tmp_path / "m.onnx", 32, 32, ("Erf", "Relu"))
    monkeypatch.setattr(kmodel_compiler, "TIME_LIMIT_S", 0.2)
    with pytest.raises(
        CompileFailedError, match="not done after 0 s; operators that were not seen to compile before: 1 Erf"
    ):
        compile_kmodel(file, tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")


def test_limits_end_the_child(tmp_path, monkeypatch):
    np.save(tmp_path / "p.npy", np.zeros((2, 3, 32, 32), np.uint8))
    tiny_onnx(tmp_path / "m.onnx")
    monkeypatch.setattr(kmodel_compiler, "TIME_LIMIT_S", 0.2)
    with pytest.raises(CompileFailedError, match=r"not done after 0 s"):
        compile_kmodel(tmp_path / "m.onnx", tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")
    monkeypatch.setattr(kmodel_compiler, "TIME_LIMIT_S", 60.0)
    monkeypatch.setattr(kmodel_compiler, "MEMORY_LIMIT_BYTES", 10 << 20)
    with pytest.raises(CompileFailedError, match="more than 10 MiB of memory"):
        compile_kmodel(tmp_path / "m.onnx", tmp_path / "p.npy", LADDER[0], tmp_path / "k", tmp_path / "s")


def test_no_dotnet_is_one_line_with_the_mend(tmp_path, monkeypatch):
    monkeypatch.setenv("DOTNET_ROOT", str(tmp_path))
    monkeypatch.setenv("SNAPLOOP_DOTNET", str(tmp_path / "cache"))
    monkeypatch.setenv("SNAPLOOP_NODE_MODULES", str(tmp_path / "node_modules"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("snaploop_host.compiling.dotnet.USUAL_PLACES", ())
    with pytest.raises(DotnetMissingError, match="make setup"):
        child_process.Child("snaploop_host.compiling.compile_child", {}, tmp_path / "scratch")
