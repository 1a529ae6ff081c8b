"""From rows to a table: means over all clips, and what each step gains with a paired confidence interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stvg_core.demo.ablation.figures_file import Row
from stvg_core.demo.ablation.steps import STEPS
from stvg_core.tube import Array

BOUNDS = ("chance", "whole clip, right object")
_DRAWS = 4000
_SEED = 20250918


@dataclass(frozen=True)
class Line:
    """One line of the table; ``gain`` is that of m_vIoU over the step before, with the ends of its 95 % interval."""

    step: str
    clips: int
    right: float
    m_tiou: float
    m_viou: float
    viou_03: float
    viou_05: float
    gain: tuple[float, float, float] | None
    seconds: float | None


def lines(rows: Iterable[Row], clips: str, tracks: str) -> list[Line]:
    """The table of one set of clips and one kind of tracks, in the order of the steps."""
    by_step: dict[str, dict[int, Row]] = {}
    for row in rows:
        if (row.clips, row.tracks) == (clips, tracks):
            by_step.setdefault(row.step, {})[row.clip] = row
    before = {step.name: step.before for step in STEPS}
    order = [*BOUNDS, *(step.name for step in STEPS), "oracle bound"]
    return [
        _line(name, by_step[name], by_step.get(before.get(name, ""))) for name in order if by_step.get(name)
    ]  # fmt: skip


def markdown(rows: list[Row]) -> str:
    """Every table of a run as GitHub markdown."""
    parts = []
    for clips in dict.fromkeys(row.clips for row in rows):
        for tracks in dict.fromkeys(row.tracks for row in rows if row.clips == clips):
            table = lines(rows, clips, tracks)
            parts.append(f"**{clips}, {tracks} tracks** ({table[0].clips} clips)\n\n" + _markdown(table))
    return "\n\n".join(parts) + "\n"


def paired_gain(values: Array, before: Array) -> tuple[float, float, float]:
    """Mean difference and its 95 % interval over clips (percentile bootstrap, the same clips in both, fixed seed)."""
    difference = np.asarray(values) - np.asarray(before)
    rng = np.random.default_rng(_SEED)
    means = difference[rng.integers(0, len(difference), (_DRAWS, len(difference)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def _line(name: str, rows: dict[int, Row], before: dict[int, Row] | None) -> Line:
    numbers = sorted(rows)
    viou = np.array([rows[n].viou for n in numbers])
    seconds = np.array([rows[n].seconds for n in numbers])
    timed = seconds[np.isfinite(seconds)]
    return Line(
        step=name,
        clips=len(numbers),
        right=float(np.mean([rows[n].right for n in numbers])),
        m_tiou=float(np.mean([rows[n].tiou for n in numbers])),
        m_viou=float(viou.mean()),
        viou_03=float((viou > 0.3).mean()),
        viou_05=float((viou > 0.5).mean()),
        gain=None if before is None else paired_gain(viou, np.array([before[n].viou for n in numbers])),
        seconds=float(np.median(timed)) if len(timed) else None,
    )


def _markdown(table: list[Line]) -> str:
    before = {step.name: step.before for step in STEPS}
    head = "| | right track | m_tIoU | m_vIoU | vIoU@0.3 | vIoU@0.5 | gain in m_vIoU [95 %] | seconds |"
    body = [head, "|---|---|---|---|---|---|---|---|"]
    for line in table:
        gain = "" if line.gain is None else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*line.gain)
        over = before.get(line.step)
        gain += f" over {over.removeprefix('+ ')}" if over and gain else ""
        seconds = "" if line.seconds is None else f"{line.seconds:.2f}"
        cells = [line.right, line.m_tiou, line.m_viou, line.viou_03, line.viou_05]
        body.append(f"| {line.step} | " + " | ".join(f"{c:.3f}" for c in cells) + f" | {gain} | {seconds} |")
    return "\n".join(body)
