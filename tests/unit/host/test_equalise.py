"""Equalising keeps every answer of the float network to the last bit and levels channels that were scaled a thousandfold."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'snaploop[train]'")

import torch
from torch import nn

from snaploop_host.compiling.equalise import equalise
from snaploop_host.compiling.errors import CompileFailedError
from snaploop_host.compiling.float_runs import channel_levels, session
from snaploop_host.compiling.onnx_graph import (
    in_half_precision,
    input_shape,
    is_in_pieces,
    read_onnx,
    regions,
    unproven_operators,
)

PICTURES = np.random.default_rng(0).random((3, 3, 16, 16), np.float32)


class Depthwise(nn.Module):
    """Expand, depthwise, project; pooled and flattened into a Gemm of more than one weight per channel."""

    def __init__(self):
        super().__init__()
        self.expand, self.deep = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.project, self.last = nn.Conv2d(8, 6, 1), nn.Linear(6 * 16, 5)

    def forward(self, x):
        x = torch.relu(self.deep(torch.relu(self.expand(x))))
        return self.last(torch.flatten(nn.functional.max_pool2d(nn.functional.leaky_relu(self.project(x)), 4), 1))


class Grouped(nn.Module):
    """Two readers of one tensor, one of them in groups."""

    def __init__(self):
        super().__init__()
        self.first, self.left = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1, groups=2)
        self.right, self.last = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.left(x), self.last(torch.relu(self.right(x)))


class Residual(nn.Module):
    """Three branches that are added up in two steps; layers read both sums."""

    def __init__(self):
        super().__init__()
        self.first, self.left = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.right, self.last = nn.Conv2d(8, 8, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.left(x) + x)
        return self.last((self.right(x) + x).mean((2, 3)))


class NotFree(nn.Module):
    """Channels that an output, an addition, a SiLU and a clip mind."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(6))

    def forward(self, x):
        a, b, c, d, e, f = self.layers
        shown = torch.relu(a(x))
        added = b(shown) + x
        return shown, f(nn.functional.relu6(e(nn.functional.silu(d(c(added).tanh())))))


def exported(network, folder):
    file = folder / "m.onnx"
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.normal_(part.weight), nn.init.normal_(part.bias)
            with torch.no_grad():  # outputs up to a thousand times larger than their neighbours
                scale = torch.logspace(0, 3, len(part.bias))[torch.randperm(len(part.bias))]
                part.weight *= scale.reshape(-1, *[1] * (part.weight.ndim - 1))
                part.bias *= scale
    torch.onnx.export(
        network.eval(), (torch.zeros(1, 3, 16, 16),), str(file), input_names=["images"], opset_version=13, dynamo=False
    )
    return read_onnx(file)


def answers(model):
    running = session(model)
    return [running.run(None, {"images": picture[None]}) for picture in PICTURES]


def levels_of(model):
    return channel_levels(model, [tensor for region in regions(model) for tensor in region.tensors], PICTURES)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("network", "count"), [(Depthwise(), 3), (Grouped(), 2)])
