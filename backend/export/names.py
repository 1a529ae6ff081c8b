"""What is a video called in a dataset? Safe file names; one name never means two videos."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from backend.media.source import safe_name

_HASH_DIGITS = 8


class VideoNames:
    """Gives a name to each video content.

    Names hold letters, digits, dot, dash and underscore and begin with a letter or a digit, so that no address in a
    task can lead out of a folder or become a formula in a spreadsheet. Two names never differ by their case alone,
    because some file systems take such names for one.

    Attributes:
        renamed: the names that had to differ from the video's own, because another video has that one.
    """

    def __init__(self) -> None:
        self._contents: dict[str, str] = {}
        self.renamed: list[str] = []

    def name(self, video_ref: str, sha256: str) -> str:
        """The video's file name; with the beginning of its hash where another content has that name already."""
        parts = urlsplit(video_ref)
        wanted = parse_qs(parts.query).get("d", [""])[0] or unquote(parts.path)
        return self.unique(safe_name(wanted).lstrip("._-+=@") or "video", sha256)

    def unique(self, wanted: str, sha256: str) -> str:
        """``wanted``, or a name like it that no other content has."""
        path = PurePosixPath(wanted)
        for digits in (0, *range(_HASH_DIGITS, len(sha256) + 1)):
            name = f"{path.stem}-{sha256[:digits]}{path.suffix}" if digits else wanted
            holder = self._contents.get(name.casefold())
            if holder is None:
                self._contents[name.casefold()] = sha256
                if digits:
                    self.renamed.append(name)
            if holder in (None, sha256):
                return name
        raise AssertionError("a whole hash names one content")
