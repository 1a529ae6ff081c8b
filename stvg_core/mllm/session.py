"""One video in front of the model: the vision tower runs once, each prompt state is prefilled once, questions share it.

    [head ; T*h*w visual tokens (+ V) ; trailing tokens]  <- prefill, keys and values kept
    [question ; role tokens]                              <- a batch of suffixes, one forward

The keys and values keep their graph where V needs a gradient, so one prefill serves several questions and each
question's gradient to V comes from its own backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import DynamicCache

from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.rows import RowCapture, capturing
from stvg_core.tube import Array, Frames


@dataclass(frozen=True)
class Prefix:
    """The state before the question: per layer keys and values ``[1, kv_heads, N, head]``."""

    keys_values: list[tuple[torch.Tensor, torch.Tensor]]
    length: int
    next_position: int


@dataclass(frozen=True)
class Answer:
    """What the model said to B questions.

    Attributes:
        yes_minus_no: ``[B]`` float32, log p(yes) - log p(no) of the first answer token, variants pooled.
        rows: one ``[R, T, h, w]`` per question (R watched tokens, mean over layers and heads); empty if not asked for.
    """

    yes_minus_no: torch.Tensor
    rows: list[torch.Tensor]


class Session:
    """Questions about one video.

    Args:
        loaded: the model.
        frames: the sampled frames, as many per slot as the family fuses; T slots.

    Attributes:
        visual: ``[T, h*w, D]`` visual tokens, without learnable prompt.
        shape: ``(T, h, w)``.
        neutral: rows of the neutral prompt at V = 0 by (backwards, layers); filled by who asks first.
    """

    def __init__(self, loaded: LoadedModel, frames: Frames) -> None:
        self.loaded = loaded
        with torch.no_grad():
            self._tokens = loaded.family.encode(loaded.model, loaded.pixels, frames)
            self.visual = self._tokens.cells
            self._head = self._embed(list(loaded.prompts.head))
        self.h, self.w = self._tokens.h, self._tokens.w
        self._positions, self._next = loaded.family.positions(loaded.model, self._tokens, len(self._head))
        self.neutral: dict[tuple[bool, tuple[int, ...] | None], torch.Tensor] = {}
        self._origins: dict[tuple[bool, bool], tuple[torch.Tensor, Prefix]] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.visual), self.h, self.w

    def view(self, boxes: Array) -> Array:
        """Normalised boxes ``(..., 4)`` of the frame -> of what the model sees of it; NaN rows stay NaN."""
        return boxes  # frames are squashed, never cropped

    def zero_prompt(self) -> torch.Tensor:
        """A learnable prompt V of zeros, ``[T, h*w, D]`` float32 (small steps vanish in bf16)."""
        return torch.zeros(self.visual.shape, dtype=torch.float32, device=self.visual.device)

    def origin(self, *, backwards: bool, learnable: bool) -> tuple[torch.Tensor, Prefix]:
        """V = 0 and the state before the question with it; run once and shared by all questions about this video.

        With ``learnable`` the state keeps its graph, so that gradients reach V; :meth:`release` lets go of it.
        """
        key = (backwards, learnable)
        if key not in self._origins:
            prompt = self.zero_prompt().requires_grad_(learnable)
            self._origins[key] = prompt, self.prefill(prompt, backwards=backwards)
        return self._origins[key]

    def release(self) -> None:
        """Forget the kept states (and the memory of their graphs); visual tokens and neutral rows stay."""
        self._origins.clear()

    def prefill(self, prompt: torch.Tensor | None = None, *, backwards: bool = False) -> Prefix:
        """Run everything before the question.

        Args:
            prompt: V in the order in which the model sees the slots, ``[T, h*w, D]``; a gradient flows to it if it
                asks for one.
            backwards: show the slots in reversed order (method, stage 8).
        """
        visual = self.visual.flip(0) if backwards else self.visual
        if prompt is not None:
            visual = (visual.float() + prompt).to(visual.dtype)
        embeddings = torch.cat([self._head, visual.flatten(0, 1), self._tokens.trailing])[None]
        cache = DynamicCache()
        with torch.set_grad_enabled(prompt is not None and prompt.requires_grad):
            self.loaded.model.model.language_model(
                inputs_embeds=embeddings, position_ids=self._positions, past_key_values=cache, use_cache=True
            )
        return Prefix([(layer.keys, layer.values) for layer in cache.layers], embeddings.shape[1], self._next)

    def ask(
        self, prefix: Prefix, questions: list[str], *, rows: bool = False, layers: tuple[int, ...] | None = None
    ) -> Answer:
        """Answer a batch of questions on one prefix; gradients flow back into the prefix if it has a graph."""
        suffixes = [self.loaded.prompts.suffix(question) for question in questions]
        watched = [self.loaded.prompts.watched(question) for question in questions]
        longest = max(map(len, suffixes))
        device = self.visual.device
        # Left padding: the watched tokens of all questions are the last ones.
        padding = torch.tensor([longest - len(ids) for ids in suffixes], device=device)
        ids = torch.tensor([[suffix[0]] * (longest - len(suffix)) + suffix for suffix in suffixes], device=device)
        steps = torch.arange(longest, device=device)
        positions = prefix.next_position + (steps[None] - padding[:, None]).clamp(min=0)
        seen = (steps[None, None] <= steps[None, :, None]) & (steps[None, None] >= padding[:, None, None])
        # A padding token sees the prefix, so that no row of the softmax is empty; nobody sees a padding token.
        mask = torch.cat([seen.new_ones(len(ids), longest, prefix.length), seen], dim=2)[:, None]
        first = len(self._head)
        capture = None
        if rows:
            cells = self.visual.shape[0] * self.visual.shape[1]
            capture = RowCapture(max(watched), first, first + cells, None if layers is None else frozenset(layers))
        with capturing(capture):
            output = self.loaded.model.model.language_model(
                inputs_embeds=self.loaded.model.get_input_embeddings()(ids),
                attention_mask=mask,
                position_ids=positions,
                past_key_values=self._repeat(prefix, len(ids)),
                use_cache=True,
            )
        logits = self.loaded.model.lm_head(output.last_hidden_state[:, -1]).float().log_softmax(-1)
        margin = self._pool(logits, self.loaded.yes_ids) - self._pool(logits, self.loaded.no_ids)
        maps = [] if capture is None else self._maps(capture.mean(), watched)
        return Answer(margin, maps)

    def _maps(self, mean: torch.Tensor, watched: list[int]) -> list[torch.Tensor]:
        return [row[len(row) - count :].view(count, *self.shape) for row, count in zip(mean, watched, strict=True)]

    def _embed(self, ids: list[int]) -> torch.Tensor:
        embedded = self.loaded.model.get_input_embeddings()(
            torch.tensor(ids, dtype=torch.long, device=self.visual.device)
        )
        assert isinstance(embedded, torch.Tensor)
        return embedded

    @staticmethod
    def _pool(log_probabilities: torch.Tensor, ids: tuple[int, ...]) -> torch.Tensor:
        return log_probabilities[:, list(ids)].logsumexp(dim=-1)

    @staticmethod
    def _repeat(prefix: Prefix, times: int) -> DynamicCache:
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(prefix.keys_values):
            cache.update(keys.expand(times, -1, -1, -1), values.expand(times, -1, -1, -1), layer)
        return cache
