"""From a video and a sentence to a tube: the whole way, in the order in which the paper tells it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stvg_core.decomposition import Decomposer, decomposer_for
from stvg_core.freeing import sparing, twice
from stvg_core.method.evidence import Rows, SecondLook
from stvg_core.method.join import Choice, join, refine, second_look_of, second_scores
from stvg_core.method.look import look, look_again, spatial_question
from stvg_core.method.maps import maps
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.opened import OpenedVideo, OpenVideo, Stopwatch, file_key, sampled
from stvg_core.proposals import Proposer, proposer_for
from stvg_core.proposals.extending import Extended, extend
from stvg_core.proposals.following import DrawnBox, pinned
from stvg_core.query import SubQueries, as_statement, normalise_query
from stvg_core.segment import check_segment, part_info
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.tube import FEWER_SLOTS, SPLIT, SPLIT_BY, Array, Grounding, Segment, Track, Tube, VideoInfo
from stvg_core.version import model_version
from stvg_core.video import VideoReader

Progress = Callable[[float, str], None]
Given = list[Track] | DrawnBox | None
"""Candidate tracks, or a drawn box; None asks the proposer."""


def _silent(share: float, stage: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class _Asked:
    """One sentence about one video.

    Attributes:
        given: the candidates, if the caller has them.
        segment: first and last frame of the part of the video that is looked at; None for all of it.
        report: called with a share in [0, 1] and the name of the stage.
        keep: further sentences on this video follow, see :func:`stvg_core.method.look.look`.
    """

    video: str | Path
    query: str
    given: Given = None
    report: Progress = _silent
    keep: bool = False
    segment: Segment | None = None


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
        self._most: dict[tuple[int, int], int] = {}
        self._fewer: int | None = None

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
        self, video: str | Path, query: str, *, tracks: list[Track] | None = None, progress: Progress | None = None,
        segment: Segment | None = None,
    ) -> Grounding:  # fmt: skip
        """Find the tube.

        Where the memory of the GPU does not suffice, the backward pass computes more again; if that is not enough, half
        of the frames are looked at, and the answer's warnings say so.

        Args:
            video: a local file.
            query: one sentence naming one object.
            tracks: candidate tracks; None asks the proposer.
            progress: called with a share in [0, 1] and the name of the stage.
            segment: first and last frame, both included, of the part of the video that the sentence is about (VidSTG's
                ``used_segment``): no other frame is looked at. The answer is the one for a file with that part alone,
                in the frame numbers of the whole video; so are given tracks, which are cut to the part.

        Raises:
            VideoError, QueryError: the input cannot be used; the video has no such segment.
            ModelError: the GPU's memory does not suffice even so.
            NonFiniteError: the model answered with NaN or infinite numbers.
        """
        try:
            return self._with_less_memory(_Asked(video, query, tracks, progress or _silent, segment=segment))
        finally:
            self._release()

    def follow(self, video: str | Path, query: str, drawn: DrawnBox, *, progress: Progress | None = None) -> Grounding:
        """The tube of the object in a box that a person drew on one frame: followed both ways, to the ends of the
        action that the sentence names. The drawn frame lies between them and has exactly the drawn box.

        Raises: as :meth:`ground`; QueryError also where the video has no such frame.
        """
        try:
            return self._with_less_memory(_Asked(video, query, drawn, progress or _silent))
        finally:
            self._release()

    def extend(
        self, video: str | Path, drawn: DrawnBox, first: int, last: int, *, progress: Progress | None = None
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
                return extend(self.proposer, opened, drawn, first, last)

        refused = (
            f"The memory of {self.loaded.device} does not suffice to follow the box. "
            "Take a smaller tracker, or a GPU that nothing else uses."
        )
        return twice(follow, follow, self._forget, refused)

    def ground_many(
        self, video: str | Path, queries: Sequence[str], *, progress: Progress | None = None,
        segment: Segment | None = None,
    ) -> list[Grounding]:  # fmt: skip
        """Find a tube for each sentence; what does not depend on the sentence is done once. ``segment`` as there.

        Raises as :meth:`ground`; the first error ends it.
        """
        found: list[Grounding] = []

        def report(share: float, stage: str) -> None:
            if progress is not None:
                progress((len(found) + share) / len(queries), stage)

        for answer in self.ground_each(video, queries, progress=report, segment=segment):
            if isinstance(answer, Exception):
                raise answer
            found.append(answer)
        return found

    def ground_each(
        self, video: str | Path, queries: Sequence[str], *, progress: Progress | None = None,
        segment: Segment | None = None,
    ) -> Generator[Grounding | Exception, None, None]:  # fmt: skip
        """For each sentence in turn what :meth:`ground` gives, or what it raises, shared like :meth:`ground_many`.

        Args:
            progress: speaks of the sentence that is in work; what it raises ends that sentence alone.
            segment: as of :meth:`ground`, for all of them.
        """
        try:
            for left, query in zip(range(len(queries) - 1, -1, -1), queries, strict=True):
                answer: Grounding | Exception
                try:
                    asked = _Asked(video, query, None, progress or _silent, keep=left > 0, segment=segment)
                    answer = self._with_less_memory(asked)
                except Exception as error:
                    answer = error
                yield answer
        finally:
            self._release()

    def needs(self, info: VideoInfo, segment: Segment | None = None) -> tuple[Array, Array]:
        """The frames that any sentence about a video, or a part of it, is answered with: the model's, ``(T,)``, and the
        proposer's.

        May be called from another thread than the rest. Raises QueryError where the video has no such segment.
        """
        first, part = 0, info
        if segment is not None:
            first, part = segment[0], part_info(info, check_segment(segment, info))
        slots = sampled(0, part.n_frames - 1, self.settings.n_slots, self.loaded.family.frames_per_slot)
        return first + slots, first + self.proposer.looks_at(part)

    def _with_less_memory(self, asked: _Asked) -> Grounding:
        """Memory is looked for in this order: what is kept for further sentences, what the backward pass can compute
        again (:meth:`_look`), half of the frames. What helped is remembered: the first for the model, the second for
        frames of this size.
        """
        slots = self.settings.n_slots
        fewer = max(1, slots // 2)

        def with_fewer() -> Grounding:
            self._fewer = fewer
            try:
                found = self._ground(replace(asked, report=_silent, keep=False))
            finally:
                self._fewer = None
            self._most[found.video.width, found.video.height] = fewer
            return found

        refused = (
            f"The memory of {self.loaded.device} does not suffice, not even for {fewer} frames instead of {slots}. "
            "Take a smaller model, precision 4bit, or a GPU that nothing else uses."
        )
        return twice(lambda: self._ground(asked), with_fewer, self._forget, refused)

    def _limit(self, info: VideoInfo) -> int:
        """For how many slots the memory suffices, as far as is known."""
        slots = self.settings.n_slots
        return min(slots, self._most.get((info.width, info.height), slots), self._fewer or slots)

    def _look(self, opened: OpenedVideo, statement: str, parts: SubQueries, asked: _Asked) -> Rows:
        session, keep = opened.session, asked.keep

        def tick(share: float) -> None:
            asked.report(0.4 + 0.4 * share, "look")

        def run() -> Rows:
            return look(session, statement, parts, self.settings, tick, keep=keep)

        def spare() -> None:
            nonlocal keep
            keep = False
            session.spare()
            self.loaded = replace(self.loaded, recompute=True)

        return sparing(
            run, possible=lambda: self.settings.lra_steps > 0 and (keep or not session.recompute), spare=spare
        )

    def _ground(self, asked: _Asked) -> Grounding:
        watch, settings, report = Stopwatch(), self.settings, asked.report
        sentence = normalise_query(asked.query)
        with watch("decompose"):
            parts = self.decomposer.decompose(sentence)
        report(0.0, "decode")
        opened = self._open(asked, watch)
        report(0.1, "propose")
        tracks = opened.candidates(asked.given, parts.attribute, watch)
        drawn = asked.given if isinstance(asked.given, DrawnBox) else None
        statement, through = as_statement(sentence), None if drawn is None else drawn.frame
        report(0.4, "look")
        with watch("attention"):
            rows = self._look(opened, statement, parts, asked)
            found = maps(rows, settings)
        with watch("join"):
            evidence, choice = join(
                rows, found, tracks, opened.slots, opened.session.view, opened.info.n_frames, settings,
                self.proposer.weight, through,
            )  # fmt: skip
        report(0.8, "refine")
        tube = None
        if choice.chosen >= 0:
            track = self._dense(opened, tracks[choice.chosen], choice, drawn, watch)

            def again(within: tuple[int, int]) -> tuple[SecondLook, Array]:
                slots, session = opened.look_at(*within, watch)
                with watch("second_look"):
                    seen = look_again(session, statement, parts, settings)
                    second = second_look_of(seen, within, slots, session.view, tracks, choice.chosen, track)
                    return second, second_scores(second, settings)

            refined = refine(choice, track, evidence, settings, again, through)
            tube, evidence = refined.tube, replace(evidence, second=refined.second)
            evidence = evidence.with_acts(choice.chosen, track.acts)
            if refined.second is not None:
                evidence.info["second_look"] = [*refined.second.window, *refined.span]
        if drawn is not None:
            evidence.info["prompt"] = drawn.to_json()  # so it is called where it is stored
        if opened.limited:
            evidence.info[FEWER_SLOTS] = len(opened.slots)
        evidence.info.update(
            spatial_question=spatial_question(statement, parts, settings), temporal_question=parts.temporal_question
        )
        evidence.info.update({SPLIT: parts.found, SPLIT_BY: self.decomposer.name})
        if opened.segment is not None:
            tube = None if tube is None else Tube(opened.segment[0] + tube.start_frame, tube.boxes)
            evidence = evidence.of_whole(opened.segment, opened.whole.n_frames)
        report(1.0, "done")
        return Grounding(
            query=sentence, attribute_query=parts.attribute, action_query=parts.action, video=opened.whole, tube=tube,
            score=choice.score, model_version=self.model_version,
            timings=watch.seconds | {"total": sum(watch.seconds.values())}, evidence=evidence,
            segment=opened.segment,
        )  # fmt: skip

    def _dense(
        self, opened: OpenedVideo, track: Track, choice: Choice, drawn: DrawnBox | None, watch: Stopwatch
    ) -> Track:
        """The chosen track as exact as the proposer can be around its interval; a drawn box stays as it was drawn."""
        with watch("densify"):
            track = self.proposer.densify(opened.video, track, *choice.span)
        return track if drawn is None else pinned(track, drawn)

    def _open(self, asked: _Asked, watch: Stopwatch) -> OpenedVideo:
        """The video of the last query is kept: sentences about one video tend to come one after the other."""
        kept = self._opened
        if kept is None or kept.key != (file_key(asked.video), asked.segment):
            self._forget()  # its memory is free before the next one needs some
            self._opened = OpenedVideo(
                self.loaded, self.proposer, asked.video, self.settings.n_slots, watch,
                not isinstance(asked.given, list), self._open_video, self._limit, asked.segment,
            )  # fmt: skip
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
