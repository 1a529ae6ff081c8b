"""Why does a step gain or not? Two small tables from the same rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stvg_core.demo.ablation.figures_file import Row
from stvg_core.demo.ablation.steps import BOTH, BOTH_BARE, GTI, TAS, TURNED, V_S, V_T, V_T_BARE
from stvg_core.demo.ablation.table import paired_gain

_SAME_BOTH_WAYS = ("blinking", "shaking")


def markdown(rows: list[Row]) -> str:
    """Both tables, oracle tracks; the second only where its steps were run."""
    oracle = [row for row in rows if row.tracks == "oracle"]
    assembled = {TAS, TURNED} <= {row.step for row in oracle}
    return "\n\n".join([_re_attention(oracle), *([_by_action(oracle)] if assembled else [])]) + "\n"


def _re_attention(rows: list[Row]) -> str:
    """What the learnable prompts move: the target against other objects, frames outside against those inside."""
    body = [
        "**What re-attention moves** (means over clips; log of S_obj of the target over that of the best other object, "
        "and mean frame score outside the true interval as a share of that inside)",
        "",
        "| clips | step | target over objects with other looks | target over its twin | outside / inside |",
        "|---|---|---|---|---|",
    ]
    for clips in dict.fromkeys(row.clips for row in rows):
        for step in (GTI, V_S, V_T, V_T_BARE, BOTH, BOTH_BARE):
            some = [row for row in rows if (row.clips, row.step) == (clips, step)]
            if some:
                values = (_mean(some, lambda r: r.over_others), _mean(some, lambda r: r.over_twin))
                outside = _mean(some, lambda r: r.outside)
                body.append(f"| {clips} | {step} | {values[0]:.2f} | {values[1]:.2f} | {outside:.3f} |")
    return "\n".join(body)


def _by_action(rows: list[Row]) -> str:
    """TAS with and without the action turned, by whether the action looks the same backwards."""
    body = [
        "**What TAS gains in m_vIoU over re-attention alone, by action** [95 %]",
        "",
        "| clips | action | clips of it | TAS as in the paper | TAS with the action turned |",
        "|---|---|---|---|---|",
    ]
    kinds: dict[str, Callable[[Row], bool]] = {
        "turns (moving, growing, shrinking)": lambda row: row.action not in _SAME_BOTH_WAYS,
        "the same both ways (blinking, shaking)": lambda row: row.action in _SAME_BOTH_WAYS,
    }
    for clips in dict.fromkeys(row.clips for row in rows):
        for name, belongs in kinds.items():
            by_step = {
                step: {row.clip: row.viou for row in rows if (row.clips, row.step) == (clips, step) and belongs(row)}
                for step in (BOTH, TAS, TURNED)
            }
            if not all(by_step.values()):
                continue
            numbers = sorted(by_step[BOTH])
            before = np.array([by_step[BOTH][n] for n in numbers])
            gains = [
                "{:+.3f} [{:+.3f}, {:+.3f}]".format(*paired_gain(np.array([by_step[step][n] for n in numbers]), before))
                for step in (TAS, TURNED)
            ]
            body.append(f"| {clips} | {name} | {len(numbers)} | " + " | ".join(gains) + " |")
    return "\n".join(body)


def _mean(rows: list[Row], value: Callable[[Row], float]) -> float:
    found = np.array([value(row) for row in rows])
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else float("nan")
