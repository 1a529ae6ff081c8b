"""Each kind of change, and the numbers beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from backend.review import diff
from backend.review.diff import compare, pack, unpack
from backend.review.drawn_tube import Drawn, overlap, target
from stvg_core.keyframes import simplify
from stvg_core.metrics import tiou, viou
from stvg_core.tube import Tube
from tests.review.tubes import cut, drawns, moving, tubes, whole

SUGGESTED = simplify(moving(10, 29, step=0.01))


@pytest.mark.parametrize(
    ("wanted", "change", "shifts"),
    [
        (whole(10, 29, step=0.01), diff.ACCEPTED, (0, 0)),
        (whole(10, 29, x=0.1001, step=0.01), diff.ACCEPTED, (0, 0)),
        (whole(10, 24, step=0.01), diff.ENDS, (0, -5)),
        (whole(12, 29, x=0.12, step=0.01), diff.ENDS, (2, 0)),
        (cut(moving(10, 29, step=0.01), ((10, 15), (20, 29))), diff.ENDS, (0, 0)),
        (whole(10, 29, x=0.12, step=0.01), diff.BOXES, (0, 0)),
        (whole(8, 29, x=0.13, step=0.01), diff.BOTH, (-2, 0)),
        (whole(10, 29, x=0.7), diff.OTHER, (0, 0)),
        (whole(10, 29, x=0.29, step=0.01), diff.OTHER, (0, 0)),
        (whole(32, 45, x=0.30), diff.BOTH, (22, 16)),  # no common frame, but where the suggestion ended
        (whole(32, 45, x=0.70), diff.OTHER, (22, 16)),
    ],
)
def test_kinds_of_change(wanted: Drawn, change: str, shifts: tuple[int, int]) -> None:
    found = compare(SUGGESTED, wanted)
    assert (found.change, (found.start_shift, found.end_shift)) == (change, shifts)
    assert found.overlap is not None and found.edits is not None and found.edits_from_nothing is not None


def test_where_a_tube_is_missing() -> None:
    left, empty = compare(SUGGESTED, None), compare([], None)
    assert (left.change, left.edits, left.edits_from_nothing) == (diff.REJECTED, 1, 0)
    assert (empty.change, empty.edits) == (diff.ACCEPTED, 0)
    drawn = compare([], whole(0, 9, step=0.01))
    assert (drawn.change, drawn.edits, drawn.edits_from_nothing, drawn.overlap) == (diff.DRAWN, 2, 2, None)


def test_judged_wrong_rejects_only_what_was_left_as_it_was() -> None:
    assert compare(SUGGESTED, whole(10, 29, step=0.01), judged_wrong=True).change == diff.REJECTED
    assert compare(SUGGESTED, whole(10, 24, step=0.01), judged_wrong=True).change == diff.ENDS


@settings(deadline=None, max_examples=60)
@given(tubes(), tubes())
def test_the_measures_are_those_of_the_field(a: Tube, b: Tube) -> None:
    found = overlap(Drawn.whole(a), Drawn.whole(b))
    assert found.tiou == pytest.approx(tiou(a, b))
    assert found.viou == pytest.approx(viou(a, b))


@settings(deadline=None, max_examples=60)
@given(drawns(), drawns())
def test_frame_by_frame(a: Drawn, b: Drawn) -> None:
    found = overlap(a, b)
    for row, iou in enumerate(found.frame_ious):
        frame = found.first_frame + row
        shown = [any(first <= frame <= last for first, last in tube.intervals) for tube in (a, b)]
        assert found.common[row] == all(shown) and np.isnan(iou) == (not any(shown))
        assert all(shown) or np.isnan(iou) or iou == 0
    assert overlap(b, a).viou == pytest.approx(found.viou) and 0 <= found.viou <= found.tiou <= 1
    assert overlap(a, a).viou == 1
    stored = unpack(pack(found.frame_ious))
    assert np.allclose(stored, found.frame_ious, atol=5e-4, equal_nan=True)
    assert len(pack(found.frame_ious)) == 2 * len(stored)


def _entry(region: str, label: str | None, last: int) -> dict[str, object]:
    rows = [[0, 0.1, 0.1, 0.2, 0.2], [last, 0.1, 0.1, 0.2, 0.2]]
    return {"region_id": region, "label": label, "intervals": [[0, last]], "keyframes": rows}


def test_the_region_that_answers_the_sentence() -> None:
    entries = [_entry("long", "Target", 30), _entry("ours", "Target", 10), _entry("other", "Other", 40)]
    assert target([], label="Target", region_id="ours") is None

    def chosen(label: str | None, region_id: str | None) -> str:
        found = target(entries, label=label, region_id=region_id)
        assert found is not None
        return found.region_id

    assert chosen("Target", "ours") == "ours" and chosen("Target", None) == "long" and chosen(None, None) == "other"
    assert chosen("Target", "other") == "long", "an object that was given another label is not the answer any more"


def test_intervals_must_be_the_tubes() -> None:
    for intervals in ((), ((0, 4),), ((0, 5), (5, 9))):
        with pytest.raises(ValueError, match="intervals"):
            Drawn(moving(0, 9), intervals)
