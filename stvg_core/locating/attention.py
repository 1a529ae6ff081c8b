"""The paper's locator: a multimodal model is asked, and its attention says where and when (:mod:`stvg_core.method`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from stvg_core.decomposition import Decomposer
from stvg_core.locating.base import Answer, Located, Question
from stvg_core.method.evidence import Rows, SecondLook
from stvg_core.method.join import join, refine, second_look_of, second_scores
from stvg_core.method.look import Sentence, look_again, look_each, spatial_question
from stvg_core.method.maps import maps
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.mllm.together import GROUP
from stvg_core.out_of_memory import sparing, twice
from stvg_core.query import SubQueries
from stvg_core.sentence_group import Looked, Progress, Room, look_together
from stvg_core.settings import GroundingSettings, head_name
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Grounding, Track, VideoInfo
from stvg_core.video import Pictures, sample_indices


class AttentionLocator:
    """Looks with one loaded model.

    Attributes:
        loaded: the model; once the memory did not suffice for a backward pass, one that computes more again.
        room: what else was found out about the memory.
    """

    name = "attention"

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded: LoadedModel | None = loaded
        self._most: dict[tuple[int, int], int] = {}
        self._fewer: int | None = None
        self.room = Room()

    @property
    def model(self) -> LoadedModel:
        assert self.loaded is not None
        return self.loaded

    @property
    def device(self) -> str:
        return str(self.model.device)

    def frames(self, info: VideoInfo, settings: GroundingSettings) -> Array:
        """As of :class:`stvg_core.locating.base.Locator`: all frames of all slots."""
        return sampled(0, info.n_frames - 1, settings.n_slots, self.model.family.frames_per_slot)

    def open(self, video: Pictures, settings: GroundingSettings, watch: Stopwatch) -> AttentionView:
        """As of :class:`stvg_core.locating.base.Locator`; the vision tower runs here."""
        return AttentionView(self, video, settings.n_slots, self._limit(video.info, settings.n_slots), watch)

    def within_memory(
        self, settings: GroundingSettings, first: Callable[[], Grounding], again: Callable[[], Grounding],
        forget: Callable[[], None],
    ) -> Grounding:  # fmt: skip
        """Memory is looked for in this order: what is kept for further sentences, what the backward pass can compute
        again (:meth:`AttentionView.locate`), half of the frames. What helped is remembered: the first for the model,
        the second for frames of this size.
        """
        slots = settings.n_slots
        fewer = max(1, slots // 2)

        def with_fewer() -> Grounding:
            self._fewer = fewer
            try:
                found = again()
            finally:
                self._fewer = None
            self._most[found.video.width, found.video.height] = fewer
            return found

        refused = (
            f"The memory of {self.device} does not suffice, not even for {fewer} frames instead of {slots}. "
            "Take a smaller model, precision 4bit, or a GPU that nothing else uses."
        )
        return twice(first, with_fewer, forget, refused)

    def recompute(self) -> None:
        """From the next video on: less memory for gradients, and more time; nothing is kept between sentences."""
        self.room.keep = False
        self.loaded = replace(self.model, recompute=True)

    def _limit(self, info: VideoInfo, slots: int) -> int:
        """For how many slots the memory suffices, as far as is known."""
        return min(slots, self._most.get((info.width, info.height), slots), self._fewer or slots)


class AttentionView:
    """One video in front of one model: seen by the vision tower once.

    Args:
        n_slots: T_v, how many slots of frames the model sees at most.
        n_limit: for how many slots of such a video the memory suffices.

    Attributes:
        slots: ``(T,)`` int64, the frame of ``video`` that stands for each slot.
        session: the model's view of all of ``video``.
    """

    def __init__(
        self, locator: AttentionLocator, video: Pictures, n_slots: int, n_limit: int, watch: Stopwatch
    ) -> None:
        self._locator, self._loaded, self._video = locator, locator.model, video
        self._n_slots, self._at_most = n_slots, n_limit
        self.slots, self.session = self.look_at(0, video.info.n_frames - 1, watch)

    @property
    def limited(self) -> bool:
        possible = self._video.info.n_frames // self._loaded.family.frames_per_slot
        return self._at_most < min(self._n_slots, possible)

    def look_at(self, first: int, last: int, watch: Stopwatch) -> tuple[Array, Session]:
        """A session on frames sampled uniformly between two frames, both included, and the frames of its slots."""
        fused = self._loaded.family.frames_per_slot
        indices = sampled(first, last, self._at_most, fused)
        with watch("decode"):
            frames = self._video.read(indices)
        # The frame in the middle of those that share a slot stands for it.
        slots = indices.reshape(-1, fused).mean(axis=1).round().astype(np.int64)
        with watch("vision"):
            return slots, Session(self._loaded, frames)

    def locate(
        self, question: Question, tracks: list[Track], weight: float, settings: GroundingSettings, watch: Stopwatch,
        tick: Callable[[float], None],
    ) -> Located:  # fmt: skip
        """As of :class:`stvg_core.locating.base.View`: rows, maps, the best track and its interval."""
        with watch("attention"):
            looked = question.looked
            if looked is not None and looked.session is self.session:
                rows = looked.rows
            else:
                rows = self._look([(question.statement, question.parts)], settings, tick, question.keep)[0]
            found = maps(rows, settings)
        with watch("join"):
            evidence, choice = join(
                rows, found, tracks, self.slots, self.session.view, self._video.info.n_frames, settings, weight,
                question.through,
            )  # fmt: skip
        evidence.info.update(
            spatial_question=spatial_question(question.statement, question.parts, settings),
            temporal_question=question.parts.temporal_question,
        )
        return Located(tracks, evidence, choice)

    def refine(
        self, located: Located, track: Track, question: Question, settings: GroundingSettings, watch: Stopwatch
    ) -> Answer:
        """As of :class:`stvg_core.locating.base.View`: the second look sets the ends."""
        chosen = located.choice.chosen

        def again(within: tuple[int, int]) -> tuple[SecondLook, Array]:
            slots, session = self.look_at(*within, watch)
            with watch("second_look"):
                seen = look_again(session, question.statement, question.parts, settings)
                second = second_look_of(seen, within, slots, session.view, located.tracks, chosen, track)
                return second, second_scores(second, settings)

        refined = refine(located.choice, track, located.evidence, settings, again, question.through)
        evidence = replace(located.evidence, second=refined.second).with_acts(chosen, track.acts).with_exact(track)
        if refined.second is not None:
            evidence.info["second_look"] = [*refined.second.window, *refined.span]
        return Answer(refined.tube, located.choice.score, evidence)

    def look_apart(
        self, statement: str, parts: SubQueries, settings: GroundingSettings
    ) -> tuple[tuple[str, ...], Rows]:
        """All heads of the model by name, in order, and what is seen with each for itself: to choose among them.

        ``temporal`` and ``temporal_neutral`` of the rows are ``[heads, R, T, h, w]``. The mean over some heads is what
        :meth:`locate` would see with those as ``temporal_heads``. The session keeps heads apart from here on.
        """
        layers, heads = self._loaded.n_layers, self._loaded.n_heads
        names = tuple(head_name(layer, head) for layer in range(layers) for head in range(heads))
        self.session.heads_apart = True
        every = replace(settings, temporal_heads=names)
        return names, self._look([(statement, parts)], every, lambda share: None, keep=False)[0]

    def release(self) -> None:
        self.session.release()

    def group(self, settings: GroundingSettings) -> int:
        """As of :class:`stvg_core.locating.base.View`: where prefills run as batches, or cannot be kept."""
        if settings.lra_steps == 0 or not self._locator.room.together:
            return 1
        return 1 if self._keeps() and self.session.at_once() == 1 else GROUP

    def look_together(
        self, queries: Sequence[str], decomposer: Decomposer, settings: GroundingSettings, report: Progress, keep: bool
    ) -> list[Looked | Exception | None]:
        """As of :class:`stvg_core.locating.base.View`. Whatever fails here is done alone when its turn comes, and fails
        there.
        """

        def run(sentences: Sequence[Sentence], tick: Callable[[float], None]) -> list[Rows]:
            return self._look(sentences, settings, tick, keep)

        def failed() -> None:
            self._locator.room.together = False
            self.session.release()
            torch.cuda.empty_cache()

        return look_together(self.session, queries, decomposer, run, report, failed)

    def _keeps(self) -> bool:
        """Does the memory suffice for what further sentences could share? As was calculated, or found out before."""
        return self._locator.room.keep and self.session.keeps

    def _look(
        self, sentences: Sequence[Sentence], settings: GroundingSettings, tick: Callable[[float], None], keep: bool
    ) -> list[Rows]:
        session, keep = self.session, keep and self._keeps()

        def run() -> list[Rows]:
            return look_each(session, sentences, settings, tick, keep=keep)

        def spare() -> None:
            nonlocal keep
            keep = False
            session.spare()
            self._locator.recompute()

        return sparing(run, possible=lambda: settings.lra_steps > 0 and (keep or not session.recompute), spare=spare)


def sampled(first: int, last: int, n_slots: int, fused: int) -> Array:
    """``(T * fused,)`` frames between two, both included: ``fused`` for each of at most ``n_slots`` slots."""
    n_frames = last - first + 1
    return first + sample_indices(n_frames, max(1, min(n_slots, n_frames // fused)) * fused)
