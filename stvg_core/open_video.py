"""One video in front of one locator: decoded once, looked at once, proposals made once per noun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stvg_core.locating.base import Locator, View
from stvg_core.proposals import Proposer
from stvg_core.proposals.following import DrawnBox
from stvg_core.segment import PartOf, check_segment, track_within
from stvg_core.settings import GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Segment, Track, VideoInfo
from stvg_core.video import Pictures, VideoReader

OpenVideo = Callable[[str | Path], Pictures]
"""Opens a local file; raises VideoError where it cannot be used."""


class OpenedVideo:
    """What all queries on one video share.

    Args:
        locator: who will look at it.
        proposer: where candidate tracks come from.
        video: a local file.
        settings: how the locator looks.
        watch: where the seconds go.
        searched: whether the proposer will be asked for tracks, so that its frames are decoded on the same way.
        open_video: what reads the file's pictures.
        segment: first and last frame of the part of the video that there is; None for all of it.

    It stays open until it is closed: pictures that were decoded for one purpose serve the others.

    Attributes:
        video: the open file, or the part of it, whose frames count from 0 then.
        view: the locator's view of ``video``.

    Raises:
        VideoError: the file cannot be used.
        QueryError: it has no such segment.
    """

    def __init__(
        self, locator: Locator, proposer: Proposer, video: str | Path, settings: GroundingSettings, watch: Stopwatch,
        searched: bool = True, open_video: OpenVideo = VideoReader, segment: Segment | None = None,
    ) -> None:  # fmt: skip
        self.key = file_key(video), segment
        self._proposer = proposer
        self._tracks: dict[str, list[Track]] = {}
        with watch("decode"):
            self._file = open_video(video)
        self.video: Pictures = self._file
        try:
            self.segment = None if segment is None else check_segment(segment, self._file.info)
            if self.segment is not None:
                self.video = PartOf(self._file, self.segment)
            if searched:
                self.video.expect(proposer.looks_at(self.info).tolist())
            self.view: View = locator.open(self.video, settings, watch)
        except BaseException:
            self.video.close()
            raise

    @property
    def info(self) -> VideoInfo:
        """What the probe said, and what was found out about the file since; of a part, about that part."""
        return self.video.info

    @property
    def whole(self) -> VideoInfo:
        """The same of the file."""
        return self._file.info

    def close(self) -> None:
        """Let go of the file and of the decoded pictures; what is asked for later opens it again."""
        self.video.close()

    def candidates(self, given: list[Track] | DrawnBox | None, phrase: str, watch: Stopwatch) -> list[Track]:
        """The given tracks (of the whole video), or the one that a drawn box is followed along, or the proposer's."""
        if isinstance(given, DrawnBox):
            with watch("propose"):
                return [self._proposer.follow(self.video, given)]
        if given is None:
            return self.tracks(phrase, watch)
        segment = self.segment
        return given if segment is None else [part for one in given if (part := track_within(one, segment))]

    def tracks(self, phrase: str, watch: Stopwatch) -> list[Track]:
        """The proposer's candidates for an attribute phrase; the same words are searched for once."""
        for words in self._proposer.words(phrase):
            if words not in self._tracks:
                with watch("propose"):
                    self._tracks[words] = self._proposer.search(self.video, words)
            if self._tracks[words]:
                return self._tracks[words]
        return []


def file_key(video: str | Path) -> tuple[str, int, int]:
    """Tells whether a path still holds the same file; a missing one has a key too, and is told apart by the probe."""
    path = Path(video)
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path.resolve()), status.st_mtime_ns, status.st_size
