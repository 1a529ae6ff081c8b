"""From a video and a sentence to a tube: the whole way, in the order in which the paper tells it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stvg_core.errors import NonFiniteError
from stvg_core.grounding.choose import preference, same_object
from stvg_core.grounding.coverage import cell_coverage
from stvg_core.grounding.dsth import Highlights, highlight, track_scores
from stvg_core.grounding.join import confidence, maximum_sum_segment, slot_span_to_frames, top_k_span
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.proposals import EmbeddedProposer, Proposer
from stvg_core.query import as_statement, decompose, normalise_query
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Array, Evidence, Grounding, Track, Tube, VideoInfo
from stvg_core.version import model_version
from stvg_core.video import probe, read_frames, sample_indices

Progress = Callable[[float, str], None]
_PREFILLS = 5


class Grounder:
    """Grounds sentences in videos with one loaded model.

    >>> grounder = Grounder.from_pretrained("llava-hf/llava-onevision-qwen2-7b-ov-hf")  # doctest: +SKIP
    >>> grounder.ground("clip.mp4", "the man in red who sits down").tube                # doctest: +SKIP
    """

    def __init__(
        self, loaded: LoadedModel, settings: GroundingSettings, version: str, proposer: Proposer | None = None
    ) -> None:
        self.loaded = loaded
        self.settings = settings
        self.model_version = version
        self.proposer = proposer or EmbeddedProposer()

    @classmethod
    def from_pretrained(
        cls, folder_or_hub_id: str | Path, *, device: str | None = None, dtype: torch.dtype | None = None,
        settings: GroundingSettings | None = None, proposer: Proposer | None = None,
    ) -> Grounder:  # fmt: skip
        """Load a model (see :func:`stvg_core.mllm.loading.load`); its own preset is used where ``settings`` is None."""
        chosen = resolve(folder_or_hub_id, settings)
        version = model_version(folder_or_hub_id, chosen)
        return cls(load(folder_or_hub_id, device=device, dtype=dtype), chosen, version, proposer)

    def ground(
        self, video: str | Path, query: str, *, tracks: list[Track] | None = None, progress: Progress | None = None
    ) -> Grounding:
        """Find the tube.

        Args:
            video: a local file.
            query: one sentence naming one object.
            tracks: candidate tracks; None asks the proposer.
            progress: called with a share in [0, 1] and the name of the stage.

        Raises:
            VideoError, QueryError: the input cannot be used.
            NonFiniteError: the model answered with NaN or infinite numbers.
        """
        report = progress or (lambda share, stage: None)
        timings: dict[str, float] = {}
        sentence = normalise_query(query)
        parts = decompose(sentence)
        report(0.0, "decode")
        with _timed(timings, "decode"):
            info = probe(video)
            fused = self.loaded.family.frames_per_slot
            count = max(1, min(self.settings.n_slots, info.n_frames // fused))
            indices = sample_indices(info.n_frames, count * fused)
            frames = read_frames(info, indices)
            # The frame in the middle of those that share a slot stands for it.
            slots = indices.reshape(count, fused).mean(axis=1).round().astype(np.int64)
        report(0.1, "propose")
        with _timed(timings, "propose"):
            if tracks is None:
                tracks = self.proposer.propose(info, parts.attribute)
        report(0.4, "look")
        with _timed(timings, "vision"):
            session = Session(self.loaded, frames)
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            report(0.45 + 0.5 * done / _PREFILLS, "look")

        with _timed(timings, "attention"):
            highlights = highlight(session, as_statement(sentence), parts, self.settings, tick)
        with _timed(timings, "join"):
            result = self._join(info, slots, tracks, highlights)
        report(1.0, "done")
        tube, score, evidence = result
        timings["total"] = sum(timings.values())
        evidence.info.update(
            spatial_question=parts.spatial_question, temporal_question=parts.temporal_question, split=parts.found
        )
        return Grounding(
            query=sentence, attribute_query=parts.attribute, action_query=parts.action, video=info, tube=tube,
            score=score, model_version=self.model_version, timings=timings, evidence=evidence,
        )  # fmt: skip

    def _join(
        self, info: VideoInfo, slots: Array, tracks: list[Track], maps: Highlights
    ) -> tuple[Tube | None, float, Evidence]:
        spatial, temporal = _numpy(maps.spatial), _numpy(maps.temporal)
        boxes = np.stack([track.at(slots) for track in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
        coverage = cell_coverage(boxes, *spatial.shape[1:])

        def per_slot(attention: Array) -> Array:
            return track_scores(attention, coverage, self.settings.coverage)

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
            return None, 0.0, Evidence(chosen=-1, **evidence)
        preferred = preference(
            evidence["track_scores"], np.array([track.score for track in tracks]), self.settings.proposer_weight
        )
        chosen = int(preferred.argmax())
        scores = evidence["frame_scores"][chosen]
        if self.settings.interval == "top_k":
            first, last = top_k_span(scores, self.settings.top_k)
        else:
            first, last = maximum_sum_segment(scores, self.settings.centre)
        tube = cut(tracks[chosen], *slot_span_to_frames(slots, first, last, info.n_frames))
        rivals = preferred[~same_object(boxes, chosen)]
        score = confidence(float(preferred[chosen]), rivals, scores, first, last)
        return tube, score, Evidence(chosen=chosen, **evidence)


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


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        timings[name] = timings.get(name, 0.0) + time.perf_counter() - started
