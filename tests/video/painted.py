"""Clips whose every picture says its own number: ten black or white cells along the top edge, one per bit."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, BITS = 160, 96, 10
CELL = WIDTH // BITS


def painted(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """``(H, W, 3)`` uint8: the number in binary on top; grey below, red in the lower right corner."""
    picture = np.full((height, width, 3), 100, dtype=np.uint8)
    cell = width // BITS
    for bit in range(BITS):
        picture[: height // 3, bit * cell : (bit + 1) * cell] = 235 if number >> bit & 1 else 20
    picture[-height // 4 :, -width // 4 :] = (220, 30, 30)
    return picture


def read_number(picture: np.ndarray) -> int:
    """The number painted on an upright picture of any size."""
    height, width = picture.shape[:2]
    row = picture[height // 6].mean(axis=1)
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return sum(1 << bit for bit in range(BITS) if row[centres[bit]] > 128)


def write_painted(
    path: Path,
    n_frames: int,
    rate: Fraction | int = 25,
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    codec: str = "libx264",
    gop: int = 12,
    sound: bool = False,
) -> Path:
    """A real file with B-frames: frame i shows the number i at ``pts[i] * time_base`` (default: i / rate)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "bf": "2", "threads": "1"}
            stream.codec_context.max_b_frames = 2
        if time_base is not None:
            stream.time_base = stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        voice = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base or 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(voice.encode(silence))
            container.mux(voice.encode(None))
    return path
