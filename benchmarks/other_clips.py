"""How much work do suggestions save on clips that other code rendered? Boxes, ends and edits, clip by clip.

    OMP_NUM_THREADS=1 python -m benchmarks.other_clips --split validation --clips 40 --out now.json
    OMP_NUM_THREADS=1 python -m benchmarks.other_clips --split test --clips 60 --before earlier.json --out now.json

The clips are those of ``tests/other_renderer``. Each goes the user's way: encoded, decoded, grounded with the embedded
model and its own settings, stored as keyframes. Edits are those of ``backend.review.edits``, twice: at IoU >= .9 with
ends met on the frame, and at IoU >= .8 where an end within .25 s is left as it is. ``--before`` compares with an
earlier run on the same clips, pair by pair (95 %, bootstrap over clips). A clip that fails counts 0.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from backend.review.drawn_tube import Drawn
from backend.review.edits import both, edits_from_nothing
from stvg_core.boxes import box_iou
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.evaluate import right_track
from stvg_core.errors import StvgError
from stvg_core.keyframes import simplify
from stvg_core.metrics import tiou, viou
from stvg_core.pipeline import Grounder
from stvg_core.settings import GroundingSettings, preset
from stvg_core.tube import Array, Grounding, Track, Tube
from tests.other_renderer import Scene, scene_of, write

STRICT, LENIENT = (0.9, 0.0), (0.8, 0.25)
"""Least IoU on every frame, and how many seconds an end may be off."""


@dataclass(frozen=True)
class Row:
    """One clip.

    Attributes:
        box_iou: mean over the frames that both tubes have; None where they have none, or the object is another one.
        start_s, end_s: how much too late the suggestion begins and ends, in seconds; None as above.
        strict, lenient: edits with the suggestion and without.
    """

    clip: int
    query: str
    right: bool
    tiou: float
    viou: float
    box_iou: float | None
    start_s: float | None
    end_s: float | None
    strict: tuple[int, int]
    lenient: tuple[int, int]
    propose_s: float
    total_s: float


def compare(scene: Scene, number: int, found: Grounding | None) -> Row:
    """One answer with the truth."""
    truth, track = scene.truth, scene.target_track
    tube = None if found is None else found.tube
    strict, lenient = (edits(tube, truth, track, scene.fps, *bounds) for bounds in (STRICT, LENIENT))
    if found is None or tube is None:
        return Row(number, scene.query, False, 0, 0, None, None, None, strict, lenient, 0, 0)
    right = bool(right_track(found.evidence, track))
    first, last = max(tube.start_frame, truth.start_frame), min(tube.end_frame, truth.end_frame)
    shared = None
    if right and first <= last:
        parts = [one.boxes[first - one.start_frame : last - one.start_frame + 1] for one in (tube, truth)]
        shared = float(box_iou(*parts).mean())
    times = found.timings
    return Row(
        number, scene.query, right, tiou(tube, truth), viou(tube, truth), shared,
        (tube.start_frame - truth.start_frame) / scene.fps if right else None,
        (tube.end_frame - truth.end_frame) / scene.fps if right else None, strict, lenient,
        times.get("propose", 0) + times.get("densify", 0), times["total"],
    )  # fmt: skip


def edits(
    tube: Tube | None, truth: Tube, track: Track, fps: float, min_iou: float, seconds: float
) -> tuple[int, int]:  # fmt: skip
    """With the suggestion and without, for a person who is content with boxes and ends that are so near.

    An end that is near enough is where this person wants it: the tube that is reached has the object's true boxes up to
    there.
    """
    nothing = edits_from_nothing(Drawn.whole(truth), min_iou)
    if tube is None:
        return nothing, nothing
    near = seconds * fps + 1e-6
    start = tube.start_frame if abs(tube.start_frame - truth.start_frame) <= near else truth.start_frame
    end = tube.end_frame if abs(tube.end_frame - truth.end_frame) <= near else truth.end_frame
    wanted = Tube(start, track.at(np.arange(start, end + 1).clip(track.frames[0], track.frames[-1])))
    return both(simplify(tube), Drawn.whole(wanted), min_iou)[0], nothing


def summary(rows: Sequence[Row]) -> dict[str, float | int]:
    """Means over all clips; boxes and ends over those with the right object; shares of edits are of the sums."""
    right = [row for row in rows if row.right]
    boxes = [row.box_iou for row in right if row.box_iou is not None]
    ends = np.abs([end for row in right for end in (row.start_s, row.end_s)])
    values: dict[str, float] = {
        "right": float(np.mean([row.right for row in rows])), "m_tiou": float(np.mean([row.tiou for row in rows])),
        "m_viou": float(np.mean([row.viou for row in rows])), "box_iou": float(np.mean(boxes)),
        "box_iou_lowest_tenth": float(np.quantile(boxes, 0.1)),
        "ends_median_s": float(np.median(ends)), "ends_within_quarter_s": float((ends <= 0.25 + 1e-6).mean()),
        "saved_strict": saved(rows, "strict"), "saved_lenient": saved(rows, "lenient"),
        # Shares of sums are those of the few tubes with many keyframes; here each clip counts alike.
        "mean_saved_strict": float(np.mean([1 - row.strict[0] / row.strict[1] for row in rows])),
        "mean_saved_lenient": float(np.mean([1 - row.lenient[0] / row.lenient[1] for row in rows])),
        "clips_saving_half_lenient": float(np.mean([row.lenient[0] <= row.lenient[1] / 2 for row in rows])),
        "propose_s": float(np.mean([row.propose_s for row in rows])),
        "total_s": float(np.mean([row.total_s for row in rows])),
    }  # fmt: skip
    for name in ("strict", "lenient"):
        values[f"median_with_{name}"], values[f"median_without_{name}"] = np.median(
            [getattr(row, name) for row in rows], axis=0
        )
    return {"clips": len(rows), **{name: round(float(value), 4) for name, value in values.items()}}


def saved(rows: Sequence[Row], name: str) -> float:
    """1 - edits with / edits without, of the sums."""
    with_, without = np.sum([getattr(row, name) for row in rows], axis=0)
    return float(1 - with_ / without)


def gains(rows: Sequence[Row], before: Sequence[Row], draws: int = 5000) -> dict[str, tuple[float, float, float]]:
    """How much more than before: the difference, and its 95 % interval when clips are drawn."""
    numbers = np.random.default_rng(0).integers(0, len(rows), (draws, len(rows)))

    def spread(differences: Array) -> tuple[float, float, float]:
        low, high = np.quantile(differences[1:], (0.025, 0.975))
        return round(float(differences[0]), 4), round(float(low), 4), round(float(high), 4)

    numbers = np.concatenate([[np.arange(len(rows))], numbers])
    out = {}
    for name in ("right", "tiou", "viou"):
        pairs = np.array([float(getattr(a, name)) - float(getattr(b, name)) for a, b in zip(rows, before, strict=True)])
        out[name] = spread(pairs[numbers].mean(axis=1))
    for name in ("strict", "lenient"):
        now, then = (np.array([getattr(row, name) for row in some]) for some in (rows, before))
        shares = [1 - one[numbers, 0].sum(axis=1) / one[numbers, 1].sum(axis=1) for one in (now, then)]
        out[f"saved_{name}"] = spread(shares[0] - shares[1])
    return out


def ground(grounder: Grounder, file: Path, query: str) -> Grounding | None:
    """The answer; None where there is none."""
    try:
        return grounder.ground(file, query)
    except StvgError:
        return None


@contextmanager
def kept(folder: Path | None) -> Iterator[Path]:
    """The folder, or one that is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="keep the rendered clips here, and use those that are there")
    parser.add_argument("--set", nargs="*", default=[], help="settings in place of the model's, name=JSON")
    parser.add_argument("--before", type=Path, help="an earlier --out on the same clips")
    parser.add_argument("--out", type=Path, help="write summary and rows as JSON")
    args = parser.parse_args()
    chosen = {name: json.loads(value) for name, _, value in (one.partition("=") for one in args.set)}
    settings = GroundingSettings(**preset(args.model) | chosen)
    grounder = Grounder.from_pretrained(args.model, settings=settings)
    rows = []
    with kept(args.folder) as folder:
        for number in tqdm(range(args.first, args.first + args.clips)):
            scene, file = scene_of(args.split, number), folder / f"{args.split}_{number}.mp4"
            if not file.exists():
                write(file, scene)
            rows.append(compare(scene, number, ground(grounder, file, scene.query)))
            if args.folder is None:
                file.unlink()
    report = {"model_version": grounder.model_version, "split": args.split, **summary(rows)}
    if args.before is not None:
        before = [
            Row(**row | {"strict": tuple(row["strict"]), "lenient": tuple(row["lenient"])})
            for row in json.loads(args.before.read_text(encoding="utf-8"))["rows"]
        ]
        if [row.clip for row in before] != [row.clip for row in rows]:
            parser.error(f"{args.before} is of other clips: run it with the same --first and --clips")
        report["gains"] = gains(rows, before)
    if args.out is not None:
        args.out.write_text(json.dumps({**report, "rows": [asdict(row) for row in rows]}) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
