"""nncase_runtime's Python side: refusals of bad kmodels and tensors, both engines on a real kmodel, remembered results."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import time

import numpy as np
import pytest

from fakes.tiny_kmodel import INPUT_SHAPE, OUTPUT_SHAPE, CannotCompileError, compile_tiny
from fakes.virtual_parts import VirtualParts, error_of
from virtual_k230.kmodel import KmodelError, check_kmodel
from virtual_k230.kpu import OnnxEngine

FROM_PATH = ("EOFError", "KPU load model failed from path.")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with tiny.kmodel and tiny.onnx."""
    folder = tmp_path_factory.mktemp("tiny")
    try:
        compile_tiny(folder)
    except CannotCompileError as error:
        pytest.skip(f"NOT TESTED: the KPU simulator on a real kmodel: {error}")
    return folder


@pytest.fixture
def loaded(tiny):
    """A board whose simulator has the kmodel: (parts, handle of the kpu)."""
    parts = VirtualParts(card=tiny)
    kpu = parts.call("nn.new")
    parts.call("nn.load_path", kpu, "/sdcard/tiny.kmodel")
    yield parts, kpu
    parts.close()


def _fake_kmodel(version=7, module_bytes=64):
    body = b"stackvm".ljust(16, b"\0") + struct.pack("<4IQ", 1, 0, 0, 0, 40 + module_bytes) + bytes(module_bytes)
    return b"LDMK" + struct.pack("<7I", version, 0, 8, 1, 0, 0, 0) + body


def _tensor(parts, array):
    return parts.call("nn.from_numpy", parts.board.handles.put(np.asarray(array)))


def _output(parts, kpu):
    return parts.numpy(parts.call("nn.to_numpy", parts.call("nn.get_output", kpu, 0)))


# ---- bad files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "LDMK"), (b"ONNX" + bytes(60), "LDMK"), (_fake_kmodel(version=6), "version 6"),
        (_fake_kmodel()[:-1], "cut short"), (_fake_kmodel()[:40], "cut short"), (_fake_kmodel()[:20], "LDMK"),
    ],
)  # fmt: skip
def test_bad_kmodels_are_refused_with_the_firmwares_words(tmp_path, caplog, data, reason):
    (tmp_path / "bad.kmodel").write_bytes(data)
    parts = VirtualParts(card=tmp_path)
    kpu = parts.call("nn.new")
    assert error_of(parts.call, "nn.load_path", kpu, "/sdcard/bad.kmodel") == FROM_PATH
    assert reason in caplog.text and "bad.kmodel" in caplog.text
    buffer_error = error_of(parts.call, "nn.load_buffer", kpu, blob=data)
    assert buffer_error == ("EOFError", "KPU load model failed from buffer.")


def test_a_whole_header_passes_and_a_missing_file_is_named():
    check_kmodel(_fake_kmodel())
    parts = VirtualParts()
    missing = error_of(parts.call, "nn.load_path", parts.call("nn.new"), "/sdcard/no.kmodel")
    assert missing == ("OSError", "Kmodel file not exist.")


def test_every_cut_of_a_real_kmodel_is_noticed(tiny):
    data = (tiny / "tiny.kmodel").read_bytes()
    check_kmodel(data)
    for length in range(0, len(data), 7):
        with pytest.raises(KmodelError):
            check_kmodel(data[:length])


def test_runs_fail_as_often_as_asked_and_then_compute(loaded):
    parts, kpu = loaded
    parts.call("nn.set_input", kpu, 0, _tensor(parts, np.zeros(INPUT_SHAPE, np.uint8)))
    parts.board.faults.set("kpu.run", 1)
    assert error_of(parts.call, "nn.run", kpu) == ("RuntimeError", "KPU run failed.")
    parts.call("nn.run", kpu)
    assert _output(parts, kpu).shape == OUTPUT_SHAPE


def test_without_a_model_nothing_runs():
    parts = VirtualParts()
    assert error_of(parts.call, "nn.run", parts.call("nn.new"))[0] == "RuntimeError"


# ---- the simulator ------------------------------------------------------------------------------------------------


