"""One video in front of the model: the vision tower runs once, each state of V is prefilled once, questions share it.

    [text ; cells of slot 1 (+ V) ; text ; cells of slot 2 (+ V) ; ... ; trailing tokens]  <- prefill, kept
    [question ; role tokens]                                                               <- a batch, one forward

The keys and values keep their graph where V needs a gradient, so one prefill serves several questions and each
question's gradient to V comes from its own backward pass. On one device and with the same weights, the same input gives
the same bits on a CPU; on a GPU, attention's backward pass adds up in no fixed order unless
``torch.use_deterministic_algorithms`` is on. Nothing here waits for the GPU between two layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache

from stvg_core.errors import ModelError
from stvg_core.mllm.adding import added_at_the_first_layer
from stvg_core.mllm.attention_rows import RowCapture, capturing
from stvg_core.mllm.layout import TokenLayout
from stvg_core.mllm.loading import LoadedModel
from stvg_core.mllm.pixels import into_window
from stvg_core.mllm.prompts import QuestionBatch
from stvg_core.mllm.recompute import is_short, recomputing
from stvg_core.settings import head_numbers
from stvg_core.tube import Array, Frames

NeutralKey = tuple[bool, tuple[int, ...] | None, tuple[str, ...] | None]


@dataclass(frozen=True)
class Prefix:
    """The state before the question: per layer keys and values ``[1, kv_heads, N, head]``, on the layer's device."""

    keys_values: list[tuple[torch.Tensor, torch.Tensor]]
    length: int
    next_position: int

    def without_graph(self) -> Prefix:
        """The same state, from which no gradient flows; what was kept for one can go."""
        return replace(self, keys_values=[(keys.detach(), values.detach()) for keys, values in self.keys_values])


@dataclass(frozen=True)
class Answer:
    """What the model said to B questions.

    Attributes:
        yes_minus_no: ``[B]`` float32, log p(yes) - log p(no) of the first answer token, variants pooled.
        rows: one ``[R, T, h, w]`` per question (R watched tokens, mean over layers and heads); empty if not asked for.
        of_heads: the same as the mean over the chosen heads, or ``[heads, R, T, h, w]``, each of them apart; empty if
            none were chosen.
    """

    yes_minus_no: torch.Tensor
    rows: list[torch.Tensor]
    of_heads: list[torch.Tensor] = field(default_factory=list)


