"""From a file to frames: frame index i is always the i-th picture that a player shows.

``probe`` says what a file holds and refuses what cannot be used, ``read_frames`` decodes the frames asked for,
``iter_frames`` streams them all, ``sample_indices`` spreads a budget of frames over a video.
"""

from stvg_core.video.container import Limits
from stvg_core.video.probe import probe
from stvg_core.video.reading import frame_seconds, iter_frames, read_frames
from stvg_core.video.sampling import sample_indices

__all__ = ["Limits", "frame_seconds", "iter_frames", "probe", "read_frames", "sample_indices"]
