"""From a video and a sentence to a tube: open, propose, locate, refine, answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stvg_core.chat.base import Chat
from stvg_core.decomposition import Decomposer, decomposer_for
from stvg_core.errors import ModelError
from stvg_core.locating.base import Located, Locator, Question
from stvg_core.locating.locator_choice import locator_for
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.placement import Placement
from stvg_core.open_video import OpenedVideo, OpenVideo, file_key
from stvg_core.out_of_memory import twice
from stvg_core.proposals import Proposer, proposer_for
from stvg_core.proposals.extending import Extended, extend
from stvg_core.proposals.following import DrawnBox, pinned
from stvg_core.query import as_statement, normalise_query
from stvg_core.segment import check_segment, part_info
from stvg_core.sentence_group import Looked, rising
from stvg_core.settings import GroundingSettings, resolve
from stvg_core.stopwatch import Stopwatch
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
        looked: what was seen together with other sentences; None where it is still to be looked at.
    """

    video: str | Path
    query: str
    given: Given = None
    report: Progress = _silent
    keep: bool = False
    segment: Segment | None = None
    looked: Looked | None = None


class Grounder:
    """Grounds sentences in videos with one model: a loaded one, or one behind an endpoint (:meth:`over`).

    >>> grounder = Grounder.from_pretrained("llava-hf/llava-onevision-qwen2-7b-ov-hf")  # doctest: +SKIP
    >>> grounder.ground("clip.mp4", "the man in red who sits down").tube                # doctest: +SKIP
    """

    def __init__(
        self, loaded: LoadedModel | None, settings: GroundingSettings, version: str, proposer: Proposer | None = None,
        decomposer: Decomposer | None = None, open_video: OpenVideo = VideoReader, *, chat: Chat | None = None,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        device = device if loaded is None else str(loaded.device)
        self._open_video = open_video
        self.settings = settings
        self.model_version = version
        self.proposer = proposer or proposer_for(settings, device=device)
        self.locator: Locator = locator_for(settings, loaded, chat, self.proposer, device)
        self.decomposer = decomposer or decomposer_for(settings, loaded, chat)
        self._opened: OpenedVideo | None = None

    @property
    def loaded(self) -> LoadedModel | None:
        """The model on this machine that the locator looks or speaks with; None where there is none."""
        return self.locator.loaded

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

    @classmethod
    def over(
        cls, chat: Chat, settings: GroundingSettings, *, device: str | None = None, proposer: Proposer | None = None,
        decomposer: Decomposer | None = None, cache: Path | None = None, open_video: OpenVideo = VideoReader,
    ) -> Grounder:  # fmt: skip
        """A model behind an endpoint answers in words; no weights are loaded for it.

        Args:
            chat: who is asked; ``settings.locator_model`` is its name.
            device: where the proposer's models are, if it has any; None takes a GPU where there is one.
            proposer, decomposer, cache, open_video: as of :meth:`from_pretrained`. Where the settings leave the
                splitting of sentences to the model, the one behind the endpoint is asked.

        Raises:
            ModelError: the settings name the locator attention, which looks with a model on this machine.
            ValueError: they do not name the model.
        """
        if settings.locator == "attention":
            raise ModelError("The locator attention looks with a model on this machine, and none is loaded here.")
        if not settings.locator_model:
            raise ValueError("locator_model is empty: predictions must say which model they are by")
        where = device or str(Placement.of(None, "auto").device)
        proposer = proposer or proposer_for(settings, device=where, cache=cache)
        version = model_version("", settings)
        return cls(None, settings, version, proposer, decomposer, open_video, chat=chat, device=where)

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
            f"The memory of {self.locator.device} does not suffice to follow the box. "
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
        asked = [
            _Asked(video, query, None, progress or _silent, keep=n + 1 < len(queries), segment=segment)
            for n, query in enumerate(queries)
        ]
        waiting: list[Looked | Exception | None] = []
        try:
            for n, one in enumerate(asked):
                answer: Grounding | Exception
                try:
                    if not waiting:
                        report = rising(one.report)
                        waiting, one = self._look_together(asked[n:], report), replace(one, report=report)
                    looked = waiting.pop(0) if waiting else None
                    if isinstance(looked, Exception):
                        raise looked
                    answer = self._with_less_memory(replace(one, looked=looked))
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
        return first + self.locator.frames(part, self.settings), first + self.proposer.looks_at(part)

    def _with_less_memory(self, asked: _Asked) -> Grounding:
        again = replace(asked, report=_silent, keep=False, looked=None)
        return self.locator.within_memory(
            self.settings, lambda: self._ground(asked), lambda: self._ground(again), self._forget
        )

    def _look_together(self, asked: Sequence[_Asked], report: Progress) -> list[Looked | Exception | None]:
        """What the next sentences see, as one group; nothing where one by one is as good, or nobody knows yet: the
        first sentence about a video opens it and finds out what the memory suffices for.
        """
        opened = self._opened
        if opened is None or opened.key != (file_key(asked[0].video), asked[0].segment) or len(asked) < 2:
            return []
        group = asked[: opened.view.group(self.settings)]
        if len(group) < 2:
            return []
        queries = [one.query for one in group]
        return opened.view.look_together(queries, self.decomposer, self.settings, report, group[-1].keep)

    def _ground(self, asked: _Asked) -> Grounding:
        watch, settings, report, looked = Stopwatch(), self.settings, asked.report, asked.looked
        sentence = normalise_query(asked.query)
        if looked is not None:
            parts, watch.seconds = looked.parts, dict(looked.seconds)
        else:
            with watch("decompose"):
                parts = self.decomposer.decompose(sentence)
        report(0.0, "decode")
        opened = self._open(asked, watch)
        report(0.1, "propose")
        tracks = opened.candidates(asked.given, parts.attribute, watch)
        drawn = asked.given if isinstance(asked.given, DrawnBox) else None
        through = None if drawn is None else drawn.frame
        question = Question(sentence, as_statement(sentence), parts, through, asked.keep, looked)
        report(0.4, "look")
        located = opened.view.locate(
            question, tracks, self.proposer.weight, settings, watch, lambda share: report(0.4 + 0.4 * share, "look")
        )
        report(0.8, "refine")
        tube, score, evidence = None, located.choice.score, located.evidence
        if located.choice.chosen >= 0:
            track = self._dense(opened, located, drawn, watch)
            answer = opened.view.refine(located, track, question, settings, watch)
            tube, score, evidence = answer.tube, answer.score, answer.evidence
        if drawn is not None:
            evidence.info["prompt"] = drawn.to_json()  # so it is called where it is stored
        if opened.view.limited:
            evidence.info[FEWER_SLOTS] = len(opened.view.slots)
        evidence.info.update({SPLIT: parts.found, SPLIT_BY: self.decomposer.name})
        if opened.segment is not None:
            tube = None if tube is None else Tube(opened.segment[0] + tube.start_frame, tube.boxes)
            evidence = evidence.of_whole(opened.segment, opened.whole.n_frames)
        report(1.0, "done")
        return Grounding(
            query=sentence, attribute_query=parts.attribute, action_query=parts.action, video=opened.whole, tube=tube,
            score=score, model_version=self.model_version,
            timings=watch.seconds | {"total": sum(watch.seconds.values())}, evidence=evidence,
            segment=opened.segment,
        )  # fmt: skip

    def _dense(self, opened: OpenedVideo, located: Located, drawn: DrawnBox | None, watch: Stopwatch) -> Track:
        """The chosen track as exact as the proposer can be around its interval; a drawn box stays as it was drawn."""
        choice = located.choice
        track = located.tracks[choice.chosen]
        with watch("densify"):
            track = self.proposer.densify(opened.video, track, *choice.span)
        return track if drawn is None else pinned(track, drawn)

    def _open(self, asked: _Asked, watch: Stopwatch) -> OpenedVideo:
        """The video of the last query is kept: sentences about one video tend to come one after the other."""
        kept = self._opened
        if kept is None or kept.key != (file_key(asked.video), asked.segment):
            self._forget()  # its memory is free before the next one needs some
            self._opened = OpenedVideo(
                self.locator, self.proposer, asked.video, self.settings, watch, not isinstance(asked.given, list),
                self._open_video, asked.segment,
            )  # fmt: skip
        assert self._opened is not None
        return self._opened

    def _release(self) -> None:
        """Between two calls neither the file nor decoded pictures are held."""
        if self._opened is not None:
            self._opened.view.release()
            self._opened.close()

    def _forget(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
