"""Which prediction belongs to which truth; nothing that is missing goes unsaid, and each counts 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.compare import compare
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.tube import Tube

SIZE = (200, 100)


def tube(start: int = 10) -> Tube:
    return Tube(start, np.tile([0.1, 0.1, 0.5, 0.5], (10, 1)))


def truth(video: str = "a.mp4", sentence: str = "the man", segment: tuple[int, int] = (0, 99)) -> Truth:
    return replace(Truth.of_tube(video, sentence, tube(), size=SIZE, fps=25.0, n_frames=100), segment=segment)


def prediction(video: str = "a.mp4", sentence: str = "the man", start: int | None = 10) -> Prediction:
    return Prediction.of_tube(video, sentence, None if start is None else tube(start), SIZE)


def test_missing_empty_unused_and_repeated_are_counted() -> None:
    found = compare(
        Protocol.HCSTVG,
        [truth(), truth("b.mp4"), truth("c.mp4")],
        [prediction(), prediction(start=50), prediction("b.mp4", start=None), prediction("d.mp4"), prediction("e.mp4")],
    )
    assert [(sample.state, sample.scores.viou) for sample in found.samples] == [
        ("scored", 1.0), ("no tube", 0.0), ("missing", 0.0),
    ]  # fmt: skip
    assert (found.unused, found.repeated) == (2, 1)
    assert [found.count(state) for state in ("scored", "no tube", "missing")] == [1, 1, 1]


def test_names_match_without_folder_ending_case_and_spaces() -> None:
    [sample] = compare(Protocol.HCSTVG, [truth("0001/A.mp4", "The  man ")], [prediction("a.mkv", "the man")]).samples
    assert sample.scores.viou == 1.0


@pytest.mark.parametrize("name", ["a\u200b.mp4", "\ufeffa.mp4", "\u00a0a.mp4", "a.mp4\u200e"])
def test_names_match_whatever_nobody_sees_in_them(name: str) -> None:
    [sample] = compare(Protocol.HCSTVG, [truth("a.mp4")], [prediction(name)]).samples
    assert sample.scores.viou == 1.0
    found = compare(Protocol.HCSTVG, [truth("a.mp4"), truth(name)], [prediction(name), prediction("a.mp4", start=12)])
    assert [round(sample.scores.tiou, 3) for sample in found.samples] == [0.667, 1.0], "two such files stay apart"


def test_the_same_sentence_in_two_segments() -> None:
    first, second = truth(segment=(0, 40)), truth(segment=(41, 99))
    everywhere, for_second = prediction(), replace(prediction(start=15), segment=(41, 99))
    found = compare(Protocol.HCSTVG, [first, second], [everywhere, for_second])
    assert [sample.scores.tiou for sample in found.samples] == [1.0, pytest.approx(5 / 15)]
    found = compare(Protocol.HCSTVG, [first, second], [for_second])
    assert [sample.state for sample in found.samples] == ["missing", "scored"]
    found = compare(Protocol.HCSTVG, [first, second], [everywhere])
    assert [sample.state for sample in found.samples] == ["scored", "scored"] and found.unused == 0


def test_a_prediction_without_a_sentence_needs_a_video_with_one() -> None:
    nameless = prediction(sentence="")
    assert compare(Protocol.HCSTVG, [truth()], [nameless]).samples[0].scores.viou == 1.0
    with pytest.raises(DatasetError, match=r"a\.mp4 names no sentence, and the truth has 2"):
        compare(Protocol.HCSTVG, [truth(), truth(sentence="the dog")], [nameless])
    assert compare(Protocol.HCSTVG, [truth()], [prediction("z.mp4", "")]).unused == 1


def test_no_truth_is_refused() -> None:
    with pytest.raises(DatasetError, match="no sentence"):
        compare(Protocol.HCSTVG, [], [prediction()])


def test_accents_and_invisible_marks_do_not_matter() -> None:
    other = prediction("cafe\u0301.mp4", "The\u00a0man in the caf\u200be\u0301")
    [sample] = compare(Protocol.HCSTVG, [truth("caf\u00e9.mp4", "the man in the caf\u00e9")], [other]).samples
    assert sample.scores.viou == 1.0


def test_videos_of_one_name_in_two_folders_are_never_mixed() -> None:
    truths = [truth("a/clip.mp4"), truth("b/clip.mp4"), truth("clip.mkv"), truth("Clip.mkv")]
    found = compare(
        Protocol.HCSTVG, truths, [prediction("b/clip.mp4"), prediction("clip.mkv", start=50), prediction("CLIP.mkv")]
    )
    assert [sample.state for sample in found.samples] == ["missing", "scored", "scored", "missing"]
    assert [sample.scores.viou for sample in found.samples] == [0.0, 1.0, 0.0, 0.0]
    assert (found.unused, found.repeated) == (1, 0)
    with pytest.raises(DatasetError, match=r"clip\.mp4 could be a/clip\.mp4 or b/clip\.mp4"):
        compare(Protocol.HCSTVG, truths, [prediction("clip.mp4")])


def test_two_videos_of_the_predictions_are_not_the_truths_one() -> None:
    with pytest.raises(DatasetError, match="Write the names in one way"):
        compare(Protocol.HCSTVG, [truth("clip.mp4")], [prediction("x/Clip.mp4"), prediction("y/Clip.mp4", start=50)])
    found = compare(Protocol.HCSTVG, [truth("clip.mp4")], [prediction("Clip.mp4", start=50), prediction("clip.mp4")])
    assert (found.samples[0].scores.viou, found.unused) == (1.0, 1)
