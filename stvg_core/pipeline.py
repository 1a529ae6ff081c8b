"""From a video and a sentence to a tube: the whole way, in the order in which the paper tells it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from stvg_core.decomposition import Decomposer, decomposer_for
from stvg_core.freeing import twice
from stvg_core.grounding.dsth import look, maps, second_looks, second_map
from stvg_core.grounding.second_look import window
from stvg_core.joining import FirstAnswer, cut, ends, join
from stvg_core.keeping import keep_second
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.opened import OpenedVideo, OpenVideo, Stopwatch, file_key, sampled
from stvg_core.proposals import Proposer, proposer_for
from stvg_core.proposals.extending import Extended, extend
from stvg_core.proposals.following import Prompt, pinned
from stvg_core.query import SubQueries, as_statement, normalise_query
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import Array, Evidence, Grounding, Track, Tube, VideoInfo
from stvg_core.version import model_version
from stvg_core.video import VideoReader

Progress = Callable[[float, str], None]
Given = list[Track] | Prompt | None
"""Candidate tracks, or a drawn box; None asks the proposer."""


class Grounder:
    """Grounds sentences in videos with one loaded model.

    >>> grounder = Grounder.from_pretrained("llava-hf/llava-onevision-qwen2-7b-ov-hf")  # doctest: +SKIP
    >>> grounder.ground("clip.mp4", "the man in red who sits down").tube                # doctest: +SKIP
    """

    def __init__(
        self, loaded: LoadedModel, settings: GroundingSettings, version: str, proposer: Proposer | None = None,
        decomposer: Decomposer | None = None, open_video: OpenVideo = VideoReader,
    ) -> None:  # fmt: skip
        self.loaded = loaded
        self._open_video = open_video
        self.settings = settings
        self.model_version = version
        self.proposer = proposer or proposer_for(settings, device=str(loaded.device))
        self.decomposer = decomposer or decomposer_for(settings, loaded)
        self._opened: OpenedVideo | None = None

    @classmethod
    def from_pretrained(
        cls, folder_or_hub_id: str | Path, *, device: str | None = None, settings: GroundingSettings | None = None,
        proposer: Proposer | None = None, decomposer: Decomposer | None = None, cache: Path | None = None,
        open_video: OpenVideo = VideoReader,
    ) -> Grounder:  # fmt: skip
        """Load a model (see :func:`stvg_core.mllm.loading.load`).

        Args:
            device: "cpu", "cuda", "cuda:1", "auto" for all GPUs; None takes a GPU where there is one.
            settings: None takes the model's own preset.
            proposer, decomposer: None takes what the settings name.
            cache: a folder in which proposals are kept from one run to the next; None keeps none.
            open_video: what reads the pictures of a file; the default decodes in this process.
        """
        chosen = resolve(folder_or_hub_id, settings)
        version = model_version(folder_or_hub_id, chosen)
        loaded = load(folder_or_hub_id, device=device, precision=chosen.precision, fit=chosen.fit)
        proposer = proposer or proposer_for(chosen, device=str(loaded.device), cache=cache)
        return cls(loaded, chosen, version, proposer, decomposer, open_video)

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
            return self._with_less_memory(video, query, tracks, progress or (lambda share, stage: None), keep=False)
        finally:
            self._release()

    def follow(self, video: str | Path, query: str, prompt: Prompt, *, progress: Progress | None = None) -> Grounding:
        """The tube of the object in a box that a person drew on one frame: followed both ways, to the ends of the
        action that the sentence names. The drawn frame lies between them and has exactly the drawn box.

        Raises: as :meth:`ground`; QueryError also where the video has no such frame.
        """
        try:
            return self._with_less_memory(video, query, prompt, progress or (lambda share, stage: None), keep=False)
        finally:
            self._release()

    def extend(
        self, video: str | Path, prompt: Prompt, first: int, last: int, *, progress: Progress | None = None
    ) -> Extended:
        """The object in a drawn box on frames ``first`` to ``last``, whatever it does there; asks no language model.

        Where the memory of the GPU does not suffice, what is held for the last video is let go of and it is tried once
        more.

        Raises:
            VideoError: the video cannot be used.
            QueryError: it has no such frames.
            ModelError: the GPU's memory does not suffice even so.
        """
        if progress is not None:
            progress(0.1, "follow")

        def follow() -> Extended:
            with self._open_video(video) as opened:
                return extend(self.proposer, opened, prompt, first, last)

        refused = (
            f"The memory of {self.loaded.device} does not suffice to follow the box. "
            "Take a smaller tracker, or a GPU that nothing else uses."
        )
        return twice(follow, follow, self._forget, refused)

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

        for answer in self.ground_each(video, queries, progress=report):
            if isinstance(answer, Exception):
                raise answer
            found.append(answer)
        return found

    def ground_each(
        self, video: str | Path, queries: Sequence[str], *, progress: Progress | None = None
    ) -> Generator[Grounding | Exception, None, None]:
        """For each sentence in turn what :meth:`ground` gives, or what it raises, shared like :meth:`ground_many`.

        Args:
            progress: speaks of the sentence that is in work; what it raises ends that sentence alone.
        """
        try:
            for left, query in zip(range(len(queries) - 1, -1, -1), queries, strict=True):
                answer: Grounding | Exception
                try:
                    answer = self._with_less_memory(
                        video, query, None, progress or (lambda share, stage: None), keep=left > 0
                    )
                except Exception as error:
                    answer = error
                yield answer
        finally:
            self._release()

    def needs(self, info: VideoInfo) -> tuple[Array, Array]:
        """The frames that any sentence about a video is answered with: the model's, ``(T,)``, and the proposer's.

        May be called from another thread than the rest.
        """
        slots = sampled(0, info.n_frames - 1, self.settings.n_slots, self.loaded.family.frames_per_slot)
        return slots, self.proposer.looks_at(info)

    def _with_less_memory(
        self, video: str | Path, query: str, given: Given, report: Progress, *, keep: bool
    ) -> Grounding:
        slots = self.settings.n_slots
        fewer = max(1, slots // 2)

        def with_fewer() -> Grounding:
            found = self._ground(video, query, given, lambda share, stage: None, fewer, keep=False)
            found.evidence.info["slots_after_out_of_memory"] = fewer
            return found

        refused = (
            f"The memory of {self.loaded.device} does not suffice, not even for {fewer} frames instead of {slots}. "
            "Take a smaller model, precision 4bit, or a GPU that nothing else uses."
        )
        return twice(lambda: self._ground(video, query, given, report, slots, keep), with_fewer, self._forget, refused)

    def _ground(
        self, video: str | Path, query: str, given: Given, report: Progress, n_slots: int,
        keep: bool,
    ) -> Grounding:  # fmt: skip
        watch = Stopwatch()
        sentence = normalise_query(query)
        with watch("decompose"):
            parts = self.decomposer.decompose(sentence)
        report(0.0, "decode")
        opened = self._open(video, n_slots, watch, searched=not isinstance(given, list))
        report(0.1, "propose")
        candidates = opened.candidates(given, parts.attribute, watch)
        prompt = given if isinstance(given, Prompt) else None
        report(0.4, "look")
        asked = as_statement(sentence)
        with watch("attention"):
            looks = look(
                opened.session, asked, parts, self.settings, lambda share: report(0.4 + 0.4 * share, "look"), keep=keep
            )
            highlights = maps(looks, self.settings)
        with watch("join"):
            first = join(
                highlights, candidates, opened.slots, opened.session.view, opened.info.n_frames, self.settings,
                self.proposer.weight, looks, None if prompt is None else prompt.frame,
            )  # fmt: skip
        report(0.8, "refine")
        tube, score = self._refine(opened, asked, parts, first, watch, prompt)
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

    def _open(self, video: str | Path, n_slots: int, watch: Stopwatch, *, searched: bool) -> OpenedVideo:
        """The video of the last query is kept: sentences about one video tend to come one after the other."""
        kept = self._opened
        if kept is None or kept.key != file_key(video) or kept.n_slots != n_slots:
            self._forget()  # its memory is free before the next one needs some
            self._opened = OpenedVideo(self.loaded, self.proposer, video, n_slots, watch, searched, self._open_video)
        assert self._opened is not None
        return self._opened

    def _release(self) -> None:
        """Between two calls neither the file nor decoded pictures are held."""
        if self._opened is not None:
            self._opened.session.release()
            self._opened.close()

    def _forget(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _refine(
        self, opened: OpenedVideo, asked: str, parts: SubQueries, first: FirstAnswer, watch: Stopwatch,
        prompt: Prompt | None,
    ) -> tuple[Tube | None, float]:  # fmt: skip
        """The chosen track made dense, and its ends set by a second look at the frames around them."""
        if first.track is None:
            return None, first.score
        start, end = first.span
        with watch("densify"):
            track = self.proposer.densify(opened.video, first.track, start, end)
        if prompt is not None:
            track = pinned(track, prompt)
            first.evidence.info["prompt"] = prompt.to_json()
        if self.settings.second_look:
            spacing = opened.info.n_frames / len(opened.slots)
            seen = window(start, end, spacing, opened.info.n_frames)
            if seen is not None:
                slots, session = opened.look_at(*seen, watch)
                with watch("second_look"):
                    looks = second_looks(session, asked, parts, self.settings)
                    again = second_map(looks, self.settings)
                    start, end = ends(
                        again, track, slots, session.view, seen, self.settings, None if prompt is None else prompt.frame
                    )
                    if first.evidence.looked is not None:
                        first.evidence.looked.second = keep_second(
                            looks, seen, slots, session.view, first.tracks, first.evidence.chosen, track
                        )
                first.evidence.info["second_look"] = [*seen, start, end]
        return cut(track, start, end), first.score
