"""Which attention heads know from when to when? Chosen by corrections, judged on corrections that had no part in it.

A few heads of a model hold the interval (TG-heads, arXiv 2605.21954). Heads are ordered by how well their frame scores
on the right track separate the true interval from the rest, and the best few become ``temporal_heads`` of the settings
if held-out items then get better intervals than from the present heads. No model is needed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from stvg_core.calibration.calibrate import MIN_ITEMS, MIN_VIDEOS, too_few
from stvg_core.calibration.search import MIN_GAIN
from stvg_core.calibration.validation import folds, gain_interval
from stvg_core.method.interval import interval, slot_span_to_frames
from stvg_core.settings import GroundingSettings, head_name, head_numbers
from stvg_core.tube import Array, Segment

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
"""So many of the best heads are tried."""
Heads = tuple[str, ...]


@dataclass(frozen=True)
class HeadItem:
    """One corrected sentence as each head of the model sees it.

    Attributes:
        name: what a person knows it by.
        video: items of one video are never on both sides of a fold.
        scores: ``[layers, heads, T]`` the frame scores of the right track by each head alone.
        slots: ``(T,)`` the frames that stand for the slots, in order.
        bounds: first and last frame of what was looked at.
        truth: first and last frame of each part in which the object is shown.
        of_heads: the frame scores ``(T,)`` by several heads together, as the method makes them of the mean of their
            rows; None takes the mean of ``scores``.
    """

    name: str
    video: str
    scores: Array
    slots: Array
    bounds: Segment
    truth: tuple[Segment, ...]
    of_heads: Callable[[Heads], Array] | None = None

    @cached_property
    def inside(self) -> Array:
        """``(T,)`` bool: which slots lie in the truth."""
        lies: Array = np.zeros(len(self.slots), dtype=bool)
        for first, last in self.truth:
            lies |= (self.slots >= first) & (self.slots <= last)
        return lies

    def together(self, heads: Heads) -> Array:
        """``(T,)`` frame scores by some heads."""
        if self.of_heads is not None:
            return self.of_heads(heads)
        layers, numbers = zip(*map(head_numbers, heads), strict=True)
        mean: Array = self.scores[list(layers), list(numbers)].mean(axis=0)
        return mean

    def separation(self) -> Array:
        """``[layers, heads]`` how likely a slot inside has a higher score than one outside, equal ones half (AUC); NaN
        where all slots are on one side.
        """
        within, outside = self.scores[..., self.inside, None], self.scores[..., None, ~self.inside]
        if within.size == 0 or outside.size == 0:
            return np.full(self.scores.shape[:2], np.nan)
        better: Array = ((within > outside) + 0.5 * (within == outside)).mean(axis=(-2, -1))
        return better

    def tiou(self, scores: Array, settings: GroundingSettings) -> float:
        """Of the first look's interval by some frame scores with the true one, in frames."""
        start, end = slot_span_to_frames(self.slots, *interval(scores, settings), *self.bounds)
        shared = sum(max(0, min(end, last) - max(start, first) + 1) for first, last in self.truth)
        either = end - start + 1 + sum(last - first + 1 for first, last in self.truth) - shared
        return shared / either


