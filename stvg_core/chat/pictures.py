"""Pictures as they are sent: within a budget, as JPEG with full colour, so that painted digits stay red."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from stvg_core.tube import Array

QUALITY = 88
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DIGIT_HEIGHT = 21  # pixels of the font at scale 1


def fitted(pixels: Array, side: int) -> Array:
    """``(H, W, 3)`` with at most ``side`` pixels along its longer side; never enlarged."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def jpeg(pixels: Array) -> bytes:
    """``(H, W, 3)`` uint8 RGB as a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def paint(
    pixels: Array, text: str, centre: tuple[float, float], height: float, colour: tuple[int, int, int],
    outline: tuple[int, int, int],
) -> None:  # fmt: skip
    """Write into ``(H, W, 3)`` pixels, in place, with a thin outline, so that it is read on any ground.

    Args:
        centre: of the text, in pixels. It is moved so that all of it lies inside of the picture, where it fits.
        height: of a digit in pixels.
    """
    scale = height / _DIGIT_HEIGHT
    thick = max(1, round(height / 8))
    (width, tall), _ = cv2.getTextSize(text, _FONT, scale, thick)
    border = thick + 2
    left = _inside(centre[0] - width / 2, border, pixels.shape[1] - width - border)
    bottom = _inside(centre[1] + tall / 2, tall + border, pixels.shape[0] - border)
    for shade, wide in ((outline, thick + 4), (colour, thick)):
        cv2.putText(pixels, text, (left, bottom), _FONT, scale, shade, wide, cv2.LINE_AA)


def _inside(value: float, low: float, high: float) -> int:
    return round(max(low, min(value, high))) if low <= high else round(value)
