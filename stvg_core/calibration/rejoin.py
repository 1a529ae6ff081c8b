"""What would the answer be under other settings? The pipeline's own steps once more, on what the model was seen to see.

Exact but for four things: rows are float16; boxes between the frames that were looked at are linear; a track that the
proposer made dense has its dense boxes at the second look only; and the second look was taken around the old interval
(see :class:`Rejoined`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.grounding.dsth import maps, second_map
from stvg_core.grounding.second_look import window
from stvg_core.joining import Scores, choose, cut, ends_by, slot_scores, track_totals
from stvg_core.keeping import restore
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Evidence, Track, Tube

_MAPS = ("attention", "guard", "role_tokens", "tas_operator", "tas_temporal", "coverage")


class CannotRejoin(ValueError):
    """Its message says why, in a few words."""


@dataclass(frozen=True)
class Rejoined:
    """An answer made again.

    Attributes:
        chosen: index of the track.
        tube: its boxes between the ends.
        track: the whole track, as far as it is known.
        second: "kept" where the second look that was taken still serves (its window is the one that would be taken, or
            holds it), "none" where none would be taken, "lost" where one would be taken elsewhere: then the ends are
            the first look's.
    """

    chosen: int
    tube: Tube
    track: Track
    second: str

    @property
    def start(self) -> int:
        return self.tube.start_frame

    @property
    def end(self) -> int:
        return self.tube.end_frame


def rejoin(evidence: Evidence, settings: GroundingSettings) -> Rejoined:
    """The answer under other settings of the same looks.

    Raises:
        CannotRejoin: the evidence lacks what the settings need.
    """
    return Rejoiner(evidence)(settings)


class Rejoiner:
    """:func:`rejoin` for many settings on one evidence; scores of tracks are kept in between.

    Raises:
        CannotRejoin: the evidence holds no rows.
    """

    def __init__(self, evidence: Evidence) -> None:
        if evidence.looked is None:
            raise CannotRejoin("no rows" if evidence.chosen >= 0 else "no candidate object")
        self._evidence, self._looked = evidence, evidence.looked
        self._n_frames, self._weight = int(evidence.info["n_frames"]), float(evidence.info["proposer_weight"])
        self._scores: dict[tuple[object, ...], Scores] = {}
        self._second: dict[tuple[object, ...], Array] = {}
        self._tracks: dict[int, Track] = {}

    @property
    def tokens(self) -> int:
        """How many role tokens there are to choose from."""
        return len(self._looked.first.forward.spatial)

    @property
    def temporal_both_ways(self) -> bool:
        """Whether the temporal branch was looked at in both directions of time."""
        return bool(self._evidence.info.get("tas_temporal"))

    def __call__(self, settings: GroundingSettings) -> Rejoined:
        """Raises :class:`CannotRejoin` where the settings need rows that were not taken."""
        if settings.tas and (
            self._looked.first.backward is None or (settings.tas_temporal and not self.temporal_both_ways)
        ):
            raise CannotRejoin("no rows of the reversed video")
        evidence, looked = self._evidence, self._looked
        key = tuple(getattr(settings, name) for name in _MAPS)
        if key not in self._scores:
            self._scores[key] = track_totals(maps(restore(looked.first), settings), looked.first.seen, settings)
        choice = choose(
            self._scores[key], evidence.track_boxes, looked.proposer_scores, evidence.slot_frames, self._n_frames,
            settings, self._weight,
        )  # fmt: skip
        (start, end), second = choice.span, "none"
        if settings.second_look:
            spacing = self._n_frames / len(evidence.slot_frames)
            wanted = window(start, end, spacing, self._n_frames)
            if wanted is not None:
                again = self._ends_again(choice.chosen, wanted, key, settings)
                second = "lost" if again is None else "kept"
                start, end = again or (start, end)
        track = self._track(choice.chosen)
        return Rejoined(choice.chosen, cut(track, start, end), track, second)

    def _ends_again(
        self, chosen: int, wanted: tuple[int, int], key: tuple[object, ...], settings: GroundingSettings
    ) -> tuple[int, int] | None:
        taken = self._looked.second
        if taken is None or not taken.window[0] <= wanted[0] <= wanted[1] <= taken.window[1]:
            return None
        if key not in self._second:
            self._second[key] = slot_scores(second_map(restore(taken.glance), settings), taken.glance.seen, settings)
        return ends_by(self._second[key][chosen], taken.slots, taken.window, settings)

    def _track(self, number: int) -> Track:
        """The track at all frames where its boxes are known."""
        if number not in self._tracks:
            looked = self._looked
            known = [(looked.ends[number], looked.end_boxes[number])]
            known.append((self._evidence.slot_frames, self._evidence.track_boxes[number]))
            if looked.second is not None:
                known.append((looked.second.slots, looked.second.boxes[number]))
            frames, boxes = (np.concatenate(parts) for parts in zip(*known, strict=True))
            there = np.isfinite(boxes).all(axis=1)
            # Of several boxes at one frame the last is kept: the second look's are the denser track's.
            unique, newest = np.unique(frames[there][::-1], return_index=True)
            self._tracks[number] = Track(unique, boxes[there][::-1][newest])
        return self._tracks[number]
