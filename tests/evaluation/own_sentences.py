"""Sentences, trajectories and predictions of our own in the public files' form, with what each protocol gives for them.

What is expected comes from the version without arrays (tests.evaluation.plain).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.datasets.small import moving, vidor, vidstg_entry
from tests.evaluation import plain

N_FRAMES = 600
# Video, segment, interval with an exclusive end, and what its owner's box does on that end. One video is there twice,
# with the same sentence and another segment; two segments cut the interval or end with it.
SENTENCES = (
    ("801", (0, 599), (40, 90), True),
    ("801", (30, 200), (40, 90), True),
    ("802", (0, 120), (79, 99), False),
    ("803", (100, 599), (150, 420), True),
    ("804", (0, 300), (250, 300), False),
    ("805", (10, 599), (11, 590), True),
)


@dataclass(frozen=True)
class OwnSentences:
    annotations: Path
    vidor: Path
    predictions: list[dict[str, Any]]  # with "tubedetr" and "cgstvg": tiou, viou, gt_viou


def write_sentences(folder: Path) -> OwnSentences:
    """The files below ``folder``, and a prediction for each sentence."""
    rng = np.random.default_rng(7)
    entries, predictions = [], []
    for video, segment, (start, end), on_end in SENTENCES:
        tracks = {
            0: moving(range(max(start - 20, 0), end + int(on_end)), step=0.05),
            1: moving(range(N_FRAMES), step=0.1, corner=30),
        }
        vidor(folder / "vidor", video, tracks, n_frames=N_FRAMES)
        entry = vidstg_entry(
            video, start, end, frame_count=N_FRAMES, used_segment={"begin_fid": segment[0], "end_fid": segment[1]}
        )
        entries.append(entry)
        for kind, tid in (("captions", 0), ("questions", 1)):
            true = {frame: box for frame, box in tracks[tid].items() if start <= frame <= end}
            predictions.append(_prediction(rng, entry, entry[kind][0]["description"], true))
    (folder / "annotations.json").write_text(json.dumps(entries))
    return OwnSentences(folder / "annotations.json", folder / "vidor", predictions)


def _prediction(rng: np.random.Generator, entry: dict[str, Any], sentence: str, true: plain.Boxes) -> dict[str, Any]:
    """Boxes a little beside the true ones; ends beside the true ones, some outside of the segment."""
    segment = tuple(entry["used_segment"].values())
    start, end = entry["temporal_gt"].values()
    ends = max(start + int(rng.integers(-15, 15)), 0), min(end + int(rng.integers(-5, 40)), N_FRAMES)
    shift = rng.uniform(-12, 12, 4)
    boxes = {frame: tuple(round(float(v), 2) for v in np.array(box) + shift) for frame, box in true.items()}
    scores = {
        "tubedetr": plain.tubedetr(true, (start, end), boxes, ends, segment, entry["fps"]),  # type: ignore[arg-type]
        "cgstvg": plain.cgstvg(true, (start, min(end, segment[1])), boxes, ends),  # type: ignore[arg-type]
    }
    return {
        "video": entry["vid"], "sentence": sentence, "used_segment": list(segment), "pred_sted": list(ends),
        "pred_boxes": {str(frame): list(box) for frame, box in boxes.items()},
        **{name: dict(zip(("tiou", "viou", "gt_viou"), found, strict=True)) for name, found in scores.items()},
    }  # fmt: skip