def test_the_simulator_computes_what_the_float_model_does_within_quantisation(loaded, tiny):
    import onnxruntime

    parts, kpu = loaded
    picture = np.random.default_rng(1).integers(0, 256, INPUT_SHAPE, dtype=np.uint8)
    parts.call("nn.set_input", kpu, 0, _tensor(parts, picture))
    parts.call("nn.run", kpu)
    output = _output(parts, kpu)
    session = onnxruntime.InferenceSession(tiny / "tiny.onnx")
    wanted = session.run(None, {"x": picture.astype(np.float32) / 255})[0]
    assert output.shape == OUTPUT_SHAPE and output.dtype == np.float32
    assert np.abs(output - wanted).max() < 0.05
    assert (parts.board.kpu.engine, parts.board.kpu.runs, parts.board.kpu.computed) == ("simulator", 1, 1)


def test_a_still_picture_is_computed_once_and_a_changed_tensor_again(loaded):
    parts, kpu = loaded
    tensor = _tensor(parts, np.zeros(INPUT_SHAPE, np.uint8))
    parts.call("nn.set_input", kpu, 0, tensor)
    parts.call("nn.run", kpu)
    dark = _output(parts, kpu)
    for _ in range(5):
        parts.call("nn.run", kpu)
    assert (parts.board.kpu.runs, parts.board.kpu.computed) == (6, 1)
    parts.call("nn.set_input", kpu, 0, _tensor(parts, np.full(INPUT_SHAPE, 255, np.uint8)))
    parts.call("nn.run", kpu)
    assert parts.board.kpu.computed == 2
    assert not np.array_equal(dark, _output(parts, kpu))


@pytest.mark.parametrize(
    "array", [np.zeros((1, 3, 48, 32), np.uint8), np.zeros((2, 3, 32, 48), np.uint8), np.zeros(INPUT_SHAPE, np.float32)]
)
def test_wrong_shape_or_type_of_input_is_refused(loaded, caplog, array):
    parts, kpu = loaded
    failed = ("ValueError", "KPU set input tensor failed.")
    assert error_of(parts.call, "nn.set_input", kpu, 0, _tensor(parts, array)) == failed
    assert "uint8 [1, 3, 32, 48]" in caplog.text
    assert error_of(parts.call, "nn.set_input", kpu, 1, _tensor(parts, np.zeros(INPUT_SHAPE, np.uint8))) == failed


def test_wrong_shape_or_number_of_output_is_refused(loaded, caplog):
    parts, kpu = loaded
    failed = ("ValueError", "KPU set output tensor failed.")
    assert error_of(parts.call, "nn.set_output", kpu, 0, _tensor(parts, np.zeros((1, 4), np.float32))) == failed
    assert error_of(parts.call, "nn.set_output", kpu, 1, _tensor(parts, np.zeros(OUTPUT_SHAPE, np.float32))) == failed
    assert "float32 [1, 4, 16, 24]" in caplog.text


def test_descriptions_and_missing_input(loaded):
    parts, kpu = loaded
    assert parts.call("nn.sizes", kpu) == [1, 1]
    assert parts.call("nn.desc", kpu, True, 0) == ["dt_uint8", 0, 3 * 32 * 48]
    assert parts.call("nn.desc", kpu, False, 0) == ["dt_float32", 0, 4 * 16 * 24 * 4]
    assert error_of(parts.call, "nn.run", kpu) == ("RuntimeError", "KPU run failed.")
    target = _tensor(parts, np.zeros(OUTPUT_SHAPE, np.float32))
    parts.call("nn.set_output", kpu, 0, target)
    parts.call("nn.set_input", kpu, 0, _tensor(parts, np.full(INPUT_SHAPE, 90, np.uint8)))
    parts.call("nn.run", kpu)
    assert np.array_equal(parts.numpy(parts.call("nn.to_numpy", target)), _output(parts, kpu))


def test_two_models_stay_loaded_at_once_and_releasing_ends_the_process(loaded):
    parts, first = loaded
    second = parts.call("nn.new")
    parts.call("nn.load_path", second, "/sdcard/tiny.kmodel")
    kpus = parts.board.kpu._live
    pids = [kpu.engine._process.pid for kpu in kpus]
    folders = [kpu.engine._folder for kpu in kpus]
    assert len(set(pids)) == 2
    parts.call("nn.drop", first)
    parts.board.kpu.reset()
    for pid, folder in zip(pids, folders, strict=True):
        assert not folder.exists()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_dying_simulator_is_an_error_not_a_hang(loaded, caplog):
    parts, kpu = loaded
    parts.call("nn.set_input", kpu, 0, _tensor(parts, np.zeros(INPUT_SHAPE, np.uint8)))
    parts.board.kpu._live[0].engine._kill()
    start = time.monotonic()
    assert error_of(parts.call, "nn.run", kpu) == ("RuntimeError", "KPU run failed.")
    assert time.monotonic() - start < 60
    assert "simulator ended" in caplog.text