def test_answers_stay_and_channels_come_closer(network, count, tmp_path):
    model = exported(network, tmp_path)
    before = model.SerializeToString()
    levels = levels_of(model)
    level, rescaled = equalise(model, levels)
    assert model.SerializeToString() == before
    assert len(regions(model)) == count >= rescaled > 0
    for one, other in zip(answers(model), answers(level), strict=True):
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4 * np.abs(expected).max())
    after = levels_of(level)
    first = regions(model)[0].tensors[0]
    assert spread(after[first][0]) < 0.1 * spread(levels[first][0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_branches_that_are_added_up_are_scaled_together(tmp_path):
    network = Residual()
    model = exported(network, tmp_path)
    (region,) = regions(model)
    assert [len(region.writers), len(region.tensors), region.channels, len(region.readers)] == [3, 3, 8, 3]
    levels = levels_of(model)
    level, rescaled = equalise(model, levels)
    assert rescaled == 1
    for one, other in zip(answers(model), answers(level), strict=True):
        np.testing.assert_allclose(other[0], one[0], rtol=1e-5, atol=1e-4 * np.abs(one[0]).max())
    after = levels_of(level)
    changes = [after[name][0] / levels[name][0] for name in region.tensors]
    for change in changes:  # every tensor of the sum by the same powers of two
        np.testing.assert_allclose(change, changes[0], rtol=1e-5)
    assert len(set(np.round(np.log2(changes[0]), 4))) > 2


def spread(peaks):
    """Largest to smallest of the channels that are alive."""
    return peaks.max() / peaks[peaks > 0].min()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_level_network_stays_as_it_is(tmp_path):
    model = exported(Grouped(), tmp_path)
    level, _ = equalise(model, levels_of(model))
    again, rescaled = equalise(level, levels_of(level))
    assert rescaled == 0
    assert again == level


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_channels_that_something_minds_are_left_alone(tmp_path):
    assert regions(exported(NotFree(), tmp_path)) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dead_channels_keep_their_scale(tmp_path):
    model = exported(Grouped(), tmp_path)
    levels = {name: np.where(np.arange(values.shape[1]) == 1, 0, values) for name, values in levels_of(model).items()}
    level, _ = equalise(model, levels)
    for one, other in zip(answers(model), answers(level), strict=True):
        for expected, found in zip(one, other, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4 * np.abs(expected).max())
    assert all(np.isfinite(values).all() for values in levels_of(level).values())


def test_files_that_are_no_network(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no protobuf at all")
    with pytest.raises(CompileFailedError, match=r"no\.onnx is no ONNX file that can be read"):
        read_onnx(tmp_path / "no.onnx")
    with pytest.raises(CompileFailedError, match=r"gone\.onnx is no ONNX file"):
        read_onnx(tmp_path / "gone.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(CompileFailedError, match=r"empty\.onnx is an empty ONNX file"):
        read_onnx(tmp_path / "empty.onnx")
    import onnx

    onnx.save(graph([("b", [1, 3, 8, 8])]), str(tmp_path / "loose.onnx"))  # its node reads what nobody writes
    with pytest.raises(CompileFailedError, match=r"loose\.onnx is damaged \(.*export it again"):
        read_onnx(tmp_path / "loose.onnx")


def graph(inputs, kinds=("Relu",)):
    from onnx import helper

    nodes = [helper.make_node(kind, ["a"], [f"y{number}"]) for number, kind in enumerate(kinds)]
    given = [helper.make_tensor_value_info(name, 1, shape) for name, shape in inputs]
    made = helper.make_graph(nodes, "g", given, [helper.make_tensor_value_info("y0", 1, None)])
    return helper.make_model(made)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([("a", [1, 3, 8, 8]), ("b", [1])], "must have one input, the picture; it has 2: a, b"),
        ([("a", [1, 3, "h", 8])], r"the input a has a dynamic shape \(free: h\): export it with a fixed one"),
        ([("a", [2, 3, 8, 8])], r"must be float32 \[1, 3, height, width\]"),
        ([("a", [1, 8])], r"must be float32 \[1, 3, height, width\]"),
    ],
)
def test_inputs_that_are_no_picture(inputs, words):
    with pytest.raises(ValueError, match=words):
        input_shape(graph(inputs))


def test_input_of_another_type_is_named_with_it():
    model = graph([("a", [1, 3, 8, 8])])
    model.graph.input[0].type.tensor_type.elem_type = 2
    with pytest.raises(
        ValueError, match=r"must be float32 \[1, 3, height, width\] of fixed size, not uint8 \[1, 3, 8, 8\]"
    ):
        input_shape(model)


def test_half_precision_is_found_unless_it_is_widened_before_use():
    import onnx
    from onnx import helper

    half = [onnx.numpy_helper.from_array(np.ones(2, np.float16), name) for name in ("w", "v")]
    nodes = [
        helper.make_node("Cast", ["a"], ["b"], name="/to_half", to=10),
        helper.make_node("Cast", ["w"], ["c"], to=1),
        helper.make_node("Mul", ["b", "v"], ["d"]),
    ]
    assert in_half_precision(helper.make_model(helper.make_graph(nodes, "g", [], [], half))) == ["/to_half", "v"]
    assert in_half_precision(helper.make_model(helper.make_graph(nodes[1:2], "g", [], [], half[:1]))) == []


def test_weights_in_a_file_beside_it(tmp_path):
    import onnx

    model = graph([("a", [1, 3, 8, 8])])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(500, np.float32), "w"))
    onnx.save(model, str(tmp_path / "whole.onnx"))
    assert not is_in_pieces(tmp_path / "whole.onnx")
    onnx.save(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.bin", size_threshold=0)
    assert is_in_pieces(tmp_path / "m.onnx")
    (tmp_path / "m.bin").unlink()
    with pytest.raises(CompileFailedError, match=r"m\.onnx .*m\.bin"):
        read_onnx(tmp_path / "m.onnx")


def test_strange_operators_are_counted():
    kinds = ("Relu", "GridSample", "GridSample", "Erf")
    assert unproven_operators(graph([("a", [1, 3, 8, 8])], kinds)) == {"GridSample": 2, "Erf": 1}
