"""Which prediction belongs to which truth, and what does each sentence score? Missing predictions count 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stvg_core.datasets.base import DatasetError, contradict, same_text, video_stem
from stvg_core.evaluation.protocols import ZERO, Protocol, Scores, measure
from stvg_core.evaluation.samples import Key, Prediction, Truth
from stvg_core.evaluation.sizes import Fitting

_Place = tuple[Key, tuple[int, int] | None]


@dataclass(frozen=True)
class Sample:
    """One true sentence with its scores; ``state``: "scored", "missing" (no prediction) or "no tube" (an empty one)."""

    truth: Truth
    scores: Scores
    state: str


@dataclass(frozen=True)
class Comparison:
    """Every true sentence once, in the truth's order.

    Attributes:
        unused: predictions for sentences that the truth does not have.
        repeated: predictions for a sentence that had one already; the first counts, as in the public programs.
        scaled: predictions whose boxes were scaled to the truth's picture.
        outside: predictions that do not say the size of their picture and have a box far outside of the truth's.
    """

    protocol: Protocol
    samples: list[Sample]
    unused: int
    repeated: int
    scaled: int = 0
    outside: int = 0

    def count(self, state: str) -> int:
        return sum(sample.state == state for sample in self.samples)


def compare(
    protocol: Protocol, truths: Sequence[Truth], predictions: Iterable[Prediction], *, scale_boxes: bool = False
) -> Comparison:
    """Score every truth.

    A prediction with a segment is for that segment's sentence; one without is for all that share video and sentence;
    one without a sentence is for its video's only sentence.

    Args:
        scale_boxes: boxes of a picture of another size than the truth's are scaled to it.

    Raises:
        DatasetError: there is no truth, or a prediction without a sentence for a video with several, or one of a
            picture of another size (with ``scale_boxes``: of another shape).
    """
    if not truths:
        raise DatasetError("There is nothing to compare with: the truth holds no sentence.")
    predictions = list(predictions)
    videos = _Videos((truth.video for truth in truths), (prediction.video for prediction in predictions))
    keys = [(videos.of(truth.video) or truth.video, truth.key[1]) for truth in truths]
    sentences: dict[str, set[str]] = {}
    for video, sentence in keys:
        sentences.setdefault(video, set()).add(sentence)
    known: dict[_Place, Prediction] = {}
    foreign: set[_Place] = set()
    repeated = 0
    place: _Place
    for prediction in predictions:
        named = videos.of(prediction.video)
        if named is None:
            place = prediction.key, prediction.segment
            repeated += place in foreign
            foreign.add(place)
            continue
        place = _only_sentence(prediction, named, sentences), prediction.segment
        repeated += place in known
        known.setdefault(place, prediction)
    used: set[_Place] = set()
    samples, fitting = [], Fitting(scale_boxes)
    for truth, key in zip(truths, keys, strict=True):
        # Where a file gives the frame behind the last one, a prediction does not.
        seen = truth.segment[0], min(truth.segment[1], truth.n_frames - 1)
        candidates: list[_Place] = [(key, truth.segment), (key, seen), (key, None)]
        found = next((place for place in candidates if place in known), None)
        if found is None:
            samples.append(Sample(truth, ZERO, "missing"))
            continue
        used.add(found)
        prediction = fitting.fit(known[found], truth)
        empty = prediction.raw_ends is None and prediction.first is None
        samples.append(Sample(truth, measure(protocol, truth, prediction), "no tube" if empty else "scored"))
    fitting.check()
    unused = len(foreign) + len(known) - len(used)
    return Comparison(protocol, samples, unused, repeated, fitting.scaled, fitting.outside)


class _Videos:
    """Which of the truth's videos does a name mean? Folder, ending and case matter only where they tell two apart."""

    def __init__(self, truths: Iterable[str], predictions: Iterable[str]) -> None:
        self._truths: dict[str, list[str]] = {}
        self._predictions: dict[str, set[str]] = {}
        for name in dict.fromkeys(truths):
            self._truths.setdefault(video_stem(name), []).append(name)
        for name in predictions:
            self._predictions.setdefault(video_stem(name), set()).add(name)

    def of(self, name: str) -> str | None:
        """The truth's own name, None where it has no such video.

        Raises:
            DatasetError: it could be one of several.
        """
        stem = video_stem(name)
        candidates = self._truths.get(stem, [])
        exact = [other for other in candidates if other == name] or [o for o in candidates if same_text(o, name)]
        if exact:
            return exact[0]
        if len(candidates) == 1:
            rivals = self._predictions.get(stem, set()) - {name}
            if any(same_text(rival, candidates[0]) for rival in rivals):
                return None
            if any(contradict(rival, name) for rival in rivals):
                raise DatasetError(
                    f"The predictions have videos {name} and {min(rivals)}, the truth only {candidates[0]}. Write the "
                    "names in one way."
                )
            return candidates[0]
        candidates = [other for other in candidates if not contradict(other, name)]
        if len(candidates) > 1:
            raise DatasetError(f"{name} could be {candidates[0]} or {candidates[1]}. Write the name as the truth does.")
        return next(iter(candidates), None)


def _only_sentence(prediction: Prediction, video: str, sentences: dict[str, set[str]]) -> Key:
    sentence = prediction.key[1]
    if sentence:
        return video, sentence
    candidates = sentences.get(video, set())
    if len(candidates) > 1:
        raise DatasetError(
            f"The prediction for {prediction.video} names no sentence, and the truth has {len(candidates)} for that "
            "video. Use a layout with sentences."
        )
    return video, next(iter(candidates), "")
