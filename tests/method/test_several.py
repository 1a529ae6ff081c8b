"""Several sentences on one video, with the model on paper: the order of what is done, its progress, short memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from stvg_core.method import look as looking
from stvg_core.method.evidence import Rows
from stvg_core.method.look import look, look_each, look_one_way
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from tests.method.stand_in import StandIn
from tests.method.test_straight import PARTS, QUERY, T, model

SENTENCES = [
    (QUERY, PARTS),
    ("the dog that runs.", SubQueries("the dog", "the dog runs", found=True)),
    ("the cat that sits down.", SubQueries("the cat", "the cat sits down", found=True)),
]
BOTH_WAYS = GroundingSettings(n_slots=T, lra_rule="token_norm", lra_lr=0.5, tas_question="reversed", tas_temporal=True)
FORWARD = GroundingSettings(n_slots=T, lra_rule="token_norm", lra_lr=0.5, tas=False)
LEARN = looking.learn


def paper(batch: int = 1) -> StandIn:
    found = model(3)
    found.batch = batch
    return found


def each(seen: StandIn, settings: GroundingSettings, count: int, ticks: list[float], **more: Any) -> list[Rows]:
    return look_each(seen, SENTENCES[:count], settings, ticks.append, **more)  # type: ignore[arg-type]


def same(one: Rows, other: Rows) -> None:
    for name in ("spatial", "temporal", "neutral", "yes_minus_no", "yes_minus_no_after", "v_share"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.backward is None) == (other.backward is None)
    if one.backward is not None and other.backward is not None:
        same(one.backward, other.backward)


@pytest.mark.parametrize("settings", [BOTH_WAYS, FORWARD], ids=["both ways", "forward"])
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_each_sees_what_it_sees_alone(settings: GroundingSettings, batch: int) -> None:
    together = each(paper(batch), settings, 3, [])
    for (query, parts), rows in zip(SENTENCES, together, strict=True):
        same(rows, look(paper(batch), query, parts, settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("backwards", [False, True])
def test_one_direction_is_that_of_the_whole_look(backwards: bool) -> None:
    settings, seen = replace(BOTH_WAYS, tas_question="query"), paper()
    one = look_one_way(seen, QUERY, PARTS, settings, backwards=backwards)  # type: ignore[arg-type]
    whole = look(paper(), QUERY, PARTS, settings)  # type: ignore[arg-type]
    wanted = whole.backward if backwards else replace(whole, backward=None)
    assert wanted is not None
    same(one, wanted)
    assert seen.log[0] == ("prefill backwards" if backwards else "prefill") and "release" not in seen.log


def test_one_direction_is_forward_and_never_a_batch_unless_it_is_said() -> None:
    seen = paper(4)
    one = look_one_way(seen, QUERY, PARTS, FORWARD)  # type: ignore[arg-type]
    same(one, look(paper(), QUERY, PARTS, FORWARD))  # type: ignore[arg-type]
    assert seen.log[0] == "prefill" and "2 at once" not in seen.log


@pytest.mark.parametrize(
    ("settings", "count", "batch", "wanted"),
    [
        (FORWARD, 2, 2, [0.25, 0.5, 0.75, 1, 1]),
        (FORWARD, 2, 3, [0.25, 0.5, 0.875, 1, 1]),
        (BOTH_WAYS, 2, 2, [0.125, 0.25, 0.375, 0.5, 0.5, 0.625, 0.75, 0.875, 1, 1]),
        (FORWARD, 1, 2, [1]),
        (BOTH_WAYS, 1, 2, [0.5, 1]),
    ],
)
def test_its_progress(settings: GroundingSettings, count: int, batch: int, wanted: list[float]) -> None:
    ticks: list[float] = []
    each(paper(batch), settings, count, ticks)
    assert ticks == pytest.approx(wanted)


def test_prefills_run_as_one_batch_where_the_session_says_so() -> None:
    seen = paper(4)
    each(seen, FORWARD, 3, [])
    assert [entry for entry in seen.log if str(entry).endswith("at once")] == ["4 at once", "2 at once"]
    seen = paper(4)
    each(seen, FORWARD, 1, [])
    assert "2 at once" not in seen.log, "a single sentence is never a batch"


@pytest.mark.parametrize(("count", "batch", "wanted"), [(1, 4, False), (3, 1, False), (3, 2, True), (3, 3, True)])
def test_the_first_gradients_go_back_together_only_in_a_batch(
    monkeypatch: pytest.MonkeyPatch, count: int, batch: int, wanted: bool
) -> None:
    asked: list[bool] = []

    def learn(*given: Any, together: Any, **more: Any) -> list[torch.Tensor]:
        asked.append(together is not None)
        return LEARN(*given, together=together, **more)

    monkeypatch.setattr(looking, "learn", learn)
    each(paper(batch), FORWARD, count, [])
    assert asked == [wanted] * count


def test_a_batch_that_does_not_fit_is_halved_and_the_session_told() -> None:
    class Short(StandIn):
        def prefill_each(self, vs: list[torch.Tensor], *, backwards: bool = False) -> Any:
            if len(vs) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().prefill_each(vs, backwards=backwards)

    seen = paper(4)
    seen.__class__ = Short
    found = each(seen, FORWARD, 2, [])
    assert seen.batch == 1
    for one, other in zip(found, each(paper(), FORWARD, 2, []), strict=True):
        same(one, other)


@pytest.mark.parametrize("settings", [BOTH_WAYS, FORWARD], ids=["both ways", "forward"])
def test_prefills_without_v_are_let_go_of_once_a_direction_unless_they_are_kept(settings: GroundingSettings) -> None:
    seen = paper()
    each(seen, settings, 2, [])
    assert "release" not in seen.log
    seen = paper()
    found = each(seen, settings, 2, [], keep=False)
    assert seen.log.count("release") == (2 if settings.tas else 1)
    for one, other in zip(found, each(paper(), settings, 2, []), strict=True):
        same(one, other)


def test_without_kept_prefills_a_step_that_is_dropped_looks_as_without_v(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard drops a V that makes yes less likely at every share; what is seen then is seen at V = 0."""
    monkeypatch.setattr(looking, "learn", lambda *given, **more: [-v for v in LEARN(*given, **more)])
    guarded = replace(FORWARD, lra_guard=True)
    found = each(paper(), guarded, 2, [], keep=False)
    for one, other in zip(found, each(paper(), replace(guarded, lra_steps=0), 2, []), strict=True):
        np.testing.assert_array_equal(one.spatial, other.spatial)
        np.testing.assert_array_equal(one.temporal, other.temporal)
        np.testing.assert_array_equal(one.v_share, 0)