# ---- the ONNX twin ------------------------------------------------------------------------------------------------


def test_the_onnx_twin_runs_only_when_asked_for_and_known(tiny, caplog):
    caplog.set_level("INFO")
    digest = hashlib.sha256((tiny / "tiny.kmodel").read_bytes()).hexdigest()
    picture = np.random.default_rng(2).integers(0, 256, INPUT_SHAPE, dtype=np.uint8)
    outputs = {}
    for name, options in {
        "onnx": {"kpu": "onnx", "onnx_twins": {digest: tiny / "tiny.onnx"}},
        "not asked": {"kpu": "sim", "onnx_twins": {digest: tiny / "tiny.onnx"}},
        "no twin": {"kpu": "onnx"},
    }.items():
        parts = VirtualParts(card=tiny, **options)
        kpu = parts.call("nn.new")
        parts.call("nn.load_path", kpu, "/sdcard/tiny.kmodel")
        parts.call("nn.set_input", kpu, 0, _tensor(parts, picture))
        parts.call("nn.run", kpu)
        outputs[name] = (parts.board.kpu.engine, _output(parts, kpu).copy())
        model = parts.board.kpu.models()[0]
        assert (model["name"], model["sha256"]) == ("/sdcard/tiny.kmodel", digest)
        assert ("tiny.onnx" in model["answered_by"]) == (name == "onnx")
        assert f"{model['answered_by']} answers for it" in caplog.text
        parts.close()
        assert parts.board.kpu.models() == []
    assert [engine for engine, _ in outputs.values()] == ["onnx", "simulator", "simulator"]
    assert np.abs(outputs["onnx"][1] - outputs["no twin"][1]).max() < 0.05
    assert not np.array_equal(outputs["onnx"][1], outputs["no twin"][1])
    assert "has no ONNX twin; the simulator runs it" in caplog.text


def test_a_frame_without_the_leading_one_is_the_same_input(loaded):
    parts, kpu = loaded
    picture = np.random.default_rng(6).integers(0, 256, INPUT_SHAPE, dtype=np.uint8)
    parts.call("nn.set_input", kpu, 0, _tensor(parts, picture))
    parts.call("nn.run", kpu)
    whole = _output(parts, kpu).copy()
    parts.call("nn.set_input", kpu, 0, _tensor(parts, picture[0]))
    parts.call("nn.run", kpu)
    assert np.array_equal(_output(parts, kpu), whole)


def test_a_twin_takes_pictures_with_channels_last_as_a_kmodel_may(tiny):
    digest = hashlib.sha256((tiny / "tiny.kmodel").read_bytes()).hexdigest()
    parts = VirtualParts(card=tiny, kpu="onnx", onnx_twins={digest: tiny / "tiny.onnx"})
    kpu = parts.call("nn.new")
    parts.call("nn.load_path", kpu, "/sdcard/tiny.kmodel")
    picture = np.random.default_rng(8).integers(0, 256, INPUT_SHAPE, dtype=np.uint8)
    seen = []
    for values in (picture, picture.transpose(0, 2, 3, 1)):
        parts.call("nn.set_input", kpu, 0, _tensor(parts, values))
        parts.call("nn.run", kpu)
        seen.append(_output(parts, kpu).copy())
    assert np.array_equal(*seen)
    parts.close()


def test_a_twin_takes_floats_as_they_are_and_bytes_as_shares(tiny):
    digest = hashlib.sha256((tiny / "tiny.kmodel").read_bytes()).hexdigest()
    parts = VirtualParts(card=tiny, kpu="onnx", onnx_twins={digest: tiny / "tiny.onnx"})
    kpu = parts.call("nn.new")
    parts.call("nn.load_path", kpu, "/sdcard/tiny.kmodel")
    picture = np.random.default_rng(7).integers(0, 256, INPUT_SHAPE, dtype=np.uint8)
    seen = []
    for values in (picture, picture.astype(np.float32) / np.float32(255)):
        parts.call("nn.set_input", kpu, 0, _tensor(parts, values))
        parts.call("nn.run", kpu)
        seen.append(_output(parts, kpu).copy())
    assert np.array_equal(*seen)
    assert error_of(parts.call, "nn.set_input", kpu, 0, _tensor(parts, picture.astype(np.int16)))[0] == "ValueError"
    parts.close()


