"""Training pixels: frames drawn small and squashed to the model's square, then worn as a video file would
wear them.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from stvg_core.demo.recipe.architecture import IMAGE_SIZE
from stvg_core.demo.scenes import Scene, render


def training_frames(rng: np.random.Generator, scene: Scene, frames: np.ndarray) -> np.ndarray:
    """Degraded frames, uint8 RGB (T, 96, 96, 3)."""
    side = IMAGE_SIZE * (2 if rng.random() < 0.3 else 1)  # now and then drawn large and shrunk, as decoded frames are
    pictures = render(scene, frames, (side, side))
    blur = rng.uniform(0.3, 0.9) if rng.random() < 0.4 else 0.0
    quality = int(rng.integers(20, 96)) if rng.random() < 0.4 else 0
    gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-12, 12)
    table = (np.arange(256) * gain + offset).clip(0, 255).astype(np.uint8)
    out = np.empty((len(pictures), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for index, picture in enumerate(pictures):
        if side != IMAGE_SIZE:
            picture = cv2.resize(picture, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
        if blur:
            picture = cv2.GaussianBlur(picture, (3, 3), blur)
        if quality:
            coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        out[index] = cv2.LUT(picture, table)
    return out


def to_pixel_values(frames: np.ndarray) -> torch.Tensor:
    """uint8 (..., H, W, 3) to what the model takes: float (..., 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1.0
