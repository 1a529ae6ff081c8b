"""One page that shows why the answer is what it is: when, which object, and where the model looked."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stvg_core.drawing.outputs import growing
from stvg_core.errors import VideoError
from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import decided_by
from stvg_core.notice import notices
from stvg_core.tube import Array, Grounding
from stvg_core.video import read_frames

_PINK, _BLUE, _GREY, _DARK = "#d81b60", "#1e6fb8", "#9aa4ae", "#37414b"
_MAX_COLUMNS = 6
_COUNTED = (
    "Frames are counted from 1, as in Label Studio (the JSON counts from 0); tracks from 1. "
    "Seconds: when the frame begins."
)


def write_plot(grounding: Grounding, out: str | Path) -> Path:
    """Write a PNG: frame scores with the interval, track scores, and both attention maps over sampled frames.

    Raises:
        VideoError: the video cannot be read any more, or ``out`` cannot be written.
    """
    out = Path(out)
    evidence = grounding.evidence
    columns = _shown_slots(grounding)
    width = 2.1 * max(4, len(columns)) + 0.6
    # A row of pictures is as high as they are at this width, with room for a caption; tall videos get tall rows.
    row = 0.35 + min(4.0, width / len(columns) * grounding.video.height / grounding.video.width)
    layers = _layers(evidence)
    figure = Figure(figsize=(width, 3.6 + len(layers) * row), layout="constrained", facecolor="white")
    figure.suptitle(_title(grounding), x=0.01, ha="left", fontsize=12, fontweight="bold")
    grid = figure.add_gridspec(1 + len(layers), 1, height_ratios=(3.2, *(row for _ in layers)))
    top = grid[0].subgridspec(1, 2, width_ratios=(2.2, 1))
    _frame_scores(figure.add_subplot(top[0]), grounding)
    _track_scores(figure.add_subplot(top[1]), grounding)
    pictures = read_frames(grounding.video, evidence.slot_frames[columns], max_side=480).pixels
    for line, (name, maps) in enumerate(layers, 1):
        cells = grid[line].subgridspec(1, len(columns))
        shown = np.asarray(maps, dtype=np.float64)[columns]
        ceiling = max(float(np.nanmax(shown, initial=0.0)), 1e-9)  # one scale per row: frames can be compared
        for k, slot in enumerate(columns):
            axes = figure.add_subplot(cells[k])
            frame, tube = int(evidence.slot_frames[slot]), grounding.tube
            inside = tube is not None and tube.start_frame <= frame <= tube.end_frame
            _attention(axes, pictures[k], shown[k] / ceiling, evidence, int(slot), inside=inside)
            if k == 0:
                axes.set_ylabel(name, fontsize=8)
            if line == 1:
                axes.set_title(f"frame {frame + 1}" + ("" if inside else ", not in the tube"), fontsize=8)
    said = "\n".join([_COUNTED, *notices([grounding.model_version])])
    figure.supxlabel(said, x=0.01, ha="left", fontsize=8, color=_DARK)
    temporary: Path | None = None
    try:
        temporary = growing(out, ".part.png")
        figure.savefig(temporary, dpi=110, format="png")
        temporary.replace(out)
    except OSError as error:
        raise VideoError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return out


def _layers(evidence: Evidence) -> list[tuple[str, Array]]:
    """The rows of pictures, with what lies over them: both maps; nothing where words decided."""
    if evidence.said is not None:
        return [("what was shown", np.zeros((len(evidence.slot_frames), 1, 1)))]
    return [("where:\nspatial attention", evidence.spatial_map), ("when:\ntemporal attention", evidence.temporal_map)]


def _title(grounding: Grounding) -> str:
    tube, video = grounding.tube, grounding.video
    query = textwrap.shorten(grounding.query, 90, placeholder=" ...").replace("$", r"\$")  # no mathematics in queries
    if tube is None:
        return f"“{query}”: no candidate object"
    span = f"{video.seconds_of(tube.start_frame):.2f} s to {video.seconds_of(tube.end_frame):.2f} s"
    return f"“{query}”: {span} (frames {tube.start_frame + 1} to {tube.end_frame + 1}), score {grounding.score:.2f}"


def _shown_slots(grounding: Grounding) -> Array:
    """Up to six slots spread over the video."""
    slots = len(grounding.evidence.slot_frames)
    return np.unique(np.linspace(0, slots - 1, min(slots, _MAX_COLUMNS)).round().astype(int))


def _frame_scores(axes: Any, grounding: Grounding) -> None:
    """S_frame of every track over time, the chosen one on top, the interval shaded."""
    evidence, video = grounding.evidence, grounding.video
    seconds = video.seconds()[evidence.slot_frames]
    for row, scores in enumerate(np.asarray(evidence.frame_scores, dtype=np.float64)):
        if row != evidence.chosen:
            axes.plot(seconds, scores, color=_GREY, lw=0.8, alpha=0.5, zorder=1)
    if evidence.chosen >= 0:
        axes.plot(
            seconds,
            evidence.frame_scores[evidence.chosen],
            "o-",
            color=_PINK,
            lw=2,
            ms=4,
            zorder=3,
            label="chosen track",
        )
    if grounding.tube is not None:
        span = video.seconds_of(grounding.tube.start_frame), video.end_of(grounding.tube.end_frame)
        axes.axvspan(*span, color=_PINK, alpha=0.14, lw=0, zorder=0, label="answer")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False, loc="upper right")
    axes.set(xlabel="seconds", ylabel="frame score", xlim=(0, max(grounding.video.duration_s, 1e-3)))
    how = "Temporal attention inside each track" if evidence.said is None else "As the model said"
    axes.set_title(f"When? {how}", fontsize=10, loc="left")
    _plain(axes)


def _track_scores(axes: Any, grounding: Grounding) -> None:
    """What the choice went by, best first: S_obj times the proposer's confidence, with S_obj alone as a mark."""
    evidence = grounding.evidence
    alone, decided = np.asarray(evidence.track_scores, dtype=np.float64), decided_by(evidence)
    scores, weight = (alone, 0.0) if decided is None else decided
    order = np.argsort(-scores, kind="stable")[:12]
    places = np.arange(len(order))
    colours = [_PINK if track == evidence.chosen else _BLUE for track in order]
    axes.barh(places, scores[order], color=colours, height=0.7)
    if weight:
        axes.plot(alone[order], places, "|", color=_DARK, ms=8, mew=1.5, ls="", label="attention alone")
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.set_yticks(places, [f"track {track + 1}" for track in order], fontsize=7)
    axes.invert_yaxis()
    known = decided is not None or len(order) == 0
    axes.set_xlabel(_bars(weight, known=known) if evidence.said is None else "named by the model", fontsize=8)
    more = f" (best {len(order)} of {len(scores)})" if len(scores) > len(order) else ""
    axes.set_title(f"Which object?{more}", fontsize=10, loc="left")
    if len(order) == 0:
        axes.text(0.5, 0.5, "no candidates", ha="center", va="center", transform=axes.transAxes, color=_GREY)
    _plain(axes)


