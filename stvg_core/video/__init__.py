"""From a file to frames: frame index i is always the i-th picture that a player shows.

``probe`` says what a file holds and refuses what cannot be used, ``VideoReader`` keeps it open and gives its frames,
``read_frames`` and ``iter_frames`` open it for one read, ``sample_indices`` spreads a budget of frames over a video.
"""

from stvg_core.video.container import Limits
from stvg_core.video.pictures import Pictures
from stvg_core.video.probe import probe
from stvg_core.video.reader import VideoReader
from stvg_core.video.reading import frame_seconds, iter_frames, read_frames
from stvg_core.video.sampling import sample_indices

__all__ = [
    "Limits",
    "Pictures",
    "VideoReader",
    "frame_seconds",
    "iter_frames",
    "probe",
    "read_frames",
    "sample_indices",
]
