"""The labelling interface that ships with the project. Where is it, and what does it say?"""

from __future__ import annotations

from pathlib import Path

VIDEO_TUBE = Path(__file__).with_name("video_tube.xml")


def video_tube() -> str:
    """The text of ``video_tube.xml``, as Label Studio wants it in a project's ``label_config``."""
    return VIDEO_TUBE.read_text(encoding="utf-8")
