"""Which video is a task about, where the page plays a copy of it? (``stvg connect --transcode``)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stvg_core.copies import is_copy

ORIGINAL_KEY = "stvg_original"


def grounded_address(data: Mapping[str, Any], played: str) -> str:
    """The address that is grounded and exported: the original's where the task plays a copy made here, else ``played``.

    The original counts only beside such a copy, so that a task whose video somebody replaced is about the new video.
    """
    original = data.get(ORIGINAL_KEY)
    return original if isinstance(original, str) and original.strip() and is_copy(played) else played
