"""The list of checkpoints: its parameters are counted, its memory formula is held against what autograd keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.memory import peak_bytes
from benchmarks.shapes import PARTS, QUERY, build, random_frames
from stvg_core.method.look import look
from stvg_core.mllm import checkpoints, families
from stvg_core.mllm.checkpoints import CHECKPOINTS, FAMILIES, Checkpoint
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.memory import ASKED, LONGEST, LanguageShape
from stvg_core.mllm.session import Session
from stvg_core.query import NEUTRAL_PROMPT
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Frames
from tests.mllm.published import SHAPES, without_weights

QUESTIONS = ["Is there the red circle in this video?", "the red circle moving left.", "a star"]


def test_the_list_names_the_families_of_the_table() -> None:
    assert set(FAMILIES) == set(families.FAMILIES)
    assert {checkpoint.family for checkpoint in CHECKPOINTS} == set(FAMILIES)
    assert {checkpoint.hub_id for checkpoint in CHECKPOINTS} == set(SHAPES)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda checkpoint: checkpoint.hub_id)
def test_parameters_are_those_of_the_class(checkpoint: Checkpoint) -> None:
    model, shape = without_weights(checkpoint), checkpoint.shape
    one_layer = sum(weight.numel() for weight in model.model.language_model.layers.parameters())
    everything = sum(weight.numel() for weight in model.parameters())
    assert one_layer * shape.layers == checkpoint.in_layers
    assert everything + one_layer * (shape.layers - 1) == checkpoint.parameters
    attention = model.model.language_model.layers[0].self_attn
    assert (attention.q_proj.out_features, attention.k_proj.out_features) == (shape.queries, shape.keys)
    assert hasattr(attention, "q_norm") == shape.normed


@pytest.mark.parametrize("recompute", [False, True])
def test_activations_are_what_autograd_keeps(
    family_folder: Path, noise: Callable[..., Frames], recompute: bool
) -> None:
    """Per token and layer of a bf16 prefill; what the formula leaves out does not grow with a model's width."""
    loaded = load(family_folder, device="cpu", precision="bfloat16")
    config = loaded.model.config.get_text_config()
    (few, n_few), (many, n_many) = (_kept(loaded, noise(count), recompute) for count in (8, 16))
    measured = (many - few) / (n_many - n_few) / config.num_hidden_layers
    calculated = LanguageShape.of(loaded.model).kept_per_token(recompute=recompute)
    # Beside it: one number per head and norm, and spread over the three layers the model's last norm and, where norms
    # keep their input only, the first layer's two in float32.
    once = (4 + 4 * recompute) * config.hidden_size / config.num_hidden_layers
    assert calculated <= measured <= calculated + once + 80


def test_questions_keep_keys_values_and_masks(family_folder: Path, noise: Callable[..., Frames]) -> None:
    """Per token of the prefill; what grouped heads share is kept once for each question, not for each head."""
    loaded = load(family_folder, device="cpu", precision="bfloat16")
    shape = LanguageShape.of(loaded.model)
    (few, n_few), (many, n_many) = (_kept(loaded, noise(count), asked=True) for count in (8, 16))
    longest = max(len(loaded.prompts.suffix(question)) for question in QUESTIONS)
    assert (many - few) / (n_many - n_few) == shape.layers * shape.asked_per_token(len(QUESTIONS), longest)


def _kept(loaded: LoadedModel, frames: Frames, recompute: bool = False, *, asked: bool = False) -> tuple[int, int]:
    """Bytes that a learnable prefill, or questions on it, keep beside the weights, each storage once; its tokens."""
    session = Session(replace(loaded, recompute=recompute), frames)
    weights = {weight.untyped_storage().data_ptr() for weight in loaded.model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        if value.untyped_storage().data_ptr() not in weights:
            kept[value.untyped_storage().data_ptr()] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        _, prefix = session.origin(backwards=False, learnable=True)
        if asked:
            kept.clear()
            session.ask(prefix, QUESTIONS)
    return sum(value.untyped_storage().nbytes() for value in kept.values()), prefix.length


@pytest.mark.parametrize("recompute", [False, True])
def test_a_whole_look_takes_no_more(recompute: bool) -> None:
    """LRA on both branches and the reversed video, in bf16 at 0.5B width: the peak of what tensors take, per token."""
    loaded = build(
        "llava_onevision", device="cpu", dtype=torch.bfloat16, layers=3, hidden=896, vocabulary=1024,
        tower="one thin layer",
    )  # fmt: skip
    settings = GroundingSettings(lra_rule="token_norm", lra_lr=0.01, lra_guard=False)
    (few, n_few), (many, n_many) = (_peak(replace(loaded, recompute=recompute), slots, settings) for slots in (1, 2))
    questions = [PARTS.spatial_question, PARTS.temporal_question, NEUTRAL_PROMPT]
    longest = max(len(loaded.prompts.suffix(question)) for question in questions)
    shape = LanguageShape.of(loaded.model)
    shorter = shape.layers * (shape.asked_per_token() - shape.asked_per_token(ASKED, longest))
    calculated = shape.peak(1, recompute=recompute) - shorter
    assert 0.9 * calculated < (many - few) / (n_many - n_few) <= calculated


def _peak(loaded: LoadedModel, slots: int, settings: GroundingSettings) -> tuple[int, int]:
    session = Session(loaded, random_frames("llava_onevision", slots=slots))
    return peak_bytes(lambda: look(session, QUERY, PARTS, settings, keep=False), "cpu"), session.prefill().length


def test_memory_adds_up() -> None:
    one = next(checkpoint for checkpoint in CHECKPOINTS if "onevision-qwen2-7b" in checkpoint.hub_id)
    assert one.weights() == 2 * one.parameters
    assert one.weights(four_bit=True) == pytest.approx(
        checkpoints.FOUR_BIT * one.in_layers + 2 * (one.parameters - one.in_layers)
    )
    tokens = (10 * 196 + checkpoints.TEXT_TOKENS) * 28
    asked = ASKED * (4 * 512 + 2 * LONGEST * 7)
    once = (10 * 196 + checkpoints.TEXT_TOKENS) * 18944
    assert one.activations(10) == tokens * (8 * 3584 + 4 * 3584 + 4 * 512 + 6 * 18944 + asked) + 2 * once
    assert one.activations(10, recompute=True) == tokens * (6 * 3584 + 4 * 3584 + 4 * 512 + asked) + 14 * once
    assert one.activations(recompute=True) < 8e9
    assert one.memory() == one.weights() + one.activations(20) + checkpoints.RESERVE
