"""Are a prediction's boxes pixels of the truth's picture? Those of a half-size copy would all be wrong, unseen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.samples import Prediction, Truth

ROUNDED = 2
"""Pixels: sides of scaled pictures are rounded, often to even numbers."""
BEYOND = 1.02
"""A box may leave its picture by so much; farther out it is one of a larger picture."""

Size = tuple[int, int]


@dataclass
class Fitting:
    """Brings predictions to the truth's picture, one after the other, and keeps what is to be said of them.

    Attributes:
        scale: boxes of a picture of another size may be scaled.
        scaled: how many were.
        outside: how many do not say their size, and have a box far outside of the truth's picture.
    """

    scale: bool = False
    scaled: int = 0
    outside: int = 0
    _refused: list[str] = field(default_factory=list)
    _unlike: int = 0
    _unknown: list[str] = field(default_factory=list)

    def fit(self, prediction: Prediction, truth: Truth) -> Prediction:
        """The prediction with boxes in pixels of the truth's picture; where it cannot be had, :meth:`check` raises."""
        if not len(prediction.boxes):
            return prediction
        if prediction.size is None:
            if not truth.size_known:
                self._unknown.append(truth.video)
            self.outside += bool((prediction.boxes[:, 2:] > np.multiply(truth.size, BEYOND)).any())
            return prediction
        if prediction.size == truth.size:
            return prediction
        if truth.size_known and not (self.scale and alike(prediction.size, truth.size)):
            self._unlike += not alike(prediction.size, truth.size)
            self._refused.append(f"{truth.video}: {_words(prediction.size)}, the truth's {_words(truth.size)}")
            return prediction
        self.scaled += truth.size_known
        factors = np.divide(truth.size, prediction.size)
        return replace(prediction, boxes=prediction.boxes * (*factors, *factors), size=truth.size)

    def check(self) -> None:
        """Raises DatasetError where a comparison would have been of boxes of different pictures."""
        if self._unknown:
            raise DatasetError(
                f"{len(self._unknown)} truths are of videos that were never read ({self._unknown[0]}), and their "
                'predictions do not say of which size their pictures are. Give each "width" and "height".'
            )
        if not self._refused:
            return
        said = f"{len(self._refused)} predictions are of pictures of another size than the truth's ({self._refused[0]}"
        said += f", and {len(self._refused) - 1} more). " if len(self._refused) > 1 else "). "
        if self._unlike:
            raise DatasetError(
                f"{said}{self._unlike} of them have another shape, too: one picture was cut, padded or turned, and "
                "boxes cannot be scaled. Predict on the truth's own videos."
            )
        raise DatasetError(f"{said}Their boxes are not those of the truth's picture: --scale-boxes scales them to it.")


def alike(one: Size, other: Size) -> bool:
    """Could one picture be the other, enlarged or made smaller? Up to the rounding of its sides."""
    (width, height), (larger, higher) = sorted((one, other))
    return min(abs(height - higher * width / larger), abs(width - larger * height / higher)) <= ROUNDED


def _words(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
