"""What the model was seen to look at survives storage, small and near enough."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from stvg_core.errors import NonFiniteError
from stvg_core.locating.said import Round, Said
from stvg_core.method.evidence import Evidence, Rows
from stvg_core.method.join import second_look_of
from stvg_core.tube import Track
from tests.calibration.planted import BOTH_WAYS, planted, stored, tracks


def test_float16_keeps_ratios_over_eight_decades() -> None:
    rows = np.logspace(-9, -1, 48).reshape(2, 2, 3, 4)
    back = Rows(rows, rows, rows / 7).packed().unpacked()
    np.testing.assert_allclose(back.spatial, rows, rtol=6e-4)
    np.testing.assert_allclose(back.spatial / back.neutral, 7, rtol=2e-3)
    assert back.exponent == 0 and back.spatial.dtype == back.neutral.dtype == np.float32
    assert back.unpacked() is back


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1.0, 0.5, 3e4])
def test_any_scale_fits(largest: float) -> None:
    rows = np.full((1, 1, 2, 2), largest)
    kept = Rows(rows, rows, rows).packed()
    assert kept.spatial.dtype == np.float16 and np.isfinite(kept.spatial).all()
    np.testing.assert_allclose(kept.unpacked().spatial, rows, rtol=6e-4)


def test_tokens_are_matched_from_the_end() -> None:
    rows, neutral = np.arange(1, 6.0).reshape(5, 1, 1, 1), np.ones((3, 1, 1, 1))
    kept = Rows(rows, rows, neutral).packed()
    assert kept.unpacked().spatial.ravel().tolist() == [3.0, 4.0, 5.0]


def test_tokens_that_one_of_the_three_lacks_are_cut() -> None:
    two, three = np.ones((2, 1, 1, 1)), np.arange(1, 4.0).reshape(3, 1, 1, 1)
    for rows in (Rows(two, three, three), Rows(three, two, three)):
        kept = rows.packed().unpacked()
        assert len(kept.spatial) == len(kept.temporal) == len(kept.neutral) == 2
        assert kept.neutral.ravel().tolist() == [2.0, 3.0]
    nothing = np.ones((0, 1, 1, 1))
    assert Rows(nothing, nothing, nothing).packed().exponent == 0


def test_the_reversed_rows_are_unpacked_as_well() -> None:
    forward, backward = np.full((1, 1, 2, 2), 0.5), np.full((1, 1, 2, 2), 0.25)
    kept = Rows(forward, forward, forward, backward=Rows(backward, backward, backward)).packed().unpacked()
    assert kept.backward is not None
    np.testing.assert_array_equal(kept.backward.spatial, backward)


def test_equal_arrays_are_stored_once_and_come_back() -> None:
    evidence = planted(1, BOTH_WAYS).evidence
    assert evidence.rows is not None
    with np.load(io.BytesIO(evidence.to_bytes())) as arrays:
        names = set(arrays.files)
    assert "first.forward.temporal" not in names and "first.seen" not in names
    back = stored(evidence)
    assert back.rows is not None and back.second is None and back.rows.backward is not None
    np.testing.assert_array_equal(back.rows.temporal, evidence.rows.packed().spatial)
    np.testing.assert_array_equal(back.seen, evidence.track_boxes)
    np.testing.assert_array_equal(back.ends, [[0, 99], [0, 99]])
    assert back.info == evidence.info and back.chosen == evidence.chosen
    assert back.consistency == evidence.consistency and 0.9 < back.consistency < 1


def test_the_view_and_the_second_look_are_kept_as_they_were() -> None:
    evidence = planted(2, BOTH_WAYS).evidence
    assert evidence.rows is not None and evidence.rows.backward is not None
    seen = evidence.track_boxes.astype(np.float64) / 3
    dense = Track(np.array([20, 60]), np.array([[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4]]))
    slots = np.arange(20, 60, 4)
    second = second_look_of(evidence.rows, (18, 61), slots, lambda boxes: boxes / 2, tracks(), 1, dense)
    back = stored(replace(evidence, seen=seen, second=second))
    assert back.second is not None
    assert back.seen.dtype == np.float64
    np.testing.assert_array_equal(back.seen, seen)
    assert back.second.window == (18, 61)
    np.testing.assert_array_equal(back.second.boxes[1], dense.at(slots))
    np.testing.assert_array_equal(back.second.seen, back.second.boxes / 2)
    assert evidence.rows.backward is not None and back.second.rows.backward is not None
    np.testing.assert_array_equal(back.second.rows.backward.neutral, evidence.rows.backward.packed().neutral)


def test_absent_tracks_are_as_equal_as_others() -> None:
    """Boxes that are NaN, in the frame and in what the model sees of it, are not stored a second time."""
    evidence = planted(1, BOTH_WAYS).evidence
    boxes = evidence.track_boxes.copy()
    boxes[0, 3] = np.nan
    with np.load(io.BytesIO(replace(evidence, track_boxes=boxes, seen=boxes.copy()).to_bytes())) as arrays:
        assert "first.seen" not in arrays.files


def test_a_temporal_look_of_its_own_is_kept() -> None:
    spatial, temporal, neutral = np.random.default_rng(0).random((3, 2, 10, 4, 4), dtype=np.float32)
    back = stored(replace(planted(3).evidence, rows=Rows(spatial, temporal, neutral))).rows
    assert back is not None
    np.testing.assert_allclose(back.unpacked().temporal, temporal, rtol=1e-3)


def test_the_neutral_rows_of_other_heads_are_kept() -> None:
    """Also the reversed video's and the second look's; where both branches share them, nothing more is written."""
    evidence = planted(3, BOTH_WAYS).evidence
    assert evidence.rows is not None and evidence.rows.temporal_neutral is None
    spatial, temporal, neutral, other = np.random.default_rng(0).random((4, 2, 10, 4, 4), dtype=np.float32)
    other = np.concatenate([other[:1], other])  # the neutral prompt may have more tokens
    one_way = Rows(spatial, temporal, neutral, temporal_neutral=8 * other)
    rows = replace(one_way, backward=replace(one_way, temporal_neutral=other / 2))
    second = second_look_of(rows, (18, 61), np.arange(20, 60, 4), lambda boxes: boxes, tracks(), 0, tracks()[0])
    back = stored(replace(evidence, rows=rows, second=second))
    assert back.second is not None
    for found in (back.rows, back.second.rows):
        assert found is not None and found.backward is not None
        found = found.unpacked()
        assert found.backward is not None
        np.testing.assert_allclose(found.neutral_of_temporal, 8 * other[1:], rtol=1e-3)
        np.testing.assert_allclose(found.backward.neutral_of_temporal, other[1:] / 2, rtol=1e-3)
        np.testing.assert_allclose(found.neutral, neutral, rtol=1e-3)
    with np.load(io.BytesIO(evidence.to_bytes())) as arrays:
        assert not [name for name in arrays.files if "temporal_neutral" in name]
    before = stored(evidence).rows
    assert before is not None and before.temporal_neutral is None and before.neutral_of_temporal is before.neutral
    with pytest.raises(NonFiniteError):
        replace(one_way, temporal_neutral=other * np.nan)


def test_evidence_of_a_part_in_the_frame_numbers_of_the_whole_video() -> None:
    """Everything that is a frame moves by the part's first one; nothing else does."""
    evidence = planted(5).evidence
    assert evidence.rows is not None and evidence.bounds == (0, 99)
    first = second_look_of(evidence.rows, (18, 61), np.arange(20, 60, 4), lambda boxes: boxes, tracks(), 0, tracks()[0])
    info = evidence.info | {"second_look": [18, 61, 22, 48]}
    found = replace(evidence, second=first, info=info).of_whole((300, 399), 1000)
    assert found.bounds == (300, 399)
    assert found.info == info | {"segment": [300, 399], "n_frames": 1000, "second_look": [318, 361, 322, 348]}
    assert found.slot_frames.tolist() == list(range(305, 400, 10)) and found.ends.tolist() == [[300, 399]] * 2
    assert found.second is not None and found.second.window == (318, 361)
    assert found.second.slots.tolist() == list(range(320, 360, 4))
    assert (
        found.second.rows is first.rows and found.rows is evidence.rows and found.frame_scores is evidence.frame_scores
    )
    plain = evidence.of_whole((300, 399), 1000)
    assert plain.second is None and "second_look" not in plain.info and plain.bounds == (300, 399)


