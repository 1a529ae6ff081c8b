"""Heads of the temporal branch's own: what changes with them, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stvg_core.decomposition.rules import decompose
from stvg_core.method.look import look, look_again, look_each
from stvg_core.method.maps import maps
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.session import Session
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames

QUERY = "the red circle moving left."
PARTS = decompose(QUERY)
SETTINGS = GroundingSettings(lra_rule="token_norm", lra_lr=0.05, tas_temporal=True)
SOME = replace(SETTINGS, temporal_heads=("0.1", "2.3"))
ALL = tuple(f"{layer}.{head}" for layer in range(3) for head in range(4))


@pytest.mark.parametrize("changes", [{}, {"lra_steps": 0}, {"tas_temporal": False}, {"lra_branches": ("temporal",)}])
def test_the_spatial_branch_stays_and_the_temporal_one_is_of_the_heads(
    tiny: LoadedModel, noise: Callable[..., Frames], changes: dict[str, object]
) -> None:
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    frames = noise(4)
    usual = look(Session(tiny, frames), QUERY, PARTS, settings)
    some = look(Session(tiny, frames), QUERY, PARTS, replace(settings, temporal_heads=SOME.temporal_heads))
    for one, other in ((usual, some), (usual.backward, some.backward)):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.spatial, other.spatial)
        np.testing.assert_array_equal(one.neutral, other.neutral)
        assert one.temporal_neutral is None
    assert some.temporal_neutral is not None and some.backward is not None
    assert np.abs(some.temporal - usual.temporal).max() > 1e-3
    assert (some.backward.temporal_neutral is None) == (not settings.tas_temporal), "else nothing is asked of it"
    found, before = maps(some, settings), maps(usual, settings)
    np.testing.assert_array_equal(found.spatial, before.spatial)
    assert np.abs(found.temporal - before.temporal).max() > 1e-4


def test_all_heads_by_name_are_all_heads(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    frames = noise(4)
    for look_at in (look, look_again):
        usual = maps(look_at(Session(tiny, frames), QUERY, PARTS, SETTINGS), SETTINGS)
        named = replace(SETTINGS, temporal_heads=ALL)
        found = maps(look_at(Session(tiny, frames), QUERY, PARTS, named), named)
        np.testing.assert_allclose(found.temporal, usual.temporal, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [SOME, replace(SOME, lra_lr=4.0), replace(SOME, lra_steps=0)], ids=str)
def test_kept_apart_they_average_to_what_the_look_gives(
    tiny: LoadedModel, noise: Callable[..., Frames], settings: GroundingSettings
) -> None:
    """Both directions and with V: so a choice among heads is judged by the maps that would be made of it."""
    frames = noise(4)
    expected = look(Session(tiny, frames), QUERY, PARTS, settings)
    session = Session(tiny, frames)
    session.heads_apart = True
    each = look(session, QUERY, PARTS, replace(settings, temporal_heads=ALL))
    chosen = [ALL.index(name) for name in settings.temporal_heads or ()]
    for one, wanted in ((each, expected), (each.backward, expected.backward)):
        assert one is not None and wanted is not None
        assert one.temporal.shape == (12, *wanted.temporal.shape)
        np.testing.assert_allclose(one.temporal[chosen].mean(axis=0), wanted.temporal, rtol=1e-5, atol=1e-8)
        neutral = one.neutral_of_temporal[chosen].mean(axis=0)
        np.testing.assert_allclose(neutral, wanted.neutral_of_temporal, rtol=1e-5, atol=1e-8)


def test_one_session_serves_several_choices_of_heads(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    """The kept neutral rows are those of the heads that are asked for."""
    shared = Session(tiny, noise(4))
    for heads in (None, ("0.1",), ("2.0", "2.1"), None):
        settings = replace(SETTINGS, temporal_heads=heads)
        one, other = (look(session, QUERY, PARTS, settings) for session in (shared, Session(tiny, noise(4))))
        np.testing.assert_allclose(one.neutral_of_temporal, other.neutral_of_temporal, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(one.temporal, other.temporal, rtol=1e-4, atol=1e-7)


def test_sentences_together_see_what_each_sees_alone(tiny: LoadedModel, noise: Callable[..., Frames]) -> None:
    sentences = [(query, decompose(query)) for query in (QUERY, "the green star growing.")]
    session = Session(tiny, noise(4))
    alone = [look(session, *sentence, SOME) for sentence in sentences]
    for one, other in zip(alone, look_each(Session(tiny, noise(4)), sentences, SOME), strict=True):
        np.testing.assert_array_equal(one.temporal, other.temporal)
        np.testing.assert_array_equal(one.neutral_of_temporal, other.neutral_of_temporal)
