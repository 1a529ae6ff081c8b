"""A process that decodes for this one, so that a file that hangs or kills the decoder costs that process alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from stvg_core.children.child import Child, ChildLimits, Why
from stvg_core.errors import VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video.child_wire import SharedMemory, info_from_json

READER = "stvg_core.video.reader:VideoReader"


class DecodingChild(Child):
    """One decoding process; it raises VideoError for a file that cannot be used.

    Args:
        reader: ``module:name`` of what opens a file there.

    Attributes:
        memory: where it leaves pictures.
    """

    name = "decoding"

    def __init__(self, limits: ChildLimits, reader: str = READER) -> None:
        self.memory = SharedMemory.new()
        settings = {"memory": self.memory.descriptor, "reader": reader}
        super().__init__(
            "stvg_core.video.child_main", limits, settings, files=[self.memory.descriptor], closing=self.memory.close
        )

    def described(self, answer: dict[str, Any]) -> VideoInfo:
        """What an answer says of a file."""
        times = None
        if answer["times"]:
            times = np.empty(answer["info"]["n_frames"], np.float64)
            self.memory.take(times)
        return info_from_json(answer["info"], times)

    def refused(self, answer: dict[str, Any]) -> VideoError:
        return VideoError(answer["text"])

    def gone(self, why: Why, at: str, how: str = "") -> VideoError:
        limits = self._limits
        match why:
            case Why.SILENT:
                said = (
                    f"The decoder did not answer for {limits.seconds:g} s at {at}: the file may be damaged. It is "
                    "left. Convert the video to H.264 mp4, or raise STVG_DECODE_SECONDS."
                )
            case Why.SLOW:
                said = f"The decoder needed more than {limits.in_all_s:g} s in all at {at}, and was ended."
            case Why.STUCK:
                said = f"The decoder stopped answering at {at}: the file may be damaged. It is left."
            case Why.PROCESSOR:
                said = f"The decoder needed the processor for too long at {at}: the file may be damaged. It is left."
            case Why.KILLED:
                said = (
                    f"The decoder was ended by the system at {at}, perhaps for lack of memory. The file is left. Scale "
                    "the video down, or give the machine more memory."
                )
            case Why.CRASHED:
                said = f"The decoder crashed ({how}) at {at}: the file may be damaged. It is left."
            case Why.MEMORY:
                said = (
                    f"The decoder needs more than {limits.memory_bytes / (1 << 20):.0f} MiB of memory at {at}. The "
                    "file is left. Scale the video down, or raise STVG_DECODE_MEMORY_BYTES."
                )
        return VideoError(said)