class Session:
    """Questions about one video.

    Args:
        loaded: the model.
        frames: the sampled frames, as many per slot as the family fuses; T slots.

    Attributes:
        visual: ``[T, h*w, D]`` visual tokens, without V.
        shape: ``(T, h, w)``.
        recompute: whether a learnable prefill keeps less and takes longer, see :class:`LoadedModel`.
        keeps: whether the memory suffices, as far as can be calculated, to keep both directions' prefills at V = 0.
        heads_apart: whether :meth:`ask` keeps chosen heads apart in place of their mean: to choose among them.
        neutral: rows of the neutral prompt at V = 0 by (backwards, layers, heads), of the layers and of the heads (the
            same where no heads are chosen); filled by who asks first.
    """

    heads_apart = False

    def __init__(self, loaded: LoadedModel, frames: Frames) -> None:
        self.loaded = loaded
        self._device = loaded.device
        self._frame_size = frames.pixels.shape[1], frames.pixels.shape[2]
        with torch.no_grad():
            self._tokens = loaded.family.encode(loaded.model, loaded.pixels, frames)
            self.visual = self._tokens.cells.to(self._device)
            self._trailing = self._tokens.trailing.to(self._device)
            texts = loaded.prompts.before_slots(self._tokens.seconds)
            self._layout = TokenLayout.of([len(ids) for ids in texts], self.visual.shape[1], len(self._trailing))
            embedded = self._embed(torch.tensor([token for ids in texts for token in ids], dtype=torch.long))
            self._texts = torch.split(embedded, [len(ids) for ids in texts])
        self.h, self.w = self._tokens.h, self._tokens.w
        positions, self._next = loaded.family.positions(loaded.model, self._tokens, self._layout.is_cell)
        self._positions = positions.to(self._device)
        self._columns = self._layout.columns.to(self._device)
        self._is_cell = self._layout.is_cell[None].to(self._device)
        self._yes, self._no = (torch.tensor(ids) for ids in (loaded.yes_ids, loaded.no_ids))
        self._length = len(self._layout.is_cell)
        short = partial(is_short, loaded.model, self._device, self._length)
        self.recompute = short() if loaded.recompute is None else loaded.recompute
        self.keeps = not (self.recompute and short(recompute=True))
        self.neutral: dict[NeutralKey, tuple[torch.Tensor, torch.Tensor]] = {}
        self._origins: dict[tuple[bool, bool], tuple[torch.Tensor, Prefix]] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.visual), self.h, self.w

    def view(self, boxes: Array) -> Array:
        """Normalised boxes ``(..., 4)`` of the frame -> of the part of it that the grid of cells covers.

        NaN rows stay NaN. Where the checkpoint crops the frame (``fit`` is "checkpoint"), boxes are clipped, and one
        wholly outside becomes NaN.
        """
        down, across = self._tokens.reach
        seen = self.loaded.pixels.view(boxes, self._frame_size)
        return seen if down == across == 1 else into_window(seen, (0.0, 0.0), (across, down))

    def zero_v(self) -> torch.Tensor:
        """V before it is learnt: zeros, ``[T, h*w, D]``, float32 at least (small steps vanish in bf16)."""
        return torch.zeros_like(self.visual, dtype=torch.promote_types(self.visual.dtype, torch.float32))

    def origin(self, *, backwards: bool, learnable: bool) -> tuple[torch.Tensor, Prefix]:
        """V = 0 and the state before the question with it; run once and shared by all questions about this video.

        With ``learnable`` the state keeps its graph, so that gradients reach V; :meth:`release` lets go of it.
        """
        key = (backwards, learnable)
        if key not in self._origins:
            zero = self.zero_v().requires_grad_(learnable)
            self._origins[key] = zero, self.prefill(zero if learnable else None, backwards=backwards)
        return self._origins[key]

    def release(self) -> None:
        """Forget the kept states (and the memory of their graphs); visual tokens and neutral rows stay."""
        self._origins.clear()

    def spare(self) -> None:
        """From here on take less memory for gradients, and more time; what is kept is let go of."""
        self.recompute = True
        self.release()

    def prefill(self, v: torch.Tensor | None = None, *, backwards: bool = False) -> Prefix:
        """Run everything before the question. In half precision V is not rounded away (:mod:`stvg_core.mllm.adding`).

        Args:
            v: the learnable prompt V in the order in which the model sees the slots, ``[T, h*w, D]``; a gradient flows
                to it if it asks for one.
            backwards: show the slots' cells in reversed order (method, stage 8); numbers and times written between
                them keep theirs, as they would in a video played backwards.
        """
        return self.prefill_each([v], backwards=backwards)[0]

    def prefill_each(self, vs: Sequence[torch.Tensor | None], *, backwards: bool = False) -> list[Prefix]:
        """:meth:`prefill` of each V as one batch of B; all of them a V, or a single None.

        The states share their memory: it is free when the last of them is gone.
        """
        visual, given = self.visual.flip(0) if backwards else self.visual, [v for v in vs if v is not None]
        adding: AbstractContextManager[None] = nullcontext()
        cells = [visual] * len(vs)
        if given and torch.finfo(visual.dtype).bits < 32:
            adding = added_at_the_first_layer(
                self.loaded.model.model.language_model, _stacked(map(self.in_line, given))
            )
        elif given:
            cells = [(visual + v).to(visual.dtype) for v in given]
        embeddings = _stacked(self._row(self._texts, one, self._trailing) for one in cells)
        cache = DynamicCache()
        language_model = self.loaded.model.model.language_model
        learnable = any(v.requires_grad for v in given)
        recompute = recomputing(language_model, wanted=learnable and self.recompute)
        with torch.set_grad_enabled(learnable), recompute, adding:
            language_model(
                inputs_embeds=embeddings, position_ids=self._positions.expand(*self._positions.shape[:-2], len(vs), -1),
                past_key_values=cache, use_cache=True, **self._deepstack(backwards, len(vs)),
            )  # fmt: skip
        each = zip(
            *(zip(layer.keys.split(1), layer.values.split(1), strict=True) for layer in cache.layers), strict=True
        )
        return [Prefix(list(layers), embeddings.shape[1], self._next) for layers in each]

    def at_once(self) -> int:
        """How many prefills with different V run better as one batch; 1 where that gains nothing or does not fit."""
        return self.loaded.together.most(self.loaded.model, self._device, self._length)

    def shrink(self, batch: int) -> None:
        """The memory does not suffice for more than so many prefills at once; remembered for the model."""
        self.loaded.together.shrink(batch, self._length)

    def ask(
        self, prefix: Prefix, questions: list[str], *, rows: bool = False, layers: tuple[int, ...] | None = None,
        heads: tuple[str, ...] | None = None,
    ) -> Answer:  # fmt: skip
        """Answer a batch of questions on one prefix; gradients flow back into the prefix if it has a graph.

        Args:
            rows: also capture the attention of the watched tokens to the cells.
            layers: whose attention; None means the family's own choice (the paper: all).
            heads: whose attention is captured besides, as ``temporal_heads`` of the settings names them.

        Raises:
            ModelError: the model has no such layer, or no such head.
        """
        batch = QuestionBatch.of(self.loaded.prompts, questions, prefix.length, prefix.next_position)
        capture = self._capture(max(map(max, batch.watched)), layers, heads) if rows else None
        with capturing(capture):
            output = self.loaded.model.model.language_model(
                inputs_embeds=self._embed(batch.ids),
                attention_mask=self._sent(batch.mask),
                position_ids=self._sent(batch.positions),
                past_key_values=self._repeat(prefix, len(questions)),
                use_cache=True,
            )
        logits = self.loaded.model.lm_head(output.last_hidden_state[:, -1])
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1).to(self._device)
        margin = self._pool(logits, self._yes) - self._pool(logits, self._no)
        if capture is None:
            return Answer(margin, [])
        of_heads = self._maps(capture.of_heads(), batch.watched) if heads else []
        return Answer(margin, self._maps(capture.mean(), batch.watched), of_heads)

    def in_line(self, v: torch.Tensor) -> torch.Tensor:
        """V ``[T, h*w, D]`` as ``[1, N, D]`` for all tokens before the question, zero at those that are no cells."""
        return self._row([torch.zeros_like(text, dtype=v.dtype) for text in self._texts], v,
                         torch.zeros_like(self._trailing, dtype=v.dtype))  # fmt: skip

    @staticmethod
    def _row(texts: Sequence[torch.Tensor], cells: torch.Tensor, trailing: torch.Tensor) -> torch.Tensor:
        pieces = [piece for slot in zip(texts, cells, strict=True) for piece in slot]
        return torch.cat([*pieces, trailing])[None]

    def _capture(self, last: int, layers: tuple[int, ...] | None, heads: tuple[str, ...] | None) -> RowCapture:
        chosen = self._chosen(layers)
        return RowCapture(last, self._columns, chosen, self._by_layer(heads or ()), self.heads_apart)

    def _by_layer(self, heads: tuple[str, ...]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for layer, head in map(head_numbers, heads):
            if layer >= self.loaded.n_layers or head >= self.loaded.n_heads:
                raise ModelError(
                    f"The attention of heads {', '.join(heads)} was asked for; this model has layers 0 to "
                    f"{self.loaded.n_layers - 1} with heads 0 to {self.loaded.n_heads - 1}."
                )
            found.setdefault(layer, []).append(head)
        return found

    def _chosen(self, layers: tuple[int, ...] | None) -> frozenset[int] | None:
        chosen = self.loaded.family.layers if layers is None else layers
        if chosen is None:
            return None
        if not chosen or min(chosen) < 0 or max(chosen) >= self.loaded.n_layers:
            raise ModelError(
                f"The attention of layers {list(chosen)} was asked for; this model has layers 0 to "
                f"{self.loaded.n_layers - 1}."
            )
        return frozenset(chosen)

    def _deepstack(self, backwards: bool, times: int) -> dict[str, Any]:
        if not self._tokens.deepstack:
            return {}
        levels = [(level.flip(0) if backwards else level).flatten(0, 1) for level in self._tokens.deepstack]
        repeated = [level.repeat(times, 1) if times > 1 else level for level in levels]
        return {"visual_pos_masks": self._is_cell.expand(times, -1), "deepstack_visual_embeds": repeated}

    def _maps(self, mean: torch.Tensor, watched: list[tuple[int, ...]]) -> list[torch.Tensor]:
        """``[B, R, K]`` or ``[B, heads, R, K]`` -> per question its own R tokens, K as ``T, h, w``."""
        chosen = [self._sent(mean.shape[-2] - torch.tensor(places)) for places in watched]
        return [
            rows.index_select(-2, at).view(*rows.shape[:-2], -1, *self.shape)
            for rows, at in zip(mean, chosen, strict=True)
        ]

    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        embedded = self.loaded.model.get_input_embeddings()(self._sent(ids))
        assert isinstance(embedded, torch.Tensor)
        return embedded.to(self._device)

    def _sent(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(self._device, non_blocking=True)

    def _pool(self, log_probabilities: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return log_probabilities.index_select(-1, self._sent(ids)).logsumexp(dim=-1)

    @staticmethod
    def _repeat(prefix: Prefix, times: int) -> DynamicCache:
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(prefix.keys_values):
            cache.update(keys.expand(times, -1, -1, -1), values.expand(times, -1, -1, -1), layer)
        return cache


def _stacked(rows: Iterable[torch.Tensor]) -> torch.Tensor:
    """``[1, N, D]`` each -> ``[B, N, D]``; a single one as it is."""
    every = list(rows)
    return every[0] if len(every) == 1 else torch.cat(every)
