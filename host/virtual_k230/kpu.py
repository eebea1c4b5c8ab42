"""The Python side of `nncase_runtime`: tensors, and a KPU that really runs kmodels.

Two engines: Canaan's own simulator on the kmodel itself (bit-exact, seconds per frame), or onnxruntime on an ONNX twin
that the user names by the kmodel's SHA-256 and asks for. `engine` says which one ran last; nothing changes silently.
Results are remembered by (kmodel, input), so a still picture costs one run.
Facts: vendor API as described in the K230 platform notes, §6.1; error texts are the firmware's.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .arrays import Array, describe, fit
from .hal import HalError
from .handles import handles_of
from .kmodel import KmodelError, check_kmodel
from .kpu_simulator import SimulatorError, SimulatorProcess, TensorSpec

logger = logging.getLogger(__name__)

SIMULATOR, ONNX = "simulator", "onnx"
_CACHE_BYTES = 96 << 20

_INPUT_FAILED, _OUTPUT_FAILED = "KPU set input tensor failed.", "KPU set output tensor failed."


class Engine(Protocol):
    """Something that runs one model."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]

    def run(self, inputs: list[Array]) -> list[Array]:
        """Outputs for checked, contiguous inputs."""

    def close(self) -> None:
        """Free what it holds."""


def _dtype(tensor: Any) -> str:
    """NumPy's name of a type as ONNX writes it, such as tensor(int64)."""
    name = str(tensor.type).removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


class OnnxEngine:
    """An ONNX twin in onnxruntime. What a script hands over as uint8 becomes what the float twin takes: 0..1; floats stay.

    A twin that takes floats cannot know whether its kmodel takes bytes or floats; `inputs` then says uint8, and `takes` what
    else will do.

    Raises:
        SimulatorError: onnxruntime is missing or refuses the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise SimulatorError("--kpu onnx needs onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # boundary: onnxruntime raises its own kinds for any bad file
            raise SimulatorError(f"onnxruntime cannot load {path}: {error}") from error
        self._path = path
        given = self._session.get_inputs()
        self._names = [each.name for each in given]
        self._takes_float = [each.type == "tensor(float)" for each in given]
        self.inputs = [
            TensorSpec("uint8" if each.type == "tensor(float)" else _dtype(each), self._sides(each)) for each in given
        ]
        self.outputs = [TensorSpec(_dtype(each), self._sides(each)) for each in self._session.get_outputs()]
        noted = self._session.get_modelmeta().custom_metadata_map
        self._mean, self._std = (self._noted(noted, name, usual) for name, usual in (("mean", 0.0), ("std", 1.0)))

    def _noted(self, noted: dict[str, str], name: str, usual: float) -> Array:
        """What a channel 0…1 is normalised with, from the file's metadata ("0.485,0.456,0.406"): (3, 1, 1), or one number for all."""
        text = noted.get(name, str(usual))
        try:
            values = np.array([float(one) for one in text.split(",")], np.float32)
        except ValueError as error:
            raise SimulatorError(f"{self._path}: metadata {name}={text} is not numbers with commas between") from error
        return values.reshape(-1, 1, 1)

    def _scaled(self, pixels: Array) -> Array:
        """uint8 pixels as the twin wants them; a kmodel does that itself."""
        unit = pixels.astype(np.float32) / np.float32(255)
        is_planes = unit.ndim == 4 and unit.shape[1] in (len(self._mean), len(self._std))
        return (unit - self._mean) / self._std if is_planes else unit

    def _sides(self, tensor: Any) -> tuple[int, ...]:
        """Its shape; a first side that the file leaves open (the batch) is 1, as in every kmodel."""
        sides = [1 if not index and not isinstance(side, int) else side for index, side in enumerate(tensor.shape)]
        if not all(isinstance(side, int) for side in sides):
            raise SimulatorError(
                f"{self._path}: {tensor.name} is {list(tensor.shape)}; export the twin with fixed sizes, as a kmodel has"
            )
        return tuple(sides)

    def run(self, inputs: list[Array]) -> list[Array]:
        """Outputs of the twin.

        Raises:
            SimulatorError: onnxruntime cannot compute it.
        """
        feeds = {
            name: self._scaled(array) if takes_float and array.dtype == np.uint8 else array
            for name, takes_float, array in zip(self._names, self._takes_float, inputs, strict=True)
        }
        try:
            return [np.asarray(output) for output in self._session.run(None, feeds)]
        except Exception as error:  # boundary: onnxruntime raises its own kinds
            raise SimulatorError(f"onnxruntime cannot run {self._path}: {error}") from error

    def takes(self, index: int, dtype: str) -> bool:
        """Whether input `index` takes arrays of this type."""
        return dtype == self.inputs[index].dtype or (dtype == "float32" and self._takes_float[index])

    def close(self) -> None:
        """Nothing to free."""


