"""How well does the embedded model ground clips that it has never seen?

    python -m stvg_core.demo.evaluate --split test --clips 150 --out figures.json

Every clip goes the user's way: rendered, encoded as H.264, decoded, grounded. With oracle tracks (every object's true
boxes) the model only chooses; with proposed tracks the whole product is measured. A clip that fails counts 0.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stvg_core.boxes import box_iou
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.domain import LEVELS
from stvg_core.demo.scenes import Scene
from stvg_core.demo.truths import scene_tracks as scene_tracks
from stvg_core.demo.truths import scene_truth as scene_truth
from stvg_core.demo.truths import target_track as target_track
from stvg_core.errors import StvgError
from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import cell_coverage
from stvg_core.metrics import tiou, viou
from stvg_core.pipeline import Grounder
from stvg_core.tube import Array, Grounding, Track, Tube


@dataclass(frozen=True)
class Row:
    """One clip's figures; ``chance_*`` are exact expectations, not drawn."""

    clip: int
    objects: int
    tiou: float
    viou: float
    right_track: float
    pointing: float
    whole_tiou: float
    whole_viou: float
    chance_viou: float
    chance_track: float
    chance_pointing: float
    seconds: float


def whole_tube(track: Track) -> Tube:
    """The track over its whole length."""
    return Tube(int(track.frames[0]), track.at(np.arange(track.frames[0], track.frames[-1] + 1)))


def evaluate(grounder: Grounder, scenes: Iterable[Scene], *, oracle: bool) -> list[Row]:
    """Ground every scene and compare with its truth."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, scene in enumerate(scenes):
            video = write_clip(Path(folder) / f"{number}.mp4", scene)
            try:
                found = grounder.ground(video, scene.query, tracks=scene_tracks(scene) if oracle else None)
            except StvgError:
                found = None
            rows.append(_row(number, scene, found))
            video.unlink()
    return rows


def summary(rows: list[Row]) -> dict[str, float]:
    """Means over all clips, with the standard error of m_vIoU; vIoU@R is the share strictly above R."""
    values = np.array([row.viou for row in rows])
    means = {f"m_{name}": float(np.mean([getattr(row, name) for row in rows])) for name in Row.__dataclass_fields__}
    means.pop("m_clip")
    means["se_viou"] = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    means.update({f"viou@{bound}": float((values > bound).mean()) for bound in (0.3, 0.5)})
    return {"clips": len(rows), **{name: round(value, 4) for name, value in means.items()}}


def _row(number: int, scene: Scene, found: Grounding | None) -> Row:
    truth, track = scene_truth(scene), target_track(scene)
    whole = whole_tube(track)
    others = [viou(whole_tube(other), truth) for other in scene_tracks(scene)]
    tube = found.tube if found else None
    pointed, area = _pointing(found.evidence, track) if found else (0.0, 0.0)
    return Row(
        clip=number,
        objects=len(scene.objects),
        tiou=tiou(tube, truth) if tube else 0.0,
        viou=viou(tube, truth) if tube else 0.0,
        right_track=right_track(found.evidence, track) if found else 0.0,
        pointing=pointed,
        whole_tiou=tiou(whole, truth),
        whole_viou=viou(whole, truth),
        chance_viou=float(np.mean(others)),
        chance_track=1 / len(scene_tracks(scene)),
        chance_pointing=area,
        seconds=found.timings["total"] if found else 0.0,
    )


def right_track(evidence: Evidence, track: Track) -> float:
    """1 where the chosen track follows the target: mean IoU of at least 0.5 over the slots in which both are there."""
    if evidence.chosen < 0:
        return 0.0
    chosen, true = evidence.track_boxes[evidence.chosen], track.at(evidence.slot_frames)
    both = np.isfinite(chosen).all(axis=1) & np.isfinite(true).all(axis=1)
    return float(both.any() and box_iou(chosen[both], true[both]).mean() >= 0.5)


def _pointing(evidence: Evidence, track: Track) -> tuple[float, float]:
    """Does the brightest cell of A_S touch the target's box there? Chance: the share of cells that touch it."""
    attention = evidence.spatial_map.astype(np.float64)
    slot, row, column = np.unravel_index(int(attention.argmax()), attention.shape)
    touched = _touched(track.at(evidence.slot_frames), *attention.shape[1:])
    return float(touched[slot, row, column]), float(touched.mean())


def _touched(boxes: Array, h: int, w: int) -> Array:
    touched: Array = cell_coverage(boxes, h, w) > 0
    return touched


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--difficulty", choices=list(LEVELS), default="medium")
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--proposed", action="store_true", help="use the embedded proposer instead of the true tracks")
    parser.add_argument("--out", type=Path, help="write summary and rows as JSON")
    args = parser.parse_args()
    grounder = Grounder.from_pretrained(args.model)
    scenes = (split_scene(args.split, number, difficulty=args.difficulty) for number in tqdm(range(args.clips)))
    rows = evaluate(grounder, scenes, oracle=not args.proposed)
    report = {"model_version": grounder.model_version, **vars(args), **summary(rows)}
    text = json.dumps({**report, "rows": [asdict(row) for row in rows]}, default=str)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(report, default=str, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
