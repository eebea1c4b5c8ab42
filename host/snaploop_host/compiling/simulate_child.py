"""Child process: run a kmodel in Canaan's K230 simulator over some pictures. Started by `simulator`, never imported."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
    operators = Path(spec["folder"]) / spec["operators"]
    for index in spec["indices"]:
        simulator.set_input_tensor(0, nncase.RuntimeTensor.from_numpy(np.ascontiguousarray(pixels[index : index + 1])))
        if operators.exists():
            simulator.run()
        else:
            simulator.set_profiling(
                1
            )  # it prints a table on stdout and measures our own computer, but its names are true
            with _printed(Path("profile.txt")):
                simulator.run()
            simulator.set_profiling(0)
            _write_whole(operators, json.dumps(interpreted_operators(Path("profile.txt").read_text())))
        outputs = {
            f"o{number}": simulator.get_output_tensor(number).to_numpy() for number in range(simulator.outputs_size)
        }
        partial = Path(spec["folder"]) / f"{index:05d}.part.npz"
        np.savez(partial, **outputs)
        partial.replace(Path(spec["folder"]) / f"{index:05d}.npz")
    answer.write_text(json.dumps({"frames": len(spec["indices"])}))


@contextmanager
def _printed(file: Path) -> Iterator[None]:
    """Send what is printed inside, from C too, to a file."""
    sys.stdout.flush()
    kept, target = os.dup(1), os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(target, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(target)
        os.close(kept)


def interpreted_operators(table: str) -> dict[str, int]:
    """Operators and their number in the simulator's profile; calls into the KPU and instructions of the interpreter are left out."""
    rows = table.partition("stackvm OPs profile")[2].splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:3]] for row in rows if row.startswith("|")]
    counted: Counter[str] = Counter()
    for row in cells:
        if len(row) == 2 and row[1].isdigit() and row[0].islower() and row[0] != "total":
            counted[row[0]] += int(row[1])
    return dict(counted)


def _write_whole(file: Path, text: str) -> None:
    partial = file.with_suffix(f".{os.getpid()}.part")  # two children may do so at once, with the same words
    partial.write_text(text)
    partial.replace(file)


if __name__ == "__main__":
    main()
