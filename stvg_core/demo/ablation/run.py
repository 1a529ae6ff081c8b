"""From clips to rows: every step on every clip, with the true tracks and with proposed ones."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from stvg_core.decomposition import decomposer_for
from stvg_core.demo.ablation.figures_file import Row
from stvg_core.demo.ablation.steps import STEPS, SharedLooks, settings_of
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import right_track, scene_tracks, scene_truth, target_track, whole_tube
from stvg_core.demo.scenes import Scene
from stvg_core.locating.attention import AttentionView
from stvg_core.method.evidence import Choice, Evidence, Rows, SecondLook
from stvg_core.method.interval import cut
from stvg_core.method.join import join, refine, second_look_of, second_scores
from stvg_core.method.look import look, look_again
from stvg_core.method.maps import maps
from stvg_core.method.tracks import View, cell_coverage, slot_scores
from stvg_core.metrics import tiou, viou
from stvg_core.open_video import OpenedVideo
from stvg_core.pipeline import Grounder
from stvg_core.query import SubQueries, as_statement
from stvg_core.settings import ActionSubject, GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Track, Tube

SETS: dict[str, dict[str, object]] = {
    "3-4 objects": {"difficulty": "medium", "n_objects": (3, 4)},
    "crowded": {"difficulty": "crowded"},
}
"""Sets of clips by name; ``n_objects`` alternates."""

_grounder: Grounder | None = None


@dataclass(frozen=True)
class Task:
    """One clip of a run; ``timed`` runs each step once more by itself with a clock, ``steps`` are all if empty."""

    clips: str
    number: int
    split: str
    timed: bool
    steps: tuple[str, ...] = ()


def scene_of(task: Task) -> Scene:
    """The rendered scene that a task is about."""
    choices = dict(SETS[task.clips])
    counts = choices.pop("n_objects", None)
    if isinstance(counts, tuple):
        choices["n_objects"] = counts[task.number % len(counts)]
    return split_scene(task.split, task.number, **choices)  # type: ignore[arg-type]


def run(model: str | Path, tasks: list[Task], workers: int) -> Iterator[list[Row]]:
    """Rows clip by clip, in the order of the tasks."""
    if workers == 1:
        _start(str(model))
        yield from map(_rows, tasks)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (str(model),)) as pool:
        yield from pool.map(_rows, tasks)


def _start(model: str) -> None:
    global _grounder
    torch.set_num_threads(1)
    _grounder = Grounder.from_pretrained(model, device="cpu")


def _rows(task: Task) -> list[Row]:
    assert _grounder is not None
    return clip_rows(_grounder, task)


def clip_rows(grounder: Grounder, task: Task) -> list[Row]:
    """All rows of one clip, which goes the user's way: rendered, encoded as H.264, decoded."""
    scene = scene_of(task)
    truth, target = scene_truth(scene), target_track(scene)
    parts = sub_queries(grounder, scene.query)

    def row(tracks: str, step: str, right: float, tube: Tube | None, **more: float) -> Row:
        overlaps = (tiou(tube, truth), viou(tube, truth)) if tube else (0.0, 0.0)
        more = dict.fromkeys(("outside", "over_others", "over_twin", "seconds"), math.nan) | more
        action = str(scene.objects[scene.target].action)
        return Row(task.clips, task.number, len(scene.objects), action, tracks, step, right, *overlaps, **more)

    with tempfile.TemporaryDirectory() as folder:
        video = write_clip(Path(folder) / "clip.mp4", scene)
        opened = OpenedVideo(grounder.locator, grounder.proposer, video, grounder.settings, Stopwatch())
        view = opened.view
        assert isinstance(view, AttentionView)
        candidates = {"oracle": scene_tracks(scene), "proposed": opened.tracks(parts["phrase"].attribute, Stopwatch())}
        rows = []
        for kind, tracks in candidates.items():
            rows += _bounds(row, kind, tracks, target, truth, opened)
        second_looks = _SecondLooks(view, as_statement(scene.query))
        looks = SharedLooks(view.session, as_statement(scene.query), parts, grounder.settings)
        for step in STEPS:
            if task.steps and step.name not in task.steps:
                continue
            settings = settings_of(step, grounder.settings)
            halves = parts[settings.action_subject]
            seconds = _seconds(view, opened.info.n_frames, scene.query, halves, settings) if task.timed else math.nan
            seen = looks(settings)
            found = maps(seen, settings)
            coverage = cell_coverage(target.at(view.slots)[None], *found.temporal.shape[1:], rule=settings.coverage)
            frame_scores = slot_scores(found.temporal, coverage)[0]
            inside = (view.slots >= truth.start_frame) & (view.slots <= truth.end_frame)
            facts = {"outside": _ratio(frame_scores[~inside], frame_scores[inside]), "seconds": seconds}
            for kind, tracks in candidates.items():
                evidence, choice = join(
                    seen, found, tracks, view.slots, view.session.view, opened.info.n_frames, settings,
                    grounder.proposer.weight,
                )  # fmt: skip
                tube = second_looks.tube(evidence, choice, tracks, halves, settings)
                more = facts | (_margins(evidence, tracks, scene) if kind == "oracle" else {})
                rows.append(row(kind, step.name, right_track(evidence, target), tube, **more))
        view.release()
        opened.close()
    return rows