def _bars(weight: float, *, known: bool) -> str:
    """What the bars of the tracks are."""
    attention = "attention on the track ($S_{obj}$)"
    if not known:
        return f"{attention}\n(how the proposer's confidence counted is not known)"
    power = "" if weight == 1 else f"$^{{{weight:g}}}$"
    return f"{attention} × proposer's confidence{power}" if weight else attention


def _attention(axes: Any, picture: Array, heat: Array, evidence: Any, slot: int, *, inside: bool) -> None:
    """A ``(h, w)`` map in [0, 1] over its ``(H, W, 3)`` picture, all tracks thin, the chosen one bold: dashed where the
    tube does not have the frame.
    """
    height, width = picture.shape[:2]
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.5 + picture * 0.5
    axes.imshow(grey.astype(np.uint8), extent=(0, width, height, 0))
    # Weak attention is transparent, so that the picture stays visible where the model does not look.
    axes.imshow(
        heat, extent=(0, width, height, 0), cmap="inferno", vmin=0, vmax=1, alpha=np.clip(heat, 0, 1) ** 0.7 * 0.75,
        interpolation="nearest",
    )  # fmt: skip
    for track, boxes in enumerate(evidence.track_boxes):
        if np.isnan(boxes[slot]).any():
            continue
        x1, y1, x2, y2 = boxes[slot] * (width, height, width, height)
        chosen = track == evidence.chosen
        edge: dict[str, Any] = (
            {"edgecolor": _PINK, "lw": 2.2, "ls": "-" if inside else "--"}
            if chosen
            else {"edgecolor": "white", "lw": 0.5, "alpha": 0.5}
        )
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, zorder=3 if chosen else 2, **edge))
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", color="#eeeeee", zorder=0)
    axes.set_axisbelow(True)
