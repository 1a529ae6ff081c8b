"""What is a video called in a dataset? Safe file names; one name never means two videos."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from backend.media.source import safe_name


class VideoNames:
    """Gives a name to each video content.

    Names hold letters, digits, dot, dash and underscore and begin with neither a dot nor a sign, so that no address in
    a task can lead out of a folder or become a formula in a spreadsheet.

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
        name = safe_name(wanted).lstrip("-+=@") or "video"
        if self._contents.setdefault(name, sha256) != sha256:
            stem, dot, suffix = name.rpartition(".")
            name = f"{stem}-{sha256[:8]}{dot}{suffix}" if dot else f"{name}-{sha256[:8]}"
            if name not in self._contents:
                self._contents[name] = sha256
                self.renamed.append(name)
        return name
