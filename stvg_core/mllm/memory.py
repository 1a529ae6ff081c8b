"""How much does the gradient to V keep? Calculated from a language model's shape, torch-free.

What a learnable prefill in bf16 keeps, bytes per token and layer, with d, q, k, f the widths of the model, its queries,
its keys and its feed-forward part:

    as it is      8 d + 4 q + 4 k + 6 f  [+ 4 q + 4 k where queries and keys are normed]
    recomputed    6 d + 4 q + 4 k        [+ 2 q + 2 k]

As it is: the inputs of the two norms in float32; queries, keys, values and attention's output; the gate before and
after its activation and what it is multiplied with. Recomputed: norms and feed-forward parts keep their input in bf16
(see :mod:`stvg_core.mllm.recompute`). Left out: 4 d bytes per token once, because the first layer's norms keep their
input in float32 (:mod:`stvg_core.mllm.adding`). Frozen weights need no inputs kept.

Asking B questions of up to L tokens on that prefill keeps B (4 k + 2 L q / k) bytes per token and layer more: the keys
and values in front of each question's own, and who sees whom. What the questions' own few tokens keep is left out.

What lives for a moment in the backward pass comes once for all layers: 14 f bytes per token recomputed (what one
feed-forward part computes, and its gradients), 2 f as it is, as the last layer keeps next to nothing. What follows, the
prefills with V, takes less: without ``keep`` the graph is gone by then (:func:`stvg_core.method.look.look`).

One more prefill without a gradient in a batch takes 4 k bytes per token and layer for its keys and values, once what a
layer computes (at most what it would keep), and 8 d for V in float32 and V among all tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ASKED = 3
"""Questions in the largest batch with a graph: both sub-queries and the neutral prompt."""
LONGEST = 60
"""Tokens of the longest of them, with those that the chat template puts behind it, roughly."""


@dataclass(frozen=True)
class LanguageShape:
    """What the memory depends on.

    Attributes:
        width, layers, feed_forward: of the language model.
        queries, keys: widths of all query heads and all key heads.
        normed: queries and keys are normed.
    """

    width: int
    layers: int
    feed_forward: int
    queries: int
    keys: int
    normed: bool = False

    @classmethod
    def of(cls, model: Any) -> LanguageShape:
        """Of a loaded model."""
        config = model.config.get_text_config()
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return cls(
            config.hidden_size, config.num_hidden_layers, config.intermediate_size, head * config.num_attention_heads,
            head * config.num_key_value_heads, hasattr(model.model.language_model.layers[0].self_attn, "q_norm"),
        )  # fmt: skip

    def kept_per_token(self, *, recompute: bool) -> int:
        """Bytes that a learnable prefill keeps for one token in one layer."""
        heads = self.queries + self.keys
        if recompute:
            return 6 * self.width + 4 * heads + 2 * heads * self.normed
        return 8 * self.width + 4 * heads + 6 * self.feed_forward + 4 * heads * self.normed

    def asked_per_token(self, questions: int = ASKED, longest: int = LONGEST) -> int:
        """Bytes that a batch of questions of up to ``longest`` tokens keeps for one token before them in one layer."""
        return questions * (4 * self.keys + 2 * longest * self.queries // self.keys)

    def kept(self, tokens: int, *, recompute: bool) -> int:
        """Bytes that a learnable prefill of so many tokens keeps, with the largest batch of questions on it."""
        return tokens * self.layers * (self.kept_per_token(recompute=recompute) + self.asked_per_token())

    def peak(self, tokens: int, *, recompute: bool) -> int:
        """The most bytes that a look with so many tokens before the question takes at once, beside the weights."""
        return self.kept(tokens, recompute=recompute) + tokens * (14 if recompute else 2) * self.feed_forward

    def in_batch(self, tokens: int) -> int:
        """Bytes that one more prefill of so many tokens, without a gradient, adds to a batch."""
        return tokens * (4 * self.layers * self.keys + self.kept_per_token(recompute=False) + 8 * self.width)
