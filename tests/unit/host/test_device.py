"""The device of a training: what is taken of what torch sees, in which precision, and what a job that asks for more is told."""

import pytest

from snaploop_host.training import device
from snaploop_host.training.device import chosen_device, halving_the_batch, is_out_of_memory
from snaploop_host.training.errors import BadJobError


@pytest.fixture
def gpus(monkeypatch):
    """Makes torch see GPUs of these compute capabilities."""

    def see(*capabilities):
        monkeypatch.setattr("torch.cuda.is_available", lambda: bool(capabilities))
        monkeypatch.setattr("torch.cuda.device_count", lambda: len(capabilities))
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda number: capabilities[number])
        monkeypatch.setattr("torch.cuda.get_device_name", lambda number: f"GPU number {number}")

    see()
    return see


@pytest.mark.parametrize("native", [True, False])
def test_without_a_gpu_the_processor_computes_in_the_precision_it_has(gpus, monkeypatch, native):
    monkeypatch.setattr(device, "fast_bf16_cpu", lambda: native)
    found = chosen_device()
    assert (found.name, found.kind, found.precision) == ("cpu", "cpu", "bfloat16" if native else "float32")
    assert not found.scales_gradients
    assert chosen_device(may_be_half=False).precision == "float32"


@pytest.mark.parametrize(
    ("capability", "precision", "scales"),
    [((9, 0), "bfloat16", False), ((8, 0), "bfloat16", False), ((7, 5), "float16", True)],
)
def test_a_gpu_is_taken_when_there_is_one(gpus, capability, precision, scales):
    gpus(capability)
    found = chosen_device("auto")
    assert (found.name, found.kind, found.precision, found.scales_gradients) == ("cuda:0", "cuda", precision, scales)
    assert found.text == f"cuda:0 (GPU number 0), {precision}"
    assert chosen_device("auto", may_be_half=False).precision == "float32"
    assert chosen_device("cpu").name == "cpu"


def test_a_certain_gpu_is_taken_when_it_is_named(gpus):
    gpus((9, 0), (7, 0))
    assert chosen_device("cuda").name == "cuda:0"
    assert (chosen_device("cuda:1").name, chosen_device("cuda:1").precision) == ("cuda:1", "float16")
    with pytest.raises(BadJobError, match=r"device=cuda:2: torch sees 2 GPUs here: use device=auto or device=cpu"):
        chosen_device("cuda:2")


def test_a_gpu_that_is_not_there_is_named(gpus):
    with pytest.raises(BadJobError, match=r"device=cuda: torch sees no GPU here"):
        chosen_device("cuda")


def test_want_of_memory_is_told_from_other_failures():
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError("Unable to allocate 3 GiB"))  # NumPy's
    assert is_out_of_memory(Exception("(-4:Insufficient memory) Failed to allocate 12441600 bytes"))  # OpenCV's
    assert not is_out_of_memory(RuntimeError("size mismatch"))


def test_batch_is_halved_whichever_library_wants_memory_and_that_is_said():
    said = []

    def attempt(batch):
        if batch > 2:
            raise MemoryError
        return batch

    assert halving_the_batch(8, lambda kind, text: said.append(text), attempt) == (2, 2)
    assert said == [f"not enough memory: training goes on with a batch of {batch}" for batch in (4, 2)]
    with pytest.raises(ZeroDivisionError):
        halving_the_batch(8, lambda kind, text: None, lambda batch: batch // 0)
