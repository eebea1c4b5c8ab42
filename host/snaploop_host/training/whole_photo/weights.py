"""Where pretrained weights of the backbone lie, when somebody put them there. No torch: plans and estimates ask for it too."""

from __future__ import annotations

from pathlib import Path

BACKBONE = "mobilenetv2_100"
WEIGHTS_FOLDER = Path("weights")
WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin")


def pretrained_file(folder: Path, name: str = BACKBONE) -> Path | None:
    """Weights of a network, by default of the backbone: any file that begins with its name."""
    if not folder.is_dir():
        return None
    found = (path for path in folder.iterdir() if path.name.startswith(name) and path.suffix in WEIGHTS_SUFFIXES)
    return min(found, default=None)
