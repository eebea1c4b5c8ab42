"""What a kmodel does with the camera's uint8 pixels before its first layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Preprocess:
    """Pixels 0…255 become (pixel / 255 - mean) / std, per RGB channel."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(…, 3, H, W) uint8 as the float model wants it."""
        mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (self.mean, self.std))
        return ((pixels.astype(np.float32) / 255 - mean) / std).astype(np.float32, copy=False)


UNIT_RANGE = Preprocess()
"""0…1, as ultralytics trains."""
IMAGENET = Preprocess((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""As timm's and torchvision's backbones are trained."""
