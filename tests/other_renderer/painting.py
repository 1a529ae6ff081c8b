"""Pictures by NumPy alone: every pixel is the mean of 16 points, so that edges lie exactly where the numbers say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.other_renderer.scene import Scene

_POINTS = (np.arange(4) + 0.5) / 4


def pictures(scene: Scene) -> Iterator[np.ndarray]:
    """Every frame, ``(H, W, 3)`` uint8 RGB."""
    rng = np.random.default_rng(scene.seed + 1)
    ground = backdrop(scene, rng)
    grain = rng.normal(0, scene.noise, (scene.height + 40, scene.width + 40, 1)).astype(np.float32)
    poses = [thing.poses(np.arange(scene.n_frames), scene.fps) for thing in scene.things]
    for frame in range(scene.n_frames):
        canvas = ground.copy()
        for thing, pose in zip(scene.things, poses, strict=True):
            x, y, radius, opacity = pose[frame]
            left, top = max(int(x - radius) - 1, 0), max(int(y - radius) - 1, 0)
            right, bottom = min(int(x + radius) + 2, scene.width), min(int(y + radius) + 2, scene.height)
            if left >= right or top >= bottom:
                continue
            share = opacity * cover(thing.shape, (x, y), radius, (left, top, right, bottom))[..., None]
            window = canvas[top:bottom, left:right]
            window += share * (np.array(thing.tint, np.float32) - window)
        dy, dx = rng.integers(0, 40, 2)
        canvas += grain[dy : dy + scene.height, dx : dx + scene.width]
        yield (canvas + 0.5).clip(0, 255).astype(np.uint8)


def cover(shape: str, centre: tuple[float, float], radius: float, window: tuple[int, int, int, int]) -> np.ndarray:
    """Which share of each pixel of a window ``(left, top, right, bottom)`` a shape covers, ``(h, w)`` float32."""
    left, top, right, bottom = window
    x = ((np.arange(left, right)[:, None] + _POINTS).ravel() - centre[0]) / radius
    y = ((np.arange(top, bottom)[:, None] + _POINTS).ravel() - centre[1]) / radius
    inside = _inside(shape, x[None, :], y[:, None])
    blocks = inside.reshape(bottom - top, 4, right - left, 4)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _inside(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points lie in a shape that spans -1 to 1 on both axes."""
    square = (abs(x) <= 1) & (abs(y) <= 1)
    if shape == "square":
        return square
    if shape == "circle":
        return np.asarray(x * x + y * y <= 1)
    if shape == "ring":
        distance = x * x + y * y
        return np.asarray((distance <= 1) & (distance >= 0.55**2))
    if shape == "cross":
        return np.asarray(square & ((abs(x) <= 0.32) | (abs(y) <= 0.32)))
    if shape == "triangle":
        return np.asarray(square & (abs(x) <= (y + 1) / 2))
    # Of a star with five tips, stretched to the square: in polar form, between a tip and a dent the edge is straight.
    across, above, below = np.sin(2 * np.pi / 5), 1.0, np.cos(np.pi / 5)
    px, py = x * across, (y + 1) / 2 * (above + below) - above
    angle = np.abs((np.arctan2(px, -py) + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5)  # from the nearest tip
    dent = 0.42
    dx, dy = dent * np.sin(np.pi / 5), dent * np.cos(np.pi / 5) - 1
    distance = np.hypot(px, py)
    # The line from the tip (0, 1) to the dent (dx, 1 + dy); inside is the side of the centre.
    return np.asarray(dx * (distance * np.cos(angle) - 1) - dy * distance * np.sin(angle) <= 0)


def backdrop(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """``(H, W, 3)`` float32 of one kind and lightness."""
    height, width = scene.height, scene.width
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cast = rng.normal(0, 8, 3).astype(np.float32)
    if scene.backdrop == "gradient":
        slope = rng.uniform(-45, 45, 2)
        grey = slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5)
    elif scene.backdrop == "tiles":
        step = rng.uniform(0.06, 0.2) * min(width, height)
        shades = rng.normal(0, 13, (64, 64))
        grey = shades[(y / step).astype(int) % 64, (x / step).astype(int) % 64]
    elif scene.backdrop == "stripes":
        angle, step = rng.uniform(0, np.pi), rng.uniform(0.03, 0.15) * min(width, height)
        grey = rng.uniform(6, 16) * np.sign(np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / step))
    elif scene.backdrop == "photo":  # as in photographs, coarse structures are the strong ones
        fx, fy = np.meshgrid(np.fft.rfftfreq(width), np.fft.fftfreq(height))
        spectrum = np.fft.rfft2(rng.normal(0, 1, (height, width))) / np.maximum(np.hypot(fx, fy), 2e-3) ** 1.1
        grey = np.fft.irfft2(spectrum, (height, width))
        grey *= rng.uniform(12, 24) / grey.std()
    else:
        grey = np.zeros((height, width))
    return np.asarray((scene.light + cast + np.asarray(grey, np.float32)[..., None]).clip(0, 255), np.float32)
