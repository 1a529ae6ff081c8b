"""Should the settings change? Chosen by corrections, judged on corrections that had no part in the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from stvg_core.calibration.items import Item, Outcome
from stvg_core.calibration.search import Measured, search
from stvg_core.calibration.validation import folds, gain_interval
from stvg_core.settings import GroundingSettings, JoinedSettings

MIN_ITEMS = 20
MIN_VIDEOS = 10


@dataclass(frozen=True)
class Figures:
    """Means over items: vIoU, tIoU, share of right tracks, and how many lost their second look."""

    m_viou: float
    m_tiou: float
    right_track: float
    lost_second_looks: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Figures:
        rows = np.array([(one.viou, one.tiou, one.right) for one in outcomes], dtype=np.float64)
        viou, tiou, right = (round(float(value), 4) for value in rows.mean(axis=0))
        return cls(viou, tiou, right, sum(one.lost for one in outcomes))


@dataclass(frozen=True)
class Calibrated:
    """What came out.

    Attributes:
        settings: the ones to use from now on; the old ones where ``adopted`` is False.
        proposed: the best on all items, adopted or not: the fields that differ from the present ones.
        before, after: on held-out items; the same items, each under settings chosen without its fold.
        gain: of held-out vIoU, and ``interval``, its 95 % interval over videos.
        stability: per changed field, the share of folds that chose the same value.
        reason: why it was not adopted, in a sentence, and what would help; "" where it was.
    """

    items: int
    videos: int
    settings: GroundingSettings
    adopted: bool
    proposed: dict[str, Any] = field(default_factory=dict)
    before: Figures | None = None
    after: Figures | None = None
    gain: float | None = None
    interval: tuple[float, float] | None = None
    stability: dict[str, float] = field(default_factory=dict)
    settings_tried: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """All but the settings themselves."""
        content = asdict(self)
        del content["settings"]
        return content


def calibrate(
    items: Sequence[Item], present: GroundingSettings, progress: Callable[[float], None] = lambda share: None
) -> Calibrated:
    """Search, cross-validate, decide.

    Args:
        items: all with rows, seen under the looks of ``present``.
        progress: called often, with a share in [0, 1] that is a guess at first.

    Raises:
        CannotRejoin: an item lacks what the present settings need.
    """
    videos = [item.video for item in items]
    count = len(set(videos))
    if count < 2:
        return Calibrated(len(items), count, present, False, reason=too_few(len(items), count))
    measured = Measured(items, lambda tried: progress(1 - 1 / (1 + tried / _TYPICAL)))
    best = search(measured, present, np.arange(len(items)))
    held = folds(videos)
    before = measured.outcomes(present)
    after: list[Outcome] = list(before)
    chosen = []
    for some in held:
        without = np.setdiff1d(np.arange(len(items)), some)
        chosen.append(search(measured, present, without))
        for row in some:
            after[row] = measured.outcomes(chosen[-1])[row]
    old, new = (np.array([one.viou for one in outcomes]) for outcomes in (before, after))
    interval = gain_interval(old, new, videos)
    proposed = changes(present, best)
    gain = float((new - old).mean())
    reason = _reason(len(items), count, proposed, gain, interval)
    progress(1.0)
    return Calibrated(
        items=len(items), videos=count, settings=present if reason else best, adopted=not reason, proposed=proposed,
        before=Figures.of(before), after=Figures.of(after), gain=round(gain, 4),
        interval=(round(interval[0], 4), round(interval[1], 4)),
        stability={
            name: round(float(np.mean([getattr(one, name) == value for one in chosen])), 4)
            for name, value in proposed.items()
        },
        settings_tried=measured.tried, reason=reason,
    )  # fmt: skip


_TYPICAL = 60  # settings after which the guess stands at one half


def changes(before: GroundingSettings, after: GroundingSettings) -> dict[str, Any]:
    """The fields of the joining that differ, with their new values."""
    names = [one.name for one in fields(JoinedSettings)]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def _reason(items: int, videos: int, proposed: dict[str, Any], gain: float, interval: tuple[float, float]) -> str:
    if items < MIN_ITEMS or videos < MIN_VIDEOS:
        return too_few(items, videos)
    if not proposed:
        return (
            "No other setting agrees better with the corrections than the present ones do: there is nothing to adopt."
        )
    figures = f"{gain:+.3f} (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f})"
    if gain <= 0:
        return (
            f"What fits the corrections does not raise vIoU on items held out: {figures}; "
            "corrections of more videos, or more careful ones, would show what holds."
        )
    if interval[0] <= 0:
        return (
            f"On items held out, vIoU rises by {figures}, which may be chance; corrections of more videos would tell."
        )
    return ""


def too_few(items: int, videos: int) -> str:
    """Why so few are refused, in a sentence."""
    return (
        f"{items} corrected items of {videos} videos can be used, and at least {MIN_ITEMS} of at least {MIN_VIDEOS} "
        "videos are needed; correct more tasks."
    )
