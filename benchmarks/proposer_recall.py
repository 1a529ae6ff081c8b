"""How many true objects does the embedded proposer follow on clips that nobody has looked at?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/proposer_recall.py --split test --first 1000 --clips 60
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/proposer_recall.py --mot FOLDER

Every synthetic clip is rendered, encoded as H.264 and decoded. An object counts as followed where one proposal alone
reaches a mean IoU of 0.5 over all frames on which the object exists. ``--mot`` reads a real clip: a folder with one
.mp4 and its ``gt.txt`` in the MOT challenge's format; there the share of the true boxes that are covered is counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.domain import Difficulty
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.proposals import EmbeddedProposer
from stvg_core.proposals.recall import FOLLOWED, best_overlaps, covered_frames, interval_over_clips
from stvg_core.tube import Track, VideoInfo
from stvg_core.video import VideoReader


def synthetic(split: str, difficulty: Difficulty, numbers: range) -> dict[str, Any]:
    """Recall over the clips of a split, and one row per clip."""
    proposer, rows = EmbeddedProposer(), []
    with tempfile.TemporaryDirectory() as folder:
        for number in tqdm(numbers, desc=difficulty):
            scene = split_scene(split, number, difficulty=difficulty)
            video = write_clip(Path(folder) / "clip.mp4", scene)
            began = time.perf_counter()
            with VideoReader(video) as reader:
                proposals = proposer.propose(reader)
            seconds = time.perf_counter() - began
            truths = scene_tracks(scene)
            best = best_overlaps(proposals, truths)
            rows.append(
                {
                    "clip": number,
                    "objects": len(truths),
                    "followed": int((best >= FOLLOWED).sum()),
                    "tracks": len(proposals),
                    "seconds": round(seconds, 2),
                    "overlaps": {
                        truth.label: round(float(value), 3) for truth, value in zip(truths, best, strict=True)
                    },
                }
            )
    followed, objects = [row["followed"] for row in rows], [row["objects"] for row in rows]
    low, high = interval_over_clips(followed, objects)
    return {
        "split": split, "difficulty": difficulty, "clips": f"{numbers.start} to {numbers.stop - 1}",
        "objects": sum(objects), "recall": round(sum(followed) / sum(objects), 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "mean_overlap": round(float(np.mean([v for row in rows for v in row["overlaps"].values()])), 4),
        "tracks_per_clip": round(float(np.mean([row["tracks"] for row in rows])), 1),
        "seconds_per_clip": round(float(np.mean([row["seconds"] for row in rows])), 2),
        "rows": rows,
    }  # fmt: skip


def mot_tracks(file: Path, info: VideoInfo) -> list[Track]:
    """True tracks of a ``gt.txt``: lines of ``frame, id, left, top, width, height, counts, ...``.

    Frames and pixels count from 1; boxes whose ``counts`` is 0 are left out.
    """
    table = np.loadtxt(file, delimiter=",", ndmin=2, usecols=range(7))
    table = table[table[:, 6] != 0]
    size = np.array([info.width, info.height] * 2)
    tracks = []
    for person in np.unique(table[:, 1]):
        rows = table[table[:, 1] == person]
        rows = rows[np.argsort(rows[:, 0])]
        corners = np.concatenate([rows[:, 2:4] - 1, rows[:, 2:4] - 1 + rows[:, 4:6]], axis=1)
        tracks.append(Track(rows[:, 0].astype(int) - 1, (corners / size).clip(0, 1), label=str(int(person))))
    return tracks


def real(folder: Path) -> dict[str, Any]:
    """Shares of the true boxes that are covered at IoU >= 0.5."""
    with VideoReader(next(iter(sorted(folder.glob("*.mp4"))))) as video:
        info = video.info
        began = time.perf_counter()
        proposals = EmbeddedProposer().propose(video)
    seconds = time.perf_counter() - began
    truths = mot_tracks(folder / "gt.txt", info)
    covered = np.array([covered_frames(proposals, truth) for truth in truths])
    boxes = sum(len(truth.frames) for truth in truths)
    return {
        "clip": Path(info.path).name, "people": len(truths), "boxes": boxes, "tracks": len(proposals),
        "covered_by_best_single_track": round(float(covered[:, 0].sum() / boxes), 4),
        "covered_by_any_track": round(float(covered[:, 1].sum() / boxes), 4),
        "followed": int((best_overlaps(proposals, truths) >= FOLLOWED).sum()),
        "seconds": round(seconds, 2),
        "rows": [
            {"person": truth.label, "frames": len(truth.frames), "best_single": int(one), "any": int(every)}
            for truth, (one, every) in zip(truths, covered, strict=True)
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--difficulty", choices=["easy", "medium", "hard"], nargs="+", default=["medium", "hard"])
    parser.add_argument("--first", type=int, default=1000, help="number of the first clip")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--mot", type=Path, help="a folder with one .mp4 and gt.txt instead of synthetic clips")
    parser.add_argument("--out", type=Path, help="write figures and rows as JSON")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.clips)
    reports = [real(args.mot)] if args.mot else [synthetic(args.split, name, numbers) for name in args.difficulty]
    if args.out:
        args.out.write_text(json.dumps(reports) + "\n", encoding="utf-8")
    for report in reports:
        print(json.dumps({name: value for name, value in report.items() if name != "rows"}))  # noqa: T201
    if args.mot:
        print(json.dumps(reports[0]["rows"]))  # noqa: T201


if __name__ == "__main__":
    main()
