"""From a video and a sentence to a tube: the whole way, in the order in which the paper tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stvg_core.decomposition import Decomposer, decomposer_for
from stvg_core.errors import ModelError, NonFiniteError
from stvg_core.grounding.choose import preference, same_object
from stvg_core.grounding.coverage import cell_coverage
from stvg_core.grounding.dsth import PREFILLS, Highlights, highlight, track_scores
from stvg_core.grounding.join import confidence, interval, slot_span_to_frames
from stvg_core.grounding.second_look import temporal_map, window
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.opened import OpenedVideo, Stopwatch, file_key
from stvg_core.proposals import Proposer, proposer_for
from stvg_core.query import SubQueries, as_statement, normalise_query
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Array, Evidence, Grounding, Track, Tube
from stvg_core.version import model_version

Progress = Callable[[float, str], None]


class Grounder:
    """Grounds sentences in videos with one loaded model.

    >>> grounder = Grounder.from_pretrained("llava-hf/llava-onevision-qwen2-7b-ov-hf")  # doctest: +SKIP
    >>> grounder.ground("clip.mp4", "the man in red who sits down").tube                # doctest: +SKIP
    """

    def __init__(
        self, loaded: LoadedModel, settings: GroundingSettings, version: str, proposer: Proposer | None = None,
        decomposer: Decomposer | None = None,
    ) -> None:  # fmt: skip
        self.loaded = loaded
        self.settings = settings
        self.model_version = version
        self.proposer = proposer or proposer_for(settings, device=str(loaded.device))
        self.decomposer = decomposer or decomposer_for(settings, loaded)
        self._opened: OpenedVideo | None = None

    @classmethod
    def from_pretrained(
        cls, folder_or_hub_id: str | Path, *, device: str | None = None, settings: GroundingSettings | None = None,
        proposer: Proposer | None = None, decomposer: Decomposer | None = None,
    ) -> Grounder:  # fmt: skip
        """Load a model (see :func:`stvg_core.mllm.loading.load`); its own preset is used where ``settings`` is None."""
        chosen = resolve(folder_or_hub_id, settings)
        version = model_version(folder_or_hub_id, chosen)
        loaded = load(folder_or_hub_id, device=device, precision=chosen.precision)
        return cls(loaded, chosen, version, proposer, decomposer)

    def ground(
        self, video: str | Path, query: str, *, tracks: list[Track] | None = None, progress: Progress | None = None
    ) -> Grounding:
        """Find the tube.

        Where the memory of the GPU does not suffice, it is tried once more with half of the frames.

        Args:
            video: a local file.
            query: one sentence naming one object.
            tracks: candidate tracks; None asks the proposer.
            progress: called with a share in [0, 1] and the name of the stage.

        Raises:
            VideoError, QueryError: the input cannot be used.
            ModelError: the GPU's memory does not suffice even so.
            NonFiniteError: the model answered with NaN or infinite numbers.
        """
        try:
            return self._with_less_memory(video, query, tracks, progress or (lambda share, stage: None))
        finally:
            self._release()

    def ground_many(
        self, video: str | Path, queries: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """Find a tube for each sentence; what does not depend on the sentence is done once.

        Raises as :meth:`ground`; the first error ends it.
        """
        found: list[Grounding] = []

        def report(share: float, stage: str) -> None:
            if progress is not None:
                progress((len(found) + share) / len(queries), stage)

        try:
            for query in queries:
                found.append(self._with_less_memory(video, query, None, report))
            return found
        finally:
            self._release()

    def _with_less_memory(
        self, video: str | Path, query: str, tracks: list[Track] | None, report: Progress
    ) -> Grounding:
        slots = self.settings.n_slots
        try:
            return self._ground(video, query, tracks, report, slots)
        except torch.OutOfMemoryError:
            fewer = max(1, slots // 2)
        # Outside the handler, whose traceback would keep the tensors of the failed try alive.
        self._opened = None
        torch.cuda.empty_cache()
        try:
            found = self._ground(video, query, tracks, lambda share, stage: None, fewer)
        except torch.OutOfMemoryError:
            self._opened = None
            raise ModelError(
                f"The memory of {self.loaded.device} does not suffice, not even for {fewer} frames instead of {slots}. "
                "Take a smaller model, precision 4bit, or a GPU that nothing else uses."
            ) from None
        found.evidence.info["slots_after_out_of_memory"] = fewer
        return found

    def _ground(
        self, video: str | Path, query: str, tracks: list[Track] | None, report: Progress, n_slots: int
    ) -> Grounding:
        watch = Stopwatch()
        sentence = normalise_query(query)
        with watch("decompose"):
            parts = self.decomposer.decompose(sentence)
        report(0.0, "decode")
        opened = self._open(video, n_slots, watch)
        report(0.1, "propose")
        candidates = opened.tracks(parts.attribute, watch) if tracks is None else tracks
        report(0.4, "look")
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            report(0.4 + 0.4 * done / PREFILLS, "look")

        asked = as_statement(sentence)
        with watch("attention"):
            highlights = highlight(opened.session, asked, parts, self.settings, tick)
        with watch("join"):
            first = self._join(opened, candidates, highlights)
        report(0.8, "refine")
        tube, score = self._refine(opened, asked, first, watch)
        report(1.0, "done")
        timings = watch.seconds | {"total": sum(watch.seconds.values())}
        return self._answer(sentence, parts, opened, tube, score, first.evidence, timings)

    def _answer(
        self, sentence: str, parts: SubQueries, opened: OpenedVideo, tube: Tube | None, score: float,
        evidence: Evidence, timings: dict[str, float],
    ) -> Grounding:  # fmt: skip
        evidence.info.update(
            spatial_question=parts.spatial_question, temporal_question=parts.temporal_question, split=parts.found
        )
        return Grounding(
            query=sentence, attribute_query=parts.attribute, action_query=parts.action, video=opened.info, tube=tube,
            score=score, model_version=self.model_version, timings=timings, evidence=evidence,
        )  # fmt: skip

    def _open(self, video: str | Path, n_slots: int, watch: Stopwatch) -> OpenedVideo:
        """The video of the last query is kept: sentences about one video tend to come one after the other."""
        kept = self._opened
        if kept is None or kept.key != file_key(video) or kept.n_slots != n_slots:
            self._opened = None  # its memory is free before the next one needs some
            self._opened = OpenedVideo(self.loaded, self.proposer, video, n_slots, watch)
        assert self._opened is not None
        return self._opened

    def _release(self) -> None:
        if self._opened is not None:
            self._opened.session.release()

    def _join(self, opened: OpenedVideo, tracks: list[Track], maps: Highlights) -> _FirstAnswer:
        """Choose the track and the interval from the maps of the whole video."""
        spatial, temporal = _numpy(maps.spatial), _numpy(maps.temporal)
        slots, settings = opened.slots, self.settings
        boxes = np.stack([track.at(slots) for track in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
        coverage = cell_coverage(opened.session.view(boxes), *spatial.shape[1:])

        def per_slot(attention: Array) -> Array:
            return track_scores(attention, coverage, settings.coverage)

        def totals(attention: Array) -> Array:
            best: Array = per_slot(attention).max(axis=1)
            return best

        evidence: dict[str, Any] = {
            "slot_frames": slots, "track_boxes": boxes, "track_scores": totals(spatial),
            "track_scores_forward": totals(_numpy(maps.spatial_forward)),
            "track_scores_reversed": totals(_numpy(maps.spatial_reversed)),
            "frame_scores": per_slot(temporal),
            "spatial_map": _half(spatial), "temporal_map": _half(temporal),
            "consistency": maps.consistency, "info": dict(maps.info),
        }  # fmt: skip
        if not tracks:
            return _FirstAnswer(None, (0, opened.info.n_frames - 1), 0.0, Evidence(chosen=-1, **evidence))
        weight = self.proposer.weight if settings.proposer_weight is None else settings.proposer_weight
        preferred = preference(evidence["track_scores"], np.array([track.score for track in tracks]), weight)
        chosen = int(preferred.argmax())
        scores = evidence["frame_scores"][chosen]
        first, last = interval(scores, settings)
        rivals = preferred[~same_object(boxes, chosen)]
        score = confidence(float(preferred[chosen]), rivals, scores, first, last)
        span = slot_span_to_frames(slots, first, last, 0, opened.info.n_frames - 1)
        return _FirstAnswer(tracks[chosen], span, score, Evidence(chosen=chosen, **evidence))

    def _refine(
        self, opened: OpenedVideo, asked: str, first: _FirstAnswer, watch: Stopwatch
    ) -> tuple[Tube | None, float]:
        """The chosen track made dense, and its ends set by a second look at the frames around them."""
        if first.track is None:
            return None, first.score
        start, end = first.span
        with watch("densify"):
            track = self.proposer.densify(opened.info, first.track, start, end)
        if self.settings.second_look:
            spacing = opened.info.n_frames / len(opened.slots)
            seen = window(start, end, spacing, opened.info.n_frames)
            if seen is not None:
                slots, session = opened.look_at(*seen, watch)
                with watch("second_look"):
                    start, end = self._ends(session, asked, slots, track, seen)
                first.evidence.info["second_look"] = [*seen, start, end]
        return cut(track, start, end), first.score

    def _ends(self, session: Session, asked: str, slots: Array, track: Track, seen: tuple[int, int]) -> tuple[int, int]:
        attention = _numpy(temporal_map(session, asked, self.settings))
        coverage = cell_coverage(session.view(track.at(slots)[None]), *attention.shape[1:])
        scores = track_scores(attention, coverage, self.settings.coverage)[0]
        return slot_span_to_frames(slots, *interval(scores, self.settings), *seen)


@dataclass(frozen=True)
class _FirstAnswer:
    """What the maps of the whole video say: the track (None without candidates), its frames, and why."""

    track: Track | None
    span: tuple[int, int]
    score: float
    evidence: Evidence


def cut(track: Track, start: int, end: int) -> Tube:
    """The part of a track between two frames, both included, as far as the track exists.

    A track that lies wholly outside the interval gives its frame nearest to it: an answer has at least one box.
    """
    start, end = max(start, int(track.frames[0])), min(end, int(track.frames[-1]))
    if start > end:
        start = end = int(np.clip(start, track.frames[0], track.frames[-1]))
    return Tube(start, track.at(np.arange(start, end + 1)))


def _numpy(values: torch.Tensor) -> Array:
    array: Array = values.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise NonFiniteError("The attention maps hold NaN or infinite numbers; try float32, or another checkpoint.")
    return array


def _half(values: Array) -> Array:
    """Scaled to a largest value of 1 before float16, which cannot hold tiny probabilities."""
    return (values / max(float(values.max()), 1e-30)).astype(np.float16)
