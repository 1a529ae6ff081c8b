"""How a scene looks: shapes on a backdrop, sensor noise.

Everything is drawn from fractions of the frame, so the same scene can be drawn small and squashed for
training or at the clip's size for a video file.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stvg_core.demo.backdrops import SUBPIXEL_BITS, backdrop_of
from stvg_core.demo.domain import USUAL


def draw_frames(
    poses: np.ndarray,
    shapes: Sequence[tuple[str, tuple[int, int, int]]],
    reach: tuple[float, float],
    frames: np.ndarray,
    seed: int,
    width: int,
    height: int,
    kind: str = "clutter",
    noise: tuple[float, float] = USUAL.noise,
) -> np.ndarray:
    """uint8 RGB (T, height, width, 3).

    ``poses`` (objects, T, 4): centre x, y, half, opacity; ``shapes``: name and RGB of each object; ``reach``:
    what half = 1 spans in fractions of the frame; ``frames`` (T,): the frame numbers, which seed the noise;
    ``kind``: of the backdrop; ``noise``: between which grey values the sensor's lies.
    """
    backdrop, sigma = backdrop_of(kind, seed, width, height, noise)
    sheet = _noise_sheet(seed, sigma, width, height)
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for t, frame in enumerate(frames):
        canvas = backdrop.copy()
        for (name, tint), (x, y, half, opacity) in zip(shapes, poses[:, t], strict=True):
            _draw_shape(canvas, name, tint, (x, y), (half * reach[0], half * reach[1]), opacity)
        top, left = int(frame * 7919 % 29), int(frame * 104729 % 31)  # another cut of the sheet in every frame
        cv2.add(canvas, sheet[top : top + height, left : left + width], dst=out[t], dtype=cv2.CV_8U)
    return out


def _draw_shape(
    canvas: np.ndarray,
    name: str,
    tint: tuple[int, int, int],
    centre: tuple[float, float],
    half: tuple[float, float],
    opacity: float,
) -> None:
    height, width = canvas.shape[:2]
    scale = np.array([width, height], dtype=float)
    middle, reach = np.array(centre) * scale, np.array(half) * scale
    # Pixel centres are at +0.5 in the fractions' plane and at 0 in OpenCV's.
    outlines = [
        np.round((middle + path * reach - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32) for path in OUTLINES[name]
    ]
    if opacity >= 0.999:
        cv2.fillPoly(canvas, outlines, tint, cv2.LINE_AA, SUBPIXEL_BITS)
        return
    left, top = np.floor(middle - reach).astype(int) - 1
    right, bottom = np.ceil(middle + reach).astype(int) + 2
    window = (slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
    below = canvas[window].copy()
    if below.size == 0:
        return
    cv2.fillPoly(canvas, outlines, tint, cv2.LINE_AA, SUBPIXEL_BITS)
    canvas[window] = cv2.addWeighted(canvas[window], opacity, below, 1 - opacity, 0)


def _noise_sheet(seed: int, sigma: float, width: int, height: int) -> np.ndarray:
    """Sensor noise, int16, somewhat larger than a frame: frames take different cuts of it."""
    rng = np.random.default_rng(seed + 1)
    return (rng.standard_normal((height + 29, width + 31, 3), dtype=np.float32) * sigma).round().astype(np.int16)


def _circle(radius: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _star() -> np.ndarray:
    angle = -np.pi / 2 + np.arange(10) * np.pi / 5
    points = np.where(np.arange(10) % 2, 0.4, 1.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    spanning: np.ndarray = (points - low) / (high - low) * 2 - 1
    return spanning


def _cross() -> np.ndarray:
    arm = 0.34
    quarter = np.array([[arm, -1], [arm, -arm], [1, -arm]])
    turn = np.array([[0, 1], [-1, 0]])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


# Outlines in units of half an extent, each reaching from -1 to 1 on both axes; two paths make a hole.
OUTLINES: dict[str, list[np.ndarray]] = {
    "circle": [_circle(1.0)],
    "square": [np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)],
    "triangle": [np.array([[0, -1], [1, 1], [-1, 1]], dtype=float)],
    "star": [_star()],
    "cross": [_cross()],
    "ring": [_circle(1.0), _circle(0.52)],
}
