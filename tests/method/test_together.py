"""Sentences that are looked at together: each sees, bit for bit, what it sees alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from stvg_core.decomposition.rules import decompose
from stvg_core.method.evidence import Rows
from stvg_core.method.look import look, look_each
from stvg_core.mllm import together
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Prefix, Session
from stvg_core.mllm.together import Together
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

SENTENCES = [
    (query, decompose(query))
    for query in ("the red circle moving left.", "the green star growing.", "a square", "the blue square moving right.")
]
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, tas_temporal=True)
FIELDS = ("spatial", "temporal", "neutral", "yes_minus_no", "yes_minus_no_after", "v_share")


def equal(one: Rows, other: Rows) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.backward is None) == (other.backward is None)
    if one.backward is not None and other.backward is not None:
        equal(one.backward, other.backward)


@pytest.fixture(autouse=True)
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whatever the number of tokens; the sizes of the prefills' batches."""
    monkeypatch.setitem(together.FULL, "cpu", 10**6)
    sizes: list[int] = []
    real = Session.prefill_each

    def noted(session: Session, vs: Sequence[torch.Tensor | None], *, backwards: bool = False) -> list[Prefix]:
        sizes.append(len(vs))
        return real(session, vs, backwards=backwards)

    monkeypatch.setattr(Session, "prefill_each", noted)
    return sizes


def one_by_one(loaded: LoadedModel, frames: Frames, settings: GroundingSettings) -> list[Rows]:
    """On one session: the neutral prompt is in the first sentence's batch, and pads its questions otherwise."""
    session = Session(loaded, frames)
    return [look(session, query, parts, settings) for query, parts in SENTENCES]


def both(loaded: LoadedModel, frames: Frames, settings: GroundingSettings) -> list[Rows]:
    """What the sentences see together, after it was held against what each sees alone."""
    group = look_each(Session(loaded, frames), SENTENCES, settings)
    for one, other in zip(one_by_one(loaded, frames, settings), group, strict=True):
        equal(one, other)
    return group


@pytest.mark.parametrize("recompute", [False, True])
def test_together_is_as_alone(
    any_family: LoadedModel, noise: Callable[..., Frames], batches: list[int], recompute: bool
) -> None:
    group = both(replace(any_family, recompute=recompute), noise(5), SETTINGS)
    assert max(batches) == 8, "V_s and V_t of four sentences"
    assert not np.array_equal(group[0].spatial, group[1].spatial)


@pytest.mark.parametrize("changes", [
    {"lra_steps": 2}, {"lra_branches": ("temporal",)}, {"lra_guard": False}, {"tas": False}, {"lra_steps": 0},
    {"tas_temporal": False, "tas_question": "reversed"}, {"layers": (0, 2), "v_s_question": "sentence"},
])  # fmt: skip
def test_whatever_the_settings(tiny: LoadedModel, noise: Callable[..., Frames], changes: dict[str, object]) -> None:
    both(tiny, noise(4), replace(SETTINGS, **changes))  # type: ignore[arg-type]


def test_branches_that_need_a_smaller_share_form_a_smaller_batch(
    tiny: LoadedModel, noise: Callable[..., Frames], batches: list[int]
) -> None:
    settings = replace(SETTINGS, lra_lr=4.0, tas=False)
    group = look_each(Session(tiny, noise(4)), SENTENCES, settings)
    sizes = list(batches)
    shares = np.concatenate([one.v_share for one in group])
    assert len(set(shares.tolist())) > 1, "not all need the same"
    assert sizes == [1, 8, *(int((shares < share).sum()) for share in (1.0, 0.5) if (shares < share).any())]
    both(tiny, noise(4), settings)


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_out_of_memory_in_a_batch_halves_it_and_is_remembered(
    tiny: LoadedModel, noise: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    loaded = replace(tiny, together=Together())
    alone = one_by_one(loaded, noise(4), SETTINGS)
    real, tried = Session.prefill_each, []

    def refusing(session: Session, vs: Sequence[torch.Tensor | None], *, backwards: bool = False) -> list[Prefix]:
        tried.append(len(vs))
        if len(vs) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(session, vs, backwards=backwards)

    monkeypatch.setattr(Session, "prefill_each", refusing)
    for one, other in zip(alone, look_each(Session(loaded, noise(4)), SENTENCES, SETTINGS), strict=True):
        equal(one, other)
    fits = {1: 1, 2: 2, 3: 2, 5: 4}[most]
    assert Session(loaded, noise(4)).at_once() == fits
    tried.clear()
    look_each(Session(loaded, noise(4)), SENTENCES, SETTINGS)
    assert max(tried) == fits, "not tried again"


def test_where_not_even_one_fits_the_error_is_told(
    tiny: LoadedModel, noise: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    session = Session(replace(tiny, together=Together()), noise(4))
    session.origin(backwards=False, learnable=True)
    monkeypatch.setattr(Session, "prefill_each", never)
    with pytest.raises(torch.OutOfMemoryError):
        look_each(session, SENTENCES, SETTINGS)


def test_a_group_moves_all_the_while(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    """After each sentence's step and each batch, in both directions: who waits sees that it is not stuck."""
    seen: list[float] = []
    look_each(Session(tiny, noise(3)), SENTENCES, replace(SETTINGS, lra_guard=False), seen.append)
    assert seen == sorted(seen) and seen[-1] == 1
    assert seen == [0.0625, 0.125, 0.1875, 0.25, 0.5, 0.5, 0.5625, 0.625, 0.6875, 0.75, 1.0, 1.0]
    seen.clear()
    look_each(Session(tiny, noise(3)), SENTENCES[:1], SETTINGS, seen.append)
    assert seen == [0.5, 1.0]


def test_without_keeping_all_share_one_prefill_per_direction(
    tiny: LoadedModel, noise: Callable[..., Frames], batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(together.FULL, "cpu", 1)  # no batches
    session, plain = Session(tiny, noise(4)), replace(SETTINGS, lra_guard=False)
    shared = look_each(session, SENTENCES, plain, keep=False)
    assert batches == [1] * 2 * (1 + 2 * len(SENTENCES)) and not session._origins
    session.neutral.clear()
    for (query, parts), one in zip(SENTENCES, shared, strict=True):
        equal(look(session, query, parts, plain, keep=False), one)
        assert not session._origins, "nor is the reversed video's kept"