class Tensor:
    """A runtime_tensor: an array in the KPU's memory."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array


class Kpu:
    """One `nn.kpu()` object of the script."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.engine_name = SIMULATOR
        self.answered_by = ""
        self.name = ""
        self.digest = ""
        self.inputs: dict[int, Tensor] = {}
        self.outputs: list[Array] | None = None
        self.targets: dict[int, Tensor] = {}

    def loaded(self) -> Engine:
        """The engine.

        Raises:
            HalError: RuntimeError before load_kmodel.
        """
        if self.engine is None:
            logger.error("KPU: no kmodel is loaded, call load_kmodel() first")
            raise HalError("RuntimeError", "KPU run failed.")
        return self.engine

    def close(self) -> None:
        """Unload; also called when the script's object is collected."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None
        self.inputs.clear()
        self.targets.clear()
        self.outputs = None


class KpuOps:
    """The operations behind one board's `nncase_runtime`.

    Attributes:
        runs: how often a script ran the KPU.
        computed: how many of these were really computed, not remembered.
        engine: "simulator" or "onnx", what ran last; before the first run what was asked for.
    """

    def __init__(self, board: Any) -> None:
        self._board = board
        self._handles = handles_of(board)
        self.runs = 0
        self.computed = 0
        self.engine = ONNX if board.options.get("kpu") == ONNX else SIMULATOR
        self._asked = self.engine
        self._twins: dict[str, Path] = {
            str(digest).lower(): Path(path) for digest, path in dict(board.options.get("onnx_twins") or {}).items()
        }
        self._results: OrderedDict[tuple[str, str, bytes], list[Array]] = OrderedDict()
        self._results_bytes = 0
        self._live: list[Kpu] = []
        profile = str(board.options.get("profile", "B")).upper()
        self._version = str(board.options.get("nncase_version") or ("2.11.0" if profile == "D" else "2.9.0"))

    def add_twin(self, digest: str, onnx: str | Path) -> None:
        """From now on the kmodel with this SHA-256 has an ONNX twin (used when the KPU is asked to be "onnx")."""
        self._twins[digest.lower()] = Path(onnx)

    def reset(self) -> None:
        """Unload all models, as a reset does."""
        for kpu in self._live:
            kpu.close()
        self._live.clear()

    def close(self) -> None:
        """End all child processes; a run in progress fails."""
        self.reset()

    def models(self) -> list[dict[str, str]]:
        """The loaded kmodels: name (path on the board), sha256, and what answers for them."""
        return [
            {"name": kpu.name, "sha256": kpu.digest, "answered_by": kpu.answered_by}
            for kpu in list(self._live)
            if kpu.engine is not None
        ]

    def version(self) -> str:
        """nn.version()."""
        return self._version

    # ---- tensors ----------------------------------------------------------------------------------------------

    def from_numpy(self, array: int) -> int:
        """nn.from_numpy(): a tensor of its own."""
        return self._handles.put(Tensor(np.ascontiguousarray(self._handles.get(array, np.ndarray)).copy()))

    def to_numpy(self, tensor: int) -> list[Any]:
        """tensor.to_numpy(): a copy."""
        array = fit(self._handles.get(tensor, Tensor).array)
        return describe(self._handles, array.copy())

    def drop(self, handle: int) -> None:
        """release() of tensors, models and builders."""
        self._handles.drop(handle)

    # ---- models -----------------------------------------------------------------------------------------------

    def new(self) -> int:
        """nn.kpu()."""
        return self._handles.put(Kpu())

    def load_path(self, handle: int, path: str) -> None:
        """load_kmodel(path)."""
        try:
            data = Path(self._board.host_path(path)).read_bytes()
        except OSError as error:
            raise HalError("OSError", "Kmodel file not exist.") from error
        self._load(handle, data, path, "KPU load model failed from path.")

    def load_buffer(self, handle: int, *, blob: memoryview) -> None:
        """load_kmodel(buffer)."""
        self._load(handle, bytes(blob), "a buffer", "KPU load model failed from buffer.")

    def _load(self, handle: int, data: bytes, name: str, failure: str) -> None:
        kpu = self._handles.get(handle, Kpu)
        kpu.close()
        if self._board.faults.take("kpu.load"):
            logger.info("kmodel %s: does not load, because the fault kpu.load asks for it", name)
            raise HalError("EOFError", failure)
        try:
            check_kmodel(data)
        except KmodelError as error:
            # The firmware does not say why; the log of the virtual board does.
            logger.error("kmodel %s: %s", name, error)
            raise HalError("EOFError", failure) from error
        kpu.digest = hashlib.sha256(data).hexdigest()
        twin = self._twins.get(kpu.digest) if self._asked == ONNX else None
        if self._asked == ONNX and twin is None:
            logger.warning("kmodel %s (sha256 %s) has no ONNX twin; the simulator runs it", name, kpu.digest[:12])
        try:
            kpu.engine = OnnxEngine(twin) if twin is not None else SimulatorProcess(data)
        except SimulatorError as error:
            logger.error("kmodel %s: %s", name, error)
            raise HalError("EOFError", failure) from error
        kpu.name = name
        kpu.engine_name = ONNX if twin is not None else SIMULATOR
        kpu.answered_by = f"onnxruntime with {twin}" if twin is not None else "Canaan's simulator"
        self.engine = kpu.engine_name
        logger.info("kmodel %s (sha256 %s) loaded; %s answers for it", name, kpu.digest[:12], kpu.answered_by)
        self._live = [each for each in self._live if each.engine is not None]
        self._live.append(kpu)

    def sizes(self, handle: int) -> list[int]:
        """Number of inputs and outputs."""
        engine = self._handles.get(handle, Kpu).loaded()
        return [len(engine.inputs), len(engine.outputs)]

    def desc(self, handle: int, is_input: bool, index: int) -> list[Any]:
        """Type ("dt_uint8"), start and bytes of an input or output."""
        engine = self._handles.get(handle, Kpu).loaded()
        specs = engine.inputs if is_input else engine.outputs
        _check_index(index, specs)
        start = sum(spec.nbytes() for spec in specs[:index])
        dtype = specs[index].dtype
        return ["dt_boolean" if dtype == "bool" else f"dt_{dtype}", start, specs[index].nbytes()]

    def set_input(self, handle: int, index: int, tensor: int) -> None:
        """set_input_tensor(); a later run() takes what the tensor then holds.

        Leading ones of the shape may be missing: vendor scripts hand a (3, h, w) frame to a (1, 3, h, w) input.

        Raises:
            HalError: ValueError for a wrong index, type or shape (the simulator itself would just compute nonsense).
        """
        kpu = self._handles.get(handle, Kpu)
        specs = kpu.loaded().inputs
        _check_index(index, specs, _INPUT_FAILED)
        array = self._handles.get(tensor, Tensor).array
        spec = specs[index]
        engine = kpu.loaded()
        is_type = (
            engine.takes(index, array.dtype.name) if isinstance(engine, OnnxEngine) else array.dtype.name == spec.dtype
        )
        is_packed = isinstance(engine, OnnxEngine) and array.shape == _packed(spec.shape)
        if not is_type or not (is_packed or _without_leading_ones(array.shape) == _without_leading_ones(spec.shape)):
            # The firmware does not say why; the log of the virtual board does.
            logger.error(
                "input %d of %s must be %s %s, not %s %s (says %s)",
                index, kpu.name, spec.dtype, list(spec.shape), array.dtype.name, list(array.shape), kpu.answered_by,
            )  # fmt: skip
            raise HalError("ValueError", _INPUT_FAILED)
        kpu.inputs[index] = self._handles.get(tensor, Tensor)

    def get_input(self, handle: int, index: int) -> int:
        """get_input_tensor()."""
        kpu = self._handles.get(handle, Kpu)
        specs = kpu.loaded().inputs
        _check_index(index, specs)
        if index not in kpu.inputs:
            kpu.inputs[index] = Tensor(np.zeros(specs[index].shape, specs[index].dtype))
        return self._handles.put(kpu.inputs[index])

    def run(self, handle: int) -> None:
        """Compute the outputs, or remember them.

        Raises:
            HalError: RuntimeError "KPU run failed." when an input is missing or the engine fails.
        """
        kpu = self._handles.get(handle, Kpu)
        engine = kpu.loaded()
        if self._board.faults.take("kpu.run"):
            logger.info("KPU run: fails, because the fault kpu.run asks for it")
            raise HalError("RuntimeError", "KPU run failed.")
        if len(kpu.inputs) < len(engine.inputs):
            logger.error("KPU run: %d of %d inputs are set", len(kpu.inputs), len(engine.inputs))
            raise HalError("RuntimeError", "KPU run failed.")
        arrays = [_arranged(kpu.inputs[i].array, spec.shape) for i, spec in enumerate(engine.inputs)]
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(array.data)
        key = (kpu.engine_name, kpu.digest, digest.digest())
        outputs = self._results.get(key)
        if outputs is None:
            try:
                outputs = engine.run(arrays)
            except SimulatorError as error:
                logger.error("KPU run: %s", error)
                raise HalError("RuntimeError", "KPU run failed.") from error
            self.computed += 1
            self._remember(key, outputs)
        else:
            self._results.move_to_end(key)
        kpu.outputs = outputs
        for index, target in kpu.targets.items():
            target.array = outputs[index].copy()
        self.runs += 1
        self.engine = kpu.engine_name

    def _remember(self, key: tuple[str, str, bytes], outputs: list[Array]) -> None:
        self._results[key] = outputs
        self._results_bytes += sum(output.nbytes for output in outputs)
        while self._results_bytes > _CACHE_BYTES and len(self._results) > 1:
            _, oldest = self._results.popitem(last=False)
            self._results_bytes -= sum(output.nbytes for output in oldest)

    def set_output(self, handle: int, index: int, tensor: int) -> None:
        """set_output_tensor(): run() writes this output there too."""
        kpu = self._handles.get(handle, Kpu)
        specs = kpu.loaded().outputs
        _check_index(index, specs, _OUTPUT_FAILED)
        target = self._handles.get(tensor, Tensor)
        if target.array.dtype.name != specs[index].dtype or target.array.shape != specs[index].shape:
            logger.error("output %d is %s %s", index, specs[index].dtype, list(specs[index].shape))
            raise HalError("ValueError", _OUTPUT_FAILED)
        kpu.targets[index] = target

    def get_output(self, handle: int, index: int) -> int:
        """get_output_tensor()."""
        kpu = self._handles.get(handle, Kpu)
        _check_index(index, kpu.loaded().outputs)
        if kpu.outputs is None:
            spec = kpu.loaded().outputs[index]
            return self._handles.put(Tensor(np.zeros(spec.shape, spec.dtype)))
        return self._handles.put(Tensor(kpu.outputs[index]))


def _packed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a picture whose channels come last: a kmodel may take it so where its ONNX twin has them first."""
    return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape


def _arranged(array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape != shape and array.shape == _packed(shape):
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array).reshape(shape)


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((i for i, side in enumerate(shape) if side != 1), len(shape))
    return tuple(shape[first:])


def _check_index(index: int, specs: list[TensorSpec], failure: str = "") -> None:
    if not isinstance(index, int) or not 0 <= index < len(specs):
        raise HalError("ValueError", failure or f"tensor index {index} out of range, the model has {len(specs)}")


def register(hal: Any, board: Any) -> None:
    """Give the board its `nncase_runtime` operations."""
    ops = board.kpu = KpuOps(board)
    board.on_reset(ops.reset)
    for name in (
        "version", "from_numpy", "to_numpy", "drop", "new", "load_path", "load_buffer", "sizes", "desc", "set_input",
        "get_input", "run", "set_output", "get_output",
    ):  # fmt: skip
        hal.op(f"nn.{name}", getattr(ops, name))