@dataclass(frozen=True)
class ChosenHeads:
    """What came out.

    Attributes:
        present: the heads that the temporal branch takes now.
        heads: the best on all items, adopted or not; empty where none are better than the present ones.
        adopted: whether they hold on held-out items.
        before, after: mean tIoU on held-out items, each under heads that were chosen without its fold.
        gain: of that, and ``interval``, its 95 % interval over videos.
        separation: per head of ``heads`` its mean AUC over all items.
        stability: per head that any fold chose, the share of folds that did.
        sets_tried: how many sets of heads were measured.
        reason: why they are refused, in a sentence; "" where they are not.
    """

    items: int
    videos: int
    present: Heads
    heads: Heads = ()
    adopted: bool = False
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    interval: tuple[float, float] | None = None
    separation: dict[str, float] = field(default_factory=dict)
    stability: dict[str, float] = field(default_factory=dict)
    sets_tried: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def choose_heads(
    items: Sequence[HeadItem], present: Heads, settings: GroundingSettings,
    progress: Callable[[float], None] = lambda share: None,
) -> ChosenHeads:  # fmt: skip
    """Choose, cross-validate, decide.

    Args:
        items: all of one model.
        present: the heads to be beaten.
        settings: whose rule makes intervals of frame scores.
        progress: called with the share that is done.
    """
    videos = [item.video for item in items]
    count = len(set(videos))
    if count < 2:
        return ChosenHeads(len(items), count, present, reason=too_few(len(items), count))
    measured = _Measured(items, settings)
    held = folds(videos)
    best = measured.best(np.arange(len(items)), present)
    before = measured.tious(present)
    after, chosen = before.copy(), []
    for number, some in enumerate(held, 1):
        chosen.append(measured.best(np.setdiff1d(np.arange(len(items)), some), present))
        after[some] = measured.tious(chosen[-1])[some]
        progress(number / len(held))
    low, high = gain_interval(before, after, videos)
    gain = float((after - before).mean())
    proposed = () if best == present else best
    changed = [heads for heads in chosen if heads != present]
    names = sorted({name for heads in changed for name in heads}, key=head_numbers)
    reason = _reason(len(items), count, proposed, gain, (low, high))
    return ChosenHeads(
        items=len(items), videos=count, present=present, heads=proposed, adopted=not reason,
        before=round(float(before.mean()), 4), after=round(float(after.mean()), 4), gain=round(gain, 4),
        interval=(round(low, 4), round(high, 4)),
        separation={name: round(measured.separation(name), 4) for name in proposed},
        stability={name: round(sum(name in heads for heads in changed) / len(chosen), 4) for name in names},
        sets_tried=measured.tried, reason=reason,
    )  # fmt: skip


class _Measured:
    """Items under sets of heads; what was computed once is kept, so that all folds share it."""

    def __init__(self, items: Sequence[HeadItem], settings: GroundingSettings) -> None:
        self._items, self._settings = items, settings
        self._separations = np.stack([item.separation() for item in items])  # [N, layers, heads]
        self._known: dict[Heads, Array] = {}

    @property
    def tried(self) -> int:
        return len(self._known)

    def tious(self, heads: Heads) -> Array:
        """``(N,)``."""
        if heads not in self._known:
            found = [item.tiou(item.together(heads), self._settings) for item in self._items]
            self._known[heads] = np.array(found)
        return self._known[heads]

    def separation(self, name: str) -> float:
        """Mean AUC of a head over all items in which it is defined."""
        layer, head = head_numbers(name)
        return float(_means(self._separations)[layer, head])

    def best(self, rows: Array, present: Heads) -> Heads:
        """The best set for some items (indices); the present one where none is better by ``MIN_GAIN``."""
        means = _means(self._separations[rows])
        order = np.argsort(-means, axis=None, kind="stable")
        best, score = present, float(self.tious(present)[rows].mean()) + MIN_GAIN
        for count in COUNTS:
            if count > len(order):
                break
            numbers = sorted(divmod(int(place), means.shape[1]) for place in order[:count])
            heads = tuple(head_name(*one) for one in numbers)
            if (value := float(self.tious(heads)[rows].mean())) >= score:
                # Fewer heads win where more are no better.
                best, score = heads, np.nextafter(value, np.inf)
        return best


def _means(separations: Array) -> Array:
    """``[N, layers, heads]`` -> ``[layers, heads]`` without the items that tell nothing; 0.5 where none does."""
    told = np.isfinite(separations)
    sums, counts = np.where(told, separations, 0.0).sum(axis=0), told.sum(axis=0)
    means: Array = np.divide(sums, counts, out=np.full(sums.shape, 0.5), where=counts > 0)
    return means


def _reason(items: int, videos: int, proposed: Heads, gain: float, interval: tuple[float, float]) -> str:
    if items < MIN_ITEMS or videos < MIN_VIDEOS:
        return too_few(items, videos)
    if not proposed:
        return "No choice of heads gives better intervals than the present heads do: there is nothing to adopt."
    figures = f"{gain:+.3f} (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f})"
    if gain <= 0:
        return f"Heads that fit the corrections do not raise tIoU on items held out: {figures}."
    if interval[0] <= 0:
        return (
            f"On items held out, tIoU rises by {figures}, which may be chance; corrections of more videos would tell."
        )
    return ""
