"""The language model's forward pass over one clip and many questions at once.

All questions share the clip's prefix and do not see each other (a block mask, without ever building it): the
prefix attends to itself causally, each question to the prefix and to itself. It computes what the model's own
forward computes for each question alone (a test holds them equal) and also returns the questions' attention
rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import Qwen2Model
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb


@dataclass
class Packed:
    """What a pass over prefixes of P tokens and their packed questions gives: B clips, K questions of L tokens each."""

    prefix: torch.Tensor  # (B, P, width), after the last layer run
    questions: torch.Tensor | None  # (B, K, L, width)
    rows: list[torch.Tensor]  # per layer (B, heads, K, L, P): the questions' attention to the prefix
    middle: torch.Tensor | None = None  # (B, P, width), the prefix after ``middle_layer`` layers


def packed_forward(
    language_model: Qwen2Model,
    prefix: torch.Tensor,
    questions: torch.Tensor | None = None,
    *,
    layers: int | None = None,
    middle_layer: int | None = None,
) -> Packed:
    """Run the first ``layers`` layers (all, if None).

    ``prefix`` (B, P, width) and ``questions`` (B, K, L, width) are embeddings; questions are padded on the
    right, where no earlier token looks.
    """
    batch, length, _ = prefix.shape
    turn = language_model.rotary_emb(prefix, torch.arange(length)[None])
    count, words = (questions.shape[1], questions.shape[2]) if questions is not None else (0, 0)
    turn_words = language_model.rotary_emb(prefix, torch.arange(length, length + words)[None])
    later = torch.ones(words, words, dtype=torch.bool).triu(1)
    rows, middle = [], None
    for number, layer in enumerate(language_model.layers[:layers]):
        attention = layer.self_attn
        heads, size = attention.config.num_attention_heads, attention.head_dim

        def project(states: torch.Tensor) -> tuple[torch.Tensor, ...]:
            """(N, S, width) to queries, keys and values (N, heads, S, size)."""
            parts = (attention.q_proj, attention.k_proj, attention.v_proj)  # noqa: B023
            return tuple(p(states).unflatten(-1, (heads, size)).transpose(1, 2) for p in parts)  # noqa: B023

        query, key, value = project(layer.input_layernorm(prefix))
        query, key = apply_rotary_pos_emb(query, key, *turn)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        if questions is not None:
            flat = layer.input_layernorm(questions).flatten(0, 1)  # (B * K, L, width)
            q, k, v = project(flat)
            q, k = apply_rotary_pos_emb(q, k, *turn_words)
            q_all = q.unflatten(0, (batch, count)).transpose(1, 2).flatten(2, 3)  # (B, heads, K * L, size)
            far = (q_all @ key.transpose(-1, -2)).unflatten(2, (count, words)) * attention.scaling
            near = (q @ k.transpose(-1, -2)).masked_fill(later, float("-inf")) * attention.scaling
            near = near.unflatten(0, (batch, count)).transpose(1, 2)  # (B, heads, K, L, L)
            weights = torch.cat([far, near], dim=-1).softmax(dim=-1)
            far, near = weights[..., :length], weights[..., length:]
            rows.append(far)
            mixed = torch.unflatten(far.flatten(2, 3) @ value, 2, (count, words))
            mixed = mixed + near @ torch.unflatten(v, 0, (batch, count)).transpose(1, 2)
            mixed = attention.o_proj(mixed.permute(0, 2, 3, 1, 4).flatten(3))
            questions = questions + mixed
            questions = questions + layer.mlp(layer.post_attention_layernorm(questions))
        prefix = prefix + attention.o_proj(seen.transpose(1, 2).flatten(2))
        prefix = prefix + layer.mlp(layer.post_attention_layernorm(prefix))
        if middle_layer == number + 1:
            middle = prefix
    return Packed(prefix, questions, rows, middle)
