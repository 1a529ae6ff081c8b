"""What would the answer be under other settings? The pipeline's own steps once more, on what the model was seen to see.

Exact but for five things: rows are float16; boxes between the frames that were looked at are linear; of the tracks only
the chosen one has the boxes of the proposer's dense pass; what a track does is known of that one alone, around the old
interval; and the second look was taken around the old interval. That one still serves where its window
is the one that would be taken, or holds it; else it is lost, and the ends are the first look's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stvg_core.method.evidence import Evidence, SecondLook
from stvg_core.method.join import Refined, choose, refine, second_scores
from stvg_core.method.maps import maps
from stvg_core.method.tracks import covered_cells, excess, slot_scores
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track

_AFTER_THE_SCORES: dict[str, Any] = {
    "proposer_weight": None, "interval": "segment", "top_k": 1, "centre": 0.5, "ties": "first",
    "snap_ends": False,
}  # fmt: skip
"""Settings that do not change the scores of tracks; any values do."""


class CannotRejoin(ValueError):
    """Its message says why, in a few words."""


def rejoin(evidence: Evidence, settings: GroundingSettings) -> Refined:
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
        if evidence.said is not None:
            raise CannotRejoin("a model's words: no scores that could be joined again")
        if evidence.rows is None:
            raise CannotRejoin("no rows" if evidence.chosen >= 0 else "no candidate object")
        self._evidence, self._rows = evidence, evidence.rows
        self._scored: dict[GroundingSettings, Evidence] = {}
        self._second: dict[GroundingSettings, Array] = {}
        self._tracks: dict[int, Track] = {}

    @property
    def tokens(self) -> int:
        """How many role tokens there are to choose from."""
        return len(self._rows.packed().spatial)

    @property
    def temporal_both_ways(self) -> bool:
        """Whether the temporal branch was looked at in both directions of time."""
        return bool(self._evidence.info.get("tas_temporal"))

    def __call__(self, settings: GroundingSettings) -> Refined:
        """Raises :class:`CannotRejoin` where the settings need rows that were not taken."""
        if settings.tas and (self._rows.backward is None or (settings.tas_temporal and not self.temporal_both_ways)):
            raise CannotRejoin("no rows of the reversed video")
        if settings.coverage == "mask" and self._evidence.masks.size == 0:
            raise CannotRejoin("no masks")
        key = replace(settings, **_AFTER_THE_SCORES)
        if key not in self._scored:
            self._scored[key] = self._score(settings)
        evidence = self._scored[key]
        choice = choose(evidence, settings)

        def look_again(wanted: tuple[int, int]) -> tuple[SecondLook, Array] | None:
            second = evidence.second
            if second is None or not second.window[0] <= wanted[0] <= wanted[1] <= second.window[1]:
                return None
            if key not in self._second:
                self._second[key] = second_scores(second, settings)
            return second, self._second[key]

        return refine(choice, self._track(choice.chosen), evidence, settings, look_again)

    def _score(self, settings: GroundingSettings) -> Evidence:
        found, kept = maps(self._rows, settings), self._evidence
        h, w = found.spatial.shape[1:]
        coverage = covered_cells(kept.seen, kept.masks, h, w, settings.coverage)
        objects, frames = (slot_scores(one, coverage) for one in (found.spatial, found.temporal))
        return replace(
            kept, track_scores=objects.max(axis=1), frame_scores=frames, excess=excess(found.spatial, coverage)
        )

    def _track(self, number: int) -> Track:
        """The track at all frames where its boxes are known."""
        if number not in self._tracks:
            stored = self._evidence
            known = [(stored.ends[number], stored.end_boxes[number])]
            known.append((stored.slot_frames, stored.track_boxes[number]))
            if number == stored.chosen and len(stored.exact):
                known.append((stored.slot_frames, stored.exact))
            if stored.second is not None:
                known.append((stored.second.slots, stored.second.boxes[number]))
            frames, boxes = (np.concatenate(parts) for parts in zip(*known, strict=True))
            there = np.isfinite(boxes).all(axis=1)
            # Of several boxes at one frame the last is kept: the second look's are the denser track's.
            unique, newest = np.unique(frames[there][::-1], return_index=True)
            self._tracks[number] = Track(unique, boxes[there][::-1][newest], acts=stored.acts_of(number))
        return self._tracks[number]
