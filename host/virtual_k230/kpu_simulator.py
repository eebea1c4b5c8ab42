"""One kmodel in Canaan's K230 simulator, as a process of its own: nncase aborts or hangs where it meets trouble.

Two halves in one file. `SimulatorProcess` is what kpu.py uses. Run as a script (`python kpu_simulator.py MODEL`), it is
the child: it loads the model, says what goes in and out, and then answers each set of inputs with the outputs until its
stdin ends. Only the extension module `_nncase` is loaded, which needs no .NET; the simulator is a program that must be
on PATH, which the parent sees to.
Messages, child to parent: u32 JSON length, u32 blob length, JSON, blob. Parent to child: u32 number of inputs, then for
each u32 length and the bytes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MESSAGE = struct.Struct("<II")
_LOAD_LIMIT_S = 60
_RUN_LIMIT_S = 600  # the largest models measured take over a minute on a busy machine
_STDERR_LINES = 5


class SimulatorError(Exception):
    """The simulator is not installed, refused the model, or died; the message says which."""


@dataclass(frozen=True)
class TensorSpec:
    """What a model takes or gives.

    Attributes:
        dtype: NumPy name, such as "uint8".
        shape: fixed.
    """

    dtype: str
    shape: tuple[int, ...]

    def nbytes(self) -> int:
        """Bytes of such a tensor."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


class SimulatorProcess:
    """A loaded kmodel. `run` takes seconds; `close` (from any thread) ends it at once.

    Raises:
        SimulatorError: see there.
    """

    def __init__(self, kmodel: bytes) -> None:
        site = _site_packages()
        self._folder = Path(tempfile.mkdtemp(prefix="virtual-k230-kpu-"))
        (self._folder / "model.kmodel").write_bytes(kmodel)
        environment = {**os.environ, "TMPDIR": str(self._folder)}
        environment["PATH"] = f"{site}{os.pathsep}{environment.get('PATH', os.defpath)}"
        self._errors = (self._folder / "stderr").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).resolve()), str(self._folder / "model.kmodel"), str(site)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=self._folder,
            env=environment,
            start_new_session=True,  # so that the simulator program it starts can be ended together with it
        )
        try:
            specs, _ = self._receive(_LOAD_LIMIT_S)
        except SimulatorError:
            self.close()
            raise
        self.inputs = [TensorSpec(dtype, tuple(shape)) for dtype, shape in specs["inputs"]]
        self.outputs = [TensorSpec(dtype, tuple(shape)) for dtype, shape in specs["outputs"]]

    def run(self, inputs: list[Array]) -> list[Array]:
        """The outputs for contiguous inputs of the model's types and shapes."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(struct.pack("<I", len(inputs)))
            for array in inputs:
                stdin.write(struct.pack("<I", array.nbytes))
                stdin.write(np.ascontiguousarray(array).tobytes())
            stdin.flush()
        except OSError as error:
            raise SimulatorError(f"the KPU simulator ended: {self._last_words()}") from error
        reply, blob = self._receive(_RUN_LIMIT_S)
        outputs = []
        at = 0
        for dtype, shape in reply["outputs"]:
            spec = TensorSpec(dtype, tuple(shape))
            outputs.append(
                np.frombuffer(blob, dtype, offset=at, count=spec.nbytes() // np.dtype(dtype).itemsize).reshape(shape)
            )
            at += spec.nbytes()
        return outputs

    def _receive(self, limit_s: float) -> tuple[dict[str, Any], bytes]:
        stdout = self._process.stdout
        assert stdout is not None
        # The child may hang for ever in native code: the timer ends it, and reading then meets the end of the stream.
        timer = threading.Timer(limit_s, self._kill)
        timer.start()
        try:
            head = stdout.read(_MESSAGE.size)
            if len(head) < _MESSAGE.size:
                raise SimulatorError(f"the KPU simulator ended: {self._last_words()}")
            n_text, n_blob = _MESSAGE.unpack(head)
            message = json.loads(stdout.read(n_text))
            blob = stdout.read(n_blob)
        finally:
            timer.cancel()
        if "error" in message:
            raise SimulatorError(message["error"])
        return message, blob

    def _last_words(self) -> str:
        try:
            lines = (self._folder / "stderr").read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-_STDERR_LINES:]) or f"exit code {self._process.poll()}"

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, 9)
        except ProcessLookupError:
            pass  # it has already gone

    def close(self) -> None:
        """End the child and remove its folder."""
        self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # unsent input of a dead child
        shutil.rmtree(self._folder, ignore_errors=True)


def _site_packages() -> Path:
    """Where nncase lies.

    Raises:
        SimulatorError: nncase or its K230 part is missing.
    """
    spec = importlib.util.find_spec("_nncase")
    if spec is None or spec.origin is None:
        raise SimulatorError("the KPU simulator needs nncase: pip install nncase nncase-kpu (or choose --kpu onnx)")
    site = Path(spec.origin).parent
    program = site / "nncase.simulator.k230.sc"
    if not program.is_file():
        raise SimulatorError("the KPU simulator needs nncase-kpu: pip install nncase-kpu (or choose --kpu onnx)")
    if not os.access(program, os.X_OK):
        program.chmod(0o755)  # pip does not always keep the executable bit
    return site


# ---- the child -------------------------------------------------------------------------------------------------


def _send(out: BinaryIO, message: dict[str, Any], blob: bytes = b"") -> None:
    text = json.dumps(message).encode()
    out.write(_MESSAGE.pack(len(text), len(blob)) + text + blob)
    out.flush()


def child_main(model: str, site: str) -> None:
    """Load the model and answer until stdin ends."""
    # The simulator prints on stdout; our messages go through a private copy of it.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path.append(site)
    import _nncase

    simulator = _nncase.Simulator()
    try:
        simulator.load_model(Path(model).read_bytes())
    except RuntimeError as error:
        _send(out, {"error": str(error)})
        return
    inputs = [
        (np.dtype(simulator.get_input_desc(i).dtype).name, list(simulator.get_input_shape(i)))
        for i in range(simulator.inputs_size)
    ]
    outputs = [
        (np.dtype(simulator.get_output_desc(i).dtype).name, list(simulator.get_output_shape(i)))
        for i in range(simulator.outputs_size)
    ]
    _send(out, {"inputs": inputs, "outputs": outputs})
    stdin = sys.stdin.buffer
    while True:
        count = stdin.read(4)
        if len(count) < 4:
            return
        for i in range(struct.unpack("<I", count)[0]):
            data = stdin.read(struct.unpack("<I", stdin.read(4))[0])
            dtype, shape = inputs[i]
            array = np.frombuffer(data, dtype).reshape(shape).copy()
            simulator.set_input_tensor(i, _nncase.RuntimeTensor.from_numpy(array))
        try:
            simulator.run()
        except RuntimeError as error:
            _send(out, {"error": str(error)})
            continue
        results = [np.ascontiguousarray(simulator.get_output_tensor(i).to_numpy()) for i in range(len(outputs))]
        described = [(result.dtype.name, list(result.shape)) for result in results]
        _send(out, {"outputs": described}, b"".join(result.tobytes() for result in results))


if __name__ == "__main__":
    child_main(sys.argv[1], sys.argv[2])
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # stdin has ended: the parent was killed
