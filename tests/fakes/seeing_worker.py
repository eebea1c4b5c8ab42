"""A training worker that pretends to train, and then gives a model that really sees: the twin of twin_model.py for the job's classes.

Called as `seeing_worker.py TWINS JOB`; the kmodel and its ONNX twin also go to the folder TWINS, for `virtual-k230 --onnx TWINS`.
"""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

EPOCHS = 12
EPOCH_S = 0.15


def main(twins: Path, folder: Path) -> int:
    from fakes.host_folder import write_artifacts
    from fakes.twin_model import INPUT_H, INPUT_W, make_twin
    from snaploop_shared.manifest import HEAD_GFL

    job = json.loads((folder / "job.json").read_text())
    labels = tuple(job["classes"])

    def say(kind: str, **fields: object) -> None:
        with (folder / "events.jsonl").open("a") as events:
            events.write(json.dumps({"t": time.time(), "kind": kind, **fields}) + "\n")

    say("stage", stage="train")
    for epoch in range(1, EPOCHS + 1):
        time.sleep(EPOCH_S)
        metrics = {"map50": epoch / EPOCHS, "map50_95": 0.8 * epoch / EPOCHS}
        say("epoch", epoch=epoch, epochs=EPOCHS, losses={"box": 2 / epoch, "cls": 1 / epoch}, metrics=metrics, eta_s=1)
    twin = make_twin(twins, labels, HEAD_GFL)
    golden = {"input_sha256": sha256(twin.golden).hexdigest(), "input_bytes": len(twin.golden), "answer": twin.answer}
    artifacts = folder / "artifacts"
    write_artifacts(
        artifacts,
        kmodel=twin.kmodel,
        head=twin.head,
        labels=list(labels),
        input=[INPUT_W, INPUT_H],
        thresholds={"score": 0.4, "iou": 0.3},
        golden=golden,
    )
    (artifacts / "golden_input.bin").write_bytes(twin.golden)
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