def sub_queries(grounder: Grounder, query: str) -> dict[ActionSubject, SubQueries]:
    """The sentence split in each form of the action."""
    forms: tuple[ActionSubject, ...] = get_args(ActionSubject)
    return {
        form: decomposer_for(replace(grounder.settings, action_subject=form), grounder.loaded).decompose(query)
        for form in forms
    }


class _SecondLooks:
    """The second looks of all steps at one video and sentence; one that several steps share is done once."""

    def __init__(self, opened: AttentionView, asked: str) -> None:
        self._opened, self._asked = opened, asked
        self._seen: dict[object, tuple[Rows, Array, View]] = {}

    def tube(
        self, evidence: Evidence, choice: Choice, tracks: list[Track], parts: SubQueries, settings: GroundingSettings
    ) -> Tube | None:
        """The chosen track between its ends; None without candidates."""
        if choice.chosen < 0:
            return None
        track = tracks[choice.chosen]

        def again(within: tuple[int, int]) -> tuple[SecondLook, Array]:
            rows, slots, view = self._look(within, parts, settings)
            second = second_look_of(rows, within, slots, view, tracks, choice.chosen, track)
            return second, second_scores(second, settings)

        return refine(choice, track, evidence, settings, again).tube

    def _look(
        self, within: tuple[int, int], parts: SubQueries, settings: GroundingSettings
    ) -> tuple[Rows, Array, View]:
        key = (within, replace(settings, lra_steps=0, lra_branches=()))
        if key not in self._seen:
            slots, session = self._opened.look_at(*within, Stopwatch())
            self._seen[key] = look_again(session, self._asked, parts, settings), slots, session.view
        return self._seen[key]


def _bounds(row, kind: str, tracks: list[Track], target: Track, truth: Tube, opened: OpenedVideo) -> list[Row]:  # type: ignore[no-untyped-def]
    """What no look at the video gives: chance, the right object all the time, and the best possible answer."""
    tubes = [whole_tube(track) for track in tracks]
    cuts = [cut(track, truth.start_frame, truth.end_frame) for track in tracks]
    best = max(range(len(tracks)), key=lambda n: viou(cuts[n], truth), default=None)
    right = [float(viou(whole_tube(track), whole_tube(target)) >= 0.5) for track in tracks]
    chance = row(kind, "chance", float(np.mean(right)) if right else 0.0, None)
    if tracks:
        means = [float(np.mean([measure(tube, truth) for tube in tubes])) for measure in (tiou, viou)]
        chance = replace(chance, tiou=means[0], viou=means[1])
    return [
        chance,
        row(kind, "whole clip, right object", 1.0, whole_tube(target) if kind == "oracle" else _whole(tubes, target)),
        row(kind, "oracle bound", 1.0 if best is not None else 0.0, None if best is None else cuts[best]),
    ]


def _whole(tubes: list[Tube], target: Track) -> Tube | None:
    """The proposed track that follows the target best, over its whole length."""
    return max(tubes, key=lambda tube: viou(tube, whole_tube(target)), default=None)


def _seconds(view: AttentionView, n_frames: int, query: str, parts: SubQueries, settings: GroundingSettings) -> float:
    """Of everything in front of the model, on a session of its own: nothing is shared with other steps."""
    began = time.perf_counter()
    _, session = view.look_at(0, n_frames - 1, Stopwatch())
    maps(look(session, as_statement(query), parts, settings), settings)
    if settings.second_look:
        middle = (n_frames // 3, 2 * n_frames // 3)
        _, session = view.look_at(*middle, Stopwatch())
        maps(look_again(session, as_statement(query), parts, settings), settings)
    return time.perf_counter() - began


def _margins(evidence: Evidence, tracks: list[Track], scene: Scene) -> dict[str, float]:
    """How far the target stands above objects with other looks, and above its twins."""
    target = scene.objects[scene.target]
    scores = np.log(np.maximum(evidence.track_scores, 1e-12))
    own: list[float] = []
    twins: list[float] = []
    others: list[float] = []
    for track, score in zip(tracks, scores, strict=True):
        item = scene.objects[int(track.label)]
        alike = (item.colour, item.shape) == (target.colour, target.shape)
        (own if int(track.label) == scene.target else twins if alike else others).append(float(score))
    return {
        "over_others": own[0] - max(others) if others else math.nan,
        "over_twin": own[0] - max(twins) if twins else math.nan,
    }


def _ratio(outside: np.ndarray, inside: np.ndarray) -> float:
    if len(outside) == 0 or len(inside) == 0 or inside.mean() <= 0:
        return math.nan
    return float(outside.mean() / inside.mean())
