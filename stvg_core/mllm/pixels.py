"""From decoded frames to the model's pixels, without torchvision, and from a frame's boxes to the model's view.

transformers' own video processors need torchvision, which has no build for CPU-only machines; what they do for these
families is little (resize, crop, scale, normalise), so it is read from the checkpoint's own configuration files and
done here. By default a frame is squashed into the model's square and never cropped: objects at its border are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from stvg_core.errors import ModelError
from stvg_core.mllm.preprocessor import read_preprocessor
from stvg_core.tube import Array

Fit = Literal["squash", "checkpoint"]


@dataclass(frozen=True)
class PixelPreparation:
    """Resize -> crop -> rescale -> normalise.

    Attributes:
        size: ``(height, width)`` of the model's input in pixels, or None where it follows the frame.
        resample: PIL's number of the filter.
        rescale: factor on 0..255 values.
        mean, std: per RGB channel.
        shortest_edge: the frame keeps its shape, its shorter side gets so many pixels, and ``size`` is cropped from its
            centre (black where the frame does not reach); None squashes the frame to ``size``.
    """

    size: tuple[int, int] | None
    resample: int
    rescale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    shortest_edge: int | None = None

    @classmethod
    def from_checkpoint(
        cls, model: str | Path, revision: str | None = None, *, fit: Fit = "squash"
    ) -> PixelPreparation:
        """Read it from a local folder, or from a hub id at a revision.

        Args:
            fit: "squash" fits the whole frame into the model's square; "checkpoint" resizes and crops exactly as the
                checkpoint asks, which cuts objects away where it asks for a centre crop. Both are the same where it
                asks for none, and where the input follows the frame (the Qwen families).

        Raises:
            ModelError: no configuration file says how large the frames are, or it says so in a way not known here.
        """
        found = read_preprocessor(model, revision)
        mean = found.mean if found.normalised else (0.0,) * 3
        std = found.std if found.normalised else (1.0,) * 3
        if fit == "squash" or found.crop is None:
            return cls(found.square(), found.resample, found.rescale, mean, std)
        if found.shortest_edge is None:
            raise ModelError(
                f"{model} asks for a crop from a resized square, which is not supported; take fit squash instead."
            )
        return cls(found.crop, found.resample, found.rescale, mean, std, found.shortest_edge)

    def __call__(self, pixels: Array, size: tuple[int, int] | None = None) -> torch.Tensor:
        """``(T, H, W, 3)`` uint8 RGB -> ``[T, 3, height, width]`` float32; ``size`` if the model has no fixed one."""
        target = self.size or size
        if target is None:
            raise ValueError("this model's input size follows the frame: it must be given")
        height, width = target
        (rows, columns), (top, left) = self._placed(pixels.shape[1], pixels.shape[2], height, width)
        # A frame smaller than the crop lies in the middle of black.
        visible = np.zeros((len(pixels), height, width, 3), dtype=np.uint8)
        y, x = max(0, -top), max(0, -left)
        for shown, frame in zip(visible, pixels, strict=True):
            resized = _resized(frame, rows, columns, self.resample)
            part = resized[max(0, top) : top + height, max(0, left) : left + width]
            shown[y : y + len(part), x : x + part.shape[1]] = part
        scaled = torch.from_numpy(visible).permute(0, 3, 1, 2).float() * self.rescale
        mean, std = torch.tensor(self.mean).view(1, 3, 1, 1), torch.tensor(self.std).view(1, 3, 1, 1)
        return (scaled - mean) / std

    def view(self, boxes: Array, frame_size: tuple[int, int]) -> Array:
        """Normalised xyxy boxes ``(..., 4)`` of a frame of ``(H, W)`` pixels -> of what the model sees of it.

        What lies outside of the model's view is clipped; a box wholly outside becomes NaN, like an absent one.
        """
        if self.size is None or self.shortest_edge is None:
            return boxes
        height, width = self.size
        (rows, columns), (top, left) = self._placed(*frame_size, height, width)
        return into_window(boxes, (left / columns, top / rows), (width / columns, height / rows))

    def _placed(self, frame_h: int, frame_w: int, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size of the resized frame, and where in it the view's top left corner lies (negative: beside it)."""
        if self.shortest_edge is None:
            return (height, width), (0, 0)
        short, long = sorted((frame_h, frame_w))
        longer = int(self.shortest_edge * long / short)
        rows, columns = (longer, self.shortest_edge) if frame_h >= frame_w else (self.shortest_edge, longer)
        return (rows, columns), ((rows - height) // 2, (columns - width) // 2)


def into_window(boxes: Array, corner: tuple[float, float], extent: tuple[float, float]) -> Array:
    """Normalised boxes -> normalised in a window of them, clipped; NaN where nothing of a box is inside.

    Args:
        corner: the window's top left ``(x, y)`` in the boxes' own unit.
        extent: its ``(width, height)``.
    """
    moved = (np.asarray(boxes, dtype=np.float64) - np.array([*corner, *corner])) / np.array([*extent, *extent])
    clipped = np.clip(moved, 0.0, 1.0)
    empty = (clipped[..., 2] <= clipped[..., 0]) | (clipped[..., 3] <= clipped[..., 1])
    kept: Array = np.where(empty[..., None], np.nan, clipped)
    return kept


def _resized(frame: Array, rows: int, columns: int, resample: int) -> Array:
    """``(H, W, 3)`` uint8 -> ``(rows, columns, 3)``; a frame that has that size already needs no Pillow."""
    if frame.shape[:2] == (rows, columns):
        return frame
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((columns, rows), Image.Resampling(resample)))
