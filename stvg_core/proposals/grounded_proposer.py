"""The paper's proposer (method, stage 1): a phrase detector on sparse frames, and a mask tracker.

The paper's order is ``tracking="all"``: every candidate is followed through the whole video, then one is chosen. The
default is coarse to fine: the candidates only have to be told apart, for which a box every few frames is enough; the
one that is chosen is then followed frame by frame, within and around its interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from stvg_core.errors import ModelError
from stvg_core.proposals.base import Searching
from stvg_core.proposals.checkpoints import checkpoint_name
from stvg_core.proposals.dense import MAX_FRAMES, merge, plan, plan_all
from stvg_core.proposals.detections import Detections
from stvg_core.proposals.following import SOURCE as DRAWN
from stvg_core.proposals.following import DrawnBox
from stvg_core.proposals.grounding_dino import LONGEST_SIDE, GroundingDino
from stvg_core.proposals.phrases import noun_phrases
from stvg_core.proposals.sam2 import Followed, Sam2Tracker, looking_order, looking_order_of_all
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.proposals.sparse import as_detections, spread, tracks_of
from stvg_core.settings import Tracking
from stvg_core.tube import Array, Track, VideoInfo
from stvg_core.video import Pictures

SOURCE = "grounding_dino"
_DECODED_AT_ONCE = 16
_INSTEAD = "The settings ask for GroundingDINO and SAM 2; --set proposer=embedded needs no weights."
_TRACKED_SIDE = 2048  # SAM 2 sees 1024 x 1024, its mask is enlarged to the picture: more pixels move no box
_TRACKED_SIDE_OF_ALL = 1024  # so many masks are enlarged to it: four times as many pixels would cost four times as much


class GroundedProposer(Searching):
    """GroundingDINO proposes, SAM 2 follows the chosen track or all of them.

    Args:
        detector, tracker: hub ids or folders.
        device: "cpu", "cuda", "cuda:1", ...
        every: frames from one looked-at frame to the next; the paper's 10.
        tracking: see :class:`stvg_core.settings.SeenSettings`.
        max_pictures: in a long video so many frames are looked at, spread over all of it.
        threshold: of boxes and of words; the paper's 0.4.
        max_tracks: at most so many tracks, best first.

    Raises:
        ModelError: a folder without ``config.json``.
    """

    weight = 0.0  # the paper's rule: what passes the threshold is a candidate like any other
    uses_phrase = True

    def __init__(
        self, detector: str, tracker: str, *, device: str, every: int = 10, max_pictures: int = 128,
        threshold: float = 0.4, max_tracks: int = 30, tracking: Tracking = "chosen",
    ) -> None:  # fmt: skip
        self.every, self.max_pictures, self.max_tracks, self.tracking = every, max_pictures, max_tracks, tracking
        self._detector = GroundingDino(detector, device=device, box_threshold=threshold, text_threshold=threshold)
        self._tracker = Sam2Tracker(tracker, device=device)
        self.name = (
            f"{SOURCE}-1 {checkpoint_name(detector)} box>{threshold:g} text>{threshold:g} every {every} "
            f"up to {max_pictures}, {max_tracks} tracks; {checkpoint_name(tracker)}"
            f"{' for all' if tracking == 'all' else ''}"
        )

    def load(self) -> None:
        """Load the detector and the tracker now, not with the first video.

        Raises:
            ModelError: a checkpoint cannot be loaded, or does not fit into the GPU's memory.
        """
        for part in (self._detector, self._tracker):
            try:
                part.load()
            except torch.OutOfMemoryError as error:
                raise ModelError(f"{part.model} does not fit into the memory of {part.device}.") from error
            except ModelError as error:
                raise ModelError(f"{str(error).rstrip('.')}. {_INSTEAD}") from error

    def looks_at(self, info: VideoInfo) -> Array:
        """``(T,)`` frames, ``every`` apart, or further in a long video."""
        return spread(info.n_frames, self.every, self.max_pictures)

    def words(self, phrase: str | None) -> list[str]:
        """The noun at the head of the phrase, so that all sentences about a man share the search for men; then the
        whole phrase.
        """
        return noun_phrases(phrase or "") or ["object"]

    def search(self, video: Pictures, words: str) -> list[Track]:
        """Tracks of what the words name, best first; empty where the detector finds nothing. Coarse, or followed on
        every frame and with masks, by ``tracking``.

        Raises:
            ModelError: a checkpoint cannot be loaded.
            torch.OutOfMemoryError: the GPU's memory does not suffice.
        """
        frames = self.looks_at(video.info)
        found, size = self._detect(video, frames, words)
        tracks = tracks_of(found, frames, size, source=SOURCE, label=words, at_most=self.max_tracks)
        return self._follow_all(video, tracks) if self.tracking == "all" and tracks else list(tracks)

    def densify(self, video: Pictures, track: Track, start: int, end: int) -> Track:
        """The track with a box on every frame in and around ``start`` to ``end``, both included.

        The coarse track holds outside of that window, and where SAM 2 loses the object.

        Raises:
            ModelError: a checkpoint cannot be loaded.
            torch.OutOfMemoryError: the GPU's memory does not suffice.
        """
        if np.isin(np.arange(start, end + 1), track.frames).all():
            return track  # followed frame by frame already
        planned = plan(track, start, end, video.info.n_frames, video.info.fps)
        if planned is None:
            return track
        return merge(track, planned.frames, self._track(video, planned.frames, planned.seeds))

    def follow(self, video: Pictures, drawn: DrawnBox) -> Track:
        """SAM 2 from the drawn box to both ends of the video, on every frame (thinned out in a long video).

        Raises: as :meth:`densify`, and QueryError where the video has no such frame.
        """
        drawn.check(video.info)
        n_frames = video.info.n_frames
        frames = np.union1d(np.arange(0, n_frames, -(-n_frames // MAX_FRAMES)), [drawn.frame])
        at = int(np.searchsorted(frames, drawn.frame))
        boxes = self._track(video, frames, {at: drawn.box})
        boxes[at] = drawn.box
        seen = np.isfinite(boxes).all(axis=1)
        return SightedTrack(
            frames[seen], boxes[seen].clip(0, 1), 1.0, DRAWN,
            sighted=np.array([drawn.frame]), confidence=np.ones(1, np.float32),
        )  # fmt: skip

    def _track(self, video: Pictures, frames: Array, seeds: dict[int, Array]) -> Array:
        """``(N, 4)`` normalised boxes on ``frames``, NaN where the object is not seen."""
        video.expect(frames[looking_order(len(frames), seeds)].tolist())

        def read(positions: list[int]) -> Array:
            return video.read(frames[positions], max_side=_TRACKED_SIDE).pixels

        return self._tracker.follow(read, len(frames), seeds)

    def _follow_all(self, video: Pictures, tracks: Sequence[Track]) -> list[Track]:
        """The coarse tracks on every frame of the video (thinned out in a long one), as far as SAM 2 sees them."""
        frames, seeds = plan_all(tracks, video.info.n_frames)
        followed = self._track_all(video, frames, seeds)
        return [merge(track, frames, one.boxes, one.masks) for track, one in zip(tracks, followed, strict=True)]

    def _track_all(self, video: Pictures, frames: Array, seeds: list[dict[int, Array]]) -> list[Followed]:
        video.expect(frames[looking_order_of_all(len(frames), seeds)].tolist())

        def read(positions: list[int]) -> Array:
            return video.read(frames[positions], max_side=_TRACKED_SIDE_OF_ALL).pixels

        return self._tracker.follow_all(read, len(frames), seeds)

    def _detect(self, video: Pictures, frames: Array, words: str) -> tuple[list[Detections], tuple[int, int]]:
        """Detections per frame, in pixels of pictures of the returned ``(width, height)``; few pictures are held."""
        found: list[Detections] = []
        size = (video.info.width, video.info.height)
        for some in np.array_split(frames, -(-len(frames) // _DECODED_AT_ONCE)):
            pictures = video.read(some, max_side=LONGEST_SIDE).pixels
            size = (pictures.shape[2], pictures.shape[1])
            seen = self._detector.detect(pictures, words)
            found += [as_detections(picture, *one) for picture, one in zip(pictures, seen, strict=True)]
        return found, size
