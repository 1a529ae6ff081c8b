"""Which prediction belongs to which truth, and what does each sentence score? Missing predictions count 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.protocols import ZERO, Protocol, Scores, measure
from stvg_core.evaluation.samples import Key, Prediction, Truth

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
    """

    protocol: Protocol
    samples: list[Sample]
    unused: int
    repeated: int

    def count(self, state: str) -> int:
        return sum(sample.state == state for sample in self.samples)


def compare(protocol: Protocol, truths: Sequence[Truth], predictions: Iterable[Prediction]) -> Comparison:
    """Score every truth.

    A prediction with a segment is for that segment's sentence; one without is for all that share video and sentence;
    one without a sentence is for its video's only sentence.

    Raises:
        DatasetError: there is no truth, or a prediction without a sentence for a video with several.
    """
    if not truths:
        raise DatasetError("There is nothing to compare with: the truth holds no sentence.")
    sentences: dict[str, set[str]] = {}
    for truth in truths:
        sentences.setdefault(truth.key[0], set()).add(truth.key[1])
    known: dict[_Place, Prediction] = {}
    repeated = 0
    for prediction in predictions:
        place: _Place = _only_sentence(prediction, sentences), prediction.segment
        repeated += place in known
        known.setdefault(place, prediction)
    used: set[_Place] = set()
    samples = []
    for truth in truths:
        candidates: list[_Place] = [(truth.key, truth.segment), (truth.key, None)]
        found = next((place for place in candidates if place in known), None)
        if found is None:
            samples.append(Sample(truth, ZERO, "missing"))
            continue
        used.add(found)
        prediction = known[found]
        empty = prediction.raw_ends is None and prediction.first is None
        samples.append(Sample(truth, measure(protocol, truth, prediction), "no tube" if empty else "scored"))
    return Comparison(protocol, samples, len(known) - len(used), repeated)


def _only_sentence(prediction: Prediction, sentences: dict[str, set[str]]) -> Key:
    video, sentence = prediction.key
    if sentence:
        return video, sentence
    candidates = sentences.get(video, set())
    if len(candidates) > 1:
        raise DatasetError(
            f"The prediction for {prediction.video} names no sentence, and the truth has {len(candidates)} for that "
            "video. Use a layout with sentences."
        )
    return video, next(iter(candidates), "")
