"""What does a checkpoint say about its frames? Reads its preprocessor files; nothing is done to a pixel here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from stvg_core.errors import ModelError

_FILES = ("video_preprocessor_config.json", "processor_config.json", "preprocessor_config.json")
BICUBIC = 3  # Pillow's number; Pillow itself is needed only where a frame is resized


@dataclass(frozen=True)
class Preprocessor:
    """The settings of a checkpoint's video (or image) processor that decide what the model sees.

    Attributes:
        fixed: ``(height, width)`` to resize to, where it names one.
        shortest_edge: pixels of the shorter side to resize to, where it names that alone.
        crop: ``(height, width)`` of a centre crop after the resize, if it asks for one.
        resample: PIL's number of the filter.
        rescale: factor on 0..255 values.
        normalised: whether ``mean`` and ``std`` (per RGB channel) are applied.

    All of ``fixed``, ``shortest_edge`` and ``crop`` are None where the input follows the frame's own shape.
    """

    fixed: tuple[int, int] | None
    shortest_edge: int | None
    crop: tuple[int, int] | None
    resample: int
    rescale: float
    normalised: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def square(self) -> tuple[int, int] | None:
        """The size of the model's input."""
        return self.crop or self.fixed


def read_preprocessor(model: str | Path, revision: str | None = None) -> Preprocessor:
    """Read it from a local folder, or from a hub id at a revision.

    Raises:
        ModelError: no file says how large the frames are, or a file is broken or says it in a way not known here.
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
        try:
            values = json.loads(Path(found).read_text(encoding="utf-8"))
            values = values.get("video_processor", values)
            if "size" in values or "max_pixels" in values:
                return _parse(values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{name} of {model} cannot be used to prepare frames: {error}") from error
    raise ModelError(
        f"{model} has none of {', '.join(_FILES)} with a frame size; the frames cannot be prepared for it."
    )


def _parse(values: dict[str, Any]) -> Preprocessor:
    size = values.get("size") or {}
    fixed = shortest_edge = None
    if isinstance(size, dict) and {"height", "width"} <= set(size):
        fixed = int(size["height"]), int(size["width"])
    elif "max_pixels" in values or (isinstance(size, dict) and {"shortest_edge", "longest_edge"} <= set(size)):
        pass  # a budget of pixels: the input follows the frame
    elif isinstance(size, dict) and "shortest_edge" in size and values.get("do_center_crop"):
        shortest_edge = int(size["shortest_edge"])
    else:
        raise ValueError(f"the frame size is given as {size}, which is not understood")
    normalised = bool(values.get("do_normalize", True))
    return Preprocessor(
        fixed=fixed,
        shortest_edge=shortest_edge,
        crop=_crop(values["crop_size"]) if values.get("do_center_crop") else None,
        resample=int(values.get("resample", BICUBIC)),
        rescale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        normalised=normalised,
        mean=tuple(float(value) for value in values["image_mean"]) if normalised else (),
        std=tuple(float(value) for value in values["image_std"]) if normalised else (),
    )


def _crop(size: Any) -> tuple[int, int]:
    return (int(size["height"]), int(size["width"])) if isinstance(size, dict) else (int(size), int(size))
