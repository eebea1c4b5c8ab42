"""Child process: run a kmodel in Canaan's K230 simulator over some pictures. Started by `simulator`, never imported."""

from __future__ import annotations

import json
from pathlib import Path

import nncase
import numpy as np

from snaploop_host.compiling.child_process import start_as_child


def main() -> None:
    """Run spec.json's kmodel on its pictures (indices into an N×3×H×W uint8 .npy); each answer is an .npz of its own."""
    spec, answer = start_as_child()
    simulator = nncase.Simulator()
    simulator.load_model(Path(spec["kmodel"]).read_bytes())
    pixels = np.load(spec["pixels"], mmap_mode="r")
    expected = [1, *pixels.shape[1:]]
    shape = [int(side) for side in simulator.get_input_shape(0)]
    if shape != expected or pixels.dtype != np.uint8:  # the simulator itself checks nothing and returns numbers
        raise ValueError(f"the kmodel wants {shape} uint8, the pictures are {expected} {pixels.dtype}")
    for index in spec["indices"]:
        simulator.set_input_tensor(0, nncase.RuntimeTensor.from_numpy(np.ascontiguousarray(pixels[index : index + 1])))
        simulator.run()
        outputs = {
            f"o{number}": simulator.get_output_tensor(number).to_numpy() for number in range(simulator.outputs_size)
        }
        partial = Path(spec["folder"]) / f"{index:05d}.part.npz"
        np.savez(partial, **outputs)
        partial.replace(Path(spec["folder"]) / f"{index:05d}.npz")
    answer.write_text(json.dumps({"frames": len(spec["indices"])}))


if __name__ == "__main__":
    main()
