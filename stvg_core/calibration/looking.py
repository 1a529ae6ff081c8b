"""Corrected videos in front of the model once more, to see what each attention head sees by itself.

The same slots, the same question and the same learnable prompts as the answer that was corrected; what is kept of it is
the candidate track that follows the true object. All heads of a 7B model are large (calculated: 784 heads x 6 tokens x
3,920 cells in half precision are 37 MB for one set of rows), so rows lie in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from stvg_core.boxes import box_iou
from stvg_core.calibration.heads import HeadItem, Heads
from stvg_core.calibration.items import RIGHT_IOU, Item
from stvg_core.calibration.rejoin import CannotRejoin
from stvg_core.errors import ModelError
from stvg_core.locating.attention import AttentionView
from stvg_core.method.evidence import Evidence, Rows
from stvg_core.method.maps import maps
from stvg_core.method.tracks import covered_cells, slot_scores
from stvg_core.open_video import OpenedVideo
from stvg_core.pipeline import Grounder
from stvg_core.query import SubQueries, as_statement, normalise_query
from stvg_core.settings import GroundingSettings, head_name
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Tube

_HIGHEST = 15  # float16 ends just below 2**16


class HeadLooks:
    """Looks at corrected videos with one model.

    Args:
        grounder: with the locator "attention".
        settings: how it looks and joins.
        folder: where rows are kept, as long as items are used.

    Raises:
        ModelError: the grounder's model answers in words.
    """

    def __init__(self, grounder: Grounder, settings: GroundingSettings, folder: Path) -> None:
        if settings.locator != "attention" or grounder.loaded is None:
            raise ModelError(f"The locator {settings.locator} looks with no attention heads: there are none to choose.")
        self._grounder, self._loaded, self._settings, self._folder = grounder, grounder.loaded, settings, folder
        self._count = 0

    @property
    def present(self) -> Heads:
        """The heads that the temporal branch takes now, by name."""
        if self._settings.temporal_heads is not None:
            return self._settings.temporal_heads
        layers = self._settings.layers or self._loaded.family.layers or range(self._loaded.n_layers)
        return tuple(head_name(layer, head) for layer in sorted(layers) for head in range(self._loaded.n_heads))

    def look(self, item: Item, video: Path, sentence: str, parts: SubQueries) -> HeadItem:
        """What each head sees.

        Args:
            video: a local file, the one that was answered.
            sentence, parts: as it was asked, and as it was split.

        Raises:
            VideoError, QueryError: the video or the sentence cannot be used.
            CannotRejoin: the answer does not fit: no candidate follows the object, or other frames were looked at.
            ModelError: the memory does not suffice.
        """
        evidence = item.evidence
        track = right_track(evidence, item.truth)
        segment = None if "segment" not in evidence.info else evidence.bounds
        opened = OpenedVideo(
            self._grounder.locator, self._grounder.proposer, video, self._settings, Stopwatch(), searched=False,
            segment=segment,
        )  # fmt: skip
        try:
            view = opened.view
            assert isinstance(view, AttentionView)
            slots = view.slots + (0 if segment is None else segment[0])
            if not np.array_equal(slots, evidence.slot_frames):
                raise CannotRejoin("other frames were looked at")
            names, rows = view.look_apart(as_statement(normalise_query(sentence)), parts, self._settings)
        except torch.OutOfMemoryError:
            raise ModelError(
                f"The memory of {self._grounder.locator.device} does not suffice to look with every head apart. Take a "
                "GPU that nothing else uses, or fewer slots."
            ) from None
        finally:
            opened.close()
        kept = _Kept(rows, names, evidence, track, self._settings, self._folder / str(self._count))
        self._count += 1
        each = np.stack([kept.scores((name,)) for name in names])
        each = each.reshape(self._loaded.n_layers, self._loaded.n_heads, -1)
        truth = tuple((part.start_frame, part.end_frame) for part in item.truth)
        return HeadItem(item.name, item.video, each, evidence.slot_frames, evidence.bounds, truth, kept.scores)


def right_track(evidence: Evidence, truth: Sequence[Tube]) -> int:
    """The candidate that lies best on the true object, at the frames that were looked at.

    Raises:
        CannotRejoin: none does, with a mean IoU of at least 0.5; or no such frame shows the object.
    """
    sums, count = np.zeros(len(evidence.track_boxes)), 0
    for part in truth:
        shown = (evidence.slot_frames >= part.start_frame) & (evidence.slot_frames <= part.end_frame)
        true = part.boxes[evidence.slot_frames[shown] - part.start_frame]
        for number, boxes in enumerate(evidence.track_boxes[:, shown]):
            there = np.isfinite(boxes).all(axis=1)
            sums[number] += box_iou(boxes[there], true[there]).sum()
        count += len(true)
    if count == 0:
        raise CannotRejoin("no frame that was looked at shows the object")
    best = int(sums.argmax())
    if sums[best] < RIGHT_IOU * count:
        raise CannotRejoin("no candidate track follows the object")
    return best


class _Kept:
    """Rows of every head in files, and the frame scores of one track by any of them."""

    def __init__(
        self, rows: Rows, names: Heads, evidence: Evidence, track: int, settings: GroundingSettings, file: Path
    ) -> None:
        ways = [rows] if rows.backward is None or not settings.tas_temporal else [rows, rows.backward]
        self._ways = [
            tuple(_Halves(of, file.with_suffix(f".{number}.{name}.npy")) for name, of in _of_heads(way).items())
            for number, way in enumerate(ways)
        ]
        self._place = {name: number for number, name in enumerate(names)}
        self._evidence, self._track, self._settings = evidence, track, settings
        self._grid = rows.temporal.shape[-2:]

    @cached_property
    def _coverage(self) -> Array:
        kept, one = self._evidence, slice(self._track, self._track + 1)
        masks = kept.masks[one] if kept.masks.size else kept.masks
        h, w = self._grid
        return covered_cells(kept.seen[one], masks, h, w, self._settings.coverage)

    def scores(self, heads: Heads) -> Array:
        """``(T,)``, by the method's own steps on the mean of the heads' rows."""
        chosen = [self._place[name] for name in heads]
        seen: Rows | None = None
        for rows, neutral in reversed(self._ways):
            mean = rows.mean(chosen)
            seen = Rows(mean, mean, neutral.mean(chosen), backward=seen)
        assert seen is not None
        found: Array = slot_scores(maps(seen, self._settings).temporal, self._coverage)[0]
        return found


def _of_heads(way: Rows) -> dict[str, Array]:
    return {"temporal": way.temporal, "neutral": way.neutral_of_temporal}


class _Halves:
    """``[heads, ...]`` in a file, as float16 scaled by a power of two per head."""

    def __init__(self, values: Array, file: Path) -> None:
        largest = values.reshape(len(values), -1).max(axis=1)
        self._exponents = _HIGHEST - np.ceil(np.log2(np.maximum(largest, np.finfo(np.float32).tiny))).astype(int)
        np.save(file, np.ldexp(values.astype(np.float64), self._over(values)).astype(np.float16))
        self._stored: Array = np.load(file, mmap_mode="r")

    def _over(self, values: Array) -> Array:
        exponents: Array = self._exponents.reshape(-1, *[1] * (values.ndim - 1))
        return exponents

    def mean(self, chosen: list[int]) -> Array:
        """Over some heads, float32."""
        scaled = np.ldexp(self._stored[chosen].astype(np.float32), -self._over(self._stored)[chosen])
        mean: Array = scaled.mean(axis=0)
        return mean
