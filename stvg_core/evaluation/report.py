"""The result as a table for a person and as JSON for a program."""

from __future__ import annotations

from typing import Any

from stvg_core.evaluation.compare import Comparison
from stvg_core.evaluation.summary import METRICS, Group, Mean, breakdown, means

SHOWN = 12
"""Values of one attribute in the table; the JSON has all."""


def table(comparison: Comparison) -> str:
    """Means with their 95 % intervals, what was missing, and means by attribute."""
    everything = means(comparison.samples)
    lines = [f"protocol {comparison.protocol}, {len(comparison.samples)} sentences", *_missing(comparison), ""]
    lines.append(f"{'':12}{'mean':>8}   95 % interval")
    for name in METRICS:
        mean = everything[name]
        span = "-" if mean.low is None else f"{mean.low:.4f} to {mean.high:.4f}"
        lines.append(f"{name:12}{mean.value:8.4f}   {span}")
    groups = breakdown(comparison.samples)
    if groups:
        width = max(len(group.value) for group in groups) + 2
        lines += ["", f"{'':{width + 2}}{'n':>6}" + "".join(f"{name:>11}" for name in METRICS)]
        for attribute in dict.fromkeys(group.attribute for group in groups):
            of_it = [group for group in groups if group.attribute == attribute]
            lines.append(attribute)
            lines += [_row(group, width) for group in of_it[:SHOWN]]
            if len(of_it) > SHOWN:
                lines.append(f"  and {len(of_it) - SHOWN} more, see --json")
    if everything[METRICS[0]].low is None:
        lines += ["", "No interval: it is drawn over videos, and there is only one."]
    return "\n".join(lines)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything: counts, means, groups, and each sentence's scores."""
    return {
        "protocol": str(comparison.protocol),
        "sentences": len(comparison.samples),
        "videos": len({sample.truth.key[0] for sample in comparison.samples}),
        "scored": comparison.count("scored"),
        "missing": comparison.count("missing"),
        "no_tube": comparison.count("no tube"),
        "unused_predictions": comparison.unused,
        "repeated_predictions": comparison.repeated,
        "scaled_predictions": comparison.scaled,
        "means": _means(means(comparison.samples)),
        "groups": [
            {"attribute": group.attribute, "value": group.value, "n": group.n, "means": _means(group.means)}
            for group in breakdown(comparison.samples)
        ],
        "samples": [
            {
                "video": sample.truth.video,
                "sentence": sample.truth.sentence,
                "state": sample.state,
                "segment": list(sample.truth.segment),
                "true_frames": [sample.truth.first, sample.truth.last],
                "tIoU": round(sample.scores.tiou, 6),
                "vIoU": round(sample.scores.viou, 6),
                "gt_vIoU": round(sample.scores.gt_viou, 6),
            }
            for sample in comparison.samples
        ],
    }


def _missing(comparison: Comparison) -> list[str]:
    """Sentences on what did not match; nothing where all did."""
    said = [
        ("without a prediction, counted 0", comparison.count("missing")),
        ("predicted without a tube, counted 0", comparison.count("no tube")),
        ("predictions for sentences that the truth does not have", comparison.unused),
        ("predictions that repeat a sentence, of which the first counts", comparison.repeated),
    ]
    return [f"{what}: {number}" for what, number in said if number]


def _row(group: Group, width: int) -> str:
    return f"  {group.value:{width}}{group.n:>6}" + "".join(f"{group.means[name].value:11.4f}" for name in METRICS)


def _means(of: dict[str, Mean]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            "mean": round(mean.value, 6),
            "low": None if mean.low is None else round(mean.low, 6),
            "high": None if mean.high is None else round(mean.high, 6),
        }
        for name, mean in of.items()
    }
