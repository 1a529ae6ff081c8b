"""The result as pictures: how vIoU is spread, tIoU against the length of the tube, and vIoU by attribute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.compare import Comparison
from stvg_core.evaluation.summary import Group, breakdown, means, score_rows

_PINK, _BLUE, _GREY = "#d81b60", "#1e6fb8", "#9aa4ae"
_MAX_VALUES = 10


def write_plots(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write ``viou_histogram.png``, ``tiou_by_length.png`` and ``breakdown.png``; returns the paths.

    The last one is left out where the truth knows no attribute that takes two values.

    Raises:
        DatasetError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    groups = breakdown(comparison.samples)
    figures = {"viou_histogram": _histogram(comparison), "tiou_by_length": _length(comparison)}
    if groups:
        figures["breakdown"] = _breakdown(comparison, groups)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=120, format="png")
            written.append(folder / f"{name}.png")
    except OSError as error:
        raise DatasetError(f"The pictures cannot be written to {folder}: {error.strerror or error}.") from error
    return written


def _histogram(comparison: Comparison) -> Figure:
    """vIoU in steps of 0.05; sentences without a tube are a colour of their own, because all of them are 0."""
    figure, axes = _page((7.5, 4.2), comparison, "How good are the tubes?")
    stacks = [[s.scores.viou for s in comparison.samples if s.state == "scored"]]
    without = len(comparison.samples) - len(stacks[0])
    stacks += [[0.0] * without] if without else []
    looks = {"color": [_BLUE, _GREY][: len(stacks)], "label": ["tube", "no prediction or no tube"][: len(stacks)]}
    axes.hist(stacks, bins=np.linspace(0, 1, 21), stacked=True, rwidth=0.92, **looks)
    mean = means(comparison.samples)["m_vIoU"].value
    axes.axvline(mean, color=_PINK, lw=2, label=f"mean {mean:.3f}")
    for threshold in (0.3, 0.5):
        share = float(np.mean([s.scores.viou > threshold for s in comparison.samples]))
        axes.axvline(threshold, color="#37474f", lw=1, ls="--", label=f"vIoU@{threshold}: {share:.0%} above")
    axes.set(xlabel="vIoU", ylabel="sentences", xlim=(0, 1))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=9, frameon=False)
    return figure


def _length(comparison: Comparison) -> Figure:
    """tIoU of each sentence over its true length, with the running middle: short actions are the hard ones."""
    figure, axes = _page((7.5, 4.2), comparison, "Does the length of the action matter?")
    lengths = np.array([sample.truth.length_s for sample in comparison.samples])
    values = score_rows(comparison.samples)[:, 0]
    scored = np.array([sample.state == "scored" for sample in comparison.samples])
    axes.scatter(lengths[scored], values[scored], s=22, color=_BLUE, alpha=0.6, lw=0, label="a sentence", zorder=3)
    if not scored.all():
        axes.scatter(
            lengths[~scored], values[~scored], s=26, color=_GREY, marker="x", label="no prediction or no tube", zorder=3
        )
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, min(8, max(2, len(lengths) // 5)) + 1)))
    if len(edges) > 2:
        place = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, len(edges) - 2)
        bins = [k for k in range(len(edges) - 1) if (place == k).any()]
        middles = [float(np.median(lengths[place == k])) for k in bins]
        axes.plot(
            middles, [float(values[place == k].mean()) for k in bins], "o-", color=_PINK, lw=2, ms=5, zorder=4,
            label=f"mean of {len(bins)} groups of like length",
        )  # fmt: skip
    if lengths.max() > 20 * lengths.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="length of the true tube in seconds", ylabel="tIoU", ylim=(-0.03, 1.03))
    figure.legend(fontsize=9, frameon=False, loc="outside lower center", ncols=3)
    return figure


def _breakdown(comparison: Comparison, groups: list[Group]) -> Figure:
    """m_vIoU of each group with its interval, one panel per attribute, against the mean of all."""
    attributes = list(dict.fromkeys(group.attribute for group in groups))
    panels = [[g for g in groups if g.attribute == attribute] for attribute in attributes]
    heights = [min(len(panel), _MAX_VALUES) + 1.6 for panel in panels]
    figure = Figure(figsize=(7.5, 0.34 * sum(heights) + 0.9), layout="constrained", facecolor="white")
    figure.suptitle(
        _title(comparison, "Where is it good, where not?"), x=0.01, ha="left", fontsize=12, fontweight="bold"
    )
    grid = figure.add_gridspec(len(panels), 1, height_ratios=heights)
    overall = means(comparison.samples)["m_vIoU"].value
    limit = max(
        [overall, *(g.means["m_vIoU"].high or g.means["m_vIoU"].value for p in panels for g in p[:_MAX_VALUES])]
    )
    for row, (attribute, panel) in enumerate(zip(attributes, panels, strict=True)):
        axes = figure.add_subplot(grid[row])
        shown = panel[:_MAX_VALUES]
        place = np.arange(len(shown))
        found = [group.means["m_vIoU"] for group in shown]
        axes.barh(place, [mean.value for mean in found], color=_BLUE, height=0.66, zorder=2)
        for y, mean in zip(place, found, strict=True):
            if mean.low is not None and mean.high is not None:
                axes.plot([mean.low, mean.high], [y, y], color="#17324d", lw=1.6, solid_capstyle="butt", zorder=3)
        axes.axvline(overall, color=_PINK, lw=1.5, ls="--", zorder=4)
        axes.set_yticks(place, [f"{group.value}  (n={group.n})" for group in shown], fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(0, min(1.0, 1.08 * limit) or 1.0)
        more = f", the {len(shown)} most frequent of {len(panel)}" if len(panel) > len(shown) else ""
        axes.set_title(f"{attribute}{more}", fontsize=10, loc="left")
        _plain(axes)
        if row == len(panels) - 1:
            axes.set_xlabel(f"m_vIoU, line: 95 % interval, dashed: all sentences ({overall:.3f})", fontsize=9)
    return figure


def _page(size: tuple[float, float], comparison: Comparison, question: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.suptitle(_title(comparison, question), x=0.01, ha="left", fontsize=12, fontweight="bold")
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _title(comparison: Comparison, question: str) -> str:
    return f"{question}  {len(comparison.samples)} sentences, protocol {comparison.protocol}"


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=9)