ACTS = np.array([[0, 3, 8], [0, 0, 1], [0, 20, -1]])


def test_what_the_chosen_track_does_is_known_of_that_one_alone() -> None:
    evidence = planted(5).evidence.with_acts(0, ACTS[:, 1:])
    np.testing.assert_array_equal(evidence.acts, ACTS)
    assert evidence.acts.dtype == np.int64
    acts = evidence.acts_of(0)
    assert acts is not None and acts.tolist() == [[3, 8], [0, 1], [20, -1]]
    assert evidence.acts_of(1) is None and evidence.acts_of(3) is None
    assert evidence.with_acts(1, None) is evidence and evidence.with_acts(1, np.empty((0, 2))) is evidence
    np.testing.assert_array_equal(stored(evidence).acts, ACTS)


def test_acts_of_a_part_move_with_it_but_for_ends_that_are_none() -> None:
    evidence = planted(5).evidence.with_acts(0, ACTS[:, 1:])
    assert evidence.of_whole((300, 399), 1000).acts.tolist() == [[0, 303, 308], [0, 300, 301], [0, 320, -1]]
    np.testing.assert_array_equal(evidence.acts, ACTS)


def test_the_dense_boxes_of_the_chosen_track_are_kept_at_the_slots() -> None:
    track = tracks()[0]
    evidence = planted(5).evidence.with_exact(track)
    np.testing.assert_array_equal(evidence.exact, track.at(evidence.slot_frames))
    np.testing.assert_allclose(stored(evidence).exact, evidence.exact, rtol=1e-6)


