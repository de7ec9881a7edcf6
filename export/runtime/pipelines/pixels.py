"""Images, read pixel by pixel, to labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from export.runtime.pipelines.classification import Classification, Prediction
from zoo.errors import InvalidInput
from zoo.features import windows


@dataclass(frozen=True)
class PixelPrediction(Prediction):
    """What an image shows; `example` is its number."""

    def cells(self) -> tuple[str, ...]:
        return str(self.example), *super().cells()[1:]


class PixelClassification(Classification):
    """Classifies grey images of 0 (paper) to 255 (ink): an array [height, width] or [image, height, width], or a `.npy`
    or `.csv` file of one. Raises InvalidInput for another size, values outside 0 to 255, or values scaled to 0..1.
    """

    COLUMNS = ("image", "label", "score")
    RIGHT = ("image", "score")

    def __call__(self, raw: Any) -> list[Prediction]:
        array = windows.array(raw)
        side = int(np.sqrt(self.spec.window or 0))
        if array.ndim not in (2, 3) or array.shape[-2:] != (side, side) or not array.size:
            raise InvalidInput(
                f"{self.spec.name} takes images of {side} by {side} grey values; "
                f"this input has shape {list(array.shape)}."
            )
        takes = f"{self.spec.name} takes grey values from 0 (paper) to 255 (ink)"
        if array.dtype.kind not in "uif" or not (np.min(array) >= 0 and np.max(array) <= 255):
            raise InvalidInput(f"{takes}; this input holds others.")
        if 0 < np.max(array) <= 1:
            raise InvalidInput(
                f"{takes}; the largest here is {np.max(array):.4g}, which looks scaled to 0..1. Multiply by 255."
            )
        found = super().__call__(array.reshape(-1, side * side, 1).astype("float32"))
        return [PixelPrediction(**vars(answer)) for answer in found]
