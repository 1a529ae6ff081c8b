"""The session against the plain eager forward pass of transformers: same logits, same rows, for every family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stvg_core.errors import ModelError
from stvg_core.mllm.attention_rows import RowCapture
from stvg_core.mllm.families import FAMILIES
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames
from tests.mllm.reference import Reference
from tests.tiny_models import FAMILIES as TINY

QUESTIONS = [
    "Is there the red circle in this video?",
    "the red circle moving left.",
    "a star",
    'the red circle "moving left."',
    "Describe this video in details.",
]


@pytest.fixture(scope="module")
def reference(family_folder: Path) -> Reference:
    return Reference(family_folder)


def test_every_family_of_the_table_is_tested() -> None:
    assert set(TINY) == set(FAMILIES)


@pytest.mark.parametrize(
    ("slots", "lonely", "height", "width"),
    [(5, 0, 40, 60), (1, 0, 33, 17), (10, 0, 64, 36), (3, 1, 37, 51), (1, 1, 64, 64)],
    ids=["landscape", "one odd slot", "portrait", "a frame without a partner", "a single frame"],
)
def test_rows_and_answers_equal_the_plain_eager_forward(
    any_family: LoadedModel, reference: Reference, noise: Callable[..., Frames],
    slots: int, lonely: int, height: int, width: int,
) -> None:  # fmt: skip
    fused = any_family.family.frames_per_slot
    frames = noise(slots * fused - (lonely if fused > 1 else 0), height, width)
    session = Session(any_family, frames)
    answer = session.ask(session.prefill(), QUESTIONS, rows=True)
    assert session.shape[0] == slots
    for number, question in enumerate(QUESTIONS):
        logits, maps = reference(any_family, frames, question, session.shape)
        margin = logits[list(any_family.yes_ids)].logsumexp(0) - logits[list(any_family.no_ids)].logsumexp(0)
        torch.testing.assert_close(answer.yes_minus_no[number], margin, atol=1e-5, rtol=1e-5)
        places = [-place for place in any_family.prompts.watched(question)]
        expected = maps.mean(dim=(0, 1))[places].view(-1, *session.shape)
        torch.testing.assert_close(answer.rows[number], expected, atol=1e-6, rtol=0)


def test_chosen_layers_only(any_family: LoadedModel, reference: Reference, noise: Callable[..., Frames]) -> None:
    """The caller's layers, and the family's own where the caller names none."""
    frames = noise(4)
    session = Session(any_family, frames)
    rows = session.ask(session.prefill(), QUESTIONS[:1], rows=True, layers=(0, 2)).rows[0]
    _, maps = reference(any_family, frames, QUESTIONS[0], session.shape)
    expected = maps[[0, 2]].mean(dim=(0, 1))[-len(rows) :].view(rows.shape)
    torch.testing.assert_close(rows, expected, atol=1e-6, rtol=0)
    narrowed = Session(replace(any_family, family=replace(any_family.family, layers=(0, 2))), frames)
    assert torch.equal(narrowed.ask(narrowed.prefill(), QUESTIONS[:1], rows=True).rows[0], rows)


@pytest.mark.parametrize("layers", [None, (0,)], ids=["all layers", "layers that lack some of the heads"])
def test_chosen_heads_beside_the_layers(
    any_family: LoadedModel, reference: Reference, noise: Callable[..., Frames], layers: tuple[int, ...] | None
) -> None:
    """One pass gives both; each head counts the same. Most families share a key head among two heads here."""
    frames, heads = noise(4), ((0, 1), (2, 0), (2, 3))
    names = tuple(f"{layer}.{head}" for layer, head in heads)
    session = Session(any_family, frames)
    prefix = session.prefill()
    answer = session.ask(prefix, QUESTIONS, rows=True, layers=layers, heads=names)
    alone = session.ask(prefix, QUESTIONS, rows=True, layers=layers)
    assert alone.of_heads == [] and torch.equal(alone.yes_minus_no, answer.yes_minus_no)
    session.heads_apart = True
    apart = session.ask(prefix, QUESTIONS, rows=True, layers=layers, heads=names)
    for number, question in enumerate(QUESTIONS):
        assert torch.equal(answer.rows[number], alone.rows[number]), "the mean over the layers stays to the bit"
        _, maps = reference(any_family, frames, question, session.shape)
        places = [-place for place in any_family.prompts.watched(question)]
        each = torch.stack([maps[layer, head, places].view(-1, *session.shape) for layer, head in heads])
        torch.testing.assert_close(apart.of_heads[number], each, atol=5e-6, rtol=0)
        torch.testing.assert_close(answer.of_heads[number], each.mean(dim=0), atol=5e-6, rtol=0)
    assert (each[1] - each[2]).abs().max() > 1e-3, "the heads do differ"


def test_heads_on_several_devices_come_together() -> None:
    """Rows of layers on another device than the keys are brought to it; "meta" stands for a second one."""
    keys = torch.arange(3)
    capture = RowCapture(2, keys, frozenset(), {0: [1], 1: [0, 2]})
    layers = torch.rand(2, 1, 4, 2, 5)
    for number, attention in enumerate(layers):
        capture.add(number, attention)
    assert capture.rows == [] and not capture.wants(2)
    expected = (layers[0, :, 1] + layers[1, :, 0] + layers[1, :, 2]) / 3
    torch.testing.assert_close(capture.of_heads(), expected[..., :3])
    elsewhere = RowCapture(2, torch.arange(3, device="meta"), frozenset(), {0: [1]})
    elsewhere._copies[torch.device("cpu")] = keys
    elsewhere.add(0, layers[0])
    assert elsewhere.of_heads().device == torch.device("meta")


@pytest.mark.parametrize("heads", [("3.0",), ("0.4",), ("0.0", "99.0")])
def test_heads_that_the_model_does_not_have(
    tiny: LoadedModel, noise: Callable[..., Frames], heads: tuple[str, ...]
) -> None:
    session = Session(tiny, noise(2))
    with pytest.raises(ModelError, match="layers 0 to 2 with heads 0 to 3"):
        session.ask(session.prefill(), QUESTIONS[:1], rows=True, heads=heads)


@pytest.mark.parametrize("layers", [(0, 3), (-1,), ()])
def test_layers_that_the_model_does_not_have(
    tiny: LoadedModel, noise: Callable[..., Frames], layers: tuple[int, ...]
) -> None:
    session = Session(tiny, noise(2))
    with pytest.raises(ModelError, match="layers 0 to 2"):
        session.ask(session.prefill(), QUESTIONS[:1], rows=True, layers=layers)


def test_a_prompt_of_zeros_changes_nothing_and_any_other_does(
    any_family: LoadedModel, noise: Callable[..., Frames]
) -> None:
    session = Session(any_family, noise(4))
    plain = session.ask(session.prefill(), QUESTIONS).yes_minus_no
    torch.testing.assert_close(session.ask(session.prefill(session.zero_v()), QUESTIONS).yes_minus_no, plain)
    moved = session.ask(session.prefill(session.zero_v() + 0.5), QUESTIONS).yes_minus_no
    assert (moved - plain).abs().max() > 1e-3


def test_the_same_input_gives_the_same_bits(family_folder: Path, noise: Callable[..., Frames]) -> None:
    def run() -> list[torch.Tensor]:
        session = Session(load(family_folder, device="cpu"), noise(4))
        zero, prefix = session.origin(backwards=True, learnable=True)
        answer = session.ask(prefix, QUESTIONS, rows=True)
        (gradient,) = torch.autograd.grad(answer.yes_minus_no[0], zero)
        return [*answer.rows, answer.yes_minus_no.detach(), gradient]

    assert all(torch.equal(one, other) for one, other in zip(run(), run(), strict=True))


def test_showing_it_backwards_twice_is_the_identity(any_family: LoadedModel, noise: Callable[..., Frames]) -> None:
    """Cells and what DeepStack adds to them turn together; the text between them does not."""
    session = Session(any_family, noise(6))

    def rows(**kwargs: Any) -> torch.Tensor:
        return session.ask(session.prefill(**kwargs), QUESTIONS[1:2], rows=True).rows[0]

    forward, backward = rows(), rows(backwards=True)
    assert (forward - backward).abs().max() > 1e-6
    session.visual = session.visual.flip(0)
    turned = tuple(level.flip(0) for level in session._tokens.deepstack)
    session._tokens = replace(session._tokens, deepstack=turned)
    torch.testing.assert_close(rows(backwards=True), forward)


@pytest.mark.parametrize("family", ["llava_onevision", "llava_next_video", "internvl"])
def test_showing_it_backwards_equals_a_reversed_video(
    family: str, noise: Callable[..., Frames], tmp_path: Path
) -> None:
    """Where a slot is one frame (fused frames keep their order inside the slot); numbers between them still rise."""
    loaded = load(TINY[family](tmp_path / family), device="cpu")
    frames = noise(6)
    turned = Frames(frames.pixels[::-1].copy(), frames.indices[::-1].copy(), frames.seconds)
    forward, backward = Session(loaded, frames), Session(loaded, turned)
    one = forward.ask(forward.prefill(backwards=True), QUESTIONS[1:2], rows=True).rows[0]
    other = backward.ask(backward.prefill(), QUESTIONS[1:2], rows=True).rows[0]
    torch.testing.assert_close(one, other)


class _NoRoundTrips(TorchDispatchMode):
    """Fails where a tensor's value is fetched to decide something: on a GPU the host would wait for it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a device tensor's value was fetched"
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device(any_family: LoadedModel, noise: Callable[..., Frames]) -> None:
    session = Session(any_family, noise(4))
    with pytest.raises(AssertionError, match="fetched"), _NoRoundTrips():
        float(session.visual.sum())
    with _NoRoundTrips():
        zero, prefix = session.origin(backwards=True, learnable=True)
        answer = session.ask(prefix, QUESTIONS, rows=True, heads=("0.1", "2.3"))
        torch.autograd.grad(answer.yes_minus_no[0], zero)
