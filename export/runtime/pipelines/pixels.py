"""Images, read pixel by pixel, to labels."""

from pathlib import Path
from typing import Any

import numpy as np

from export.runtime.pipelines.classification import Classification, Prediction
from zoo.errors import InvalidInput
from zoo.features import windows


class PixelClassification(Classification):
    """Classifies grey images of 0 (paper) to 255 (ink): an array [height, width] or [image, height, width], or a `.npy`
    or `.csv` file of one. Raises InvalidInput for another size, or values outside 0 to 255.
    """

    def __call__(self, raw: Any) -> list[Prediction]:
        array = np.asarray(windows.read(raw) if isinstance(raw, str | Path) else raw)
        side = int(np.sqrt(self.spec.window or 0))
        if array.ndim not in (2, 3) or array.shape[-2:] != (side, side):
            raise InvalidInput(
                f"{self.spec.name} takes images of {side} by {side} grey values; "
                f"this input has shape {list(array.shape)}."
            )
        if array.dtype.kind not in "uif" or not (np.min(array) >= 0 and np.max(array) <= 255):
            raise InvalidInput(
                f"{self.spec.name} takes grey values from 0 (paper) to 255 (ink); this input holds others."
            )
        return super().__call__(array.reshape(-1, side * side, 1).astype("float32"))
