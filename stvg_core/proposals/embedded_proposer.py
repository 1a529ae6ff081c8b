"""The proposer that needs no weights: even-coloured regions, motion and people, linked over time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stvg_core.proposals.base import Searching
from stvg_core.proposals.detections import Detections
from stvg_core.proposals.distant import SIDE, DistantMotion
from stvg_core.proposals.exact import exact
from stvg_core.proposals.following import DrawnBox, follow_detections
from stvg_core.proposals.linking import Path, join_pieces, link
from stvg_core.proposals.motion import MedianMotion
from stvg_core.proposals.people import PeopleDetector
from stvg_core.proposals.regions import ColourRegions, to_lab
from stvg_core.proposals.selection import colour_sums, fill, without_doubles
from stvg_core.tube import Array, Track, VideoInfo
from stvg_core.video import Pictures, sample_indices

_PEOPLE_SIDE = 480
_SAME = 0.6  # tracks that overlap more over time are one object
# In the order of choice, each kind has its share of the tracks: a street is full of even-coloured windows, and the few
# people that walk past them must not be crowded out.
_SHARES = {"people": 0.4, "distant": 0.7, "regions": 0.7, "motion": 0.5}
_LONG = {"distant": 5}  # pictures on which a path is seen, at least; 3 for the others


class EmbeddedProposer(Searching):
    """Class-agnostic candidates from pixels alone; the same video gives the same tracks.

    Args:
        max_pictures: sampled uniformly; boxes in between are interpolated.
        max_side: longer side in pixels of what regions and motion look at.
        max_tracks: at most so many tracks, best first.
    """

    name = "embedded-2"
    weight = 1.0
    uses_phrase = False

    def __init__(self, *, max_pictures: int = 64, max_side: int = 320, max_tracks: int = 30) -> None:
        self.max_pictures, self.max_side, self.max_tracks = max_pictures, max_side, max_tracks

    def load(self) -> None:
        """There is nothing to load."""

    def looks_at(self, info: VideoInfo) -> Array:
        """``(T,)`` frames spread over the video."""
        return np.unique(sample_indices(info.n_frames, min(self.max_pictures, info.n_frames)))

    def search(self, video: Pictures, words: str) -> list[Track]:
        """Tracks, best first; empty where nothing stands out. The words are not used."""
        indices = self.looks_at(video.info)
        pictures = video.read(indices, max_side=self.max_side).pixels
        motion = MedianMotion(pictures)
        paths = {
            "regions": self._paths(pictures, ColourRegions(pictures[:: max(1, len(pictures) // 8)]).detect),
            "motion": self._paths(pictures, motion.detect),
            "people": self._people(video, indices, pictures.shape[2]),
        }
        if motion.has_specks(pictures[:: max(1, len(pictures) // 12)]):
            paths["distant"] = self._distant(video, indices, pictures.shape[2])
        return self._select(paths, indices, pictures)

    def densify(self, video: Pictures, track: Track, start: int, end: int) -> Track:
        """With boxes measured on every picture around the interval (:func:`stvg_core.proposals.exact.exact`)."""
        return exact(video, track, start, end)

    def follow(self, video: Pictures, drawn: DrawnBox) -> Track:
        """The object in the drawn box, by the same detectors and the same linking as for proposals."""
        drawn.check(video.info)
        indices = np.unique(np.append(self.looks_at(video.info), drawn.frame))
        pictures = video.read(indices, max_side=self.max_side).pixels
        regions, motion = ColourRegions(pictures[:: max(1, len(pictures) // 8)]), MedianMotion(pictures)
        sources = [[regions.detect(picture) for picture in pictures], [motion.detect(picture) for picture in pictures]]
        detector = PeopleDetector()
        large = video.read(np.array([drawn.frame]), max_side=_PEOPLE_SIDE).pixels
        if detector.any_in(large):
            sources.append([detector.detect(picture) for picture in pictures])
        return follow_detections(sources, pictures, indices, drawn)

    @staticmethod
    def _paths(pictures: Array, detect: Callable[[Array], Detections]) -> list[Path]:
        return join_pieces([path for path in link([detect(picture) for picture in pictures]) if len(path.steps) > 1])

    @staticmethod
    def _people(video: Pictures, indices: Array, width: int) -> list[Path]:
        """People are searched on every other picture, enlarged, and only where a quick look finds one."""
        detector = PeopleDetector()
        steps = np.arange(0, len(indices), 2)
        glance = video.read(indices[:: max(1, len(indices) // 4)], max_side=_PEOPLE_SIDE).pixels
        if not detector.any_in(glance):
            return []
        pictures = video.read(indices[steps], max_side=_PEOPLE_SIDE).pixels
        scale = width / pictures.shape[2]
        paths = join_pieces(link([detector.detect(picture) for picture in pictures]))
        return [
            Path([int(steps[s]) for s in p.steps], [box * scale for box in p.boxes], p.scores, p.colour) for p in paths
        ]

    def _distant(self, video: Pictures, indices: Array, width: int) -> list[Path]:
        """What is too small in the pictures of the others."""
        pictures = video.read(indices, max_side=SIDE).pixels
        scale = width / pictures.shape[2]
        paths = self._paths(pictures, DistantMotion(pictures).detect)
        return [Path(p.steps, [box * scale for box in p.boxes], p.scores, p.colour) for p in paths]

    def _select(self, paths: dict[str, list[Path]], indices: Array, pictures: Array) -> list[Track]:
        n, height, width = pictures.shape[:3]
        sums = [colour_sums(to_lab(picture)) for picture in pictures]
        size = np.array([width, height, width, height], np.float32)
        kept: list[Array] = []
        tracks: list[Track] = []
        for source, share in _SHARES.items():
            long_enough = [path for path in paths.get(source, []) if len(path.steps) >= min(_LONG.get(source, 3), n)]
            per_picture = 0.5 if source == "people" else 1.0  # people are searched on every other picture
            scores = [float(np.mean(p.scores)) * min(1.0, len(p.steps) / (per_picture * n)) ** 0.5 for p in long_enough]
            room = min(self.max_tracks - len(tracks), round(share * self.max_tracks))
            for row, boxes in without_doubles([fill(p, n, sums) for p in long_enough], scores, kept, _SAME, room):
                kept.append(boxes)
                present = ~np.isnan(boxes[:, 0])
                tracks.append(
                    Track(indices[present], (boxes[present] / size).clip(0, 1), min(1.0, scores[row]), source)
                )
        return sorted(tracks, key=lambda track: -track.score)
