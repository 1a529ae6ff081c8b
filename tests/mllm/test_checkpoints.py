"""The list of checkpoints: its parameters are counted, its memory formula is held against what autograd keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stvg_core.mllm import checkpoints, families
from stvg_core.mllm.checkpoints import CHECKPOINTS, FAMILIES, Checkpoint, kept_per_token
from stvg_core.mllm.loading import LoadedModel, load
from stvg_core.mllm.session import Session
from stvg_core.tube import Frames
from tests.mllm.published import SHAPES, without_weights


def test_the_list_names_the_families_of_the_table() -> None:
    assert set(FAMILIES) == set(families.FAMILIES)
    assert {checkpoint.family for checkpoint in CHECKPOINTS} == set(FAMILIES)
    assert {checkpoint.hub_id for checkpoint in CHECKPOINTS} == set(SHAPES)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, ids=lambda checkpoint: checkpoint.hub_id)
def test_parameters_are_those_of_the_class(checkpoint: Checkpoint) -> None:
    model = without_weights(checkpoint)
    one_layer = sum(weight.numel() for weight in model.model.language_model.layers.parameters())
    everything = sum(weight.numel() for weight in model.parameters())
    assert one_layer * checkpoint.layers == checkpoint.in_layers
    assert everything + one_layer * (checkpoint.layers - 1) == checkpoint.parameters
    attention = model.model.language_model.layers[0].self_attn
    assert (attention.q_proj.out_features, attention.k_proj.out_features) == (checkpoint.queries, checkpoint.keys)
    assert hasattr(attention, "q_norm") == checkpoint.normed


def test_activations_are_what_autograd_keeps(family_folder: Path, noise: Callable[..., Frames]) -> None:
    """Per token and layer of a bf16 prefill; what the formula leaves out does not grow with a model's width."""
    loaded = load(family_folder, device="cpu", precision="bfloat16")
    config = loaded.model.config.get_text_config()
    (few, n_few), (many, n_many) = (_kept(loaded, noise(count)) for count in (8, 16))
    measured = (many - few) / (n_many - n_few) / config.num_hidden_layers
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    calculated = kept_per_token(
        config.hidden_size, head * config.num_attention_heads, head * config.num_key_value_heads,
        config.intermediate_size, normed=loaded.family.model_type == "qwen3_vl",
    )  # fmt: skip
    # Beside it: one number per head and norm, and the model's last norm, spread over its three layers.
    assert calculated <= measured <= calculated + 4 * config.hidden_size / config.num_hidden_layers + 80


def _kept(loaded: LoadedModel, frames: Frames) -> tuple[int, int]:
    """Bytes that a learnable prefill keeps beside the weights, each storage once, and its tokens."""
    session = Session(loaded, frames)
    weights = {weight.untyped_storage().data_ptr() for weight in loaded.model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        if value.untyped_storage().data_ptr() not in weights:
            kept[value.untyped_storage().data_ptr()] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        _, prefix = session.origin(backwards=False, learnable=True)
    return sum(value.untyped_storage().nbytes() for value in kept.values()), prefix.length


def test_memory_adds_up() -> None:
    one = next(checkpoint for checkpoint in CHECKPOINTS if "onevision-qwen2-7b" in checkpoint.hub_id)
    assert one.weights() == 2 * one.parameters
    assert one.weights(four_bit=True) == pytest.approx(
        checkpoints.FOUR_BIT * one.in_layers + 2 * (one.parameters - one.in_layers)
    )
    assert one.activations(10) == (10 * 196 + checkpoints.TEXT_TOKENS) * 28 * (
        8 * 3584 + 4 * 3584 + 4 * 512 + 6 * 18944
    )
    assert one.memory() == one.weights() + one.activations(20) + checkpoints.RESERVE
