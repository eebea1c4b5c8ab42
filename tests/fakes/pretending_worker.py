"""A training worker for tests of the job runner: a real process with the real files, that only pretends to train.

job.json's parameters steer it: {"pretend": "succeed" | "refuse" | "gate" | "error" | "crash" | "wait"}; "wait" works until
SIGTERM, or until a file called `go` lies in the job's folder.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]


def main(folder: Path) -> int:
    job = json.loads((folder / "job.json").read_text())
    pretend = job["parameters"].get("pretend", "succeed")

    def say(kind: str, **fields: object) -> None:
        with (folder / "events.jsonl").open("a") as events:
            events.write(json.dumps({"t": time.time(), "kind": kind, **fields}) + "\n")

    def stop(_sign: int, _frame: object) -> None:
        say("cancelled")
        sys.exit(3)

    signal.signal(signal.SIGTERM, stop)
    say("stage", stage="train")
    say("epoch", epoch=1, epochs=2, losses={"box": 1.5, "cls": 1.0}, metrics={"map50": 0.2, "map50_95": 0.1}, eta_s=4)
    print("pretending to train")
    if pretend == "crash":
        print("Segmentation fault (pretended)")
        return 139
    if pretend == "wait":
        while not (folder / "go").exists():
            time.sleep(0.05)
    if pretend == "gate":
        say("error", text="the kmodel loses too much", refused=True)
        return 1
    if pretend == "error":
        say("error", text="no two photos alike: take more")
        return 1
    say("epoch", epoch=2, epochs=3, losses={"box": 1.0, "cls": 0.5}, metrics={"map50": 0.9, "map50_95": 0.7}, eta_s=2)
    say("epoch", epoch=3, epochs=3, losses={"box": 1.0, "cls": 0.4}, metrics={}, eta_s=0)
    from fakes.host_folder import write_artifacts

    kmodel = b"LDMK\x07\x00\x00\x00kmodel of run " + str(job["run_id"]).encode()
    write_artifacts(folder / "artifacts", passed=pretend != "refuse", kmodel=kmodel)
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
