"""What shapes lie on: dull pictures, drawn from a seed in fractions of the frame.

"clutter" is what validation, test and demo clips have; the others are for training, so that the model does not learn
one kind of ground by heart.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

SUBPIXEL_BITS = 4
BRIGHTEST, BRIGHTEST_LIGHT = 165, 205  # white objects must stay visible

Picture = np.ndarray


def backdrop_of(kind: str, seed: int, width: int, height: int, noise: tuple[float, float]) -> tuple[Picture, float]:
    """uint8 RGB (height, width, 3), and the clip's noise level in grey values, which lies between ``noise``.

    Raises:
        KeyError: there is no such kind.
    """
    rng = np.random.default_rng(seed)
    sigma = float(rng.uniform(*noise))
    return KINDS[kind](rng, width, height), sigma


def _clutter(rng: np.random.Generator, width: int, height: int) -> Picture:
    """A texture in three sizes of grain, with lines and plates on it."""
    base = rng.uniform(45, 125) + rng.normal(0, 9, 3)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = base
    for cells, strength in ((4, rng.uniform(6, 20)), (13, rng.uniform(3, 12)), (40, rng.uniform(1, 7))):
        picture += _grain(rng, cells, strength, width, height)
    canvas = picture.clip(0, BRIGHTEST).astype(np.uint8)
    scale = np.array([width, height]) * (1 << SUBPIXEL_BITS)
    for _ in range(int(rng.integers(6, 22))):
        grey = rng.uniform(25, 150) + rng.normal(0, 8, 3)
        shade = tuple(float(v) for v in grey.clip(0, BRIGHTEST))
        ends = rng.uniform(-0.1, 1.1, (2, 2))
        if rng.random() < 0.5:
            thickness = max(1, round(rng.uniform(0.004, 0.02) * min(width, height)))
            first, second = (tuple(int(v) for v in e) for e in (ends * scale).round())
            cv2.line(canvas, first, second, shade, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            corners = ends[0] + rng.uniform(-0.14, 0.14, (int(rng.integers(3, 6)), 2))
            cv2.fillConvexPoly(
                canvas, cv2.convexHull((corners * scale).round().astype(np.int32)), shade, cv2.LINE_AA, SUBPIXEL_BITS
            )
    return canvas


def _plain(rng: np.random.Generator, width: int, height: int) -> Picture:
    """One dull colour."""
    return np.full((height, width, 3), _shade(rng, 10, BRIGHTEST), np.uint8)


def _gradient(rng: np.random.Generator, width: int, height: int) -> Picture:
    """From one dull colour to another, in any direction."""
    turn = rng.uniform(0, 2 * np.pi)
    across, down = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    share = ((np.cos(turn) * across + np.sin(turn) * down) / (abs(np.cos(turn)) + abs(np.sin(turn))) + 0.5)[..., None]
    first, second = _shade(rng, 10, BRIGHTEST), _shade(rng, 10, BRIGHTEST)
    blended: Picture = (first + share * (second.astype(float) - first)).astype(np.uint8)
    return blended


def _tiles(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Rectangles in two dull colours, like a floor."""
    first, second = _shade(rng, 20, BRIGHTEST), _shade(rng, 20, BRIGHTEST)
    columns, rows = rng.integers(3, 14, 2)
    odd = (np.arange(width) * columns // width + (np.arange(height) * rows // height)[:, None]) % 2
    tiled: Picture = np.where(odd[..., None] == 1, first, second).astype(np.uint8)
    return tiled


def _clouds(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Soft patches of all sizes, the larger the stronger, as photographs have them."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rng.uniform(30, 130) + rng.normal(0, 12, 3)
    strength = rng.uniform(15, 40)
    for cells in (3, 6, 12, 24, 48):
        picture += _grain(rng, cells, strength, width, height)
        strength *= 0.55
    return picture.clip(0, BRIGHTEST).astype(np.uint8)


def _light(rng: np.random.Generator, width: int, height: int) -> Picture:
    """A bright wall with a little texture."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rng.uniform(150, 195) + rng.normal(0, 6, 3)
    picture += _grain(rng, 8, rng.uniform(1, 8), width, height)
    return picture.clip(0, BRIGHTEST_LIGHT).astype(np.uint8)


def _grain(rng: np.random.Generator, cells: int, strength: float, width: int, height: int) -> Picture:
    """Random patches, ``cells`` in each direction, mostly grey."""
    coarse = rng.normal(0, strength, (cells, cells, 1)) + rng.normal(0, strength * 0.25, (cells, cells, 3))
    grain: Picture = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return grain


def _shade(rng: np.random.Generator, darkest: float, brightest: float) -> Picture:
    """A dull colour."""
    shade: Picture = (rng.uniform(darkest, brightest) + rng.normal(0, 14, 3)).clip(0, brightest).astype(np.uint8)
    return shade


KINDS: dict[str, Callable[[np.random.Generator, int, int], Picture]] = {
    "clutter": _clutter, "plain": _plain, "gradient": _gradient, "tiles": _tiles, "clouds": _clouds, "light": _light,
}  # fmt: skip
