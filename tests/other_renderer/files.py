"""A scene as a file."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from tests.other_renderer.painting import pictures
from tests.other_renderer.scene import Scene


def write(path: str | Path, scene: Scene) -> Path:
    """Encode the scene as an mp4 with its own codec, rate and quality."""
    path = Path(path)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(scene.codec, rate=scene.rate)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.options = {"crf": str(scene.crf), "preset": "veryfast", "g": str(round(2 * scene.rate)), "threads": "1"}
        if scene.codec == "libx265":
            stream.options = {**stream.options, "x265-params": "pools=1:frame-threads=1:log-level=error"}
        for number, picture in enumerate(pictures(scene)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, 1 / scene.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