def test_the_words_of_a_model_are_kept_and_move_with_their_part() -> None:
    said = Said("a model", (Round("when", (4, 9), ("4", "9"), "When?", "From 4.", {"from": 4}),), {"sure": 0.5})
    evidence = replace(planted(5).evidence, said=said)
    assert stored(evidence).said == said
    with np.load(io.BytesIO(evidence.to_bytes())) as written:
        np.testing.assert_array_equal(written["said"], said.to_array())
    moved = evidence.of_whole((300, 399), 1000).said
    assert moved is not None and moved.rounds[0].frames == (304, 309) and moved.model == said.model
    assert stored(planted(5).evidence).said is None and planted(5).evidence.of_whole((300, 399), 1000).said is None


def test_evidence_from_before_is_readable() -> None:
    before = replace(planted(4).evidence, rows=None, proposer_scores=np.empty(0))
    after = stored(before)
    assert after.rows is None and len(after.proposer_scores) == 0
    np.testing.assert_array_equal(after.frame_scores, before.frame_scores)


@pytest.mark.parametrize("whole", [True, False], ids=["whole frame seen", "part of the frame seen"])
def test_the_names_in_stored_evidence_stay(whole: bool) -> None:
    """As every version wrote them that kept rows: whoever renames a field still reads what is in a database."""
    random = np.random.default_rng(0)
    rows = {name: random.random((2, 3, 4, 4)).astype(np.float16) for name in ("spatial", "temporal", "neutral")}
    boxes, again = random.random((2, 5, 3, 4)).astype(np.float32)
    scores, exponent = np.ones(5), np.array(9, np.int16)
    arrays = {
        "slot_frames": np.arange(3), "track_boxes": boxes, "track_scores": scores, "track_scores_forward": scores,
        "track_scores_reversed": scores, "frame_scores": np.ones((5, 3)),
        "spatial_map": np.ones((3, 4, 4), np.float16), "temporal_map": np.ones((3, 4, 4), np.float16),
        "looked.proposer_scores": 2 * scores, "looked.ends": np.ones((5, 2), np.int64),
        "looked.end_boxes": np.ones((5, 2, 4), np.float32), "second.window": np.array([7, 9]),
        "second.slots": np.arange(7, 10), "second.boxes": again,
    }  # fmt: skip
    for way in ("first.forward", "first.backward", "second.forward"):
        arrays |= {f"{way}.{name}": values for name, values in rows.items()} | {f"{way}.exponent": exponent}
    del arrays["first.backward.temporal"]
    if not whole:
        arrays |= {"first.seen": boxes.astype(np.float64) / 2, "second.seen": again.astype(np.float64) / 2}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    found = Evidence.from_bytes(buffer.getvalue(), chosen=1, consistency=0.5, info={"n_frames": 30})
    assert found.rows is not None and found.rows.backward is not None and found.second is not None
    np.testing.assert_array_equal(found.rows.unpacked().neutral, rows["neutral"].astype(np.float32) / 2**9)
    np.testing.assert_array_equal(found.rows.backward.temporal, rows["spatial"])
    np.testing.assert_array_equal(found.second.rows.temporal, rows["temporal"])
    np.testing.assert_array_equal(found.seen, boxes if whole else boxes.astype(np.float64) / 2)
    np.testing.assert_array_equal(found.second.seen, again if whole else again.astype(np.float64) / 2)
    assert found.second.window == (7, 9) and found.second.rows.backward is None
    with np.load(io.BytesIO(found.to_bytes())) as written:
        assert set(written.files) == set(arrays)
        for name, values in arrays.items():
            assert written[name].dtype == values.dtype
            np.testing.assert_array_equal(written[name], values)


def test_stored_objects_are_not_unpacked() -> None:
    """Unpacking one could run anything."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, slot_frames=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Evidence.from_bytes(buffer.getvalue(), chosen=-1, consistency=0.5, info={})


def test_numbers_that_are_none_are_refused() -> None:
    rows = np.ones((1, 1, 2, 2))
    rows[0, 0, 0, 0] = np.nan
    with pytest.raises(NonFiniteError) as error:
        Rows(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), rows)
    assert str(error.value) == (
        "The model answered with NaN or infinite numbers; try precision float32, or another checkpoint."
    )


def test_rows_of_a_big_model_take_some_hundred_kilobytes() -> None:
    """20 slots of 14 x 14 cells and 6 role tokens: both branches, both directions."""
    random = np.random.default_rng(0)
    shape = (6, 20, 14, 14)
    size = 0
    for _ in ("forward", "backward"):
        kept = Rows(*(random.lognormal(-9, 1.5, size=shape) for _ in range(3)))
        size += sum(rows.nbytes for rows in kept.to_arrays("x").values())
    assert size == pytest.approx(6 * np.prod(shape) * 2, abs=10)  # 282 KB before compression