def test_a_broken_twin_fails_to_load(tiny, tmp_path, caplog):
    shutil.copy(tiny / "tiny.kmodel", tmp_path)
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    digest = hashlib.sha256((tiny / "tiny.kmodel").read_bytes()).hexdigest()
    parts = VirtualParts(card=tmp_path, kpu="onnx", onnx_twins={digest: tmp_path / "bad.onnx"})
    assert error_of(parts.call, "nn.load_path", parts.call("nn.new"), "/sdcard/tiny.kmodel") == FROM_PATH
    assert "bad.onnx" in caplog.text


def _twin(folder, input_type="FLOAT", sides=("batch", 3, 8, 8), given=(1, 3, 8, 8)):
    """A board whose kmodel has a twin that averages pictures of `sides`; the kpu's handle and the tensor for its input."""
    from onnx import TensorProto, helper, save

    of_type = getattr(TensorProto, input_type)
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=1), helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2, 3])]
    pixels = helper.make_tensor_value_info("x", of_type, list(sides))
    mean = helper.make_tensor_value_info("y", TensorProto.FLOAT, [sides[0], 1, 1, 1])
    graph = helper.make_graph(nodes, "mean", [pixels], [mean])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(folder / "m.onnx"))
    (folder / "m.kmodel").write_bytes(_fake_kmodel())
    digest = hashlib.sha256((folder / "m.kmodel").read_bytes()).hexdigest()
    parts = VirtualParts(card=folder, kpu="onnx", onnx_twins={digest: folder / "m.onnx"})
    dtype = np.float32 if input_type == "FLOAT" else np.dtype(input_type.lower())
    return parts, parts.call("nn.new"), _tensor(parts, np.full(given, 3, dtype))


@pytest.mark.parametrize("input_type", ["FLOAT", "UINT8", "INT8", "INT16"])
def test_a_twin_takes_its_own_type_and_a_batch_that_it_leaves_open_is_one(tmp_path, input_type):
    parts, kpu, tensor = _twin(tmp_path, input_type)
    parts.call("nn.load_path", kpu, "/sdcard/m.kmodel")
    parts.call("nn.set_input", kpu, 0, tensor)
    parts.call("nn.run", kpu)
    assert _output(parts, kpu).tolist() == [[[[3]]]]


def test_a_twin_of_other_shapes_or_free_ones_is_named(tmp_path, caplog):
    parts, kpu, tensor = _twin(tmp_path, given=(1, 3, 8, 9))
    parts.call("nn.load_path", kpu, "/sdcard/m.kmodel")
    assert error_of(parts.call, "nn.set_input", kpu, 0, tensor) == ("ValueError", "KPU set input tensor failed.")
    assert "must be uint8 [1, 3, 8, 8], not float32 [1, 3, 8, 9] (says onnxruntime with" in caplog.text
    parts, kpu, _ = _twin(tmp_path, sides=(1, 3, "height", 8))
    assert error_of(parts.call, "nn.load_path", kpu, "/sdcard/m.kmodel") == FROM_PATH
    assert "export the twin with fixed sizes" in caplog.text


def test_tensors_are_copies_and_the_version_follows_the_firmware():
    parts = VirtualParts(profile="D")
    array = parts.array([1, 2, 3])
    tensor = parts.call("nn.from_numpy", array)
    parts.board.arrays.get(array)[:] = 0
    assert parts.numpy(parts.call("nn.to_numpy", tensor)).tolist() == [1, 2, 3]
    assert parts.call("nn.version") == "2.11.0"
    assert VirtualParts(profile="B").call("nn.version") == "2.9.0"
    assert VirtualParts(profile="B", nncase_version="2.11.0").call("nn.version") == "2.11.0"


@pytest.mark.parametrize("noted", [{}, {"mean": "0.5,0.25,0", "std": "0.5,0.25,2"}])
def test_a_twin_gets_what_its_metadata_says(tmp_path, noted):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 2, 2]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", sides[:1], sides[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    for name, value in noted.items():
        model.metadata_props.add(key=name, value=value)
    onnx.save(model, str(tmp_path / "twin.onnx"))
    engine = OnnxEngine(tmp_path / "twin.onnx")
    (said,) = engine.run([np.full((1, 3, 2, 2), 255, np.uint8)])
    assert np.allclose(said[0, :, 0, 0], [1, 3, 0.5] if noted else [1, 1, 1])
