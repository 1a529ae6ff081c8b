"""Locators that use words, with a model that says what it was told to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.chat.base import ChatError
from stvg_core.errors import ModelError
from stvg_core.locating import speak
from stvg_core.locating.painting import digit_height, marks_of, numbered, painted
from stvg_core.locating.showing import AnswerError
from stvg_core.locating.words import FORM, ROUNDS
from stvg_core.proposals.following import DrawnBox
from stvg_core.tube import Track
from tests.locating.script import FPS, FRAMES, HEIGHT, LEFT, QUERY, RIGHT, TINY, WIDTH, grounder, whole

GOOD = '{"number": 2, "start": 2, "end": 6}'
SPOKEN = '{"start": 2, "end": 6, "boxes": [{"picture": 5, "box": [610, 210, 990, 790]}]}'


def test_the_number_and_the_time_make_the_tube() -> None:
    made, chat, opened = grounder("marks", GOOD)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (50, 150)
    np.testing.assert_array_equal(found.tube.boxes[0], np.float32(RIGHT))
    assert found.score == 1.0 and found.evidence.chosen == 1 and found.model_version == made.model_version
    assert found.evidence.track_scores.tolist() == [0, 1]
    slots = found.evidence.slot_frames
    assert found.evidence.frame_scores[1].tolist() == ((slots >= 50) & (slots <= 150)).astype(float).tolist()
    (asked,), (video,) = chat.asked, opened
    assert len(asked.pictures) == 20 and video.reads == [slots.tolist()], "two pictures for each second"
    assert asked.pictures[3].caption == f"Picture 4, {slots[3] / FPS:.2f} s:" and QUERY in asked.question
    said = found.evidence.said
    assert said is not None and said.model == "script" and said.repairs == ()
    (one,) = said.rounds
    assert one.answer == GOOD and one.read == {"number": 2, "start": 2.0, "end": 6.0} and one.frames == tuple(slots)
    assert {(mark.number, round(mark.x, 2)) for mark in one.marks} == {(1, 0.2), (2, 0.8)} and len(one.marks) == 40


def test_marks_are_red_at_the_centre_and_nothing_else_changes() -> None:
    _, chat, _ = made = grounder("marks", GOOD)
    made[0].ground("clip.mp4", QUERY)
    pixels = chat.asked[0].pictures[0].pixels.astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60)
    rows, columns = np.nonzero(red)
    assert rows.min() >= 0.5 * HEIGHT - 15 and rows.max() <= 0.5 * HEIGHT + 15 and np.ptp(rows) in range(15, 26)
    assert {0.2, 0.8} == {
        round(float(np.median(part)) / WIDTH, 1) for part in (columns[columns < 200], columns[columns > 200])
    }
    assert (pixels[: HEIGHT // 4] == 90).all()


def test_which_marks_are_painted() -> None:
    tracks = [
        whole(LEFT, 0.5),
        whole((0.0, 0.2, 0.41, 0.8), 0.9),
        whole(TINY),
        Track(np.array([0, 10]), np.array([RIGHT] * 2)),
    ]
    marks = marks_of(tracks, numbered(tracks), np.array([0, 20]), (WIDTH, HEIGHT))
    assert [(mark.picture, mark.number) for mark in marks] == [(0, 4), (0, 2), (1, 2)], (
        "not the tiny one, not the less sure of two on one place, none where a track is absent"
    )
    assert digit_height(600, 336) == 20 and len(numbered([whole(LEFT)] * 30)) == 20
    assert painted([np.zeros((50, 60, 3), np.uint8)], ())[0].max() == 0


def test_an_answer_that_cannot_be_read_is_asked_for_once_more() -> None:
    made, chat, _ = grounder("marks", "I think it is the man.", GOOD)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and found.evidence.said is not None
    first, second = found.evidence.said.rounds
    assert "asked again" in first.repairs[0] and second.repairs == ()
    assert "no number in it" in chat.asked[1].question and found.evidence.said.certainty[FORM] == 0.5


@pytest.mark.parametrize(
    "bad", ["Sorry, I cannot.", '{"number": 7, "start": 2, "end": 6}', "<b>\x1b[31mno\n</b>" + "x" * 999]
)
def test_then_it_fails_with_the_models_words(bad: str) -> None:
    made, chat, _ = grounder("marks", bad, bad)
    with pytest.raises(AnswerError) as caught:
        made.ground("clip.mp4", QUERY)
    assert len(chat.asked) == 2 and "It said" in str(caught.value) and len(str(caught.value)) < 450
    assert str(caught.value).isprintable(), "control characters are escaped"


def test_number_and_time_are_of_one_guess() -> None:
    said = '{"number": 1, "start": 0, "end": 1} or rather {"number": 2, "start": 2, "end": 6}; sure of {"number": 1}?'
    made, _, _ = grounder("marks", said)
    found = made.ground("clip.mp4", QUERY)
    assert found.evidence.chosen == 1 and found.tube is not None and found.tube.start_frame == 50


def test_what_the_chat_raises_is_the_sentences_error_alone() -> None:
    made, _, opened = grounder("marks", ChatError("away"), GOOD)
    one, other = made.ground_each("clip.mp4", [QUERY, QUERY])
    assert isinstance(one, ChatError) and not isinstance(other, Exception)
    assert len(opened) == 1 and len(opened[0].reads) == 1, "sentences share the video and its pictures"


@pytest.mark.parametrize("locator", ["marks", "pick", "speak"])
def test_nothing_there_is_an_answer_too(locator: str) -> None:
    none = {"marks": ['{"number": 0}'], "speak": ['{"start": 0, "end": 1, "boxes": []}'],
            "pick": ['{"true": [], "false": [1, 2], "unknown": []}']}[locator]  # fmt: skip
    made, _, _ = grounder(locator, *none)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is None and found.score == 0 and found.evidence.chosen == -1
    assert found.evidence.said is not None and len(found.evidence.said.rounds) == 1


@pytest.mark.parametrize("locator", ["marks", "pick"])
def test_without_a_candidate_nothing_is_asked(locator: str) -> None:
    made, chat, _ = grounder(locator, tracks=[])
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is None and chat.asked == [] and found.evidence.track_boxes.shape == (0, 20, 4)


def test_the_second_round_sets_both_ends() -> None:
    made, chat, opened = grounder("marks", GOOD, '{"start": 2.2}', '{"end": 5.8}', second_look=True)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (55, 145)
    assert found.evidence.said is not None and found.evidence.said.certainty[ROUNDS] == pytest.approx(91 / 101)
    for asked, at in zip(chat.asked[1:], (50, 150), strict=True):
        frames = np.array([picture.seconds for picture in asked.pictures]) * FPS
        assert len(frames) == 10 and frames[0] == at - 19 and frames[-1] == at + 19, "12.5 frames apart, 1.5 times that"
    assert (found.evidence.frame_scores[1] > 0).sum() < 101 and len(opened[0].reads) == 3


def test_in_a_long_video_the_ends_are_looked_at_until_they_are_fine() -> None:
    answers = [GOOD, *['{"start": 2}', '{"end": 6}'] * 3]
    made, chat, _ = grounder("marks", *answers, second_look=True, shown_most=4)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and len(chat.asked) == 7, "four pictures first, then two of each end: three rounds"
    assert found.evidence.said is not None and len(found.evidence.said.rounds) == 7


def test_ends_that_cross_are_not_taken() -> None:
    made, _, _ = grounder(
        "marks", '{"number": 2, "start": 4, "end": 4.2}', '{"start": 4.3}', '{"end": 4.1}', second_look=True
    )
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (100, 105)
    assert any("lies before the start" in said for said in found.warnings), "whoever asks is told"


@pytest.mark.parametrize("bad", ["no idea", '{"start": 9.5}'])
def test_an_end_that_cannot_be_read_stays_the_first_rounds(bad: str) -> None:
    made, _, _ = grounder("marks", GOOD, bad, '{"end": 5.8}', second_look=True)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (50, 145)
    assert found.evidence.said is not None and "was kept" in found.evidence.said.repairs[0]


def test_a_part_of_a_video_is_answered_in_the_frames_of_the_whole() -> None:
    made, chat, opened = grounder(
        "marks", '{"number": 1, "start": 1, "end": 2}', tracks=[Track(np.array([0, 99]), np.array([LEFT] * 2))]
    )
    found = made.ground("clip.mp4", QUERY, segment=(100, 199))
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (125, 150)
    assert found.evidence.said is not None and min(found.evidence.said.rounds[0].frames) >= 100
    assert chat.asked[0].pictures[0].seconds < 1, "the part is all that the model sees"
    assert all(100 <= frame <= 199 for read in opened[0].reads for frame in read)


@pytest.mark.parametrize("locator", ["marks", "pick", "speak"])
def test_a_drawn_box_is_the_object_and_lies_in_the_answer(locator: str) -> None:
    made, chat, _ = grounder(locator, '{"start": 4, "end": 6}')
    found = made.follow("clip.mp4", QUERY, DrawnBox(60, np.array(RIGHT)))
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (60, 150)
    assert len(chat.asked) == 1 and '"start"' in chat.asked[0].question and "boxes" not in chat.asked[0].question
    assert found.evidence.info["prompt"]["frame"] == 60


def test_sorting_asks_again_about_what_is_unknown() -> None:
    made, chat, _ = grounder(
        "pick", '{"true": [], "false": [1], "unknown": [2]}', '{"true": [2], "false": [], "unknown": []}',
        '{"start": 2, "end": 6}',
    )  # fmt: skip
    found = made.ground("clip.mp4", QUERY)
    assert found.evidence.chosen == 1 and found.score == 1.0 and found.tube is not None
    assert "Sort the numbers 1, 2:" in chat.asked[0].question and "Sort the numbers 2:" in chat.asked[1].question
    red = [(asked.pictures[0].pixels[..., 0] > 200) & (asked.pictures[0].pixels[..., 1] < 60) for asked in chat.asked]
    assert red[0][:, :200].any() and not red[1][:, :200].any(), "only the numbers that are asked for are painted"
    assert "with the number 2" in chat.asked[2].question


def test_what_stays_unknown_is_less_certain() -> None:
    unknown = '{"true": [], "false": [], "unknown": [1, 2]}'
    made, chat, _ = grounder("pick", unknown, unknown, unknown, '{"start": 2, "end": 6}')
    found = made.ground("clip.mp4", QUERY)
    assert len(chat.asked) == 4 and found.evidence.chosen == 0 and found.score == pytest.approx(0.75)
    made, _, _ = grounder("pick", '{"true": [1, 2], "false": []}', '{"start": 2, "end": 6}')
    assert made.ground("clip.mp4", QUERY).evidence.said.certainty["one candidate was sorted out as true"] == 0.5  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("box", "repairs"),
    [
        ([610, 210, 990, 790], ()), ([990, 790, 610, 210], (speak.TURNED,)),
        ([0.61, 0.21, 0.99, 0.79], (speak.AS_SHARES,)),
        ([244, 71, 396, 265], (speak.AS_PIXELS,)), ([610, 210, 1100, 790], (speak.CUT_BOX,)),
    ],
)  # fmt: skip
def test_named_boxes_choose_the_candidate(box: list[float], repairs: tuple[str, ...]) -> None:
    made, _, _ = grounder("speak", SPOKEN.replace("[610, 210, 990, 790]", str(box)))
    found = made.ground("clip.mp4", QUERY)
    assert found.evidence.chosen == 1 and found.evidence.said is not None and found.evidence.said.repairs == repairs
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (50, 150)


@pytest.mark.parametrize("tracks", [[], [whole(LEFT)]])
def test_a_box_on_no_candidate_is_followed(tracks: list[Track]) -> None:
    made, _, _ = grounder("speak", SPOKEN, tracks=tracks)
    found = made.ground("clip.mp4", QUERY)
    assert found.evidence.chosen == len(tracks) and found.tube is not None
    np.testing.assert_allclose(found.tube.boxes[0], [0.61, 0.21, 0.99, 0.79], atol=1e-6)
    assert found.tube.start_frame == found.tube.end_frame, "these stand-ins know nothing of it on other frames"


def test_a_box_outside_of_the_picture_is_no_box() -> None:
    bad = SPOKEN.replace("[610, 210, 990, 790]", "[1200, 210, 1400, 790]")
    made, _, _ = grounder("speak", bad, bad)
    with pytest.raises(AnswerError, match="no usable box"):
        made.ground("clip.mp4", QUERY)


def test_long_videos_have_a_budget_and_short_ones_at_least_two_pictures() -> None:
    made, _, opened = grounder("marks", GOOD)
    made.ground("clip.mp4", QUERY)
    info = opened[0].info
    assert len(made.needs(replace(info, n_frames=90_000, duration_s=3600.0))[0]) == 20
    assert made.needs(replace(info, n_frames=3, duration_s=0.12))[0].tolist() == [0, 2]
    assert len(made.needs(replace(info, n_frames=1, duration_s=0.04))[0]) == 1
    assert info.n_frames == FRAMES


def test_attention_needs_a_model_here() -> None:
    with pytest.raises(ModelError, match="none is loaded"):
        grounder("attention")
