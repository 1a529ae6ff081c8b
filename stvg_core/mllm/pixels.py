"""From decoded frames to the model's pixels, without torchvision, and from a frame's boxes to the model's view.

transformers' own video processors need torchvision, which has no build for CPU-only machines; what they do for these
families is little (resize, scale, normalise), so it is read from the checkpoint's own configuration files and done
here. A frame is squashed to the model's size and never cropped, so a normalised box stays the same normalised box.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.utils import cached_file

from stvg_core.errors import ModelError
from stvg_core.tube import Array

_FILES = ("video_preprocessor_config.json", "processor_config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class PixelPreparation:
    """Resize (squash) -> rescale -> normalise, as the checkpoint's configuration says.

    Attributes:
        size: ``(height, width)`` of the model's input in pixels, or None where it follows the frame.
        resample: PIL's number of the filter.
        rescale: factor on 0..255 values.
        mean, std: per RGB channel.
    """

    size: tuple[int, int] | None
    resample: int
    rescale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_checkpoint(cls, model: str | Path, revision: str | None = None) -> PixelPreparation:
        """Read it from a local folder, or from a hub id at a revision.

        Raises:
            ModelError: no configuration file says how large the frames are, or the frames are cropped.
        """
        for name in _FILES:
            found = cached_file(
                str(model),
                name,
                revision=revision,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
            if found is None:
                continue
            values = json.loads(Path(found).read_text(encoding="utf-8"))
            values = values.get("video_processor", values)
            if "size" in values or "max_pixels" in values:
                return cls._from_values(values, name)
        raise ModelError(
            f"{model} has none of {', '.join(_FILES)} with a frame size; the frames cannot be prepared for it."
        )

    @classmethod
    def _from_values(cls, values: dict[str, Any], name: str) -> PixelPreparation:
        size = values.get("size") or {}
        fixed = isinstance(size, dict) and {"height", "width"} <= set(size)
        follows = "max_pixels" in values or (isinstance(size, dict) and {"shortest_edge", "longest_edge"} <= set(size))
        if not fixed and not follows:
            raise ModelError(f"{name} gives the frame size as {size}, which is not understood.")
        if values.get("do_center_crop"):
            raise ModelError(f"{name} asks for a centre crop, which would cut objects away; it is not supported.")
        return cls(
            size=(int(size["height"]), int(size["width"])) if fixed else None,
            resample=int(values.get("resample", Image.Resampling.BICUBIC)),
            rescale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
            mean=tuple(values["image_mean"]) if values.get("do_normalize", True) else (0.0,) * 3,
            std=tuple(values["image_std"]) if values.get("do_normalize", True) else (1.0,) * 3,
        )

    def __call__(self, pixels: Array, size: tuple[int, int] | None = None) -> torch.Tensor:
        """``(T, H, W, 3)`` uint8 RGB -> ``[T, 3, height, width]`` float32; ``size`` if the model has no fixed one."""
        target = self.size or size
        if target is None:
            raise ValueError("this model's input size follows the frame: it must be given")
        height, width = target
        small = np.empty((len(pixels), height, width, 3), dtype=np.uint8)
        for row, frame in zip(small, pixels, strict=True):
            row[:] = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling(self.resample)))
        scaled = torch.from_numpy(small).permute(0, 3, 1, 2).float() * self.rescale
        mean, std = torch.tensor(self.mean).view(1, 3, 1, 1), torch.tensor(self.std).view(1, 3, 1, 1)
        return (scaled - mean) / std
