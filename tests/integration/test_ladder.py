"""S3-11: a network that is right in float and useless in 8 bits is caught by the gate, and the ladder mends it. Nothing is simulated.

Two ways to have channels of very different scale: layers that make up for each other's scale, which equalising undoes for nothing, and
loud channels that nobody needs behind an activation that minds the scale, where only finer steps help.
"""

import copy
import importlib.util

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'snaploop[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'snaploop[train]'")

import torch

from snaploop_host.compiling.float_runs import session
from snaploop_host.compiling.kmodel_compiler import compile_kmodel
from snaploop_host.compiling.ladder import LADDER, rungs_for
from snaploop_host.compiling.onnx_graph import read_onnx
from snaploop_host.compiling.simulator import operators_on_cpu, simulate
from snaploop_host.domain.confidence import Tally
from snaploop_host.domain.gate import FAILED, judge
from snaploop_host.domain.preprocess import UNIT_RANGE
from snaploop_host.domain.run_report import PASSED, RungTried
from snaploop_host.training.gate_stage import Attempt, climb

if importlib.util.find_spec("nncase") is None:
    pytest.skip("nncase is not installed: pip install 'snaploop[train]'", allow_module_level=True)

SIDE, CLASSES, SHOWN = 32, 4, 40
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def stripes(count, seed):
    """Pictures (N, 3, 32, 32) uint8 of stripes in one of four directions, and which."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, CLASSES, count)
    y, x = np.mgrid[:SIDE, :SIDE]
    pictures = np.empty((count, 3, SIDE, SIDE), np.uint8)
    for index, kind in enumerate(kinds):
        angle = kind * np.pi / CLASSES + rng.normal(0, 0.05)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / rng.uniform(4, 7) + rng.uniform(0, 6))
        noise = rng.normal(0, 8, (3, SIDE, SIDE))
        pictures[index] = np.clip(rng.uniform(60, 190, (3, 1, 1)) + rng.uniform(15, 50) * wave + noise, 0, 255)
    return pictures, kinds


class Stripes(torch.nn.Module):
    """Three convolutions, the mean over the picture, one linear layer."""

    def __init__(self, activation):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 16, 5, stride=2, padding=2)
        self.second = torch.nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.third = torch.nn.Conv2d(32, 32, 3, padding=1)
        self.last = torch.nn.Linear(32, CLASSES)
        self.activation = activation

    def forward(self, pixels):
        for layer in (self.first, self.second, self.third):
            pixels = self.activation(layer(pixels))
        return self.last(pixels.mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two wait for each other on a busy machine
    pictures, kinds = stripes(600, 1)
    pixels, wanted = torch.tensor(UNIT_RANGE.apply(pictures)), torch.tensor(kinds)
    network = Stripes(torch.nn.ReLU())
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(pixels)).split(50):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(pixels[rows]), wanted[rows]).backward()
            optimizer.step()
    return network.eval()


def badly_scaled(network):
    """The same function: a quarter of the channels of two layers a thousand times larger, the layers after make up for it."""
    bad, rng = copy.deepcopy(network), np.random.default_rng(3)
    with torch.no_grad():
        for layer, following in ((bad.first, bad.second), (bad.second, bad.third)):
            scale = torch.ones(len(layer.bias))
            scale[rng.permutation(len(scale))[: len(scale) // 4].copy()] = 1000
            layer.weight *= scale[:, None, None, None]
            layer.bias *= scale
            following.weight /= scale[None, :, None, None]
    return bad


def with_loud_channels(network):
    """Nearly the same function: four more channels of brightness in hundreds, which the next layer all but ignores."""
    loud = copy.deepcopy(network)
    loud.activation = torch.nn.Hardtanh(0, 10_000)  # a ReLU with an upper end, so far off that nothing reaches it
    with torch.no_grad():
        loud.first = torch.nn.Conv2d(3, 20, 5, stride=2, padding=2)
        loud.second = torch.nn.Conv2d(20, 32, 3, stride=2, padding=1)
        loud.first.weight[:16], loud.first.bias[:16] = network.first.weight, network.first.bias
        loud.first.weight[16:], loud.first.bias[16:] = 12.0, 0.0
        loud.second.weight[:, :16], loud.second.weight[:, 16:] = network.second.weight, 1e-6
        loud.second.bias.copy_(network.second.bias)
    return loud.eval()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stripes")
    np.save(folder / "calibration.npy", stripes(60, 4)[0])
    shown, kinds = stripes(SHOWN, 2)
    np.save(folder / "shown.npy", shown)
    return folder, shown, kinds


def climbed(network, pictures, folder):
    """The float score, the rungs offered, and what the gate's own climb tried, with the real compiler and simulator."""
    source, shown, kinds = pictures
    onnx_file = folder / "m.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(onnx_file),
        input_names=["images"],
        output_names=["logits"],
        opset_version=13,
        dynamo=False,
    )

    running = session(read_onnx(onnx_file))
    logits = [running.run(None, {"images": UNIT_RANGE.apply(one[None])})[0][0] for one in shown]
    of_float = np.argmax(logits, axis=-1) == kinds
    tried, attempts = [], {}

    def attempt(rung):
        target = folder / f"{len(tried)}.kmodel"
        kmodel = compile_kmodel(onnx_file, source / "calibration.npy", rung, target, folder / "scratch")
        answers = folder / kmodel.digest[:12]
        found = simulate(kmodel.path, source / "shown.npy", range(SHOWN), answers, folder / "scratch")
        slow = operators_on_cpu(answers)
        assert "conv2d" not in slow  # else it would be mended by leaving the KPU
        right = np.array([outputs[0][0].argmax() for outputs in found]) == kinds
        said = judge("classify", shares(of_float), shares(right), 0.01)
        scores = {"top1": float(right.mean())}
        is_good = said.outcome == PASSED
        row = RungTried(rung.name, kmodel.size_bytes, kmodel.seconds, 0.0, scores, is_good, said.outcome, SHOWN)
        return Attempt(onnx_file, kmodel, row)

    rungs = rungs_for(onnx_file, 60)
    climb(rungs, attempt, lambda *_, **__: None, tried, attempts)
    return float(of_float.mean()), rungs, tried


def shares(right):
    """What the gate makes of right and wrong answers."""
    return Tally(
        len(right),
        {"top1": float(right.mean())},
        lambda counts: {"top1": counts @ right / counts.sum(axis=1)},
        {"top1": right},
    )


def test_channels_that_make_up_for_each_other_are_equalised(network, pictures, tmp_path):
    floating, rungs, tried = climbed(badly_scaled(network), pictures, tmp_path)
    assert floating >= 0.97
    assert rungs == list(LADDER)
    assert [rung.outcome for rung in tried] == [FAILED, PASSED]
    assert tried[0].scores["top1"] < 0.6  # the gate caught it
    assert tried[1].name == "uint8, equalised channels"
    assert tried[1].kmodel_bytes == tried[0].kmodel_bytes  # for nothing


def test_loud_channels_need_finer_steps(network, pictures, tmp_path):
    floating, rungs, tried = climbed(with_loud_channels(network), pictures, tmp_path)
    assert floating >= 0.97
    assert "uint8, equalised channels" not in [rung.name for rung in rungs]
    assert tried[0].scores["top1"] < 0.6
    assert tried[-1].passed and len(tried) > 1
    assert "int16" in tried[-1].name
